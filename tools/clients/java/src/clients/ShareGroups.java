package clients;

import static clients.Sharing.poll;
import static clients.Sharing.next;
import static clients.Sharing.take;
import static clients.Sharing.accept;
import static clients.Sharing.acknowledge;
import static clients.Sharing.commit;
import static clients.Sharing.offsets;
import static clients.Sharing.quiet;
import static clients.Suite.check;
import static clients.Suite.equal;
import static clients.Suite.eventually;
import static clients.Suite.failsWith;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.admin.GroupListing;
import org.apache.kafka.clients.admin.ListShareGroupOffsetsSpec;
import org.apache.kafka.clients.admin.ShareGroupDescription;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.GroupType;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.GroupNotEmptyException;

/** Queues for several consumers (KIP-932): who is given which record, and what becomes of it. */
final class ShareGroups {
    private final Cluster cluster;
    private final Sharing sharing;

    ShareGroups(Cluster cluster) {
        this.cluster = cluster;
        this.sharing = new Sharing(cluster);
    }

    void run(Suite suite) {
        suite.run("share group: what is accepted does not come again", this::accepted);
        suite.run("share group: two members share one partition and get each record once", this::shared);
        suite.run("share group: what is released comes again and counts, what is rejected does not", this::released);
        suite.run("share group: a record is given out as often as the limit says", this::exhausted);
        suite.run("share group: without acknowledging all of a poll is accepted by the next", this::implicit);
        suite.run("share group: what a closed member had goes to another at once", this::closed);
        suite.run("share group: a lock that ends gives its records to another", this::expired);
        suite.run("share group: a renewed lock does not end", this::renewed);
        suite.run("share group: a record limit is kept to", this::limited);
        suite.run("share group: it begins at the end if nothing is said", this::latest);
        suite.run("share group: readers of committed data get nothing that was aborted", this::committed);
        suite.run("share group: members of several partitions get everything", this::several);
        suite.run("share group: tools see its members", this::described);
        suite.run("share group: its offsets are listed, altered and deleted", this::altered);
        suite.run("share group: it is deleted only without members", this::deleted);
    }

    private void accepted() throws Exception {
        String topic = cluster.topic("share", 1);
        cluster.fill(topic, 0, 100);
        String group = sharing.group();
        try (KafkaShareConsumer<String, String> member = sharing.member(group, topic)) {
            List<ConsumerRecord<String, String>> taken = take(member, 100);
            equal(100, taken.size(), "records");
            equal(100, offsets(taken).size(), "offsets");
            equal("value 7", taken.get(7).value(), "value");
            equal((short) 1, taken.get(7).deliveryCount().orElseThrow(), "delivery count");
        }
        try (KafkaShareConsumer<String, String> member = sharing.member(group, topic)) {
            cluster.fill(topic, 0, 1);
            equal(Set.of(100L), offsets(take(member, 1)), "what comes next");
        }
    }

    private void shared() throws Exception {
        String topic = cluster.topic("share", 1);
        String group = sharing.group();
        try (KafkaShareConsumer<String, String> one = sharing.member(group, topic, "max.poll.records", "20");
                KafkaShareConsumer<String, String> two = sharing.member(group, topic, "max.poll.records", "20")) {
            List<ConsumerRecord<String, String>> all = new ArrayList<>();
            Map<KafkaShareConsumer<String, String>, Integer> counts = new HashMap<>();
            AtomicInteger filled = new AtomicInteger();
            // A member may have to wait for its second heartbeat before it has partitions.
            eventually("both get records, and all come", () -> {
                boolean bothHave = counts.values().stream().filter(count -> count > 0).count() == 2;
                if (!bothHave) {
                    cluster.fill(topic, 0, 40);
                    filled.addAndGet(40);
                }
                for (KafkaShareConsumer<String, String> member : List.of(one, two)) {
                    List<ConsumerRecord<String, String>> got = accept(member, poll(member));
                    counts.merge(member, got.size(), Integer::sum);
                    all.addAll(got);
                }
                return bothHave && all.size() >= filled.get();
            });
            equal(filled.get(), all.size(), "records");
            equal(filled.get(), offsets(all).size(), "offsets");
        }
    }

    private void released() throws Exception {
        String topic = cluster.topic("share", 1);
        cluster.fill(topic, 0, 3);
        try (KafkaShareConsumer<String, String> member = sharing.member(sharing.group(), topic)) {
            List<ConsumerRecord<String, String>> first = next(member);
            equal(3, first.size(), "records");
            member.acknowledge(first.get(0), AcknowledgeType.RELEASE);
            member.acknowledge(first.get(1), AcknowledgeType.REJECT);
            member.acknowledge(first.get(2), AcknowledgeType.ACCEPT);
            commit(member);
            List<ConsumerRecord<String, String>> second = next(member);
            equal(Set.of(0L), offsets(second), "what comes again");
            equal((short) 2, second.get(0).deliveryCount().orElseThrow(), "delivery count");
            accept(member, second);
            quiet(member, "nothing is left");
        }
    }

