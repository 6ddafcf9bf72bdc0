"""Records: written, refused, read from anywhere, and deleted."""

from __future__ import annotations

import gzip
import struct
from typing import Any

from .asking import UNKNOWN_ID, ZERO_ID, Answer, Asker, encode_batch, question

ONE = [(b"k", b"v")]


def produce(ask: Asker, records: bytes | None, topic: str = "written", version: int = 12, partition: int = 0, **more: Any) -> Answer:
    body = {"acks": -1, "timeoutMs": 5000, "topicData": [{"name": topic, "partitionData": [{"index": partition, "records": records}]}]}
    return ask("Produce", version, **(body | more))


@question("produce: every version")
def produce_versions(ask: Asker) -> dict[str, Answer]:
    topic_id = ask.topic("written")
    answers = {}
    for version in range(3, 14):
        data = [{"index": 0, "records": encode_batch(ONE)}]
        topic = {"topicId": topic_id} if version >= 13 else {"name": "written"}
        answers[f"v{version}"] = ask("Produce", version, acks=-1, timeoutMs=5000, topicData=[topic | {"partitionData": data}])
    for version in range(3):
        frame = ask.connection.frame_of(0, version, struct.pack(">hii", -1, 1000, 0), flexible=False)
        answers[f"v{version} is gone"] = ask.bytes(frame)
    return answers


@question("produce: where it cannot go")
def produce_nowhere(ask: Asker) -> dict[str, Answer]:
    ask.topic("somewhere")
    batch = encode_batch(ONE)
    data = [{"index": 0, "records": batch}]
    return {
        "unknown topic": produce(ask, batch, topic="nowhere"),
        "bad topic name": produce(ask, batch, topic="a/b"),
        "empty topic name": produce(ask, batch, topic=""),
        "unknown partition": produce(ask, batch, topic="somewhere", partition=9),
        "negative partition": produce(ask, batch, topic="somewhere", partition=-1),
        "unknown id": ask("Produce", 13, acks=-1, timeoutMs=5000, topicData=[{"topicId": UNKNOWN_ID, "partitionData": data}]),
        "no id": ask("Produce", 13, acks=-1, timeoutMs=5000, topicData=[{"topicId": ZERO_ID, "partitionData": data}]),
        "acks of two": produce(ask, batch, topic="somewhere", acks=2),
        "acks of minus two": produce(ask, batch, topic="somewhere", acks=-2),
        "acks of one": produce(ask, batch, topic="somewhere", acks=1),
        "nothing at all": ask("Produce", 12, acks=-1, timeoutMs=5000, topicData=[]),
        "a topic of the broker's own": produce(ask, batch, topic="__consumer_offsets"),
        "a transaction nobody began": produce(
            ask, encode_batch(ONE, attributes=16, producer_id=1, producer_epoch=0, sequence=0), topic="somewhere", transactionalId="t"
        ),
    }


@question("produce: batches that are wrong")
def produce_wrong(ask: Asker) -> dict[str, Answer]:
    ask.topic("wrong")
    good = encode_batch(ONE)
    cases: dict[str, bytes | None] = {
        "no records": None,
        "empty": b"",
        "a flipped bit": encode_batch(ONE, crc_flip=1),
        "magic 0": encode_batch(ONE, magic=0),
        "magic 1": encode_batch(ONE, magic=1),
        "magic 3": encode_batch(ONE, magic=3),
        "cut in the header": good[:40],
        "cut in the body": good[:-1],
        "bytes behind": good + b"xyz",
        "two batches": good + good,
        "count above": encode_batch(ONE, record_count=2),
        "count below": encode_batch(ONE * 2, record_count=1),
        "count of none": encode_batch([], record_count=0, last_offset_delta=0),
        "count negative": encode_batch(ONE, record_count=-1),
        "last offset wrong": encode_batch(ONE * 2, last_offset_delta=5),
        "a base offset": encode_batch(ONE, base_offset=77),
        "codec 5": encode_batch(ONE, attributes=5),
        "codec 7": encode_batch(ONE, attributes=7),
        "gzip": encode_batch(ONE, attributes=1),
        "gzip that is none": encode_batch(ONE, attributes=1, payload=b"not gzip at all"),
        "gzip cut": encode_batch(ONE, attributes=1, payload=gzip.compress(b"x" * 100)[:-9]),
        "a control batch": encode_batch([(struct.pack(">hh", 0, 1), struct.pack(">hi", 0, 0))], attributes=32),
        "unused attributes": encode_batch(ONE, attributes=0x4000),
        "append time of the client's own": encode_batch(ONE, attributes=8),
        "a record longer than its batch": encode_batch(ONE, payload=b"\x7e\x00\x00\x00\x02k\x02v\x00"),
        "a time of minus one": encode_batch(ONE, timestamp=-1),
        "a time of minus two": encode_batch(ONE, timestamp=-2),
        "a record of nulls": encode_batch([(None, None)]),
    }
    return {label: produce(ask, records, topic="wrong") for label, records in cases.items()}


