"""Asks a broker, and puts its answers into a form in which two brokers can be compared.

What must differ between two brokers (ids, times, addresses, folders) is replaced by a name that says what
it was and, where it matters, whether it is the same one again.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from protocol import Connection, ConnectionLost, encode_batch, error_name, schema_for, schema_named  # noqa: E402

Answer = Any
Question = Callable[["Asker"], dict[str, Answer]]

QUESTIONS: dict[str, Question] = {}

# What a Corelog node answers; other keys of Kafka's are not asked about.
APIS = {
    "Produce": 0,
    "Fetch": 1,
    "ListOffsets": 2,
    "Metadata": 3,
    "OffsetCommit": 8,
    "OffsetFetch": 9,
    "FindCoordinator": 10,
    "JoinGroup": 11,
    "Heartbeat": 12,
    "LeaveGroup": 13,
    "SyncGroup": 14,
    "DescribeGroups": 15,
    "ListGroups": 16,
    "ApiVersions": 18,
    "CreateTopics": 19,
    "DeleteTopics": 20,
    "DeleteRecords": 21,
    "InitProducerId": 22,
    "OffsetForLeaderEpoch": 23,
    "AddPartitionsToTxn": 24,
    "AddOffsetsToTxn": 25,
    "EndTxn": 26,
    "WriteTxnMarkers": 27,
    "TxnOffsetCommit": 28,
    "DescribeAcls": 29,
    "CreateAcls": 30,
    "DeleteAcls": 31,
    "DescribeConfigs": 32,
    "AlterConfigs": 33,
    "DescribeLogDirs": 35,
    "CreatePartitions": 37,
    "DeleteGroups": 42,
    "ElectLeaders": 43,
    "IncrementalAlterConfigs": 44,
    "AlterPartitionReassignments": 45,
    "ListPartitionReassignments": 46,
    "OffsetDelete": 47,
    "DescribeClientQuotas": 48,
    "AlterClientQuotas": 49,
    "DescribeUserScramCredentials": 50,
    "AlterUserScramCredentials": 51,
    "DescribeQuorum": 55,
    "DescribeCluster": 60,
    "DescribeProducers": 61,
    "DescribeTransactions": 65,
    "ListTransactions": 66,
    "ConsumerGroupHeartbeat": 68,
    "ConsumerGroupDescribe": 69,
    "ListConfigResources": 74,
    "DescribeTopicPartitions": 75,
    "ShareGroupHeartbeat": 76,
    "ShareGroupDescribe": 77,
    "ShareFetch": 78,
    "ShareAcknowledge": 79,
    "StreamsGroupHeartbeat": 88,
    "StreamsGroupDescribe": 89,
    "DescribeShareGroupOffsets": 90,
    "AlterShareGroupOffsets": 91,
    "DeleteShareGroupOffsets": 92,
}

UNKNOWN_ID = "0123456789abcdef" * 2
ZERO_ID = "00" * 16


def question(name: str) -> Callable[[Question], Question]:
    """Registers a question; its answers are compared label by label."""

    def register(function: Question) -> Question:
        if name in QUESTIONS:
            raise ValueError(f"two questions are named {name}")
        QUESTIONS[name] = function
        return function

    return register


def outcome(lost: ConnectionLost) -> str:
    """How a connection ended; a reset and an orderly end are the same to a client."""
    return "no answer" if "timed out" in str(lost) else "the broker closed the connection"


class Asker:
    """A broker that was started for these questions alone, so that names can be fixed."""

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self.connection = Connection(host, port, timeout=15.0)
        self.names: dict[tuple[str, Any], str] = {}
        self.keeps_words = False

    def versions(self, api: str) -> range:
        """Every version that both the schema and Kafka 4 know."""
        valid = schema_named(f"{api}Request").valid
        return range(valid.low, valid.high + 1)

    def reconnect(self) -> None:
        self.connection.close()
        self.connection = Connection(self.host, self.port, timeout=15.0)

    def raw(self, api: str, version: int, **body: Any) -> dict[str, Any]:
        """The answer as it came; for what the next request needs."""
        return self.connection.request(api, version, body)

    def __call__(self, api: str, version: int, **body: Any) -> Answer:
        try:
            return self.comparable(self.raw(api, version, **body))
        except ConnectionLost as lost:
            self.reconnect()
            return outcome(lost)

    def worded(self, api: str, version: int, **body: Any) -> Answer:
        """With the messages as they are, where Kafka's own tools show them."""
        self.keeps_words = True
        try:
            return self(api, version, **body)
        finally:
            self.keeps_words = False

    def bytes(self, frame: bytes) -> Answer:
        """What a frame that no schema describes meets: an answer's length, or a closed connection."""
        try:
            self.connection.send_bytes(frame)
            return {"answered": len(self.connection.receive_frame())}
        except ConnectionLost as lost:
            return outcome(lost)
        finally:
            self.reconnect()

    def topic(self, name: str, partitions: int = 1, **configs: str) -> str:
        """Creates a topic, waits until it takes records, and returns its id."""
        entries = [{"name": key.replace("_", "."), "value": value} for key, value in configs.items()]
        wanted = {"name": name, "numPartitions": partitions, "replicationFactor": 1, "configs": entries}
        answer = self.raw("CreateTopics", 7, topics=[wanted], timeoutMs=10_000)
        code = answer["topics"][0]["errorCode"]
        if code != 0:
            raise AssertionError(f"topic {name}: {error_name(code)} {answer['topics'][0]['errorMessage']}")
        asked = [{"partitionIndex": index, "timestamp": -1} for index in range(partitions)]
        end = time.monotonic() + 10
        while time.monotonic() < end:
            found = self.raw("ListOffsets", 7, replicaId=-1, topics=[{"name": name, "partitions": asked}])
            if all(partition["errorCode"] == 0 for partition in found["topics"][0]["partitions"]):
                topic_id = answer["topics"][0]["topicId"]
                self.named("topic id", topic_id, name)
                return topic_id
            time.sleep(0.02)
        raise AssertionError(f"topic {name} takes no records")

    def fill(self, name: str, count: int = 10, partition: int = 0, **batch: Any) -> None:
        """One batch of `count` records."""
        records = [(b"k%d" % index, b"v%d" % index) for index in range(count)]
        data = [{"index": partition, "records": encode_batch(records, **batch)}]
        answer = self.raw("Produce", 9, acks=-1, timeoutMs=5000, topicData=[{"name": name, "partitionData": data}])
        code = answer["responses"][0]["partitionResponses"][0]["errorCode"]
        if code != 0:
            raise AssertionError(f"produce to {name}: {error_name(code)}")

    def producer(self) -> dict[str, Any]:
        """A new producer id; Kafka needs a moment before it has any to give."""
        end = time.monotonic() + 10
        while True:
            answer = self.raw("InitProducerId", 4, transactionalId=None, transactionTimeoutMs=60_000)
            if answer["errorCode"] == 0 or time.monotonic() > end:
                return answer
            time.sleep(0.05)

    def settled(self, body: Callable[[], Answer]) -> Answer:
        """Asks until the answer stays the same: Kafka's broker learns of a change a moment after its controller."""
        answer, since = body(), time.monotonic()
        end = since + 10
        while time.monotonic() - since < 0.3 and time.monotonic() < end:
            time.sleep(0.03)
            again = body()
            if again != answer:
                answer, since = again, time.monotonic()
        return answer

    def named(self, kind: str, value: Any, name: str | None = None) -> str:
        """A stable name for a value that differs from broker to broker."""
        if (kind, value) not in self.names:
            count = sum(1 for known, _ in self.names if known == kind)
            self.names[(kind, value)] = f"<{kind} {name or count + 1}>"
        return self.names[(kind, value)]

    def comparable(self, value: Any, key: str = "") -> Answer:
        if isinstance(value, dict):
            return {name: self.comparable(entry, name) for name, entry in value.items() if name != "throttleTimeMs"}
        if isinstance(value, list):
            return [self.comparable(entry, key) for entry in value]
        if isinstance(value, bytes):
            return value.hex()
        return self.comparable_value(value, key)

    def comparable_value(self, value: Any, key: str) -> Answer:
        now = time.time() * 1000
        if key in ("errorCode", "topErrorCode"):
            return error_name(value)
        if key in ("errorMessage", "batchIndexErrorMessage") and value and not self.keeps_words:
            return "<message>"
        if key in ("topicId", "nextTopicId") and value not in (ZERO_ID, UNKNOWN_ID):
            return self.named("topic id", value)
        if key == "port" and value == self.port:
            return "<port>"
        if key == "producerId" and value >= 0:
            return self.named("producer", value)
        if key in ("memberId", "leader") and isinstance(value, str) and value:
            return self.named("member", value)
        if key == "clusterId" and value:
            return "<cluster>"
        if key == "logDir":
            return "<folder>"
        if key in ("totalBytes", "usableBytes") and value > 0:
            return "<bytes>"
        if key == "sessionId" and value != 0:
            return "<session>"
        if isinstance(value, int) and abs(value - now) < 86_400_000:
            return "<now>"
        if isinstance(value, str):
            return re.sub(rf"\b{re.escape(self.host)}:{self.port}\b", "<address>", value)
        return value


__all__ = [
    "APIS",
    "QUESTIONS",
    "UNKNOWN_ID",
    "ZERO_ID",
    "Answer",
    "Asker",
    "Connection",
    "encode_batch",
    "question",
    "schema_for",
    "schema_named",
]