    private void exhausted() throws Exception {
        String topic = cluster.topic("share", 1);
        cluster.fill(topic, 0, 1);
        try (KafkaShareConsumer<String, String> member = sharing.member(sharing.group(), topic)) {
            for (int time = 1; time <= 5; time++) {
                List<ConsumerRecord<String, String>> got = next(member);
                equal((short) time, got.get(0).deliveryCount().orElseThrow(), "delivery count");
                acknowledge(member, got, AcknowledgeType.RELEASE);
            }
            quiet(member, "after five deliveries");
            cluster.fill(topic, 0, 1);
            equal(Set.of(1L), offsets(take(member, 1)), "the next record");
        }
    }

    private void implicit() throws Exception {
        String topic = cluster.topic("share", 1);
        cluster.fill(topic, 0, 10);
        String group = sharing.group();
        try (KafkaShareConsumer<String, String> member =
                sharing.member(group, topic, "share.acknowledgement.mode", "implicit")) {
            Set<Long> seen = new TreeSet<>();
            eventually("all come", () -> {
                poll(member).forEach(record -> check(seen.add(record.offset()), "twice: " + record.offset()));
                return seen.size() == 10;
            });
            quiet(member, "all are accepted");
        }
        try (KafkaShareConsumer<String, String> member = sharing.member(group, topic)) {
            cluster.fill(topic, 0, 1);
            equal(Set.of(10L), offsets(take(member, 1)), "what comes next");
        }
    }

    private void closed() throws Exception {
        String topic = cluster.topic("share", 1);
        cluster.fill(topic, 0, 5);
        String group = sharing.group();
        KafkaShareConsumer<String, String> first = sharing.member(group, topic);
        List<ConsumerRecord<String, String>> had = next(first);
        equal(5, had.size(), "records");
        accept(first, had.subList(0, 2));
        first.close();
        try (KafkaShareConsumer<String, String> second = sharing.member(group, topic)) {
            equal(Set.of(2L, 3L, 4L), offsets(take(second, 3)), "what the first had left");
        }
    }

    private void expired() throws Exception {
        String topic = cluster.topic("share", 1);
        cluster.fill(topic, 0, 4);
        String group = sharing.group("share.record.lock.duration.ms", "15000");
        try (KafkaShareConsumer<String, String> first = sharing.member(group, topic);
                KafkaShareConsumer<String, String> second = sharing.member(group, topic)) {
            equal(4, next(first).size(), "records");
            List<ConsumerRecord<String, String>> again = take(second, 4);
            equal(Set.of(0L, 1L, 2L, 3L), offsets(again), "records");
            equal((short) 2, again.get(0).deliveryCount().orElseThrow(), "delivery count");
        }
    }

    private void renewed() throws Exception {
        String topic = cluster.topic("share", 1);
        cluster.fill(topic, 0, 1);
        String group = sharing.group("share.record.lock.duration.ms", "15000");
        try (KafkaShareConsumer<String, String> first = sharing.member(group, topic);
                KafkaShareConsumer<String, String> second = sharing.member(group, topic)) {
            List<ConsumerRecord<String, String>> had = next(first);
            long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(22);
            while (System.nanoTime() < end) {
                first.acknowledge(had.get(0), AcknowledgeType.RENEW);
                commit(first);
                had = next(first);
                equal(List.of(), poll(second), "the second is given it");
                Thread.sleep(2_000);
            }
            accept(first, had);
            quiet(second, "it was accepted");
        }
    }

    private void limited() throws Exception {
        String topic = cluster.topic("share", 1);
        cluster.fill(topic, 0, 50);
        try (KafkaShareConsumer<String, String> member =
                sharing.member(sharing.group(), topic, "max.poll.records", "7", "share.acquire.mode", "record_limit")) {
            Set<Long> seen = new TreeSet<>();
            eventually("all come", () -> {
                List<ConsumerRecord<String, String>> got = poll(member);
                check(got.size() <= 7, got.size() + " records in one poll");
                seen.addAll(offsets(accept(member, got)));
                return seen.size() == 50;
            });
        }
    }

    private void latest() throws Exception {
        String topic = cluster.topic("share", 1);
        cluster.fill(topic, 0, 5);
        try (KafkaShareConsumer<String, String> member = sharing.member(cluster.fresh("share"), topic)) {
            Set<Long> seen = new TreeSet<>();
            eventually("a new record comes", () -> {
                cluster.fill(topic, 0, 1);
                seen.addAll(offsets(accept(member, poll(member))));
                return !seen.isEmpty();
            });
            check(seen.stream().allMatch(offset -> offset >= 5), "old ones came: " + seen);
        }
    }

