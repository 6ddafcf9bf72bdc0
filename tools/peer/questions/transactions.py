"""Transactions: taking an id over, adding, ending, committing offsets, and every refusal on the way."""

from __future__ import annotations

import time
from typing import Any

from .asking import Answer, Asker, encode_batch, question
from .groups import joined, ready

TRANSACTIONAL = 0x10


def prepared(ask: Asker) -> None:
    """Waits until the coordinators take requests: their topics are made by the first who looks for them."""
    ready(ask)
    ask.settled(lambda: ask("FindCoordinator", 4, coordinatorKeys=["ready"], keyType=1))
    ask.producer()
    end = time.monotonic() + 20
    for number in range(60):
        # One id in each partition of the topic, more or less.
        while ask.raw("DescribeTransactions", 0, transactionalIds=[f"ready-{number}"])["transactionStates"][0]["errorCode"] != 105:
            if time.monotonic() > end:
                raise AssertionError("no coordinator of transactions is ready")
            time.sleep(0.05)


def init(ask: Asker, name: str, version: int = 5, **more: Any) -> dict[str, Any]:
    """Takes the id over; what is still coming to its end is waited for."""
    end = time.monotonic() + 20
    while True:
        answer = ask.raw("InitProducerId", version, transactionalId=name, **({"transactionTimeoutMs": 60_000} | more))
        if answer["errorCode"] != 51 or time.monotonic() > end:
            return answer
        time.sleep(0.05)


def of(answer: dict[str, Any]) -> dict[str, Any]:
    return {"producerId": answer["producerId"], "producerEpoch": answer["producerEpoch"]}


def ended(ask: Asker, name: str) -> dict[str, Any]:
    """The description, once no marker is missing any more."""
    end = time.monotonic() + 20
    while True:
        state = ask.raw("DescribeTransactions", 0, transactionalIds=[name])["transactionStates"][0]
        if not state["transactionState"].startswith("Prepare") or time.monotonic() > end:
            return state
        time.sleep(0.02)


def in_order(results: list[dict[str, Any]]) -> None:
    """Kafka keeps what it answers in no order."""
    results.sort(key=lambda topic: topic["name"])
    for topic in results:
        topic["resultsByPartition"].sort(key=lambda one: one["partitionIndex"])


def add(ask: Asker, version: int, name: str, producer: dict[str, Any], topics: list[dict[str, Any]], **more: Any) -> Answer:
    if version < 4:
        old = {"v3AndBelow" + key[0].upper() + key[1:]: value for key, value in producer.items()}
        answer = ask.raw("AddPartitionsToTxn", version, v3AndBelowTransactionalId=name, v3AndBelowTopics=topics, **old)
        in_order(answer["resultsByTopicV3AndBelow"])
        return ask.comparable(answer)
    one = {"transactionalId": name, "topics": topics, "verifyOnly": False} | producer | more
    answer = ask.raw("AddPartitionsToTxn", version, transactions=[one])
    for result in answer["resultsByTransaction"]:
        in_order(result["topicResults"])
    return ask.comparable(answer)


def produce(
    ask: Asker, version: int, name: str | None, producer: dict[str, Any], topic: str, sequence: int = 0, partition: int = 0
) -> Answer:
    batch = encode_batch(
        [(b"k", b"v")],
        producer_id=producer["producerId"],
        producer_epoch=producer["producerEpoch"],
        sequence=sequence,
        attributes=TRANSACTIONAL,
    )
    data = [{"name": topic, "partitionData": [{"index": partition, "records": batch}]}]
    return ask("Produce", version, transactionalId=name, acks=-1, timeoutMs=5000, topicData=data)


def end(ask: Asker, version: int, name: str, producer: dict[str, Any], committed: bool = True) -> Answer:
    return ask("EndTxn", version, transactionalId=name, committed=committed, **producer)


@question("transactions: their coordinator")
def coordinator(ask: Asker) -> dict[str, Answer]:
    prepared(ask)
    answers: dict[str, Answer] = {}
    for version in range(1, 7):
        body = {"coordinatorKeys": ["t"]} if version >= 4 else {"key": "t"}
        find = lambda version=version, body=body: ask("FindCoordinator", version, keyType=1, **body)  # noqa: E731
        answers[f"v{version}"] = ask.settled(find)
    return answers


