package clients;

import static clients.Cluster.take;
import static clients.Suite.check;
import static clients.Suite.equal;
import static clients.Suite.eventually;
import static clients.Suite.failsWith;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.GroupListing;
import org.apache.kafka.clients.admin.ListOffsetsResult.ListOffsetsResultInfo;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.RemoveMembersFromConsumerGroupOptions;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.GroupIdNotFoundException;
import org.apache.kafka.common.errors.GroupNotEmptyException;
import org.apache.kafka.common.errors.GroupSubscribedToTopicException;
import org.apache.kafka.common.errors.OffsetOutOfRangeException;
import org.apache.kafka.common.errors.UnknownMemberIdException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;

/** Offsets of partitions and of groups through the Admin client. */
final class Offsets {
    private final Cluster cluster;

    Offsets(Cluster cluster) {
        this.cluster = cluster;
    }

    void run(Suite suite) {
        suite.run("admin: offsets by every kind of question", this::listOffsets);
        suite.run("admin: deleted records move the beginning", this::deleteRecords);
        suite.run("admin: a group is listed and described while it lives", this::describeGroup);
        suite.run("admin: offsets of a group are read, set and deleted", this::groupOffsets);
        suite.run("admin: a group with members keeps its offsets", this::busyGroup);
        suite.run("admin: groups are deleted when they are empty", this::deleteGroups);
        suite.run("admin: a static member is removed by its instance id", this::removeMember);
        suite.run("admin: groups that do not exist", this::unknownGroups);
    }

    private <T> T get(KafkaFuture<T> future) throws Exception {
        return future.get(20, TimeUnit.SECONDS);
    }

    private ListOffsetsResultInfo offset(TopicPartition partition, OffsetSpec spec) throws Exception {
        return get(cluster.admin.listOffsets(Map.of(partition, spec)).partitionResult(partition));
    }

    private void listOffsets() throws Exception {
        String topic = cluster.topic("list", 1);
        TopicPartition partition = new TopicPartition(topic, 0);
        equal(-1L, offset(partition, OffsetSpec.maxTimestamp()).offset(), "of the largest time in an empty partition");
        long base = System.currentTimeMillis() - 100_000;
        try (Producer<String, String> producer = cluster.producer("linger.ms", "50", "compression.type", "gzip")) {
            for (long delta : new long[] {0, 5000, 9000, 3000, 9000, 1000}) {
                producer.send(new ProducerRecord<>(topic, 0, base + delta, "k", "v"));
            }
        }
        Map<OffsetSpec, Long> expected = new LinkedHashMap<>();
        expected.put(OffsetSpec.earliest(), 0L);
        expected.put(OffsetSpec.latest(), 6L);
        expected.put(OffsetSpec.maxTimestamp(), 2L);
        expected.put(OffsetSpec.forTimestamp(base + 1), 1L);
        expected.put(OffsetSpec.forTimestamp(base + 5001), 2L);
        expected.put(OffsetSpec.forTimestamp(base + 9001), -1L);
        expected.put(OffsetSpec.earliestLocal(), 0L);
        expected.put(OffsetSpec.latestTiered(), -1L);
        for (Map.Entry<OffsetSpec, Long> entry : expected.entrySet()) {
            equal(entry.getValue(), offset(partition, entry.getKey()).offset(), entry.getKey().getClass().getSimpleName());
        }
        equal(base + 9000, offset(partition, OffsetSpec.maxTimestamp()).timestamp(), "largest time");
    }

