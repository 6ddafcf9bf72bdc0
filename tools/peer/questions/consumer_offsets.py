"""Offsets of members of the newer group protocol: their epochs in commits and fetches."""

from __future__ import annotations

from typing import Any

from .asking import Answer, Asker, question
from .consumer_groups import LEAVING, STEPPING_ASIDE, at_once, beat, enter, raw_beat, topic
from .groups import commit, ready


@question("consumer groups: commits and fetches of members in every version")
def commits(ask: Asker) -> dict[str, Answer]:
    ready(ask)
    name, group = "newer-commits", "newer-commits"
    topic_id = topic(ask, name, 2)
    at_once(ask, group)
    enter(ask, group, "a", subscribedTopicNames=[name])
    enter(ask, group, "s", subscribedTopicNames=[name], instanceId="i")
    # "a" gives one partition up, and both are in epoch 3 then.
    told = raw_beat(ask, group, "a", memberEpoch=2)
    kept = told["assignment"]["topicPartitions"]
    raw_beat(ask, group, "a", memberEpoch=2, topicPartitions=kept)
    raw_beat(ask, group, "s", memberEpoch=3, instanceId="i")
    held = {"partitionIndex": kept[0]["partitions"][0]}
    other = {"partitionIndex": 1 - kept[0]["partitions"][0]}
    answers: dict[str, Answer] = {"in its epoch": [len(kept), len(kept[0]["partitions"])]}

    def plain(answer: Answer) -> Answer:
        """Which of its partitions a member has kept is chance."""
        for found in answer["topics"]:
            for partition in found["partitions"]:
                partition["partitionIndex"] = "<partition>"
        return answer

    for version in ask.versions("OffsetCommit"):
        where = topic_id if version >= 10 else name

        def commits(member: str, epoch: int, *, where: str = where, version: int = version, **more: Any) -> Answer:
            more = {"partition": held} | more
            return plain(commit(ask, group, version, where, memberId=member, generationIdOrMemberEpoch=epoch, **more))

        answers[f"commit v{version} in its epoch"] = commits("a", 3)
        answers[f"commit v{version} an epoch ago, held since"] = commits("a", 2)
        answers[f"commit v{version} an epoch ago, not held"] = commits("a", 2, partition=other)
        answers[f"commit v{version} long ago"] = commits("a", 1)
        answers[f"commit v{version} of another's partition"] = commits("a", 3, partition=other)
        answers[f"commit v{version} in an epoch to come"] = commits("a", 4)
        answers[f"commit v{version} without an epoch"] = commits("a", -1)
        answers[f"commit v{version} of a stranger"] = commits("nobody", 3)
        answers[f"commit v{version} of nobody"] = commits("", -1)
        answers[f"commit v{version} of nobody in an epoch"] = commits("", 3)
        if version >= 7:
            answers[f"commit v{version} by name"] = commits("s", 3, groupInstanceId="i")
            answers[f"commit v{version} by another's name"] = commits("a", 3, groupInstanceId="i")
            answers[f"commit v{version} by an unknown name"] = commits("a", 3, groupInstanceId="x")
    for version in range(9, ask.versions("OffsetFetch").stop):
        for label, (member, epoch) in {
            "in its epoch": ("a", 3),
            "an epoch ago": ("a", 2),
            "an epoch to come": ("a", 4),
            "without an epoch": ("a", -1),
            "a stranger": ("nobody", 3),
            "nobody": (None, -1),
            "nobody in an epoch": (None, 3),
            "an empty name": ("", -1),
            "an empty name in an epoch": ("", 3),
        }.items():
            asked = [{"groupId": group, "memberId": member, "memberEpoch": epoch, "topics": None}]
            answer = ask("OffsetFetch", version, groups=asked)
            answers[f"fetch v{version} {label}"] = {"groups": [plain(one) for one in answer["groups"]]}
    answers["offsets deleted while it is read"] = plain(
        ask("OffsetDelete", 0, groupId=group, topics=[{"name": name, "partitions": [{"partitionIndex": 0}]}])
    )
    beat(ask, group, "s", memberEpoch=STEPPING_ASIDE, instanceId="i")
    answers["commit of a member that is away"] = plain(
        commit(ask, group, topic=name, memberId="s", generationIdOrMemberEpoch=3, partition=other)
    )
    for member in ("a", "s"):
        beat(ask, group, member, memberEpoch=LEAVING, instanceId="i" if member == "s" else None)
    answers["commit of an outsider to an empty group"] = commit(ask, group, topic=name, generationIdOrMemberEpoch=-1)
    answers["commit in an epoch to an empty group"] = commit(ask, group, topic=name, memberId="a", generationIdOrMemberEpoch=3)
    return answers
