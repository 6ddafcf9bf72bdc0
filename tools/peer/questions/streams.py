"""Streams groups (KIP-1071): heartbeats, topologies, internal topics, tasks, commits, descriptions, and every refusal."""

from __future__ import annotations

import time
from typing import Any

from .asking import Answer, Asker, question
from .groups import commit, ready

GROUP_RESOURCE = 32
LEAVING, STEPPING_ASIDE = -1, -2
NO_TASKS: dict[str, Any] = {"activeTasks": [], "standbyTasks": [], "warmupTasks": []}
TRIES_MAX = 400


def at_once(ask: Asker, *groups: str, **more: str) -> None:
    """Nobody is waited for, and targets are found at once."""
    settings = {"streams.initial.rebalance.delay.ms": "0", "streams.assignment.interval.ms": "0"}
    settings |= {key.replace("_", "."): value for key, value in more.items()}
    configs = [{"name": key, "configOperation": 0, "value": value} for key, value in settings.items()]
    resources = [{"resourceType": GROUP_RESOURCE, "resourceName": group, "configs": configs} for group in groups]
    ask.raw("IncrementalAlterConfigs", 1, resources=resources, validateOnly=False)
    described = [{"resourceType": GROUP_RESOURCE, "resourceName": groups[-1], "configurationKeys": list(settings)}]
    ask.settled(lambda: ask("DescribeConfigs", 4, resources=described))


def part(name: str, **more: Any) -> dict[str, Any]:
    body: dict[str, Any] = {
        "subtopologyId": name,
        "sourceTopics": [],
        "sourceTopicRegex": [],
        "stateChangelogTopics": [],
        "repartitionSinkTopics": [],
        "repartitionSourceTopics": [],
        "copartitionGroups": [],
    }
    return body | more


def internal(name: str, partitions: int = 0, **configs: str) -> dict[str, Any]:
    entries = [{"key": key.replace("_", "."), "value": value} for key, value in configs.items()]
    return {"name": name, "partitions": partitions, "replicationFactor": 0, "topicConfigs": entries}


def topology(*parts: dict[str, Any], epoch: int = 0) -> dict[str, Any]:
    return {"epoch": epoch, "subtopologies": list(parts)}


def counting(source: str, group: str) -> dict[str, Any]:
    """Two sub-topologies with a repartition topic in between; the second keeps state."""
    middle, state = internal(f"{group}-middle", cleanup_policy="delete"), internal(f"{group}-state", cleanup_policy="compact")
    return topology(
        part("0", sourceTopics=[source], repartitionSinkTopics=[middle["name"]]),
        part("1", repartitionSourceTopics=[middle], stateChangelogTopics=[state]),
    )


def reading(*sources: str, **more: Any) -> dict[str, Any]:
    return topology(part("0", sourceTopics=list(sources), **more))


def in_order(answer: Any) -> Any:
    """Tasks, members and topics have no order of their own, and each broker has its own words."""
    if isinstance(answer, dict):
        for key, value in answer.items():
            if key.endswith("Tasks") and isinstance(value, list):
                value.sort(key=lambda ids: ids["subtopologyId"])
            elif key in ("activePartitions", "standbyPartitions") and isinstance(value, list):
                value.sort(key=lambda one: one["topic"])
            elif key == "members" and isinstance(value, list):
                value.sort(key=lambda member: member["memberId"])
            elif key == "topicConfigs" and isinstance(value, list):
                value.sort(key=lambda pair: pair["key"])
            elif key == "statusDetail":
                answer[key] = "<detail>" if value else value
            in_order(value)
    elif isinstance(answer, list):
        for value in answer:
            in_order(value)
    return answer


def raw_beat(ask: Asker, group: str, member: str, epoch: int, **more: Any) -> dict[str, Any]:
    body: dict[str, Any] = {"groupId": group, "memberId": member, "memberEpoch": epoch, "endpointInformationEpoch": 0}
    return in_order(ask.raw("StreamsGroupHeartbeat", 0, **(body | more)))


def beat(ask: Asker, group: str, member: str, epoch: int, **more: Any) -> Answer:
    return ask.comparable(raw_beat(ask, group, member, epoch, **more))


