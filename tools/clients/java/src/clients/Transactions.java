package clients;

import static clients.Cluster.take;
import static clients.Suite.check;
import static clients.Suite.equal;
import static clients.Suite.eventually;
import static clients.Suite.failsWith;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.ProducerFencedException;

/** Producers whose records count together or not at all. */
final class Transactions {
    private static final String[] COMMITTED = {"isolation.level", "read_committed"};

    private final Cluster cluster;

    Transactions(Cluster cluster) {
        this.cluster = cluster;
    }

    void run(Suite suite) {
        suite.run("transaction: committed records are read, in every partition", this::committed);
        suite.run("transaction: aborted records are not read by who reads committed ones", this::aborted);
        suite.run("transaction: an open transaction holds readers of committed records back", this::open);
        suite.run("transaction: interleaved transactions are told apart", this::interleaved);
        suite.run("transaction: many in a row, each counts or does not", this::manyInARow);
        suite.run("transaction: an empty one can be committed and aborted", this::empty);
        suite.run("transaction: the next producer with the id fences the first", this::fenced);
        suite.run("transaction: what a fenced producer left open is aborted", this::leftOpen);
        suite.run("transaction: of two producers with one id exactly one lives", this::hijacked);
        suite.run("transaction: one that takes too long is aborted", this::timedOut);
        suite.run("transaction: a timeout beyond the limit is refused", this::timeoutTooLong);
        suite.run("transaction: offsets count when it is committed", this::offsetsCommitted);
        suite.run("transaction: offsets do not count when it is aborted", this::offsetsAborted);
        suite.run("transaction: offsets that are undecided are waited for", this::offsetsUndecided);
        suite.run("transaction: offsets of an earlier generation are refused", this::offsetsFenced);
        suite.run("transaction: what is read, changed and written is there exactly once", this::exactlyOnce);
    }

    Producer<String, String> begun(String id, String... more) {
        List<String> settings = new ArrayList<>(List.of("transactional.id", id));
        settings.addAll(List.of(more));
        Producer<String, String> producer = cluster.producer(settings.toArray(new String[0]));
        producer.initTransactions();
        producer.beginTransaction();
        return producer;
    }

    private static List<String> values(List<ConsumerRecord<String, String>> records) {
        return records.stream().map(ConsumerRecord::value).toList();
    }

    static Future<RecordMetadata> send(Producer<String, String> producer, String topic, int partition, String value) {
        return producer.send(new ProducerRecord<>(topic, partition, null, value));
    }

    /** Everything that a reader of committed records gets, up to the end that it is told. */
    List<String> readable(String topic, int partition) {
        TopicPartition asked = new TopicPartition(topic, partition);
        List<String> values = new ArrayList<>();
        try (Consumer<String, String> consumer = cluster.consumer(COMMITTED)) {
            consumer.assign(List.of(asked));
            consumer.seekToBeginning(List.of(asked));
            long end = consumer.endOffsets(List.of(asked)).get(asked);
            long late = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
            while (consumer.position(asked) < end) {
                check(System.nanoTime() < late, "the end of the committed records is not reached");
                consumer.poll(Duration.ofMillis(100)).forEach(record -> values.add(record.value()));
            }
        }
        return values;
    }

    void eventuallyReadable(List<String> expected, String topic, int partition) throws Exception {
        eventually(expected + " can be read", () -> readable(topic, partition).equals(expected));
    }

    private void committed() throws Exception {
        String topic = cluster.topic("tx-committed", 3);
        try (Producer<String, String> producer = begun(cluster.fresh("tx"))) {
            for (int partition = 0; partition < 3; partition++) {
                send(producer, topic, partition, "a" + partition);
                send(producer, topic, partition, "b" + partition);
            }
            producer.commitTransaction();
        }
        for (int partition = 0; partition < 3; partition++) {
            eventuallyReadable(List.of("a" + partition, "b" + partition), topic, partition);
        }
    }

