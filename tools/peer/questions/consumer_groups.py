"""Groups of the newer protocol (KIP-848): heartbeats, descriptions, commits, and every refusal."""

from __future__ import annotations

import time
from typing import Any

from .asking import UNKNOWN_ID, Answer, Asker, question
from .groups import commit, joined, ready

GROUP_RESOURCE = 32
JOINING = {"memberEpoch": 0, "rebalanceTimeoutMs": 60_000, "topicPartitions": []}
LEAVING, STEPPING_ASIDE = -1, -2
TRIES_MAX = 200


def at_once(ask: Asker, *groups: str) -> None:
    """Targets are found at once and not, as by default, at most every second."""
    ask.settled(lambda: ask("FindCoordinator", 4, coordinatorKeys=["ready"]))
    entry = {"name": "consumer.assignment.interval.ms", "configOperation": 0, "value": "0"}
    resources = [{"resourceType": GROUP_RESOURCE, "resourceName": group, "configs": [entry]} for group in groups]
    ask.raw("IncrementalAlterConfigs", 1, resources=resources, validateOnly=False)
    described = [{"resourceType": GROUP_RESOURCE, "resourceName": groups[-1], "configurationKeys": [entry["name"]]}]
    ask.settled(lambda: ask("DescribeConfigs", 4, resources=described))


def topic(ask: Asker, name: str, partitions: int) -> str:
    """Creates a topic; Kafka's coordinators hear of it a moment after its other parts."""
    topic_id = ask.topic(name, partitions)
    for number in range(TRIES_MAX):
        body = JOINING | {"subscribedTopicNames": [name]}
        if raw_beat(ask, f"probe-{name}-{number}", "probe", **body)["assignment"]["topicPartitions"]:
            return topic_id
        time.sleep(0.02)
    raise AssertionError(f"no coordinator knows topic {name}")


def in_order(answer: Any) -> Any:
    """Partitions and members have no order of their own."""
    if isinstance(answer, dict):
        for key, value in answer.items():
            if key == "topicPartitions" and isinstance(value, list):
                value.sort(key=lambda topic: topic.get("topicName", topic["topicId"]))
                for topic in value:
                    topic["partitions"].sort()
            elif key == "members" and isinstance(value, list):
                value.sort(key=lambda member: (member.get("instanceId") or "", member["memberId"]))
            elif key == "subscribedTopicNames" and isinstance(value, list):
                value.sort()
            in_order(value)
    elif isinstance(answer, list):
        for value in answer:
            in_order(value)
    return answer


def raw_beat(ask: Asker, group: str, member: str, version: int = 1, **more: Any) -> dict[str, Any]:
    body: dict[str, Any] = {"groupId": group, "memberId": member, "rebalanceTimeoutMs": -1}
    return in_order(ask.raw("ConsumerGroupHeartbeat", version, **(body | more)))


def beat(ask: Asker, group: str, member: str, version: int = 1, **more: Any) -> Answer:
    return ask.comparable(raw_beat(ask, group, member, version, **more))


def enter(ask: Asker, group: str, member: str, version: int = 1, **more: Any) -> Answer:
    """A first heartbeat."""
    return beat(ask, group, member, version, **(JOINING | {"subscribedTopicNames": ["newer"]} | more))


def described(ask: Asker, *groups: str, version: int = 1, **more: Any) -> Answer:
    answer = in_order(ask.raw("ConsumerGroupDescribe", version, groupIds=list(groups), **more))
    answer["groups"].sort(key=lambda group: group["groupId"])
    return ask.comparable(answer)


