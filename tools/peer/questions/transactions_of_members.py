"""Offsets in transactions of members of the newer group protocol. (Asked after all that must find no transaction yet.)"""

from __future__ import annotations

from typing import Any

from .asking import Answer, Asker, question
from .consumer_groups import at_once, beat, enter, topic
from .transactions import commit_offsets, ended, init, of, prepared
from .transactions import end as end_transaction


@question("consumer groups: offsets of transactions of members")
def transactional(ask: Asker) -> dict[str, Answer]:
    prepared(ask)
    name, group = "newer-tx", "newer-tx"
    topic(ask, name, 1)
    at_once(ask, group)
    answers: dict[str, Answer] = {"a joins": enter(ask, group, "a", subscribedTopicNames=[name], instanceId="i")}
    answers["b joins"] = enter(ask, group, "b", subscribedTopicNames=[name])
    answers["a goes on"] = beat(ask, group, "a", memberEpoch=2)
    for version in range(6):
        producer = of(init(ask, name))
        if version < 5:
            ask("AddOffsetsToTxn", 3, transactionalId=name, groupId=group, **producer)

        def commits(version: int = version, producer: dict[str, Any] = producer, **more: Any) -> Answer:
            return commit_offsets(ask, version, name, producer, group, name, **more)

        answers[f"v{version} nobody in particular"] = commits()
        if version >= 3:
            answers[f"v{version} in its epoch"] = commits(generationId=3, memberId="a")
            answers[f"v{version} an epoch ago, held or not"] = commits(generationId=2, memberId="a")
            answers[f"v{version} long ago"] = commits(generationId=1, memberId="a")
            answers[f"v{version} in an epoch to come"] = commits(generationId=9, memberId="a")
            answers[f"v{version} without an epoch"] = commits(generationId=-1, memberId="a")
            answers[f"v{version} a stranger"] = commits(generationId=3, memberId="nobody")
            answers[f"v{version} nobody in an epoch"] = commits(generationId=3, memberId="")
            answers[f"v{version} by its name"] = commits(generationId=3, memberId="a", groupInstanceId="i")
            answers[f"v{version} by an unknown name"] = commits(generationId=3, memberId="a", groupInstanceId="x")
            answers[f"v{version} by its name alone"] = commits(generationId=-1, memberId="", groupInstanceId="i")
        answers[f"v{version} ended"] = end_transaction(ask, 5 if version >= 5 else 4, name, producer)
        ended(ask, name)
    return answers
