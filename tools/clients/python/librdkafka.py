#!/usr/bin/env python3
"""librdkafka, as most languages use it, against a broker: librdkafka.py --bootstrap HOST:PORT"""

from __future__ import annotations

import sys
import time
from typing import Any

from cases import Suite, equal, fails_with, fresh, until
from confluent_kafka import (
    OFFSET_BEGINNING,
    TIMESTAMP_CREATE_TIME,
    TIMESTAMP_LOG_APPEND_TIME,
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

WAIT = 20.0


class Confluent:
    def __init__(self, bootstrap: str) -> None:
        self.base: dict[str, Any] = {"bootstrap.servers": bootstrap}
        self.admin = AdminClient(self.base)

    def topic(self, stem: str, partitions: int = 1, **config: str) -> str:
        name = fresh(stem)
        new = NewTopic(name, num_partitions=partitions, replication_factor=1, config=dotted(config))
        self.admin.create_topics([new])[name].result(WAIT)
        # Kafka answers before its partitions take records.
        ends = {TopicPartition(name, index): OffsetSpec.latest() for index in range(partitions)}
        until(f"{name} takes records", lambda: self.answered(ends))
        return name

    def answered(self, ends: dict[TopicPartition, OffsetSpec]) -> bool:
        try:
            return all(future.result(WAIT).offset == 0 for future in self.admin.list_offsets(ends).values())
        except KafkaException:
            return False

    def send(self, topic: str, records: list[dict[str, Any]], **config: Any) -> list[Message]:
        """Produces and returns what the broker confirmed; an unconfirmed record fails."""
        delivered: list[Message] = []
        problems: list[KafkaError] = []

        def report(problem: KafkaError | None, message: Message) -> None:
            if problem is not None:
                problems.append(problem)
            else:
                delivered.append(message)

        producer = Producer(self.base | {"message.timeout.ms": 15000} | dotted(config))
        for record in records:
            producer.produce(topic, on_delivery=report, **record)
        equal(producer.flush(WAIT), 0, "records left unsent")
        if problems:
            raise KafkaException(problems[0])
        return delivered

    def consumer(self, **config: Any) -> Consumer:
        defaults = {"group.id": fresh("g"), "auto.offset.reset": "earliest", "enable.auto.commit": False}
        return Consumer(self.base | defaults | dotted(config))

    def read(self, topic: str, count: int, **config: Any) -> list[Message]:
        consumer = self.consumer(**config)
        consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
        try:
            return take(consumer, count)
        finally:
            consumer.close()


def dotted(config: dict[str, Any]) -> dict[str, Any]:
    return {key.replace("_", "."): value for key, value in config.items()}


def take(consumer: Consumer, count: int, seconds: float = 30.0) -> list[Message]:
    messages: list[Message] = []
    end = time.monotonic() + seconds
    while len(messages) < count:
        if time.monotonic() > end:
            raise AssertionError(f"only {len(messages)} of {count} records came")
        message = consumer.poll(0.2)
        if message is None:
            continue
        if message.error() is not None:
            raise KafkaException(message.error())
        messages.append(message)
    return messages


def numbered(count: int) -> list[dict[str, Any]]:
    return [{"key": f"key {index}", "value": f"value {index}", "partition": 0} for index in range(count)]


class Cases:
    def __init__(self, kafka: Confluent) -> None:
        self.kafka = kafka

    def codec(self, codec: str) -> None:
        topic = self.kafka.topic(f"codec-{codec}")
        self.kafka.send(topic, numbered(500), compression_type=codec, linger_ms=50)
        for index, message in enumerate(self.kafka.read(topic, 500)):
            equal((message.offset(), message.key(), message.value()), (index, b"key %d" % index, b"value %d" % index), "record")

    def headers(self) -> None:
        topic = self.kafka.topic("headers")
        headers = [("b", b"1"), ("a", b""), ("b", None), ("ü", "é".encode())]
        self.kafka.send(topic, [{"value": "v", "headers": headers}])
        equal(self.kafka.read(topic, 1)[0].headers(), headers, "headers")

    def nulls(self) -> None:
        topic = self.kafka.topic("nulls")
        self.kafka.send(topic, [{"value": "v"}, {"key": "k"}, {"key": "", "value": ""}])
        equal([(m.key(), m.value()) for m in self.kafka.read(topic, 3)], [(None, b"v"), (b"k", None), (b"", b"")], "records")

    def create_time(self) -> None:
        topic = self.kafka.topic("create-time")
        then = int(time.time() * 1000) - 86_400_000
        self.kafka.send(topic, [{"value": "v", "timestamp": then}])
        equal(self.kafka.read(topic, 1)[0].timestamp(), (TIMESTAMP_CREATE_TIME, then), "timestamp")

    def append_time(self) -> None:
        topic = self.kafka.topic("append-time", message_timestamp_type="LogAppendTime")
        before = int(time.time() * 1000)
        self.kafka.send(topic, [{"value": "v", "timestamp": 1000}], compression_type="zstd")
        kind, when = self.kafka.read(topic, 1)[0].timestamp()
        equal(kind, TIMESTAMP_LOG_APPEND_TIME, "kind of time")
        assert before <= when <= time.time() * 1000, f"time {when}"

    def idempotent(self) -> None:
        topic = self.kafka.topic("idempotent")
        self.kafka.send(topic, numbered(2000), enable_idempotence=True, batch_num_messages=7)
        equal([m.value() for m in self.kafka.read(topic, 2000)], [b"value %d" % index for index in range(2000)], "values")

    def too_large(self) -> None:
        topic = self.kafka.topic("too-large", max_message_bytes="10000")
        error = fails_with(KafkaException, lambda: self.kafka.send(topic, [{"value": "x" * 20_000}]))
        equal(error.args[0].code(), KafkaError.MSG_SIZE_TOO_LARGE, "error")

    def auto_created(self) -> None:
        topic = fresh("auto")
        self.kafka.send(topic, [{"value": "v"}])
        equal(self.kafka.read(topic, 1)[0].value(), b"v", "value")

    def seek(self) -> None:
        topic = self.kafka.topic("seek")
        self.kafka.send(topic, numbered(300), linger_ms=50)
        consumer = self.kafka.consumer()
        consumer.assign([TopicPartition(topic, 0, 137)])
        equal(take(consumer, 1)[0].offset(), 137, "assigned offset")
        for offset in (5, 299, 0):
            consumer.seek(TopicPartition(topic, 0, offset))
            equal(take(consumer, 1)[0].offset(), offset, "sought offset")
        consumer.close()

    def watermarks(self) -> None:
        topic = self.kafka.topic("watermarks")
        base = int(time.time() * 1000) - 100_000
        self.kafka.send(topic, [{"value": "v", "timestamp": base + index * 1000} for index in range(20)])
        consumer = self.kafka.consumer()
        equal(consumer.get_watermark_offsets(TopicPartition(topic, 0), WAIT), (0, 20), "watermarks")
        asked = [TopicPartition(topic, 0, base + 4_500)]
        equal(consumer.offsets_for_times(asked, WAIT)[0].offset, 5, "offset for a time")
        consumer.close()

    def group(self, strategy: str) -> None:
        topic = self.kafka.topic("group", 13)
        group = fresh("g")
        members = [self.kafka.consumer(group_id=group, partition_assignment_strategy=strategy, heartbeat_interval_ms=300) for _ in range(3)]
        for member in members:
            member.subscribe([topic])
        self.settle(members, 13)
        members.pop().close()
        self.settle(members, 13)
        for member in members:
            member.close()

    def settle(self, members: list[Consumer], partitions: int) -> None:
        def shared() -> bool:
            for member in members:
                member.poll(0.05)
            owned = [{p.partition for p in member.assignment()} for member in members]
            return all(owned) and sum(map(len, owned)) == partitions and len(set().union(*owned)) == partitions

        until(f"{partitions} partitions shared by {len(members)}", shared)

    def static_member(self) -> None:
        topic = self.kafka.topic("static", 4)
        group = fresh("g")
        stays = self.kafka.consumer(group_id=group, group_instance_id="one", heartbeat_interval_ms=300)
        bounces = self.kafka.consumer(group_id=group, group_instance_id="two", heartbeat_interval_ms=300)
        stays.subscribe([topic])
        bounces.subscribe([topic])
        self.settle([stays, bounces], 4)
        before = {p.partition for p in bounces.assignment()}
        bounces.close()
        returned = self.kafka.consumer(group_id=group, group_instance_id="two", heartbeat_interval_ms=300)
        returned.subscribe([topic])
        self.settle([stays, returned], 4)
        equal({p.partition for p in returned.assignment()}, before, "the share of the returned member")
        returned.close()
        stays.close()

    def commits(self) -> None:
        topic = self.kafka.topic("commits")
        self.kafka.send(topic, numbered(10))
        group = fresh("g")
        consumer = self.kafka.consumer(group_id=group)
        consumer.subscribe([topic])
        for message in take(consumer, 4):
            consumer.commit(message, asynchronous=False)
        consumer.close()
        consumer = self.kafka.consumer(group_id=group)
        equal(consumer.committed([TopicPartition(topic, 0)], WAIT)[0].offset, 4, "committed offset")
        consumer.subscribe([topic])
        equal(take(consumer, 6)[0].offset(), 4, "first offset of the second reader")
        consumer.close()

    def topics(self) -> None:
        topic = self.kafka.topic("admin", 2)
        admin = self.kafka.admin
        equal(len(admin.list_topics(topic, WAIT).topics[topic].partitions), 2, "partitions")
        admin.create_partitions([NewPartitions(topic, 5)])[topic].result(WAIT)
        until("five partitions", lambda: len(admin.list_topics(topic, WAIT).topics[topic].partitions) == 5)
        error = fails_with(KafkaException, lambda: admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(WAIT))
        equal(error.args[0].code(), KafkaError.TOPIC_ALREADY_EXISTS, "error")
        admin.delete_topics([topic])[topic].result(WAIT)
        until("the topic is gone", lambda: topic not in admin.list_topics(timeout=WAIT).topics)

    def configs(self) -> None:
        topic = self.kafka.topic("configs", retention_ms="3600000")
        admin = self.kafka.admin
        resource = ConfigResource(ResourceType.TOPIC, topic)
        entries = admin.describe_configs([resource])[resource].result(WAIT)
        equal(entries["retention.ms"].value, "3600000", "retention")
        change = ConfigResource(
            ResourceType.TOPIC,
            topic,
            incremental_configs=[ConfigEntry("cleanup.policy", "compact", incremental_operation=AlterConfigOpType.APPEND)],
        )
        admin.incremental_alter_configs([change])[change].result(WAIT)
        policy = lambda: admin.describe_configs([resource])[resource].result(WAIT)["cleanup.policy"].value  # noqa: E731
        until("the policy is appended", lambda: policy() == "delete,compact")

    def groups(self) -> None:
        topic = self.kafka.topic("groups")
        self.kafka.send(topic, numbered(3))
        group = fresh("g")
        admin = self.kafka.admin
        consumer = self.kafka.consumer(group_id=group, client_id="teller")
        consumer.subscribe([topic])
        take(consumer, 3)
        consumer.commit(asynchronous=False)
        described = admin.describe_consumer_groups([group])[group].result(WAIT)
        equal([member.client_id for member in described.members], ["teller"], "members")
        consumer.close()
        listed = admin.list_consumer_groups().result(WAIT)
        assert group in [entry.group_id for entry in listed.valid], "the group is listed"
        change = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, 1)])
        admin.alter_consumer_group_offsets([change])[group].result(WAIT)
        asked = ConsumerGroupTopicPartitions(group)
        found = admin.list_consumer_group_offsets([asked])[group].result(WAIT)
        equal([(p.topic, p.partition, p.offset) for p in found.topic_partitions], [(topic, 0, 1)], "offsets")
        admin.delete_consumer_groups([group])[group].result(WAIT)

    def deleted_records(self) -> None:
        topic = self.kafka.topic("deleted")
        self.kafka.send(topic, numbered(10))
        partition = TopicPartition(topic, 0, 4)
        equal(self.kafka.admin.delete_records([partition])[partition].result(WAIT).low_watermark, 4, "low watermark")
        equal(self.kafka.read(topic, 6)[0].offset(), 4, "first record")

    def cluster(self) -> None:
        described = self.kafka.admin.describe_cluster().result(WAIT)
        equal(len(described.nodes), 1, "nodes")
        assert described.cluster_id, "a cluster id"