def joining(source: dict[str, Any], process: str = "p", **more: Any) -> dict[str, Any]:
    return {"topology": source, "processId": process, "rebalanceTimeoutMs": 60_000} | NO_TASKS | more


def known(ask: Asker, *topics: str) -> None:
    """Waits until the coordinators know the topics: Kafka's hear of them a moment later."""
    for number in range(TRIES_MAX):
        group = f"probe-{topics[0]}-{number}"
        answer = raw_beat(ask, group, "probe", 0, **joining(reading(*topics)))
        raw_beat(ask, group, "probe", LEAVING)
        if answer["errorCode"] == 0 and all(status["statusCode"] != 1 for status in answer["status"]):
            return
        time.sleep(0.02)
    raise AssertionError(f"no coordinator knows {topics}")


def until_complete(ask: Asker, group: str, member: str, answer: dict[str, Any]) -> dict[str, Any]:
    """Heartbeats until the internal topics are there; with the answer that tells the tasks."""
    for _ in range(TRIES_MAX):
        if answer["status"] == [] and answer["activeTasks"]:
            return answer
        time.sleep(0.05)
        answer = raw_beat(ask, group, member, answer["memberEpoch"])
    raise AssertionError(f"{group} never has its topics: {answer}")


def described(ask: Asker, *groups: str, **more: Any) -> Answer:
    answer = ask.comparable(in_order(ask.raw("StreamsGroupDescribe", 0, groupIds=list(groups), **more)))
    answer["groups"].sort(key=lambda group: group["groupId"])
    return answer


@question("streams groups: heartbeats that are refused")
def refused(ask: Asker) -> dict[str, Answer]:
    ready(ask)
    ask.topic("streams-refused", 2)
    known(ask, "streams-refused")
    group, plain = "streams-refused", reading("streams-refused")
    at_once(ask, group)
    join = joining(plain)
    tasks = [{"subtopologyId": "0", "partitions": [0]}]
    answers = {
        "no group": beat(ask, "", "a", 0, **join),
        "no member": beat(ask, group, "", 0, **join),
        "a rack without a name": beat(ask, group, "a", 0, **(join | {"rackId": ""})),
        "an instance": beat(ask, group, "a", 0, **(join | {"instanceId": "i"})),
        "no topology": beat(ask, group, "a", 0, **(join | {"topology": None})),
        "no time to rebalance": beat(ask, group, "a", 0, **(join | {"rebalanceTimeoutMs": -1})),
        "joins with tasks": beat(ask, group, "a", 0, **(join | {"activeTasks": tasks})),
        "tasks of one role only": beat(ask, group, "a", 1, activeTasks=tasks),
        "warm-up tasks": beat(ask, group, "a", 0, **(join | {"warmupTasks": tasks})),
        "offsets of tasks": beat(ask, group, "a", 0, taskOffsets=[], **join),
        "steps aside": beat(ask, group, "a", STEPPING_ASIDE),
        "an epoch that is none": beat(ask, group, "a", -3),
        "a topology later": beat(ask, group, "a", 1, topology=plain),
        "a regular expression": beat(ask, group, "a", 0, **joining(reading(sourceTopicRegex=["x.*"]))),
        "an internal topic": beat(ask, group, "a", 0, **joining(reading("__consumer_offsets"))),
        "a name that is none": beat(ask, group, "a", 0, **joining(reading("a b"))),
        "a changelog with a number": beat(
            ask, group, "a", 0, **joining(reading("streams-refused", stateChangelogTopics=[internal("log", 3)]))
        ),
        "nobody knows the group": beat(ask, "streams-nobody", "a", 1),
        "nobody leaves": beat(ask, "streams-nobody", "a", LEAVING),
    }
    epoch = raw_beat(ask, group, "a", 0, **join)["memberEpoch"]
    other = reading("streams-refused", stateChangelogTopics=[internal("log")])
    wrong = {"activeTasks": [{"subtopologyId": "0", "partitions": [9]}], "standbyTasks": [], "warmupTasks": []}
    strange = {"activeTasks": [{"subtopologyId": "7", "partitions": [0]}], "standbyTasks": [], "warmupTasks": []}
    answers |= {
        "a later epoch": beat(ask, group, "a", epoch + 1),
        "an epoch of long ago": beat(ask, group, "a", 1),
        "somebody else in an epoch": beat(ask, group, "b", epoch),
        "somebody else leaves": beat(ask, group, "b", LEAVING),
        "another topology": beat(ask, group, "b", 0, **joining(other)),
        "a task that is not there": beat(ask, group, "a", epoch, **wrong),
        "a sub-topology that is not there": beat(ask, group, "a", epoch, **strange),
        "left": beat(ask, group, "a", LEAVING),
        "after it has left": beat(ask, group, "a", epoch),
    }
    return answers