@question("consumer groups: a member's life in every version")
def life(ask: Asker) -> dict[str, Answer]:
    ready(ask)
    topic_id = topic(ask, "newer", 3)
    answers: dict[str, Answer] = {}
    for version in ask.versions("ConsumerGroupHeartbeat"):
        group = f"newer-life-v{version}"
        entered = raw_beat(ask, group, "" if version == 0 else "one", version, **(JOINING | {"subscribedTopicNames": ["newer"]}))
        member = entered["memberId"]
        held = [{"topicId": topic_id, "partitions": [0, 1, 2]}]

        def again(**more: Any) -> Answer:
            return beat(ask, group, member, version, **more)  # noqa: B023

        answers[f"v{version} joined"] = ask.comparable(entered)
        answers[f"v{version} a life sign"] = again(memberEpoch=entered["memberEpoch"])
        answers[f"v{version} what it holds"] = again(memberEpoch=entered["memberEpoch"], topicPartitions=held)
        answers[f"v{version} everything"] = again(
            memberEpoch=entered["memberEpoch"],
            topicPartitions=held,
            rebalanceTimeoutMs=60_000,
            subscribedTopicNames=["newer"],
        )
        answers[f"v{version} joined again"] = enter(ask, group, member, version)
        answers[f"v{version} left"] = again(memberEpoch=LEAVING)
        answers[f"v{version} left again"] = again(memberEpoch=LEAVING)
        answers[f"v{version} after it has left"] = again(memberEpoch=entered["memberEpoch"])
    return answers


@question("consumer groups: heartbeats that are refused")
def refused(ask: Asker) -> dict[str, Answer]:
    ready(ask)
    topic(ask, "newer-refused", 2)
    group = "newer-refused"
    reads = {"subscribedTopicNames": ["newer-refused"]}
    answers = {"of the group's member": enter(ask, group, "one", **reads)}
    joined(ask, "newer-refused-classic")
    for version in ask.versions("ConsumerGroupHeartbeat"):
        cases: dict[str, Answer] = {
            "no group": enter(ask, "", "m", version, **reads),
            "blank group": enter(ask, " ", "m", version, **reads),
            "no member": enter(ask, group, "", version, **reads) if version else None,
            "no member, alive": beat(ask, group, "", version, memberEpoch=1),
            "no member, leaving": beat(ask, group, "", version, memberEpoch=LEAVING),
            "no member, aside": beat(ask, group, "", version, memberEpoch=STEPPING_ASIDE),
            "no member, aside, by name": beat(ask, group, "", version, memberEpoch=STEPPING_ASIDE, instanceId="i"),
            "blank member, alive": beat(ask, group, " ", version, memberEpoch=1),
            "blank instance": enter(ask, group, "m", version, instanceId=" ", **reads),
            "blank rack": enter(ask, group, "m", version, rackId=" ", **reads),
            "empty instance": enter(ask, group, "m", version, instanceId="", **reads),
            "empty rack": enter(ask, group, "m", version, rackId="", **reads),
            "no timeout": enter(ask, group, "m", version, rebalanceTimeoutMs=-1, **reads),
            "nothing to read": enter(ask, group, "m", version, subscribedTopicNames=None),
            "partitions unsaid": enter(ask, group, "m", version, topicPartitions=None, **reads),
            "partitions at once": enter(ask, group, "m", version, topicPartitions=[{"topicId": UNKNOWN_ID, "partitions": [0]}], **reads),
            "an epoch that is none": beat(ask, group, "one", version, memberEpoch=-3),
            "aside without a name": beat(ask, group, "one", version, memberEpoch=STEPPING_ASIDE),
            "unknown assignor": enter(ask, group, "m", version, serverAssignor="nobody", **reads),
            "unknown assignor, alive": beat(ask, group, "one", version, memberEpoch=2, serverAssignor="nobody"),
            "empty assignor": enter(ask, group, "m", version, serverAssignor="", **reads),
            "stranger": beat(ask, group, "nobody", version, memberEpoch=2),
            "stranger leaves": beat(ask, group, "nobody", version, memberEpoch=LEAVING),
            "stranger leaves by a name": beat(ask, group, "nobody", version, memberEpoch=LEAVING, instanceId="i"),
            "stranger steps aside": beat(ask, group, "nobody", version, memberEpoch=STEPPING_ASIDE, instanceId="i"),
            "epoch to come": beat(ask, group, "one", version, memberEpoch=9),
            "epoch gone by": beat(ask, group, "one", version, memberEpoch=1),
            "unknown instance": beat(ask, group, "one", version, memberEpoch=2, instanceId="i"),
            "unknown group": beat(ask, "newer-refused-none", "m", version, memberEpoch=2),
            "unknown group, leaving": beat(ask, "newer-refused-none", "m", version, memberEpoch=LEAVING),
            "classic group, alive": beat(ask, "newer-refused-classic", "m", version, memberEpoch=2),
            "classic group, leaving": beat(ask, "newer-refused-classic", "m", version, memberEpoch=LEAVING),
        }
        answers |= {f"v{version} {label}": answer for label, answer in cases.items() if answer is not None}
    for label, pattern in {"bracket": "[", "ahead": "(?=a)", "twice": "a**"}.items():
        answers[f"regex: {label}"] = enter(ask, group, "m", subscribedTopicNames=None, subscribedTopicRegex=pattern)
    answers["nothing has come of it"] = described(ask, group, "newer-refused-none", "newer-refused-classic")
    return answers


