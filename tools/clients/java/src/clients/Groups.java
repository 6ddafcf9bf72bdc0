package clients;

import static clients.Cluster.take;
import static clients.Member.settle;
import static clients.Suite.check;
import static clients.Suite.equal;
import static clients.Suite.eventually;
import static clients.Suite.failsWith;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.FencedInstanceIdException;
import org.apache.kafka.common.errors.InvalidGroupIdException;
import org.apache.kafka.common.errors.OffsetMetadataTooLarge;

/** Members that share a topic, come and go, and remember how far they got. */
final class Groups {
    private static final String COOPERATIVE = "org.apache.kafka.clients.consumer.CooperativeStickyAssignor";

    private final Cluster cluster;

    Groups(Cluster cluster) {
        this.cluster = cluster;
    }

    void run(Suite suite) {
        for (String assignor : List.of("Range", "RoundRobin", "Sticky", "CooperativeSticky")) {
            String name = "org.apache.kafka.clients.consumer." + assignor + "Assignor";
            suite.run("group: three members share 13 partitions, " + assignor, () -> shared(name));
        }
        suite.run("group: closing a member hands its share over", this::handover);
        suite.run("group: a member that goes silent loses its share", this::silent);
        suite.run("group: cooperative members keep what they can", this::cooperative);
        suite.run("group: a static member that returns causes no rebalance", this::staticReturn);
        suite.run("group: a second member with the same instance id fences the first", this::fenced);
        suite.run("group: different groups each get everything", this::independent);
        suite.run("group: committed offsets and their metadata come back", this::committed);
        suite.run("group: a new member goes on where the last one committed", this::resumed);
        suite.run("group: commits of an earlier generation are refused", this::staleCommit);
        suite.run("group: offsets can be committed without members", this::standalone);
        suite.run("group: metadata beyond the limit is refused", this::largeMetadata);
        suite.run("group: an empty group id is refused", this::emptyId);
        suite.run("group: more partitions reach a running group", this::grown);
    }

    private Member member(String group, String topic, String... more) {
        List<String> settings = new ArrayList<>(List.of("group.id", group, "heartbeat.interval.ms", "300"));
        settings.addAll(List.of(more));
        return new Member(cluster.consumer(settings.toArray(new String[0])), List.of(topic));
    }

    private void shared(String assignor) throws Exception {
        String topic = cluster.topic("shared", 13);
        String group = cluster.fresh("g");
        String[] settings = {"partition.assignment.strategy", assignor};
        try (Member a = member(group, topic, settings);
            Member b = member(group, topic, settings);
            Member c = member(group, topic, settings)) {
            settle(13, a, b, c);
            for (Member member : List.of(a, b, c)) {
                check(4 <= member.owned.size() && member.owned.size() <= 5, "a share of " + member.owned.size());
            }
        }
    }

    private void handover() throws Exception {
        String topic = cluster.topic("handover", 6);
        String group = cluster.fresh("g");
        try (Member stays = member(group, topic)) {
            try (Member leaves = member(group, topic)) {
                settle(6, stays, leaves);
            }
            long began = System.nanoTime();
            settle(6, stays);
            check(System.nanoTime() - began < 10_000_000_000L, "sooner than the session of the member that left");
        }
    }

    private void silent() throws Exception {
        String topic = cluster.topic("silent", 4);
        String group = cluster.fresh("g");
        try (Member stays = member(group, topic, "session.timeout.ms", "6000");
            Member stalls = member(group, topic, "session.timeout.ms", "6000", "max.poll.interval.ms", "2000")) {
            settle(4, stays, stalls);
            settle(4, stays);
        }
    }

    private void cooperative() throws Exception {
        String topic = cluster.topic("cooperative", 6);
        String group = cluster.fresh("g");
        String[] settings = {"partition.assignment.strategy", COOPERATIVE};
        try (Member first = member(group, topic, settings)) {
            settle(6, first);
            try (Member second = member(group, topic, settings)) {
                settle(6, first, second);
                equal(3, first.revoked, "partitions the first had to give");
                equal(0, second.revoked, "partitions the second had to give");
            }
            settle(6, first);
            equal(3, first.revoked, "partitions given in all");
        }
    }

    private void staticReturn() throws Exception {
        String topic = cluster.topic("static", 4);
        String group = cluster.fresh("g");
        try (Member stays = member(group, topic, "group.instance.id", "one")) {
            Set<TopicPartition> before;
            int generation;
            try (Member bounces = member(group, topic, "group.instance.id", "two")) {
                settle(4, stays, bounces);
                before = Set.copyOf(bounces.owned);
                generation = stays.consumer.groupMetadata().generationId();
            }
            try (Member returned = member(group, topic, "group.instance.id", "two")) {
                settle(4, stays, returned);
                equal(before, returned.owned, "the share of the returned member");
                equal(generation, stays.consumer.groupMetadata().generationId(), "generation");
                equal("two", returned.consumer.groupMetadata().groupInstanceId().orElse(null), "instance id");
            }
        }
    }

    private void fenced() throws Exception {
        String topic = cluster.topic("fenced", 2);
        String group = cluster.fresh("g");
        try (Member first = member(group, topic, "group.instance.id", "same")) {
            settle(2, first);
            try (Member second = member(group, topic, "group.instance.id", "same")) {
                settle(2, second);
                failsWith(FencedInstanceIdException.class, () -> eventually("the first is told", () -> {
                    first.poll();
                    return false;
                }));
            }
        }
    }

