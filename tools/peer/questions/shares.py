"""Share groups (KIP-932): heartbeats, sessions, what is given out, what is said of it, and every refusal."""

from __future__ import annotations

import time
from typing import Any

from .asking import UNKNOWN_ID, Answer, Asker, question
from .consumer_groups import in_order
from .groups import ready

GROUP_RESOURCE = 32
ONE, TWO = "AAAAAAAAAAAAAAAAAAAAAQ", "AAAAAAAAAAAAAAAAAAAAAg"
LEAVING = LAST = -1
FIRST = 0
ACCEPT, RELEASE, REJECT, RENEW = 1, 2, 3, 4
TRIES_MAX = 400


def raw_beat(ask: Asker, group: str, member: str, epoch: int, **more: Any) -> dict[str, Any]:
    body: dict[str, Any] = {"groupId": group, "memberId": member, "memberEpoch": epoch}
    return in_order(ask.raw("ShareGroupHeartbeat", 1, **(body | more)))


def beat(ask: Asker, group: str, member: str, epoch: int, **more: Any) -> Answer:
    return ask.comparable(raw_beat(ask, group, member, epoch, **more))


def from_the_start(ask: Asker, group: str) -> None:
    entry = {"name": "share.auto.offset.reset", "configOperation": 0, "value": "earliest"}
    resources = [{"resourceType": GROUP_RESOURCE, "resourceName": group, "configs": [entry]}]
    ask.raw("IncrementalAlterConfigs", 1, resources=resources, validateOnly=False)
    described = [{"resourceType": GROUP_RESOURCE, "resourceName": group, "configurationKeys": [entry["name"]]}]
    ask.settled(lambda: ask("DescribeConfigs", 4, resources=described))


def member(ask: Asker, group: str, name: str, *topics: str) -> dict[str, Any]:
    """Joins, and comes again until it has been given something: Kafka makes the state of queues meanwhile."""
    given = raw_beat(ask, group, name, 0, subscribedTopicNames=list(topics))
    for _ in range(TRIES_MAX):
        if given["errorCode"] == 0 and given["assignment"] and given["assignment"]["topicPartitions"]:
            return given
        time.sleep(0.05)
        epoch = given["memberEpoch"] if given["errorCode"] == 0 else 0
        given = raw_beat(ask, group, name, epoch, subscribedTopicNames=list(topics))
    raise AssertionError(f"{name} of {group} was never given anything: {given}")


def fetch(ask: Asker, group: str, name: str, epoch: int, topic_id: str, version: int = 2, **more: Any) -> dict[str, Any]:
    partition = {"partitionIndex": 0, "acknowledgementBatches": more.pop("said", [])}
    topics = more.pop("topics", [{"topicId": topic_id, "partitions": [partition]}])
    body: dict[str, Any] = {
        "groupId": group,
        "memberId": name,
        "shareSessionEpoch": epoch,
        "maxWaitMs": 0,
        "minBytes": 0,
        "maxBytes": 1 << 20,
        "maxRecords": 100,
        "batchSize": 100,
        "topics": topics,
        "forgottenTopicsData": [],
    }
    answer = ask.raw("ShareFetch", version, **(body | more))
    for topic in answer["responses"]:
        for one in topic["partitions"]:
            one.pop("records", None)
    return answer


def got(answer: dict[str, Any]) -> list[Any]:
    """What was given out, without the borders of its batches."""
    found: list[Any] = []
    for topic in answer["responses"]:
        for one in topic["partitions"]:
            ranges: list[list[int]] = []
            for acquired in one["acquiredRecords"]:
                first, last, count = acquired["firstOffset"], acquired["lastOffset"], acquired["deliveryCount"]
                if ranges and ranges[-1][1] + 1 == first and ranges[-1][2] == count:
                    ranges[-1][1] = last
                else:
                    ranges.append([first, last, count])
            found.append({"index": one["partitionIndex"], "error": one["errorCode"], "said": one["acknowledgeErrorCode"], "given": ranges})
    return [answer["errorCode"], found]


