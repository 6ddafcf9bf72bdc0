"""Both group protocols at once: classic requests to a group of the newer one, and groups that change over."""

from __future__ import annotations

from .asking import ZERO_ID, Answer, Asker, question
from .consumer_groups import LEAVING, at_once, beat, described, enter, topic
from .groups import ASSIGNMENT, SUBSCRIPTION, commit, join, joined, ready


def joins(ask: Asker) -> None:
    """The topic that the classic members read; other questions have it, too."""
    found = ask.raw("Metadata", 12, topics=[{"topicId": ZERO_ID, "name": "joins"}], allowAutoTopicCreation=False)
    if found["topics"][0]["errorCode"] != 0:
        topic(ask, "joins", 1)
    else:
        ask.named("topic id", found["topics"][0]["topicId"], "joins")


@question("consumer groups: requests of the classic protocol")
def classic_requests(ask: Asker) -> dict[str, Answer]:
    ready(ask)
    topic(ask, "newer-strict", 1)
    joins(ask)
    group = "newer-strict"
    enter(ask, group, "a", subscribedTopicNames=["newer-strict"])
    generation = {"groupId": group, "generationId": 2}
    sync = {"protocolType": "consumer", "protocolName": "range", "assignments": []}
    answers: dict[str, Answer] = {
        "sync of its member": ask("SyncGroup", 5, memberId="a", **generation, **sync),
        "sync of a stranger": ask("SyncGroup", 5, memberId="nobody", **generation, **sync),
        "heartbeat of its member": ask("Heartbeat", 4, memberId="a", **generation),
        "heartbeat of a stranger": ask("Heartbeat", 4, memberId="nobody", **generation),
        "leave of a stranger": ask("LeaveGroup", 5, groupId=group, members=[{"memberId": "nobody"}]),
        "join of another kind": ask.comparable(join(ask, group, protocolType="connect")),
        "join with a protocol nobody can read": ask.comparable(
            join(ask, group, memberId="c", protocols=[{"name": "range", "metadata": b""}])
        ),
        "join of a stranger": ask.comparable(join(ask, group, memberId="nobody")),
        "leave of its member": ask("LeaveGroup", 5, groupId=group, members=[{"memberId": "a"}]),
        "described": described(ask, group),
    }
    return answers


@question("consumer groups: a classic group changes over, and back")
def changing_over(ask: Asker) -> dict[str, Answer]:
    ready(ask)
    joins(ask)
    group = "newer-upgrade"
    at_once(ask, group)
    old = joined(ask, group)
    reads = {"subscribedTopicNames": ["joins"]}
    generation = {"groupId": group, "memberId": old}
    answers: dict[str, Answer] = {
        "before": described(ask, group),
        "classic": ask("DescribeGroups", 6, groups=[group]),
        "a member of the newer protocol joins": enter(ask, group, "new", **reads),
        "both": described(ask, group),
        "as a classic group": ask("DescribeGroups", 6, groups=[group]),
        "the old one lives": ask("Heartbeat", 4, generationId=1, **generation),
        "the old one commits": commit(ask, group, topic="joins", memberId=old, generationIdOrMemberEpoch=1),
    }
    again = join(ask, group, memberId=old, protocols=[{"name": "range", "metadata": SUBSCRIPTION}])
    answers["the old one joins again"] = ask.comparable(again)
    answers["and syncs"] = ask(
        "SyncGroup",
        5,
        generationId=again["generationId"],
        protocolType="consumer",
        protocolName="range",
        assignments=[{"memberId": old, "assignment": ASSIGNMENT}],
        **generation,
    )
    answers["the new one goes on"] = beat(ask, group, "new", memberEpoch=2)
    answers["later"] = described(ask, group)
    answers["the new one leaves"] = beat(ask, group, "new", memberEpoch=LEAVING)
    answers["after"] = described(ask, group)
    answers["the old one is told"] = ask("Heartbeat", 4, generationId=again["generationId"], **generation)
    answers["classic again"] = ask.settled(lambda: ask("DescribeGroups", 6, groups=[group]))
    return answers