    private void aborted() throws Exception {
        String topic = cluster.topic("tx-aborted", 1);
        try (Producer<String, String> producer = begun(cluster.fresh("tx"))) {
            send(producer, topic, 0, "no");
            producer.flush();
            producer.abortTransaction();
            producer.beginTransaction();
            send(producer, topic, 0, "yes");
            producer.commitTransaction();
        }
        eventuallyReadable(List.of("yes"), topic, 0);
        equal(List.of("no", "yes"), values(cluster.read(topic, 2)), "without isolation");
    }

    private void open() throws Exception {
        String topic = cluster.topic("tx-open", 1);
        TopicPartition partition = new TopicPartition(topic, 0);
        cluster.fill(topic, 0, 1);
        try (Producer<String, String> producer = begun(cluster.fresh("tx"));
            Consumer<String, String> consumer = cluster.consumer(COMMITTED)) {
            send(producer, topic, 0, "in it").get(20, TimeUnit.SECONDS);
            cluster.fill(topic, 0, 1);
            equal(1L, consumer.endOffsets(List.of(partition)).get(partition), "the last stable offset");
            equal(List.of("value 0"), readable(topic, 0), "before it is committed");
            producer.commitTransaction();
            eventuallyReadable(List.of("value 0", "in it", "value 0"), topic, 0);
        }
    }

    private void interleaved() throws Exception {
        String topic = cluster.topic("tx-interleaved", 1);
        try (Producer<String, String> good = begun(cluster.fresh("tx"));
            Producer<String, String> bad = begun(cluster.fresh("tx"))) {
            for (int index = 0; index < 10; index++) {
                send(good, topic, 0, "good " + index).get(20, TimeUnit.SECONDS);
                send(bad, topic, 0, "bad " + index).get(20, TimeUnit.SECONDS);
            }
            bad.abortTransaction();
            good.commitTransaction();
        }
        List<String> expected = new ArrayList<>();
        for (int index = 0; index < 10; index++) {
            expected.add("good " + index);
        }
        eventuallyReadable(expected, topic, 0);
    }

    private void manyInARow() throws Exception {
        String topic = cluster.topic("tx-many", 2);
        List<String> expected = new ArrayList<>();
        try (Producer<String, String> producer = cluster.producer("transactional.id", cluster.fresh("tx"))) {
            producer.initTransactions();
            for (int round = 0; round < 60; round++) {
                producer.beginTransaction();
                send(producer, topic, 0, "round " + round);
                send(producer, topic, 1, "round " + round);
                if (round % 3 == 1) {
                    producer.abortTransaction();
                } else {
                    producer.commitTransaction();
                    expected.add("round " + round);
                }
            }
        }
        eventuallyReadable(expected, topic, 0);
        eventuallyReadable(expected, topic, 1);
    }

    private void empty() throws Exception {
        String topic = cluster.topic("tx-empty", 1);
        try (Producer<String, String> producer = begun(cluster.fresh("tx"))) {
            producer.commitTransaction();
            producer.beginTransaction();
            producer.abortTransaction();
            producer.beginTransaction();
            send(producer, topic, 0, "after");
            producer.commitTransaction();
        }
        eventuallyReadable(List.of("after"), topic, 0);
    }

    private void fenced() throws Exception {
        String topic = cluster.topic("tx-fenced", 1);
        String id = cluster.fresh("tx");
        try (Producer<String, String> first = begun(id)) {
            send(first, topic, 0, "first").get(20, TimeUnit.SECONDS);
            first.commitTransaction();
            try (Producer<String, String> second = begun(id)) {
                send(second, topic, 0, "second");
                failsWith(KafkaException.class, () -> {
                    first.beginTransaction();
                    send(first, topic, 0, "too late").get(20, TimeUnit.SECONDS);
                    first.commitTransaction();
                });
                second.commitTransaction();
            }
        }
        eventuallyReadable(List.of("first", "second"), topic, 0);
    }

    private void leftOpen() throws Exception {
        String topic = cluster.topic("tx-left", 1);
        String id = cluster.fresh("tx");
        Producer<String, String> first = begun(id);
        try {
            send(first, topic, 0, "left open").get(20, TimeUnit.SECONDS);
            try (Producer<String, String> second = begun(id)) {
                send(second, topic, 0, "after");
                second.commitTransaction();
            }
            failsWith(ProducerFencedException.class, first::commitTransaction);
        } finally {
            first.close(Duration.ZERO);
        }
        eventuallyReadable(List.of("after"), topic, 0);
    }