    private void deleteRecords() throws Exception {
        String topic = cluster.topic("delete", 1);
        TopicPartition partition = new TopicPartition(topic, 0);
        cluster.fill(topic, 0, 30, "linger.ms", "50");
        Map<TopicPartition, RecordsToDelete> some = Map.of(partition, RecordsToDelete.beforeOffset(12));
        equal(12L, get(cluster.admin.deleteRecords(some).lowWatermarks().get(partition)).lowWatermark(), "low watermark");
        equal(12L, offset(partition, OffsetSpec.earliest()).offset(), "beginning");
        equal(12L, cluster.read(topic, 18).get(0).offset(), "first record");
        equal(12L, get(cluster.admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(3))).lowWatermarks()
            .get(partition)).lowWatermark(), "low watermark after an older offset");
        failsWith(OffsetOutOfRangeException.class,
            () -> get(cluster.admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(31))).all()));
        equal(30L, get(cluster.admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(-1))).lowWatermarks()
            .get(partition)).lowWatermark(), "low watermark after all");
        equal(30L, cluster.fill(topic, 0, 1).get(0).offset(), "next offset");
    }

    /** A member that has joined and holds its partitions. */
    private Consumer<String, String> member(String group, String topic, String... more) throws Exception {
        String[] settings = new String[more.length + 2];
        settings[0] = "group.id";
        settings[1] = group;
        System.arraycopy(more, 0, settings, 2, more.length);
        Consumer<String, String> consumer = cluster.consumer(settings);
        consumer.subscribe(List.of(topic));
        take(consumer, 1);
        return consumer;
    }

    private ConsumerGroupDescription describe(String group) throws Exception {
        return get(cluster.admin.describeConsumerGroups(List.of(group)).all()).get(group);
    }

    private void describeGroup() throws Exception {
        String topic = cluster.topic("described", 2);
        cluster.fill(topic, 0, 3);
        String group = cluster.fresh("g");
        try (Consumer<String, String> consumer = member(group, topic, "client.id", "teller")) {
            ConsumerGroupDescription description = describe(group);
            equal(GroupState.STABLE, description.groupState(), "state");
            equal("range", description.partitionAssignor(), "assignor");
            equal(1, description.members().size(), "members");
            description.members().forEach(member -> {
                equal("teller", member.clientId(), "client id");
                check(member.host().startsWith("/"), "host " + member.host());
                equal(2, member.assignment().topicPartitions().size(), "partitions");
            });
            GroupListing listing = get(cluster.admin.listGroups().all()).stream()
                .filter(entry -> entry.groupId().equals(group)).findFirst().orElseThrow();
            equal("consumer", listing.protocol(), "protocol type");
        }
        eventually("empty", () -> describe(group).groupState() == GroupState.EMPTY);
        check(get(cluster.admin.listGroups().all()).stream().anyMatch(entry -> entry.groupId().equals(group)), "listed");
    }

    private void groupOffsets() throws Exception {
        String topic = cluster.topic("offsets", 2);
        String group = cluster.fresh("g");
        TopicPartition first = new TopicPartition(topic, 0);
        TopicPartition second = new TopicPartition(topic, 1);
        get(cluster.admin.alterConsumerGroupOffsets(group,
            Map.of(first, new OffsetAndMetadata(5, "m"), second, new OffsetAndMetadata(6))).all());
        Map<TopicPartition, OffsetAndMetadata> found =
            get(cluster.admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata());
        equal(5L, found.get(first).offset(), "offset");
        equal("m", found.get(first).metadata(), "metadata");
        equal(6L, found.get(second).offset(), "offset");
        get(cluster.admin.deleteConsumerGroupOffsets(group, Set.of(first)).all());
        found = get(cluster.admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata());
        equal(Set.of(second), found.keySet(), "what is left");
        failsWith(UnknownTopicOrPartitionException.class, () -> get(cluster.admin.alterConsumerGroupOffsets(group,
            Map.of(new TopicPartition(topic, 9), new OffsetAndMetadata(1))).all()));
    }

    private void busyGroup() throws Exception {
        String topic = cluster.topic("busy", 1);
        cluster.fill(topic, 0, 3);
        String group = cluster.fresh("g");
        TopicPartition partition = new TopicPartition(topic, 0);
        try (Consumer<String, String> consumer = member(group, topic)) {
            consumer.commitSync();
            failsWith(UnknownMemberIdException.class, () -> get(cluster.admin.alterConsumerGroupOffsets(group,
                Map.of(partition, new OffsetAndMetadata(1))).all()));
            failsWith(GroupSubscribedToTopicException.class,
                () -> get(cluster.admin.deleteConsumerGroupOffsets(group, Set.of(partition)).all()));
            failsWith(GroupNotEmptyException.class, () -> get(cluster.admin.deleteConsumerGroups(List.of(group)).all()));
        }
    }

    private void deleteGroups() throws Exception {
        String topic = cluster.topic("gone", 1);
        cluster.fill(topic, 0, 3);
        String group = cluster.fresh("g");
        try (Consumer<String, String> consumer = member(group, topic)) {
            consumer.commitSync();
        }
        eventually("empty", () -> describe(group).groupState() == GroupState.EMPTY);
        get(cluster.admin.deleteConsumerGroups(List.of(group)).all());
        check(get(cluster.admin.listGroups().all()).stream().noneMatch(entry -> entry.groupId().equals(group)), "not listed");
        check(get(cluster.admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata()).isEmpty(), "no offsets");
    }

    private void removeMember() throws Exception {
        String topic = cluster.topic("removed", 1);
        cluster.fill(topic, 0, 3);
        String group = cluster.fresh("g");
        try (Consumer<String, String> consumer = member(group, topic, "group.instance.id", "fixed")) {
            get(cluster.admin.removeMembersFromConsumerGroup(group, new RemoveMembersFromConsumerGroupOptions(
                Set.of(new org.apache.kafka.clients.admin.MemberToRemove("fixed")))).all());
            equal(0, describe(group).members().size(), "members");
        }
    }

    private void unknownGroups() throws Exception {
        String group = cluster.fresh("none");
        failsWith(GroupIdNotFoundException.class, () -> describe(group));
        failsWith(GroupIdNotFoundException.class, () -> get(cluster.admin.deleteConsumerGroups(List.of(group)).all()));
        check(get(cluster.admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata()).isEmpty(), "no offsets");
    }
}