@question("consumer groups: what a member reads")
def reading(ask: Asker) -> dict[str, Answer]:
    ready(ask)
    topic(ask, "newer-read", 2)
    topic(ask, "newer-also", 1)
    group = "newer-reading"
    at_once(ask, group)

    def enters(member: str, topics: list[str] | None = None, **more: Any) -> Answer:
        return enter(ask, group, member, subscribedTopicNames=topics, **more)

    return {
        "one that is not there": enters("a", ["newer-read", "newer-missing"]),
        "described": described(ask, group),
        "another": beat(ask, group, "a", memberEpoch=2, subscribedTopicNames=["newer-also"]),
        "has given up": beat(ask, group, "a", memberEpoch=2, topicPartitions=[]),
        "and goes on": beat(ask, group, "a", memberEpoch=3),
        "nothing": beat(ask, group, "a", memberEpoch=3, subscribedTopicNames=[]),
        "nothing any more": beat(ask, group, "a", memberEpoch=3, topicPartitions=[]),
        "read by nobody": described(ask, group),
        "an empty expression": enters("b", [], subscribedTopicRegex=""),
        "and a name": enters("c", ["newer-also"], subscribedTopicRegex=""),
        "in the end": described(ask, group),
    }


@question("consumer groups: a partition changes hands")
def handing_over(ask: Asker) -> dict[str, Answer]:
    ready(ask)
    topic_id = topic(ask, "newer-hands", 2)
    group = "newer-hands"
    at_once(ask, group)
    reads = {"subscribedTopicNames": ["newer-hands"], "serverAssignor": "range"}

    def owns(*indexes: int) -> dict[str, Any]:
        return {"topicPartitions": [{"topicId": topic_id, "partitions": list(indexes)}] if indexes else []}

    answers: dict[str, Answer] = {}
    answers["a joins"] = enter(ask, group, "a", **reads)
    answers["b joins"] = enter(ask, group, "b", **reads)
    answers["b waits"] = beat(ask, group, "b", memberEpoch=3, **owns())
    answers["a is to give up"] = beat(ask, group, "a", memberEpoch=2, **owns(0, 1))
    for version in ask.versions("ConsumerGroupDescribe"):
        answers[f"reconciling v{version}"] = described(ask, group, version=version)
    answers["listed"] = [one for one in ask("ListGroups", 5, statesFilter=["Reconciling"])["groups"] if one["groupId"] == group]
    answers["b still waits"] = beat(ask, group, "b", memberEpoch=3, **owns())
    answers["a is told again"] = beat(ask, group, "a", memberEpoch=2)
    answers["a has not yet"] = beat(ask, group, "a", memberEpoch=2, **owns(0, 1))
    answers["a has given up"] = beat(ask, group, "a", memberEpoch=2, **owns(0))
    answers["a has got no answer"] = beat(ask, group, "a", memberEpoch=2, **owns(0))
    answers["a claims too much"] = beat(ask, group, "a", memberEpoch=2, **owns(0, 1))
    answers["b receives"] = beat(ask, group, "b", memberEpoch=3, **owns())
    answers["b has it"] = beat(ask, group, "b", memberEpoch=3, **owns(1))
    answers["stable"] = described(ask, group)
    answers["a leaves"] = beat(ask, group, "a", memberEpoch=LEAVING)
    answers["assigning"] = described(ask, group)
    answers["b receives all"] = beat(ask, group, "b", memberEpoch=3, **owns(1))
    answers["b alone"] = described(ask, group)
    answers["delete while it lives"] = ask("DeleteGroups", 2, groupsNames=[group])
    answers["b leaves"] = beat(ask, group, "b", memberEpoch=LEAVING)
    answers["empty"] = described(ask, group)
    answers["empty, as a classic one"] = ask("DescribeGroups", 6, groups=[group])
    answers["deleted"] = ask("DeleteGroups", 2, groupsNames=[group])
    answers["gone"] = described(ask, group)
    return answers