@question("produce: what a topic's settings refuse")
def produce_settings(ask: Asker) -> dict[str, Answer]:
    ask.topic("small", 1, max_message_bytes="1000")
    ask.topic("keyed", 1, cleanup_policy="compact")
    ask.topic("both", 1, cleanup_policy="compact,delete")
    ask.topic("punctual", 1, message_timestamp_after_max_ms="1000", message_timestamp_before_max_ms="1000")
    ask.topic("stamped", 1, message_timestamp_type="LogAppendTime")
    return {
        "too large": produce(ask, encode_batch([(b"k", b"x" * 2000)]), topic="small"),
        "just small enough": produce(ask, encode_batch([(b"k", b"x" * 900)]), topic="small"),
        "two batches, small each": produce(ask, encode_batch([(b"k", b"x" * 900)]) * 2, topic="small"),
        "without a key, compacted": produce(ask, encode_batch([(None, b"v")]), topic="keyed"),
        "second without a key, compacted": produce(ask, encode_batch([(b"k", b"v"), (None, b"v")]), topic="keyed"),
        "with a key, compacted": produce(ask, encode_batch(ONE), topic="keyed"),
        "without a key, compacted and deleted": produce(ask, encode_batch([(None, b"v")]), topic="both"),
        "long ago": produce(ask, encode_batch(ONE, timestamp=1000), topic="punctual"),
        "far ahead": produce(ask, encode_batch(ONE, timestamp=4_000_000_000_000), topic="punctual"),
        "any time, stamped": produce(ask, encode_batch(ONE, timestamp=1000), topic="stamped"),
    }


@question("produce: sequences of an idempotent producer")
def produce_sequences(ask: Asker) -> dict[str, Answer]:
    ask.topic("sequenced")
    ask.topic("sequenced-other")
    producer = ask.producer()["producerId"]

    def send(sequence: int, count: int = 1, epoch: int = 0, topic: str = "sequenced", who: int = producer) -> Answer:
        batch = encode_batch(ONE * count, producer_id=who, producer_epoch=epoch, sequence=sequence)
        return produce(ask, batch, topic=topic)

    return {
        "first": send(0, 3),
        "duplicate": send(0, 3),
        "duplicate of another length": send(0, 2),
        "next": send(3),
        "gap": send(9),
        "after the gap": send(4),
        "five later": [send(sequence) for sequence in range(5, 10)],
        "a duplicate too old to remember": send(0, 3),
        "a duplicate still remembered": send(6),
        "epoch above": send(0, epoch=1),
        "epoch below": send(10, epoch=0),
        "epoch above, not from zero": send(7, epoch=2),
        "unknown producer from zero": send(0, who=987_654),
        "unknown producer not from zero": send(5, who=987_655),
        "known producer, other topic, not from zero": send(5, epoch=1, topic="sequenced-other"),
        "producer without epoch": send(0, epoch=-1),
        "producer without sequence": send(-1),
    }


@question("produce: producer ids")
def producer_ids(ask: Asker) -> dict[str, Answer]:
    ask.producer()
    answers = {}
    for version in ask.versions("InitProducerId"):
        answer = ask("InitProducerId", version, transactionalId=None, transactionTimeoutMs=60_000)
        answers[f"v{version}"] = answer
    known = ask.producer()
    again = {"producerId": known["producerId"], "producerEpoch": known["producerEpoch"]}
    answers["naming its id"] = ask("InitProducerId", 4, transactionalId=None, transactionTimeoutMs=60_000, **again)
    answers["timeout of zero"] = ask("InitProducerId", 4, transactionalId=None, transactionTimeoutMs=0)
    return answers


def fetch(ask: Asker, offset: int, topic: str = "read", version: int = 12, **more: Any) -> Answer:
    fields = {"partition": 0, "fetchOffset": offset, "partitionMaxBytes": 1 << 20}
    body_fields = ("maxBytes", "isolationLevel", "sessionId", "sessionEpoch", "forgottenTopicsData", "maxWaitMs", "minBytes")
    partition = fields | {key: value for key, value in more.items() if key not in body_fields}
    where = {"topicId": topic} if version >= 13 else {"topic": topic}
    body = {"maxWaitMs": 100, "minBytes": 1, "topics": [where | {"partitions": [partition]}]}
    return ask("Fetch", version, **(body | {key: value for key, value in more.items() if key in body_fields}))