def given(ask: Asker, group: str, name: str, epoch: int, topic_id: str, **more: Any) -> tuple[list[Any], int]:
    """Asks until something is given out; with the epoch of the next request."""
    for _ in range(TRIES_MAX):
        answer = got(fetch(ask, group, name, epoch, topic_id, **more))
        more.pop("said", None)
        epoch += 1
        if answer[0] != 0 or any(one["given"] or one["error"] for one in answer[1]):
            return answer, epoch
        time.sleep(0.05)
    raise AssertionError(f"{name} of {group} is given nothing")


def batch(first: int, last: int, *types: int) -> dict[str, Any]:
    return {"firstOffset": first, "lastOffset": last, "acknowledgeTypes": list(types)}


def say(ask: Asker, group: str, name: str, epoch: int, topic_id: str, *batches: dict[str, Any], version: int = 2, **more: Any) -> list[Any]:
    partitions = [{"partitionIndex": more.pop("index", 0), "acknowledgementBatches": list(batches)}]
    topics = [{"topicId": topic_id, "partitions": partitions}]
    body: dict[str, Any] = {"groupId": group, "memberId": name, "shareSessionEpoch": epoch, "topics": topics}
    answer = ask.raw("ShareAcknowledge", version, **(body | more))
    parts = [[one["partitionIndex"], one["errorCode"]] for topic in answer["responses"] for one in topic["partitions"]]
    return [answer["errorCode"], parts]


@question("share groups: heartbeats that are refused")
def refused(ask: Asker) -> dict[str, Answer]:
    ready(ask)
    ask.topic("share-refused", 1)
    group = "share-refused"
    topics = {"subscribedTopicNames": ["share-refused"]}
    answers = {
        "no group": beat(ask, "", ONE, 0, **topics),
        "no member": beat(ask, group, "", 0, **topics),
        "an epoch that is none": beat(ask, group, ONE, -2, **topics),
        "no topics": beat(ask, group, ONE, 0),
        "a rack without a name": beat(ask, group, ONE, 0, rackId="", **topics),
        "nobody knows the group": beat(ask, "share-nobody", ONE, 1),
        "nobody leaves": beat(ask, "share-nobody", ONE, LEAVING),
    }
    epoch = member(ask, group, ONE, "share-refused")["memberEpoch"]
    answers |= {
        "a later epoch": beat(ask, group, ONE, epoch + 1),
        "somebody else in an epoch": beat(ask, group, TWO, epoch),
        "somebody else leaves": beat(ask, group, TWO, LEAVING),
        "left": ask.comparable({"errorCode": raw_beat(ask, group, ONE, LEAVING)["errorCode"]}),
        "after it has left": beat(ask, group, ONE, epoch),
    }
    return answers


@question("share groups: sessions")
def sessions(ask: Asker) -> dict[str, Answer]:
    ready(ask)
    topic_id = ask.topic("share-sessions", 1)
    group = "share-sessions"
    from_the_start(ask, group)
    member(ask, group, ONE, "share-sessions")

    def asked(epoch: int, **more: Any) -> list[Any]:
        return got(fetch(ask, group, ONE, epoch, topic_id, **more))

    accept = batch(0, 0, ACCEPT)
    nothing: dict[str, Any] = {"partitionIndex": 0, "acknowledgementBatches": []}
    answers: dict[str, Answer] = {
        "nobody has begun": asked(1),
        "nobody ends": asked(LAST, topics=[]),
        "nothing to say yet": say(ask, group, ONE, 1, topic_id, accept),
        "the last word of nobody": say(ask, group, ONE, LAST, topic_id, accept),
        "begins with a word": asked(FIRST, said=[accept]),
        "begins": asked(FIRST)[0],
        "an epoch is left out": asked(2),
        "goes on": asked(1),
        "the same again": asked(1),
        "a word in the first epoch": say(ask, group, ONE, FIRST, topic_id, accept),
        "a word in a later epoch": say(ask, group, ONE, 9, topic_id, accept),
        "a topic nobody knows": asked(2, topics=[{"topicId": UNKNOWN_ID, "partitions": [nothing]}]),
        "begins anew": asked(FIRST)[0],
        "renews and wants records": asked(1, isRenewAck=True),
        "ends": asked(LAST, topics=[]),
        "ends again": asked(LAST, topics=[]),
    }
    return answers