def main() -> int:
    suite = Suite(__doc__ or "")
    cases = Cases(Confluent(suite.bootstrap))
    for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
        suite.run(f"librdkafka: {codec} batches come back record by record", lambda codec=codec: cases.codec(codec))
    suite.run("librdkafka: headers keep their order, repeats and nulls", cases.headers)
    suite.run("librdkafka: null keys and values", cases.nulls)
    suite.run("librdkafka: create time is the producer's", cases.create_time)
    suite.run("librdkafka: append time is the broker's", cases.append_time)
    suite.run("librdkafka: an idempotent producer keeps the order", cases.idempotent)
    suite.run("librdkafka: a record above the limit is refused", cases.too_large)
    suite.run("librdkafka: a topic is created by its first record", cases.auto_created)
    suite.run("librdkafka: seek starts exactly there", cases.seek)
    suite.run("librdkafka: watermarks and offsets for times", cases.watermarks)
    for strategy in ("range", "roundrobin", "cooperative-sticky"):
        suite.run(f"librdkafka: members share and hand over, {strategy}", lambda strategy=strategy: cases.group(strategy))
    suite.run("librdkafka: a static member keeps its share", cases.static_member)
    suite.run("librdkafka: a reader goes on where the last committed", cases.commits)
    suite.run("librdkafka: admin of topics", cases.topics)
    suite.run("librdkafka: admin of configs", cases.configs)
    suite.run("librdkafka: admin of groups", cases.groups)
    suite.run("librdkafka: deleted records", cases.deleted_records)
    suite.run("librdkafka: the cluster describes itself", cases.cluster)
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