@question("fetch: every version")
def fetch_versions(ask: Asker) -> dict[str, Answer]:
    topic_id = ask.topic("read")
    ask.fill("read", 3)
    versions = ask.versions("Fetch")
    return {f"v{version}": fetch(ask, 1, topic_id if version >= 13 else "read", version) for version in versions}


@question("fetch: from places that are not there")
def fetch_nowhere(ask: Asker) -> dict[str, Answer]:
    topic_id = ask.topic("fetched")
    ask.fill("fetched", 10)
    return {
        "at the end": fetch(ask, 10, "fetched"),
        "behind the end": fetch(ask, 11, "fetched"),
        "negative": fetch(ask, -1, "fetched"),
        "unknown topic": fetch(ask, 0, "fetched-none"),
        "unknown partition": fetch(ask, 0, "fetched", partition=9),
        "unknown id": fetch(ask, 0, UNKNOWN_ID, 13),
        "no id": fetch(ask, 0, ZERO_ID, 13),
        "known id, unknown partition": fetch(ask, 0, topic_id, 13, partition=9),
        "an epoch ahead": fetch(ask, 0, "fetched", currentLeaderEpoch=5),
        "the epoch of now": fetch(ask, 9, "fetched", currentLeaderEpoch=0),
        "a last epoch ahead": fetch(ask, 5, "fetched", lastFetchedEpoch=4),
        "the last epoch": fetch(ask, 9, "fetched", lastFetchedEpoch=0),
        "one byte of a partition": fetch(ask, 0, "fetched", partitionMaxBytes=1),
        "one byte of all": fetch(ask, 0, "fetched", maxBytes=1),
        "no byte of a partition": fetch(ask, 0, "fetched", partitionMaxBytes=0),
        "read committed": fetch(ask, 0, "fetched", isolationLevel=1),
        "a log start of the reader's": fetch(ask, 0, "fetched", logStartOffset=3),
    }


@question("fetch: sessions")
def fetch_sessions(ask: Asker) -> dict[str, Answer]:
    ask.topic("session-a")
    ask.topic("session-b")
    ask.fill("session-a", 2)
    answers: dict[str, Answer] = {}

    def body(session: int, epoch: int, offsets: dict[str, int], forget: list[str] | None = None) -> dict[str, Any]:
        topics = [
            {"topic": name, "partitions": [{"partition": 0, "fetchOffset": offset, "partitionMaxBytes": 1 << 20}]}
            for name, offset in offsets.items()
        ]
        forgotten = [{"topic": name, "partitions": [0]} for name in forget or []]
        fixed = {"maxWaitMs": 50, "minBytes": 1, "sessionId": session, "sessionEpoch": epoch}
        return fixed | {"topics": topics, "forgottenTopicsData": forgotten}

    first = ask.raw("Fetch", 12, **body(0, 0, {"session-a": 0, "session-b": 0}))
    session = first["sessionId"]
    answers["opened"] = ask.comparable(first)
    answers["nothing new"] = ask("Fetch", 12, **body(session, 1, {"session-a": 2}))
    ask.fill("session-b", 1)
    answers["something new"] = ask("Fetch", 12, **body(session, 2, {}))
    answers["an epoch again"] = ask("Fetch", 12, **body(session, 2, {}))
    answers["an epoch too high"] = ask("Fetch", 12, **body(session, 9, {}))
    answers["one forgotten"] = ask("Fetch", 12, **body(session, 3, {}, ["session-b"]))
    answers["one added that is unknown"] = ask("Fetch", 12, **body(session, 4, {"session-none": 0}))
    answers["an unknown session"] = ask("Fetch", 12, **body(123_456, 1, {}))
    answers["closed"] = ask("Fetch", 12, **body(session, -1, {"session-a": 0}))
    answers["after it was closed"] = ask("Fetch", 12, **body(session, 5, {}))
    answers["without a session"] = ask("Fetch", 12, **body(0, -1, {"session-a": 0}))
    return answers


def list_offsets(ask: Asker, timestamp: int, topic: str = "timed", version: int = 11, partition: int = 0, **more: Any) -> Answer:
    asked = [{"partitionIndex": partition, "timestamp": timestamp}]
    return ask("ListOffsets", version, replicaId=-1, topics=[{"name": topic, "partitions": asked}], **more)