    private void committed() throws Exception {
        String topic = cluster.topic("share", 1);
        try (Producer<String, String> producer = cluster.producer("transactional.id", cluster.fresh("share"))) {
            producer.initTransactions();
            for (String what : List.of("aborted", "committed", "aborted", "committed")) {
                producer.beginTransaction();
                for (int index = 0; index < 3; index++) {
                    producer.send(new ProducerRecord<>(topic, 0, what, what));
                }
                if (what.equals("aborted")) {
                    producer.flush();
                    producer.abortTransaction();
                } else {
                    producer.commitTransaction();
                }
            }
        }
        String group = sharing.group("share.isolation.level", "read_committed");
        try (KafkaShareConsumer<String, String> member = sharing.member(group, topic)) {
            List<ConsumerRecord<String, String>> taken = take(member, 6);
            equal(6, taken.size(), "records");
            check(taken.stream().allMatch(record -> record.value().equals("committed")), "an aborted one");
            quiet(member, "nothing is left");
        }
    }

    private void several() throws Exception {
        String topic = cluster.topic("share", 5);
        for (int partition = 0; partition < 5; partition++) {
            cluster.fill(topic, partition, 40);
        }
        String group = sharing.group();
        List<KafkaShareConsumer<String, String>> members = new ArrayList<>();
        for (int index = 0; index < 3; index++) {
            members.add(sharing.member(group, topic));
        }
        Set<String> seen = new HashSet<>();
        eventually("all come", () -> {
            for (KafkaShareConsumer<String, String> member : members) {
                for (ConsumerRecord<String, String> record : accept(member, poll(member))) {
                    check(seen.add(record.partition() + ":" + record.offset()), "twice: " + record);
                }
            }
            return seen.size() == 200;
        });
        members.forEach(KafkaShareConsumer::close);
    }

    private ShareGroupDescription describe(String group) throws Exception {
        return cluster.admin.describeShareGroups(List.of(group)).all().get(20, TimeUnit.SECONDS).get(group);
    }

    private void described() throws Exception {
        String topic = cluster.topic("share", 2);
        String group = sharing.group();
        try (KafkaShareConsumer<String, String> member = sharing.member(group, topic, "client.id", "sharer")) {
            eventually("the member has its partitions", () -> {
                poll(member);
                ShareGroupDescription found = describe(group);
                return found.members().size() == 1
                    && found.members().iterator().next().assignment().topicPartitions().size() == 2;
            });
            ShareGroupDescription found = describe(group);
            equal(GroupState.STABLE, found.groupState(), "state");
            equal("sharer", found.members().iterator().next().clientId(), "client");
            GroupListing listed = cluster.admin.listGroups().all().get(20, TimeUnit.SECONDS).stream()
                .filter(one -> one.groupId().equals(group)).findFirst().orElseThrow();
            equal(GroupType.SHARE, listed.type().orElseThrow(), "type");
        }
        eventually("it is empty", () -> describe(group).groupState() == GroupState.EMPTY);
    }

    private Long start(String group, TopicPartition partition) throws Exception {
        var listed = cluster.admin.listShareGroupOffsets(Map.of(group, new ListShareGroupOffsetsSpec()));
        var found = listed.partitionsToOffsetInfo(group).get(20, TimeUnit.SECONDS).get(partition);
        return found == null ? null : found.startOffset();
    }

    private void altered() throws Exception {
        String topic = cluster.topic("share", 1);
        TopicPartition partition = new TopicPartition(topic, 0);
        cluster.fill(topic, 0, 10);
        String group = sharing.group();
        try (KafkaShareConsumer<String, String> member = sharing.member(group, topic)) {
            take(member, 10);
            failsWith(GroupNotEmptyException.class, () ->
                cluster.admin.alterShareGroupOffsets(group, Map.of(partition, 4L)).all().get(20, TimeUnit.SECONDS));
        }
        eventually("it is empty", () -> describe(group).groupState() == GroupState.EMPTY);
        cluster.admin.alterShareGroupOffsets(group, Map.of(partition, 4L)).all().get(20, TimeUnit.SECONDS);
        equal(4L, start(group, partition), "start");
        try (KafkaShareConsumer<String, String> member = sharing.member(group, topic)) {
            equal(Set.of(4L, 5L, 6L, 7L, 8L, 9L), offsets(take(member, 6)), "records from the new start on");
        }
        eventually("it is empty", () -> describe(group).groupState() == GroupState.EMPTY);
        cluster.admin.deleteShareGroupOffsets(group, Set.of(topic)).all().get(20, TimeUnit.SECONDS);
        equal(null, start(group, partition), "start");
        try (KafkaShareConsumer<String, String> member = sharing.member(group, topic)) {
            equal(10, take(member, 10).size(), "all of it again");
        }
    }

    private void deleted() throws Exception {
        String topic = cluster.topic("share", 1);
        cluster.fill(topic, 0, 3);
        String group = sharing.group();
        try (KafkaShareConsumer<String, String> member = sharing.member(group, topic)) {
            take(member, 3);
            failsWith(GroupNotEmptyException.class, () ->
                cluster.admin.deleteShareGroups(List.of(group)).all().get(20, TimeUnit.SECONDS));
        }
        eventually("it is empty", () -> describe(group).groupState() == GroupState.EMPTY);
        cluster.admin.deleteShareGroups(List.of(group)).all().get(20, TimeUnit.SECONDS);
        try (KafkaShareConsumer<String, String> member = sharing.member(group, topic)) {
            equal(3, take(member, 3).size(), "a new group of that name begins anew");
        }
    }
}
