#!/usr/bin/env python3
"""kafka-python, a client that shares no code with the others, against a broker: kafka_python.py --bootstrap HOST:PORT"""

from __future__ import annotations

import sys
import time
from typing import Any

from cases import Suite, equal, fails_with, fresh, until
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, OffsetAndMetadata, OffsetSpec, TopicPartition
from kafka.admin import ConfigResource
from kafka.errors import KafkaError, MessageSizeTooLargeError, TopicAlreadyExistsError, UnknownTopicOrPartitionError

WAIT = 20


class Cases:
    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self.admin = KafkaAdminClient(bootstrap_servers=bootstrap)

    def topic(self, stem: str, partitions: int = 1, **configs: str) -> str:
        name = fresh(stem)
        dotted = {key.replace("_", "."): value for key, value in configs.items()}
        self.admin.create_topics({name: {"num_partitions": partitions, "replication_factor": 1, "configs": dotted}})
        # Kafka answers before its partitions take records.
        asked = {TopicPartition(name, index): OffsetSpec.LATEST for index in range(partitions)}
        until(f"{name} takes records", lambda: self.answered(asked))
        return name

    def answered(self, asked: dict[TopicPartition, OffsetSpec]) -> bool:
        try:
            return len(self.admin.list_partition_offsets(asked)) == len(asked)
        except KafkaError:
            return False

    def send(self, topic: str, records: list[dict[str, Any]], **config: Any) -> list[Any]:
        producer = KafkaProducer(bootstrap_servers=self.bootstrap, **config)
        try:
            futures = [producer.send(topic, **record) for record in records]
            return [future.get(WAIT) for future in futures]
        finally:
            producer.close(WAIT)

    def consumer(self, *topics: str, **config: Any) -> KafkaConsumer:
        defaults = {"auto_offset_reset": "earliest", "enable_auto_commit": False}
        return KafkaConsumer(*topics, bootstrap_servers=self.bootstrap, **(defaults | config))

    def read(self, topic: str, count: int) -> list[Any]:
        consumer = self.consumer()
        consumer.assign([TopicPartition(topic, 0)])
        try:
            return take(consumer, count)
        finally:
            consumer.close()

    def codec(self, codec: str | None) -> None:
        topic = self.topic(f"codec-{codec}")
        records = [{"key": b"key %d" % i, "value": b"value %d" % i, "partition": 0} for i in range(300)]
        self.send(topic, records, compression_type=codec, linger_ms=50)
        for index, record in enumerate(self.read(topic, 300)):
            equal((record.offset, record.key, record.value), (index, b"key %d" % index, b"value %d" % index), "record")

    def headers(self) -> None:
        topic = self.topic("headers")
        headers = [("b", b"1"), ("a", b""), ("b", b"2"), ("ü", "é".encode())]
        self.send(topic, [{"value": b"v", "headers": headers}])
        equal([tuple(header) for header in self.read(topic, 1)[0].headers], headers, "headers")

    def nulls(self) -> None:
        topic = self.topic("nulls")
        self.send(topic, [{"value": b"v"}, {"key": b"k"}])
        equal([(r.key, r.value) for r in self.read(topic, 2)], [(None, b"v"), (b"k", None)], "records")

    def times(self) -> None:
        topic = self.topic("times")
        base = int(time.time() * 1000) - 100_000
        self.send(topic, [{"value": b"v", "timestamp_ms": base + index * 1000} for index in range(10)])
        equal([r.timestamp for r in self.read(topic, 10)], [base + index * 1000 for index in range(10)], "timestamps")
        partition = TopicPartition(topic, 0)
        consumer = self.consumer()
        found = consumer.offsets_for_times({partition: base + 4_500})[partition]
        equal((found.offset, found.timestamp), (5, base + 5_000), "offset for a time")
        equal(consumer.beginning_offsets([partition]), {partition: 0}, "beginning")
        equal(consumer.end_offsets([partition]), {partition: 10}, "end")
        consumer.close()

    def append_time(self) -> None:
        topic = self.topic("append-time", message_timestamp_type="LogAppendTime")
        before = int(time.time() * 1000)
        answer = self.send(topic, [{"value": b"v", "timestamp_ms": 1000}])[0]
        assert answer.timestamp >= before, f"the answer has {answer.timestamp}"
        equal(self.read(topic, 1)[0].timestamp, answer.timestamp, "timestamp")

    def acks(self) -> None:
        topic = self.topic("acks")
        for acks in (0, 1, "all"):
            self.send(topic, [{"value": b"v"}] * 5, acks=acks, enable_idempotence=False)
        equal([r.offset for r in self.read(topic, 15)], list(range(15)), "offsets")

    def too_large(self) -> None:
        topic = self.topic("too-large", max_message_bytes="10000")
        fails_with(MessageSizeTooLargeError, lambda: self.send(topic, [{"value": b"x" * 20_000}]))

    def seek(self) -> None:
        topic = self.topic("seek")
        self.send(topic, [{"value": b"%d" % index, "partition": 0} for index in range(200)], linger_ms=50)
        partition = TopicPartition(topic, 0)
        consumer = self.consumer()
        consumer.assign([partition])
        for offset in (137, 0, 199, 1):
            consumer.seek(partition, offset)
            equal(take(consumer, 1)[0].offset, offset, "sought offset")
        consumer.close()

    def group(self) -> None:
        topic = self.topic("group", 6)
        group = fresh("g")
        members = [self.consumer(topic, group_id=group, heartbeat_interval_ms=300) for _ in range(2)]
        self.settle(members, 6)
        members.pop().close()
        self.settle(members, 6)
        members.pop().close()

    def settle(self, members: list[KafkaConsumer], partitions: int) -> None:
        def shared() -> bool:
            for member in members:
                member.poll(timeout_ms=50)
            owned = [member.assignment() for member in members]
            return all(owned) and sum(map(len, owned)) == partitions and len(set().union(*owned)) == partitions

        until(f"{partitions} partitions shared by {len(members)}", shared)

    def commits(self) -> None:
        topic = self.topic("commits")
        self.send(topic, [{"value": b"%d" % index} for index in range(10)])
        group = fresh("g")
        partition = TopicPartition(topic, 0)
        consumer = self.consumer(topic, group_id=group)
        take(consumer, 10)
        consumer.commit({partition: OffsetAndMetadata(4, "so far", -1)})
        consumer.close()
        consumer = self.consumer(topic, group_id=group)
        equal(consumer.committed(partition), 4, "committed offset")
        equal(take(consumer, 6)[0].offset, 4, "first offset of the second reader")
        consumer.close()

    def topics(self) -> None:
        topic = self.topic("admin", 2)
        fails_with(TopicAlreadyExistsError, lambda: self.admin.create_topics({topic: {"num_partitions": 1}}))
        self.admin.create_partitions({topic: 4})
        until("four partitions", lambda: len(self.admin.describe_topics([topic])[0]["partitions"]) == 4)
        self.admin.delete_topics([topic])
        until("the topic is gone", lambda: topic not in self.admin.list_topics())
        fails_with(UnknownTopicOrPartitionError, lambda: self.admin.delete_topics([topic]))

    def configs(self) -> None:
        topic = self.topic("configs", retention_ms="3600000")
        resource = ConfigResource("TOPIC", topic)
        found = self.admin.describe_configs([resource], config_filter="all")["topic"][topic]
        equal(found["retention.ms"]["value"], "3600000", "retention")
        self.admin.alter_configs([ConfigResource("TOPIC", topic, {"retention.ms": "7200000"})])
        read = lambda: self.admin.describe_configs([resource], config_filter="all")["topic"][topic]  # noqa: E731
        until("retention is changed", lambda: read()["retention.ms"]["value"] == "7200000")

    def groups(self) -> None:
        topic = self.topic("groups")
        self.send(topic, [{"value": b"v"}] * 3)
        group = fresh("g")
        partition = TopicPartition(topic, 0)
        consumer = self.consumer(topic, group_id=group)
        take(consumer, 3)
        consumer.commit()
        equal(self.admin.describe_groups([group])[group]["group_state"], "Stable", "state")
        consumer.close()
        assert group in {entry["group_id"] for entry in self.admin.list_groups()}, "the group is listed"
        equal(self.admin.list_group_offsets(group)[group][partition].offset, 3, "offset as the admin sees it")
        self.admin.delete_groups([group])

    def deleted_records(self) -> None:
        topic = self.topic("deleted")
        self.send(topic, [{"value": b"v"}] * 10)
        self.admin.delete_records({TopicPartition(topic, 0): 4})
        equal(self.read(topic, 6)[0].offset, 4, "first record")