@question("consumer groups: static members")
def static(ask: Asker) -> dict[str, Answer]:
    ready(ask)
    topic(ask, "newer-static", 2)
    group = "newer-static"
    at_once(ask, group)
    reads = {"subscribedTopicNames": ["newer-static"], "instanceId": "i"}
    answers: dict[str, Answer] = {}
    answers["joined"] = enter(ask, group, "a", **reads)
    answers["a second with its name"] = enter(ask, group, "b", **reads)
    answers["it joins again"] = enter(ask, group, "a", **reads)
    answers["another under its name"] = beat(ask, group, "b", memberEpoch=2, instanceId="i")
    answers["under a name of its own"] = beat(ask, group, "a", memberEpoch=2, instanceId="other")
    answers["without its name"] = beat(ask, group, "a", memberEpoch=2)
    answers["another leaves by its name"] = beat(ask, group, "b", memberEpoch=LEAVING, instanceId="i")
    answers["another steps aside by its name"] = beat(ask, group, "b", memberEpoch=STEPPING_ASIDE, instanceId="i")
    answers["it steps aside"] = beat(ask, group, "a", memberEpoch=STEPPING_ASIDE, instanceId="i")
    answers["while it is away"] = described(ask, group)
    answers["it lives while it is away"] = beat(ask, group, "a", memberEpoch=2, instanceId="i")
    answers["it comes back as another"] = enter(ask, group, "c", **reads)
    answers["the first is gone"] = beat(ask, group, "a", memberEpoch=2, instanceId="i")
    answers["back"] = described(ask, group)
    answers["removed by a tool"] = ask("LeaveGroup", 5, groupId=group, members=[{"memberId": "", "groupInstanceId": "i"}])
    answers["removed again"] = ask("LeaveGroup", 5, groupId=group, members=[{"memberId": "", "groupInstanceId": "i"}])
    answers["a stranger removed"] = ask("LeaveGroup", 5, groupId=group, members=[{"memberId": "nobody"}])
    return answers


@question("consumer groups: described in every version")
def describing(ask: Asker) -> dict[str, Answer]:
    ready(ask)
    topic(ask, "newer-described", 2)
    topic(ask, "newer-described-empty", 1)
    enter(
        ask,
        "newer-described",
        "one",
        subscribedTopicNames=["newer-described", "newer-described-empty"],
        rackId="r",
        instanceId="i",
        serverAssignor="range",
    )
    joined(ask, "newer-described-classic")
    commit(ask, "newer-described-offsets", topic="newer-described", generationIdOrMemberEpoch=-1)
    names = ["newer-described", "newer-described-classic", "newer-described-offsets", "newer-described-none"]
    answers: dict[str, Answer] = {}
    for version in ask.versions("ConsumerGroupDescribe"):
        for name in [*names, ""]:
            answers[f"v{version} {name or 'no name'}"] = described(ask, name, version=version)
        answers[f"v{version} several"] = described(ask, *names, version=version)
        answers[f"v{version} twice"] = described(ask, names[0], names[0], version=version)
        answers[f"v{version} none"] = described(ask, version=version)
        answers[f"v{version} with operations"] = described(ask, names[0], version=version, includeAuthorizedOperations=True)
    for version in ask.versions("DescribeGroups"):
        answers[f"as a classic group v{version}"] = ask("DescribeGroups", version, groups=["newer-described"])
    for version in ask.versions("ListGroups"):
        listed = ask("ListGroups", version)["groups"]
        ours = [group for group in listed if group["groupId"].startswith("newer-described")]
        answers[f"listed v{version}"] = sorted(ours, key=lambda group: group["groupId"])
    return answers