@question("transactions: taking an id over")
def taking_over(ask: Asker) -> dict[str, Answer]:
    prepared(ask)
    answers: dict[str, Answer] = {}
    for version in range(6):
        answers[f"v{version}"] = ask.comparable(init(ask, f"init-v{version}", version))
        answers[f"v{version} again"] = ask.comparable(init(ask, f"init-v{version}", version))
    first = init(ask, "goes-on")
    answers["goes on"] = ask.comparable(init(ask, "goes-on", **of(first)))
    answers["goes on, asked again"] = ask.comparable(init(ask, "goes-on", **of(first)))
    for version in (3, 4):
        stale = {"producerId": first["producerId"], "producerEpoch": 7}
        answers[f"another epoch v{version}"] = ask.comparable(init(ask, "goes-on", version, **stale))
    other = {"producerId": first["producerId"] + 900_000, "producerEpoch": 0}
    answers["another id"] = ask.comparable(init(ask, "goes-on", **other))
    answers["an id for a name that nobody has"] = ask.comparable(init(ask, "goes-on-new", **other))
    answers["an id without an epoch"] = ask.comparable(init(ask, "goes-on", producerId=5, producerEpoch=-1))
    for label, timeout in {"zero": 0, "negative": -1, "the longest": 900_000, "too long": 900_001}.items():
        answers[f"timeout: {label}"] = ask.comparable(init(ask, "timeouts", transactionTimeoutMs=timeout))
    answers["empty name"] = ask.comparable(init(ask, ""))
    return answers


@question("transactions: partitions in every version")
def partitions(ask: Asker) -> dict[str, Answer]:
    prepared(ask)
    ask.topic("tx-add", 3)
    topics = [{"name": "tx-add", "partitions": [0, 2]}]
    mixed = [{"name": "tx-add", "partitions": [1, 9]}, {"name": "tx-none", "partitions": [0]}]
    answers: dict[str, Answer] = {}
    for version in range(6):
        name = f"add-v{version}"
        producer = of(init(ask, name))
        stale = producer | {"producerEpoch": producer["producerEpoch"] + 1}
        other = producer | {"producerId": producer["producerId"] + 900_000}
        answers[f"v{version} added"] = add(ask, version, name, producer, topics)
        answers[f"v{version} added again"] = add(ask, version, name, producer, topics)
        answers[f"v{version} unknown partitions"] = add(ask, version, name, producer, mixed)
        answers[f"v{version} another epoch"] = add(ask, version, name, stale, topics)
        answers[f"v{version} another id"] = add(ask, version, name, other, topics)
        answers[f"v{version} unknown name"] = add(ask, version, f"{name}-none", producer, topics)
        answers[f"v{version} empty name"] = add(ask, version, "", producer, topics)
        answers[f"v{version} offsets"] = ask("AddOffsetsToTxn", min(version, 4), transactionalId=name, groupId="add-group", **producer)
        answers[f"v{version} offsets of another epoch"] = ask(
            "AddOffsetsToTxn", min(version, 4), transactionalId=name, groupId="add-group", **stale
        )
    producer = of(init(ask, "verify"))
    add(ask, 4, "verify", producer, topics)
    for version in (4, 5):
        asked = [{"name": "tx-add", "partitions": [0, 1]}]
        answers[f"v{version} verified"] = add(ask, version, "verify", producer, asked, verifyOnly=True)
        stale = producer | {"producerEpoch": 9}
        answers[f"v{version} verified for another"] = add(ask, version, "verify", stale, asked, verifyOnly=True)
        answers[f"v{version} verified for nobody"] = add(ask, version, "verify-none", producer, asked, verifyOnly=True)
    return answers


@question("transactions: ends in every version")
def ends(ask: Asker) -> dict[str, Answer]:
    prepared(ask)
    ask.topic("tx-end", 1)
    topics = [{"name": "tx-end", "partitions": [0]}]
    answers: dict[str, Answer] = {}
    for version in range(6):
        for committed in (True, False):
            name = f"end-v{version}-{committed}"
            label = f"v{version} {'commit' if committed else 'abort'}"
            producer = of(init(ask, name))
            stale = producer | {"producerEpoch": producer["producerEpoch"] + 1}
            other = producer | {"producerId": producer["producerId"] + 900_000}
            answers[f"{label} of another epoch"] = end(ask, version, name, stale, committed)
            answers[f"{label} of another id"] = end(ask, version, name, other, committed)
            answers[f"{label} of an unknown name"] = end(ask, version, f"{name}-none", producer, committed)
            add(ask, 3, name, producer, topics)
            answers[label] = end(ask, version, name, producer, committed)
            answers[f"{label} described"] = ask.comparable(ended(ask, name))
            answers[f"{label} again"] = end(ask, version, name, producer, committed)
            answers[f"{label} and the other way"] = end(ask, version, name, producer, not committed)
    for committed in (True, False):
        name = f"end-nothing-{committed}"
        producer = of(init(ask, name))
        for version in (4, 5):
            answers[f"nothing, v{version} {'commit' if committed else 'abort'}"] = end(ask, version, name, producer, committed)
            ended(ask, name)
    answers["empty name"] = end(ask, 5, "", {"producerId": 1, "producerEpoch": 0})
    return answers