def take(consumer: KafkaConsumer, count: int, seconds: float = 30.0) -> list[Any]:
    records: list[Any] = []
    end = time.monotonic() + seconds
    while len(records) < count:
        if time.monotonic() > end:
            raise AssertionError(f"only {len(records)} of {count} records came")
        for batch in consumer.poll(timeout_ms=200).values():
            records.extend(batch)
    return records


def main() -> int:
    suite = Suite(__doc__ or "")
    cases = Cases(suite.bootstrap)
    for codec in (None, "gzip", "snappy", "lz4", "zstd"):
        suite.run(f"kafka-python: {codec} batches come back record by record", lambda codec=codec: cases.codec(codec))
    suite.run("kafka-python: headers keep their order and repeats", cases.headers)
    suite.run("kafka-python: null keys and values", cases.nulls)
    suite.run("kafka-python: timestamps, and offsets for them", cases.times)
    suite.run("kafka-python: append time is the broker's", cases.append_time)
    suite.run("kafka-python: offsets count up without holes for every acks", cases.acks)
    suite.run("kafka-python: a record above the limit is refused", cases.too_large)
    suite.run("kafka-python: seek starts exactly there", cases.seek)
    suite.run("kafka-python: members share and hand over", cases.group)
    suite.run("kafka-python: a reader goes on where the last committed", cases.commits)
    suite.run("kafka-python: admin of topics", cases.topics)
    suite.run("kafka-python: admin of configs", cases.configs)
    suite.run("kafka-python: admin of groups", cases.groups)
    suite.run("kafka-python: deleted records", cases.deleted_records)
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