@question("share groups: what is said of records")
def acknowledgements(ask: Asker) -> dict[str, Answer]:
    ready(ask)
    topic_id = ask.topic("share-said", 1)
    for _ in range(2):
        ask.fill("share-said", 5)
    group = "share-said"
    from_the_start(ask, group)
    member(ask, group, ONE, "share-said")
    first, epoch = given(ask, group, ONE, FIRST, topic_id)
    answers: dict[str, Answer] = {"given": first}

    def told(label: str, *batches: dict[str, Any], **more: Any) -> None:
        nonlocal epoch
        answers[label] = say(ask, group, ONE, epoch, topic_id, *batches, **more)
        epoch += 1

    told("first behind last", batch(3, 2, ACCEPT))
    told("too many words", batch(0, 1, ACCEPT, ACCEPT, ACCEPT))
    told("no word", batch(0, 1))
    told("a word that is none", batch(0, 0, 9))
    told("renewed without saying so", batch(0, 0, RENEW))
    told("one over the other", batch(0, 2, ACCEPT), batch(2, 3, ACCEPT))
    told("out of order", batch(3, 3, ACCEPT), batch(0, 0, ACCEPT))
    told("beyond the end", batch(10, 10, ACCEPT))
    told("partly beyond the end", batch(9, 10, ACCEPT))
    told("a partition that is not there", batch(0, 0, ACCEPT), index=7)
    told("accepted", batch(0, 1, ACCEPT))
    told("accepted again", batch(0, 1, ACCEPT))
    told("renewed", batch(2, 3, RENEW), isRenewAck=True)
    told("each has its word", batch(2, 4, RELEASE, REJECT, ACCEPT))
    told("what was released", batch(2, 2, ACCEPT))
    answers["given again"], epoch = given(ask, group, ONE, epoch, topic_id)
    answers["the last word"] = say(ask, group, ONE, LAST, topic_id, batch(2, 2, ACCEPT))
    answers["after the last word"] = say(ask, group, ONE, LAST, topic_id, batch(2, 2, ACCEPT))
    return answers


@question("share groups: descriptions and offsets")
def offsets(ask: Asker) -> dict[str, Answer]:
    ready(ask)
    ask.topic("share-offsets", 1)
    group = "share-offsets"
    from_the_start(ask, group)
    epoch = member(ask, group, ONE, "share-offsets")["memberEpoch"]

    def altered(name: str, topic: str = "share-offsets", index: int = 0, start: int = 0) -> Answer:
        partitions = [{"partitionIndex": index, "startOffset": start}]
        return ask("AlterShareGroupOffsets", 0, groupId=name, topics=[{"topicName": topic, "partitions": partitions}])

    def deleted(name: str, topic: str) -> Answer:
        return ask("DeleteShareGroupOffsets", 0, groupId=name, topics=[{"topicName": topic}])

    # Kafka answers what it refuses at once before the rest.
    nobody = ask("ShareGroupDescribe", 1, groupIds=["share-nobody", ""])
    nobody["groups"].sort(key=lambda described: described["groupId"])
    answers: dict[str, Answer] = {
        "described: nobody": nobody,
        "described as another kind": ask("ConsumerGroupDescribe", 1, groupIds=[group]),
        "offsets of nobody": ask("DescribeShareGroupOffsets", 1, groups=[{"groupId": "share-nobody", "topics": None}]),
        "alter nobody's": altered("share-nobody"),
        "alter with a member": altered(group),
        "delete nobody's": deleted("share-nobody", "share-offsets"),
        "delete with a member": deleted(group, "share-offsets"),
        "deleted with a member": ask("DeleteGroups", 2, groupsNames=[group]),
    }
    raw_beat(ask, group, ONE, LEAVING)
    answers |= {
        "left": beat(ask, group, ONE, epoch),
        "alter a topic that is not there": altered(group, "share-nowhere"),
        "alter a partition that is not there": altered(group, index=7),
        "altered": altered(group),
        "delete a topic that is not there": deleted(group, "share-nowhere"),
        "deleted": deleted(group, "share-offsets"),
        "deleted once more": deleted(group, "share-offsets"),
        "the group deleted": ask("DeleteGroups", 2, groupsNames=[group]),
        "deleted again": ask("DeleteGroups", 2, groupsNames=[group]),
    }
    return answers