@question("streams groups: one member from its first heartbeat to its last")
def one_member(ask: Asker) -> dict[str, Answer]:
    ready(ask)
    ask.topic("streams-one", 3)
    known(ask, "streams-one")
    group = "streams-one-app"
    at_once(ask, group)
    first = raw_beat(ask, group, "a", 0, **joining(counting("streams-one", group)))
    answers: dict[str, Answer] = {"joined": ask.comparable(first)}
    complete = until_complete(ask, group, "a", first)
    # How often Kafka is asked until its topics are there is chance.
    answers["complete"] = ask.comparable({key: value for key, value in complete.items() if key != "memberEpoch"})
    epoch = complete["memberEpoch"]
    mine = {role: complete[role] for role in NO_TASKS}
    answers |= {
        "again": beat(ask, group, "a", epoch, **mine),
        "joined again": beat(ask, group, "a", 0, **joining(counting("streams-one", group))),
        "an older topology": beat(ask, group, "b", 0, **joining(counting("streams-one", group) | {"epoch": -1})),
    }
    names = [f"{group}-middle", f"{group}-state"]
    topics = [{"resourceType": 2, "resourceName": name, "configurationKeys": ["cleanup.policy"]} for name in names]
    answers["internal topics"] = ask("DescribeConfigs", 4, resources=topics)
    listed = ask.raw("ListGroups", 5, statesFilter=[], typesFilter=["STREAMS"])["groups"]
    answers["listed"] = [one for one in listed if one["groupId"] == group]
    answers["by another state"] = [
        one for one in ask.raw("ListGroups", 5, statesFilter=["Empty"], typesFilter=["streams"])["groups"] if one["groupId"] == group
    ]
    answers["left"] = beat(ask, group, "a", LEAVING)
    answers["listed empty"] = [
        one for one in ask.raw("ListGroups", 5, statesFilter=["Empty"], typesFilter=["streams"])["groups"] if one["groupId"] == group
    ]
    return answers


@question("streams groups: topologies and the topics that there are")
def topologies(ask: Asker) -> dict[str, Answer]:
    ready(ask)
    for name, partitions in (("streams-two", 2), ("streams-three", 3), ("streams-fixed", 3)):
        ask.topic(name, partitions)
    known(ask, "streams-two", "streams-three", "streams-fixed")
    pair = [{"sourceTopics": [0, 1], "sourceTopicRegex": [], "repartitionSourceTopics": []}]
    beyond = [{"sourceTopics": [0], "sourceTopicRegex": [], "repartitionSourceTopics": [3]}]
    mixed = [{"sourceTopics": [0], "sourceTopicRegex": [], "repartitionSourceTopics": [0]}]
    writer = part("0", sourceTopics=["streams-two"], repartitionSinkTopics=["streams-mid"])

    def joins(partitions: int) -> dict[str, Any]:
        topic = internal("streams-mid", partitions)
        return part("1", sourceTopics=["streams-three"], repartitionSourceTopics=[topic], copartitionGroups=mixed)

    circle = topology(
        part("0", repartitionSourceTopics=[internal("streams-x")], repartitionSinkTopics=["streams-y"]),
        part("1", repartitionSourceTopics=[internal("streams-y")], repartitionSinkTopics=["streams-x"]),
    )
    cases = {
        "a source that is not there": reading("streams-nowhere"),
        "sources of different widths": reading("streams-two", "streams-three"),
        "joined sources of different widths": reading("streams-two", "streams-three", copartitionGroups=pair),
        "a fixed number that does not fit": topology(writer, joins(2)),
        "an internal topic of another width": reading("streams-two", stateChangelogTopics=[internal("streams-fixed")]),
        "an internal topic of the right width": reading("streams-three", stateChangelogTopics=[internal("streams-fixed")]),
        "a circle": circle,
        "a repartition topic that nobody writes": topology(part("0", repartitionSourceTopics=[internal("streams-lonely")])),
    }
    answers: dict[str, Answer] = {}
    for label, tried in cases.items():
        group = "streams-" + label.replace(" ", "-")
        at_once(ask, group)
        answer = raw_beat(ask, group, "a", 0, **joining(tried))
        answers[label] = ask.comparable(answer)
        if answer["errorCode"] == 0:
            answers[label + ", described"] = described(ask, group)
    answers["a place that is not there"] = ask.comparable(
        {"refused": raw_beat(ask, "streams-beyond", "a", 0, **joining(reading("streams-two", copartitionGroups=beyond)))["errorCode"] != 0}
    )
    return answers