    private void independent() throws Exception {
        String topic = cluster.topic("independent", 3);
        for (int partition = 0; partition < 3; partition++) {
            cluster.fill(topic, partition, 10);
        }
        try (Consumer<String, String> one = cluster.consumer("group.id", cluster.fresh("g"));
            Consumer<String, String> two = cluster.consumer("group.id", cluster.fresh("g"))) {
            one.subscribe(List.of(topic));
            two.subscribe(List.of(topic));
            equal(30, take(one, 30).size(), "records of the first");
            equal(30, take(two, 30).size(), "records of the second");
        }
    }

    private void committed() throws Exception {
        String topic = cluster.topic("commits", 2);
        String group = cluster.fresh("g");
        TopicPartition first = new TopicPartition(topic, 0);
        TopicPartition second = new TopicPartition(topic, 1);
        try (Consumer<String, String> consumer = cluster.consumer("group.id", group)) {
            consumer.assign(List.of(first, second));
            consumer.commitSync(Map.of(first, new OffsetAndMetadata(42, "so far: ü")));
            CompletableFuture<Exception> answered = new CompletableFuture<>();
            consumer.commitAsync(Map.of(second, new OffsetAndMetadata(7)), (offsets, problem) -> answered.complete(problem));
            eventually("the asynchronous commit is answered", () -> {
                consumer.poll(Duration.ofMillis(20));
                return answered.isDone();
            });
            equal(null, answered.get(), "its problem");
        }
        try (Consumer<String, String> consumer = cluster.consumer("group.id", group)) {
            Map<TopicPartition, OffsetAndMetadata> found = consumer.committed(Set.of(first, second, new TopicPartition(topic, 9)));
            equal(42L, found.get(first).offset(), "offset");
            equal("so far: ü", found.get(first).metadata(), "metadata");
            equal(7L, found.get(second).offset(), "offset committed asynchronously");
            equal(null, found.get(new TopicPartition(topic, 9)), "offset nobody committed");
        }
    }

    private void resumed() throws Exception {
        String topic = cluster.topic("resumed", 1);
        String group = cluster.fresh("g");
        cluster.fill(topic, 0, 10);
        try (Consumer<String, String> consumer = cluster.consumer("group.id", group, "max.poll.records", "4")) {
            consumer.subscribe(List.of(topic));
            equal(4, take(consumer, 4).size(), "records");
            consumer.commitSync();
        }
        try (Consumer<String, String> consumer = cluster.consumer("group.id", group)) {
            consumer.subscribe(List.of(topic));
            equal(4L, take(consumer, 6).get(0).offset(), "first offset");
        }
    }

    private void staleCommit() throws Exception {
        String topic = cluster.topic("stale", 2);
        String group = cluster.fresh("g");
        try (Member stalls = member(group, topic, "max.poll.interval.ms", "1500", "session.timeout.ms", "6000")) {
            settle(2, stalls);
            try (Member takes = member(group, topic)) {
                settle(2, takes);
                failsWith(CommitFailedException.class,
                    () -> stalls.consumer.commitSync(Map.of(new TopicPartition(topic, 0), new OffsetAndMetadata(1))));
            }
        }
    }

    private void standalone() throws Exception {
        String topic = cluster.topic("standalone", 1);
        cluster.fill(topic, 0, 5);
        String group = cluster.fresh("g");
        try (Consumer<String, String> consumer = cluster.consumer("group.id", group)) {
            consumer.assign(List.of(new TopicPartition(topic, 0)));
            take(consumer, 5);
            consumer.commitSync();
        }
        equal(5L, cluster.admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get(20, TimeUnit.SECONDS)
            .get(new TopicPartition(topic, 0)).offset(), "offset as the admin sees it");
    }

    private void largeMetadata() throws Exception {
        String topic = cluster.topic("large-metadata", 1);
        try (Consumer<String, String> consumer = cluster.consumer("group.id", cluster.fresh("g"))) {
            TopicPartition partition = new TopicPartition(topic, 0);
            consumer.assign(List.of(partition));
            consumer.commitSync(Map.of(partition, new OffsetAndMetadata(1, "x".repeat(4096))));
            failsWith(OffsetMetadataTooLarge.class,
                () -> consumer.commitSync(Map.of(partition, new OffsetAndMetadata(2, "x".repeat(4097)))));
            equal(1L, consumer.committed(Set.of(partition)).get(partition).offset(), "offset");
        }
    }

    private void emptyId() throws Exception {
        String topic = cluster.topic("empty-id", 1);
        failsWith(InvalidGroupIdException.class, () -> {
            try (Consumer<String, String> consumer = cluster.consumer("group.id", "")) {
                consumer.subscribe(List.of(topic));
                consumer.poll(Duration.ofSeconds(5));
            }
        });
    }

    private void grown() throws Exception {
        String topic = cluster.topic("grown", 2);
        try (Member member = member(cluster.fresh("g"), topic, "metadata.max.age.ms", "500")) {
            settle(2, member);
            cluster.admin.createPartitions(Map.of(topic, org.apache.kafka.clients.admin.NewPartitions.increaseTo(5)))
                .all().get(20, TimeUnit.SECONDS);
            settle(5, member);
        }
    }
}