    private void hijacked() throws Exception {
        String topic = cluster.topic("tx-hijacked", 1);
        String id = cluster.fresh("tx");
        try (Producer<String, String> one = cluster.producer("transactional.id", id);
            Producer<String, String> other = cluster.producer("transactional.id", id)) {
            one.initTransactions();
            other.initTransactions();
            int living = 0;
            List<String> expected = new ArrayList<>();
            for (Producer<String, String> producer : List.of(one, other)) {
                String value = producer == one ? "one" : "other";
                try {
                    producer.beginTransaction();
                    send(producer, topic, 0, value).get(20, TimeUnit.SECONDS);
                    producer.commitTransaction();
                    expected.add(value);
                    living++;
                } catch (KafkaException | ExecutionException lost) {
                    check(producer == one, "the later one lives");
                }
            }
            equal(1, living, "producers that committed");
            eventuallyReadable(expected, topic, 0);
        }
    }

    private void timedOut() throws Exception {
        String topic = cluster.topic("tx-timed-out", 1);
        Producer<String, String> producer = begun(cluster.fresh("tx"), "transaction.timeout.ms", "1000");
        try {
            send(producer, topic, 0, "slow").get(20, TimeUnit.SECONDS);
            cluster.fill(topic, 0, 1);
            eventuallyReadable(List.of("value 0"), topic, 0);
            failsWith(KafkaException.class, producer::commitTransaction);
        } finally {
            producer.close(Duration.ZERO);
        }
        equal(List.of("value 0"), readable(topic, 0), "after a late commit");
    }

    private void timeoutTooLong() {
        try (Producer<String, String> producer =
            cluster.producer("transactional.id", cluster.fresh("tx"), "transaction.timeout.ms", "900001")) {
            KafkaException refused = failsWith(KafkaException.class, producer::initTransactions);
            check(refused.getMessage().contains("timeout"), refused.getMessage());
        }
    }

    /** A group without members, as a consumer sees it that assigns its own partitions. */
    private ConsumerGroupMetadata metadata(String group) {
        try (Consumer<String, String> consumer = cluster.consumer("group.id", group)) {
            return consumer.groupMetadata();
        }
    }

    private OffsetAndMetadata committedOffset(String group, TopicPartition partition) throws Exception {
        return cluster.admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata()
            .get(20, TimeUnit.SECONDS).get(partition);
    }

    private void offsetsCommitted() throws Exception {
        String topic = cluster.topic("tx-offsets", 2);
        String group = cluster.fresh("g");
        TopicPartition zero = new TopicPartition(topic, 0);
        TopicPartition one = new TopicPartition(topic, 1);
        try (Producer<String, String> producer = begun(cluster.fresh("tx"))) {
            Map<TopicPartition, OffsetAndMetadata> offsets =
                Map.of(zero, new OffsetAndMetadata(5, "five"), one, new OffsetAndMetadata(7));
            producer.sendOffsetsToTransaction(offsets, metadata(group));
            equal(null, committedOffset(group, zero), "the offset of an open transaction");
            producer.commitTransaction();
        }
        eventually("the offsets count", () -> committedOffset(group, zero) != null);
        equal(new OffsetAndMetadata(5, "five"), committedOffset(group, zero), "an offset");
        equal(7L, committedOffset(group, one).offset(), "another offset");
    }

    private void offsetsAborted() throws Exception {
        String topic = cluster.topic("tx-no-offsets", 1);
        String group = cluster.fresh("g");
        TopicPartition partition = new TopicPartition(topic, 0);
        try (Producer<String, String> producer = begun(cluster.fresh("tx"))) {
            ConsumerGroupMetadata metadata = metadata(group);
            producer.sendOffsetsToTransaction(Map.of(partition, new OffsetAndMetadata(3)), metadata);
            producer.commitTransaction();
            eventually("the first counts", () -> committedOffset(group, partition) != null);
            producer.beginTransaction();
            producer.sendOffsetsToTransaction(Map.of(partition, new OffsetAndMetadata(9)), metadata);
            producer.abortTransaction();
            producer.beginTransaction();
            producer.sendOffsetsToTransaction(Map.of(partition, new OffsetAndMetadata(4)), metadata);
            producer.commitTransaction();
        }
        eventually("the last counts", () -> committedOffset(group, partition).offset() == 4);
    }