@question("streams groups: two members, their tasks and their standbys")
def two_members(ask: Asker) -> dict[str, Answer]:
    ready(ask)
    ask.topic("streams-pair", 4)
    ask.topic("streams-pair-log", 4)
    known(ask, "streams-pair", "streams-pair-log")
    group = "streams-pair-app"
    at_once(ask, group, streams_num_standby_replicas="1")
    stateful = reading("streams-pair", stateChangelogTopics=[internal("streams-pair-log")])
    one = raw_beat(ask, group, "a", 0, **joining(stateful, "p", userEndpoint={"host": "one", "port": 1}))
    answers: dict[str, Answer] = {"one": ask.comparable(one)}
    two = raw_beat(
        ask, group, "b", 0, **joining(stateful, "q", userEndpoint={"host": "two", "port": 2}, clientTags=[{"key": "zone", "value": "z"}])
    )
    answers["two"] = ask.comparable(two)
    held = {role: one[role] for role in NO_TASKS}
    told = raw_beat(ask, group, "a", one["memberEpoch"], **held)
    answers["one is told to give up"] = ask.comparable(told)
    answers["described meanwhile"] = described(ask, group)
    answers["two waits"] = beat(ask, group, "b", two["memberEpoch"], **NO_TASKS)
    kept = {role: told[role] for role in NO_TASKS}
    given = raw_beat(ask, group, "a", told["memberEpoch"], **kept)
    answers["one has given up"] = ask.comparable(given)
    last = raw_beat(ask, group, "b", two["memberEpoch"], **NO_TASKS)
    answers["two takes over"] = ask.comparable(last)
    answers["one has its copies"] = beat(ask, group, "a", given["memberEpoch"])
    answers["two knows the endpoints"] = beat(
        ask, group, "b", last["memberEpoch"], endpointInformationEpoch=last["endpointInformationEpoch"]
    )
    answers["described"] = described(ask, group, includeAuthorizedOperations=True)
    answers["shut down by one"] = beat(ask, group, "a", given["memberEpoch"], shutdownApplication=True)
    answers["two hears of it"] = beat(ask, group, "b", last["memberEpoch"])
    answers["two leaves"] = beat(ask, group, "b", LEAVING)
    answers["one goes on"] = beat(ask, group, "a", given["memberEpoch"])
    at_once(ask, group, streams_num_standby_replicas="0")
    answers["without copies"] = beat(ask, group, "a", given["memberEpoch"] + 1)
    return answers


@question("streams groups: the first members wait for company")
def delayed(ask: Asker) -> dict[str, Answer]:
    ready(ask)
    ask.topic("streams-late", 2)
    known(ask, "streams-late")
    group = "streams-late-app"
    at_once(ask, group, streams_initial_rebalance_delay_ms="1500")
    one = raw_beat(ask, group, "a", 0, **joining(reading("streams-late"), "p"))
    two = raw_beat(ask, group, "b", 0, **joining(reading("streams-late"), "q"))
    answers: dict[str, Answer] = {"one": ask.comparable(one), "two": ask.comparable(two), "described": described(ask, group)}
    for _ in range(TRIES_MAX):
        one = raw_beat(ask, group, "a", one["memberEpoch"])
        if one["status"] == []:
            break
        time.sleep(0.05)
    answers["one is given its task"] = ask.comparable(one)
    answers["two is given its task"] = beat(ask, group, "b", two["memberEpoch"])
    answers["described afterwards"] = described(ask, group)
    return answers