@question("offsets: by time, and every special time in every version")
def offsets_by_time(ask: Asker) -> dict[str, Answer]:
    ask.topic("timed")
    base = 1_700_000_000_000
    deltas = [0, 5000, 9000, 3000, 9000, 1000]
    records = [(b"k", b"v")] * len(deltas)
    answers: dict[str, Answer] = {"empty": {str(special): list_offsets(ask, special) for special in range(-6, 0)}}
    produce(ask, encode_batch(records, timestamp=base, timestamp_deltas=deltas), topic="timed")
    produce(ask, encode_batch(records, timestamp=base, timestamp_deltas=deltas, attributes=1), topic="timed")
    for version in ask.versions("ListOffsets"):
        answers[f"v{version}"] = {str(special): list_offsets(ask, special, version=version) for special in (-6, -5, -4, -3, -2, -1, 0)}
    for delta in (-1, 0, 1, 5000, 5001, 9000, 9001):
        answers[f"{delta} ms after the first"] = list_offsets(ask, base + delta)
    answers["a special time of no meaning"] = list_offsets(ask, -77)
    answers["unknown partition"] = list_offsets(ask, -1, partition=9)
    answers["unknown topic"] = list_offsets(ask, -1, topic="timed-none")
    answers["read committed"] = list_offsets(ask, -1, isolationLevel=1)
    return answers


@question("offsets: the end of an epoch")
def epoch_ends(ask: Asker) -> dict[str, Answer]:
    ask.topic("epochs")
    ask.fill("epochs", 4)

    def ask_epoch(epoch: int, topic: str = "epochs", version: int = 4, **more: Any) -> Answer:
        asked = [{"partition": 0, "leaderEpoch": epoch} | more]
        fixed = {"replicaId": -1} if version >= 3 else {}
        return ask("OffsetForLeaderEpoch", version, topics=[{"topic": topic, "partitions": asked}], **fixed)

    answers = {f"v{version}": ask_epoch(0, version=version) for version in ask.versions("OffsetForLeaderEpoch")}
    answers["ahead"] = ask_epoch(7)
    answers["negative"] = ask_epoch(-1)
    answers["current ahead"] = ask_epoch(0, currentLeaderEpoch=7)
    answers["unknown topic"] = ask_epoch(0, topic="epochs-none")
    answers["unknown partition"] = ask_epoch(0, partition=5)
    return answers


@question("offsets: deleted records")
def deleted(ask: Asker) -> dict[str, Answer]:
    ask.topic("trimmed")
    ask.topic("trimmed-compact", 1, cleanup_policy="compact")
    ask.fill("trimmed", 10)
    ask.fill("trimmed", 10)

    def delete(offset: int, topic: str = "trimmed", version: int = 2, partition: int = 0) -> Answer:
        asked = [{"partitionIndex": partition, "offset": offset}]
        return ask("DeleteRecords", version, topics=[{"name": topic, "partitions": asked}], timeoutMs=5000)

    answers = {f"v{version}": delete(3 + version, version=version) for version in ask.versions("DeleteRecords")}
    answers["before the beginning"] = delete(1)
    answers["behind the end"] = delete(21)
    answers["negative"] = delete(-2)
    answers["unknown topic"] = delete(0, topic="trimmed-none")
    answers["unknown partition"] = delete(0, partition=4)
    answers["a compacted topic"] = delete(0, topic="trimmed-compact")
    answers["beginning now"] = list_offsets(ask, -2, topic="trimmed")
    answers["fetch in the cut batch"] = fetch(ask, 5, "trimmed")
    answers["fetch before the beginning"] = fetch(ask, 4, "trimmed")
    answers["all"] = delete(-1)
    answers["beginning at the end"] = list_offsets(ask, -2, topic="trimmed")
    return answers


@question("log directories")
def log_dirs(ask: Asker) -> dict[str, Answer]:
    ask.topic("stored", 2)
    ask.fill("stored", 3)
    answers: dict[str, Answer] = {}
    for version in ask.versions("DescribeLogDirs"):
        answer = ask("DescribeLogDirs", version, topics=[{"topic": "stored", "partitions": [0, 1]}])
        # Kafka keeps its logs in a hash table.
        for topic in (topic for folder in answer["results"] for topic in folder["topics"]):
            topic["partitions"].sort(key=lambda partition: partition["partitionIndex"])
        answers[f"v{version}"] = answer
    answers["unknown"] = ask("DescribeLogDirs", 4, topics=[{"topic": "stored-none", "partitions": [0]}])
    answers["no topics"] = ask("DescribeLogDirs", 4, topics=[])
    return answers