@question("transactions: records in every version")
def records(ask: Asker) -> dict[str, Answer]:
    prepared(ask)
    ask.topic("tx-records", 2)
    topics = [{"name": "tx-records", "partitions": [0]}]
    answers: dict[str, Answer] = {}
    for version in range(3, 13):
        name = f"records-v{version}"
        producer = of(init(ask, name))
        answers[f"v{version} not added"] = produce(ask, version, name, producer, "tx-records")
        if version < 12:
            add(ask, 3, name, producer, topics)
            answers[f"v{version} added"] = produce(ask, version, name, producer, "tx-records")
        answers[f"v{version} more"] = produce(ask, version, name, producer, "tx-records", sequence=1)
        answers[f"v{version} again"] = produce(ask, version, name, producer, "tx-records", sequence=1)
        stale = producer | {"producerEpoch": producer["producerEpoch"] + 3}
        answers[f"v{version} of an epoch to come"] = produce(ask, version, name, stale, "tx-records", partition=1)
        other = producer | {"producerId": producer["producerId"] + 900_000}
        answers[f"v{version} of another id"] = produce(ask, version, name, other, "tx-records", partition=1)
        answers[f"v{version} of an unknown name"] = produce(ask, version, f"{name}-none", producer, "tx-records", partition=1)
        answers[f"v{version} of an empty name"] = produce(ask, version, "", producer, "tx-records", partition=1)
        answers[f"v{version} without a name"] = produce(ask, version, None, producer, "tx-records", partition=1)
        answers[f"v{version} ended"] = end(ask, 5 if version >= 12 else 4, name, producer)
        ended(ask, name)
        answers[f"v{version} too late"] = produce(ask, version, name, producer, "tx-records", sequence=2)
    return answers


def commit_offsets(
    ask: Asker, version: int, name: str, producer: dict[str, Any], group: str, topic: str = "tx-offsets", **more: Any
) -> Answer:
    entry = {"partitionIndex": 0, "committedOffset": 3, "committedMetadata": "three"}
    unknown = {"partitionIndex": 8, "committedOffset": 3, "committedMetadata": ""}
    topics = [{"name": topic, "partitions": [entry, unknown]}, {"name": "tx-none", "partitions": [entry]}]
    body = {"transactionalId": name, "groupId": group, "topics": topics} | producer | more
    return ask("TxnOffsetCommit", version, **body)


@question("transactions: offsets in every version")
def offsets(ask: Asker) -> dict[str, Answer]:
    prepared(ask)
    ask.topic("tx-offsets", 1)
    answers: dict[str, Answer] = {}

    def fetched(group: str, stable: bool) -> Answer:
        topics = [{"name": "tx-offsets", "partitionIndexes": [0]}]
        return ask("OffsetFetch", 7, groupId=group, topics=topics, requireStable=stable)

    for version in range(6):
        name, group = f"offsets-v{version}", f"offsets-group-v{version}"
        producer = of(init(ask, name))
        answers[f"v{version} not added"] = commit_offsets(ask, version, name, producer, group)
        if version < 5:
            ask("AddOffsetsToTxn", 3, transactionalId=name, groupId=group, **producer)
            answers[f"v{version} added"] = commit_offsets(ask, version, name, producer, group)
        answers[f"v{version} fetched meanwhile"] = fetched(group, False)
        answers[f"v{version} fetched meanwhile, stable"] = fetched(group, True)
        stale = producer | {"producerEpoch": producer["producerEpoch"] + 3}
        answers[f"v{version} of an epoch to come"] = commit_offsets(ask, version, name, stale, group)
        answers[f"v{version} of no group"] = commit_offsets(ask, version, name, producer, "")
        if version >= 3:
            answers[f"v{version} of a generation"] = commit_offsets(ask, version, name, producer, group, generationId=4, memberId="m")
            answers[f"v{version} of a stranger"] = commit_offsets(ask, version, name, producer, group, generationId=-1, memberId="m")
        answers[f"v{version} ended"] = end(ask, 5 if version >= 5 else 4, name, producer)
        ended(ask, name)
        answers[f"v{version} fetched"] = ask.settled(lambda group=group: fetched(group, True))
        answers[f"v{version} too late"] = commit_offsets(ask, version, name, producer, group)
    return answers