    private void offsetsUndecided() throws Exception {
        String topic = cluster.topic("tx-undecided", 1);
        String group = cluster.fresh("g");
        TopicPartition partition = new TopicPartition(topic, 0);
        try (Producer<String, String> producer = begun(cluster.fresh("tx"));
            Consumer<String, String> impatient = cluster.consumer("group.id", group, "isolation.level", "read_committed",
                "default.api.timeout.ms", "1500");
            Consumer<String, String> patient = cluster.consumer("group.id", group, "isolation.level", "read_committed")) {
            ConsumerGroupMetadata metadata = metadata(group);
            producer.sendOffsetsToTransaction(Map.of(partition, new OffsetAndMetadata(6)), metadata);
            failsWith(org.apache.kafka.common.errors.TimeoutException.class, () -> impatient.committed(Set.of(partition)));
            producer.commitTransaction();
            equal(6L, patient.committed(Set.of(partition)).get(partition).offset(), "what was waited for");
        }
    }

    private void offsetsFenced() throws Exception {
        String topic = cluster.topic("tx-generation", 2);
        String group = cluster.fresh("g");
        try (Producer<String, String> producer = begun(cluster.fresh("tx"));
            Consumer<String, String> first = cluster.consumer("group.id", group);
            Consumer<String, String> second = cluster.consumer("group.id", group)) {
            first.subscribe(List.of(topic));
            eventually("the first has both", () -> {
                first.poll(Duration.ofMillis(100));
                return first.assignment().size() == 2;
            });
            ConsumerGroupMetadata early = first.groupMetadata();
            second.subscribe(List.of(topic));
            eventually("they share", () -> {
                first.poll(Duration.ofMillis(50));
                second.poll(Duration.ofMillis(50));
                return first.assignment().size() == 1 && second.assignment().size() == 1;
            });
            Map<TopicPartition, OffsetAndMetadata> offsets =
                Map.of(new TopicPartition(topic, 0), new OffsetAndMetadata(1));
            failsWith(CommitFailedException.class, () -> {
                producer.sendOffsetsToTransaction(offsets, early);
                producer.commitTransaction();
            });
            producer.abortTransaction();
            producer.beginTransaction();
            producer.sendOffsetsToTransaction(offsets, first.groupMetadata());
            producer.commitTransaction();
            eventually("the offset counts", () -> committedOffset(group, new TopicPartition(topic, 0)) != null);
        }
    }

    /** Every round is a process of its own: it takes over, does a part, and half of them die in it. */
    private void exactlyOnce() throws Exception {
        String in = cluster.topic("tx-in", 1);
        String out = cluster.topic("tx-out", 1);
        String group = cluster.fresh("g");
        String id = cluster.fresh("tx");
        int count = 200;
        cluster.fill(in, 0, count);
        TopicPartition source = new TopicPartition(in, 0);
        int done = 0;
        for (int round = 0; done < count; round++) {
            check(round < 100, "no end after 100 rounds");
            Producer<String, String> producer = begun(id);
            try (Consumer<String, String> consumer = cluster.consumer("group.id", group, "isolation.level", "read_committed",
                "max.poll.records", "17")) {
                consumer.assign(List.of(source));
                long last = -1;
                for (ConsumerRecord<String, String> record : take(consumer, 1)) {
                    send(producer, out, 0, "changed " + record.value());
                    last = record.offset();
                }
                producer.sendOffsetsToTransaction(Map.of(source, new OffsetAndMetadata(last + 1)), consumer.groupMetadata());
                if (round % 2 == 0) {
                    producer.flush();
                    producer.close(Duration.ZERO);
                } else {
                    producer.commitTransaction();
                    done = (int) last + 1;
                    producer.close();
                }
            }
        }
        List<String> expected = new ArrayList<>();
        for (int index = 0; index < count; index++) {
            expected.add("changed value " + index);
        }
        eventuallyReadable(expected, out, 0);
    }
}