@question("streams groups: commits, fetches, offsets and other kinds of requests")
def offsets(ask: Asker) -> dict[str, Answer]:
    ready(ask)
    ask.topic("streams-kept", 1)
    known(ask, "streams-kept")
    group = "streams-kept-app"
    at_once(ask, group)
    epoch = raw_beat(ask, group, "a", 0, **joining(reading("streams-kept")))["memberEpoch"]

    def committed(version: int = 9, **more: Any) -> Answer:
        return commit(ask, group, version, "streams-kept", **more)

    def fetched(member: str | None, at: int) -> Answer:
        wanted = {"groupId": group, "memberId": member, "memberEpoch": at, "topics": [{"name": "streams-kept", "partitionIndexes": [0]}]}
        return ask("OffsetFetch", 9, groups=[wanted], requireStable=False)

    def deleted() -> Answer:
        return ask("OffsetDelete", 0, groupId=group, topics=[{"name": "streams-kept", "partitions": [{"partitionIndex": 0}]}])

    answers: dict[str, Answer] = {
        "in its epoch": committed(memberId="a", generationIdOrMemberEpoch=epoch),
        "in a later epoch": committed(memberId="a", generationIdOrMemberEpoch=epoch + 1),
        "in an epoch before it had the task": committed(memberId="a", generationIdOrMemberEpoch=epoch - 1),
        "in version 8": committed(8, memberId="a", generationIdOrMemberEpoch=epoch),
        "of a stranger": committed(memberId="b", generationIdOrMemberEpoch=epoch),
        "of an outsider while members live": committed(generationIdOrMemberEpoch=-1),
        "fetched in its epoch": fetched("a", epoch),
        "fetched in another epoch": fetched("a", epoch + 1),
        "fetched by a stranger": fetched("b", epoch),
        "fetched by a tool": fetched(None, -1),
        "offset in use deleted": deleted(),
        "deleted with a member": ask("DeleteGroups", 2, groupsNames=[group]),
        "described as a classic group": ask("DescribeGroups", 6, groups=[group]),
        "described as a consumer group": ask("ConsumerGroupDescribe", 1, groupIds=[group]),
        "described as a share group": ask("ShareGroupDescribe", 1, groupIds=[group]),
        "nobody described": described(ask, "streams-nobody"),
        "nameless described": described(ask, ""),
        "a member of the newer protocol": ask(
            "ConsumerGroupHeartbeat",
            1,
            groupId=group,
            memberId="c",
            memberEpoch=0,
            rebalanceTimeoutMs=60_000,
            subscribedTopicNames=["streams-kept"],
            topicPartitions=[],
        ),
        "a member of the classic protocol": ask(
            "JoinGroup",
            9,
            groupId=group,
            sessionTimeoutMs=10_000,
            rebalanceTimeoutMs=10_000,
            memberId="",
            protocolType="consumer",
            protocols=[{"name": "range", "metadata": b""}],
        ),
        "a member of a share group": ask(
            "ShareGroupHeartbeat", 1, groupId=group, memberId="d", memberEpoch=0, subscribedTopicNames=["streams-kept"]
        ),
        "a classic heartbeat": ask("Heartbeat", 4, groupId=group, generationId=epoch, memberId="a"),
    }
    raw_beat(ask, group, "a", LEAVING)
    answers |= {
        "committed by a tool": committed(generationIdOrMemberEpoch=-1),
        "offset deleted": deleted(),
        "the newer protocol, when it is empty": ask(
            "ConsumerGroupHeartbeat",
            1,
            groupId=group,
            memberId="c",
            memberEpoch=0,
            rebalanceTimeoutMs=60_000,
            subscribedTopicNames=["streams-kept"],
            topicPartitions=[],
        ),
        "the group deleted": ask("DeleteGroups", 2, groupsNames=[group]),
        "deleted again": ask("DeleteGroups", 2, groupsNames=[group]),
    }
    return answers