@question("transactions: offsets of members")
def members(ask: Asker) -> dict[str, Answer]:
    prepared(ask)
    topic = "tx-member-offsets"
    ask.topic(topic, 1)
    member = joined(ask, "tx-members")
    name = "tx-members"
    producer = of(init(ask, name))
    ask("AddOffsetsToTxn", 3, transactionalId=name, groupId="tx-members", **producer)

    def commit(**more: Any) -> Answer:
        return commit_offsets(ask, 4, name, producer, "tx-members", topic, **more)

    return {
        "a member in its generation": commit(generationId=1, memberId=member),
        "a member in another generation": commit(generationId=3, memberId=member),
        "a stranger": commit(generationId=1, memberId="nobody"),
        "an unknown instance": commit(generationId=1, memberId=member, groupInstanceId="i"),
        "nobody in particular": commit(),
        "another group": commit_offsets(ask, 4, name, producer, "tx-members-none", topic, generationId=1, memberId="m"),
        "deleted meanwhile": ask("DeleteGroups", 2, groupsNames=["tx-members"]),
    }


@question("transactions: what they look like")
def described(ask: Asker) -> dict[str, Answer]:
    prepared(ask)
    ask.topic("tx-looks", 2)
    topics = [{"name": "tx-looks", "partitions": [1, 0]}]
    names = ["looks-empty", "looks-open", "looks-committed", "looks-aborted"]
    producers = {name: of(init(ask, name, transactionTimeoutMs=40_000)) for name in names}
    for name in names[1:]:
        add(ask, 3, name, producers[name], topics)
    produce(ask, 9, "looks-open", producers["looks-open"], "tx-looks", partition=1)
    for name in names[2:]:
        end(ask, 4, name, producers[name], name == "looks-committed")
        ended(ask, name)

    def listed(version: int = 2, **more: Any) -> Answer:
        answer = ask.raw("ListTransactions", version, **more)
        states = [one for one in answer["transactionStates"] if one["transactionalId"].startswith("looks-")]
        answer["transactionStates"] = sorted(states, key=lambda one: one["transactionalId"])
        return ask.comparable(answer)

    def state_of(name: str) -> Answer:
        state = ask.raw("DescribeTransactions", 0, transactionalIds=[name])["transactionStates"][0]
        for topic in state["topics"]:
            topic["partitions"].sort()
        return ask.comparable(state)

    answers: dict[str, Answer] = {f"described: {name}": state_of(name) for name in [*names, "looks-none"]}
    answers["described: empty name"] = state_of("")
    open_id = producers["looks-open"]["producerId"]
    for version in range(3):
        answers[f"listed v{version}"] = listed(version)
        answers[f"listed v{version} by state"] = listed(version, stateFilters=["Ongoing", "CompleteAbort"])
    answers["by a state that is none"] = listed(stateFilters=["Nonsense"])
    answers["by a state and one that is none"] = listed(stateFilters=["Nonsense", "Empty"])
    answers["by a state in another case"] = listed(stateFilters=["ongoing"])
    answers["by the state of a fence"] = listed(stateFilters=["PrepareEpochFence"])
    answers["by the state of the dead"] = listed(stateFilters=["Dead"])
    answers["by producer"] = listed(producerIdFilters=[open_id])
    answers["by a producer that is none"] = listed(producerIdFilters=[-5])
    answers["by duration zero"] = listed(durationFilter=0)
    answers["by an hour"] = listed(durationFilter=3_600_000)
    answers["by pattern"] = listed(transactionalIdPattern="looks-(open|empty)")
    answers["by a part of a name"] = listed(transactionalIdPattern="looks")
    answers["by an empty pattern"] = listed(transactionalIdPattern="")
    answers["by no pattern"] = listed(transactionalIdPattern=None)
    answers["by a pattern that is none"] = listed(transactionalIdPattern="looks-(")

    def producers_of(name: str, indexes: list[int]) -> Answer:
        answer = ask.raw("DescribeProducers", 0, topics=[{"name": name, "partitionIndexes": indexes}])
        for partition in answer["topics"][0]["partitions"]:
            for one in partition["activeProducers"]:
                one["lastTimestamp"] = one["lastTimestamp"] // 10**12
                # How often a coordinator was elected before is its own business.
                one["coordinatorEpoch"] = min(one["coordinatorEpoch"], 0)
        found = ask.comparable(answer)
        # Each broker hands out ids, and lists producers, in an order of its own.
        for partition in found["topics"][0]["partitions"]:
            partition["activeProducers"].sort(key=lambda one: one["producerId"])
        return found

    answers["producers"] = producers_of("tx-looks", [0, 1, 7])
    answers["producers of no topic"] = producers_of("tx-none", [0])
    answers["producers of a name that cannot be"] = producers_of("a/b", [0])
    return answers


@question("transactions: markers by hand")
def markers(ask: Asker) -> dict[str, Answer]:
    prepared(ask)
    ask.topic("tx-markers", 2)
    answers: dict[str, Answer] = {}

    def write(version: int, producer: dict[str, Any], indexes: list[int], name: str = "tx-markers", **more: Any) -> Answer:
        topics = [{"name": name, "partitionIndexes": indexes}]
        marker = {"transactionResult": False, "coordinatorEpoch": 0, "topics": topics} | producer | more
        return ask("WriteTxnMarkers", version, markers=[marker])

    def ends_of(isolation: int) -> Answer:
        asked = [{"partitionIndex": 0, "timestamp": -1}]
        return ask("ListOffsets", 7, replicaId=-1, isolationLevel=isolation, topics=[{"name": "tx-markers", "partitions": asked}])

    for version in (1, 2):
        name = f"markers-v{version}"
        producer = of(init(ask, name))
        produce(ask, 12, name, producer, "tx-markers")
        stale = producer | {"producerEpoch": producer["producerEpoch"] - 1} if producer["producerEpoch"] > 0 else producer
        answers[f"v{version} before"] = [ends_of(0), ends_of(1)]
        answers[f"v{version} of an epoch before"] = write(version, stale | {"producerEpoch": max(stale["producerEpoch"], 0)}, [1])
        answers[f"v{version} written"] = write(version, producer, [0, 9])
        answers[f"v{version} written again"] = write(version, producer, [0])
        answers[f"v{version} of no topic"] = write(version, producer, [0], name="tx-none")
        answers[f"v{version} of a coordinator to come"] = write(version, producer, [0], coordinatorEpoch=7)
        answers[f"v{version} of the coordinator before"] = write(version, producer, [0], coordinatorEpoch=3)
        answers[f"v{version} after"] = [ends_of(0), ends_of(1)]
    strict = of(init(ask, "markers-strict"))
    produce(ask, 12, "markers-strict", strict, "tx-markers")
    same = write(2, strict, [0], transactionVersion=2)
    raised = write(2, strict | {"producerEpoch": strict["producerEpoch"] + 1}, [0], transactionVersion=2)
    answers["version 2 with the same epoch"] = same
    answers["version 2 with the next epoch"] = raised
    return answers


@question("transactions: fencing")
def fencing(ask: Asker) -> dict[str, Answer]:
    prepared(ask)
    ask.topic("tx-fence", 1)
    answers: dict[str, Answer] = {}
    producer = of(init(ask, "fence"))
    produce(ask, 12, "fence", producer, "tx-fence")
    taken = ask("InitProducerId", 5, transactionalId="fence", transactionTimeoutMs=60_000)
    answers["taken over while open"] = taken
    answers["aborted"] = ask.comparable(ended(ask, "fence"))
    answers["the end that comes late"] = end(ask, 5, "fence", producer)
    answers["the end that comes late, v4"] = end(ask, 4, "fence", producer)
    answers["the end that comes late, v1"] = end(ask, 1, "fence", producer)
    answers["records that come late"] = produce(ask, 12, "fence", producer, "tx-fence", sequence=1)
    answers["records that come late, v9"] = produce(ask, 9, "fence", producer, "tx-fence", sequence=1)
    answers["the next producer"] = ask.comparable(init(ask, "fence"))
    answers["and goes on as the first"] = ask.comparable(init(ask, "fence", **producer))
    return answers
