package clients;

import static clients.Cluster.take;
import static clients.Suite.check;
import static clients.Suite.equal;
import static clients.Suite.failsWith;

import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.NoOffsetForPartitionException;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;

/** Reading from any place, in any portion. */
final class Consuming {
    private final Cluster cluster;

    Consuming(Cluster cluster) {
        this.cluster = cluster;
    }

    void run(Suite suite) {
        suite.run("consume: seek to the middle of a batch starts exactly there", this::seek);
        suite.run("consume: beginning and end offsets", this::ends);
        suite.run("consume: offsets for times", this::times);
        suite.run("consume: a fetch size smaller than the first batch still moves on", this::smallFetch);
        suite.run("consume: max.poll.records cuts what a fetch brought", this::fewAtATime);
        suite.run("consume: an offset out of range without a reset policy is an error", this::outOfRange);
        suite.run("consume: a group without offsets and without a reset policy is an error", this::noOffset);
        suite.run("consume: a paused partition is silent until resumed", this::paused);
        suite.run("consume: partitions and topics are listed", this::listed);
        suite.run("consume: read_committed reads what was never in a transaction", this::readCommitted);
        suite.run("consume: a waiting consumer gets a record soon after it is written", this::longPoll);
        suite.run("consume: a pattern finds its topics", this::pattern);
        suite.run("consume: many partitions in one session, written and read in turns", this::session);
    }

    private void seek() throws Exception {
        String topic = cluster.topic("seek", 1);
        cluster.fill(topic, 0, 300, "linger.ms", "100", "batch.size", "100000");
        TopicPartition partition = new TopicPartition(topic, 0);
        try (Consumer<String, String> consumer = cluster.consumer()) {
            consumer.assign(List.of(partition));
            for (long offset : new long[] {137, 0, 299, 1}) {
                consumer.seek(partition, offset);
                ConsumerRecord<String, String> first = take(consumer, 1).get(0);
                equal(offset, first.offset(), "first offset");
                equal("value " + offset, first.value(), "first value");
            }
        }
    }

    private void ends() throws Exception {
        String topic = cluster.topic("ends", 2);
        cluster.fill(topic, 0, 7);
        TopicPartition full = new TopicPartition(topic, 0);
        TopicPartition empty = new TopicPartition(topic, 1);
        try (Consumer<String, String> consumer = cluster.consumer()) {
            equal(Map.of(full, 0L, empty, 0L), consumer.beginningOffsets(List.of(full, empty)), "beginnings");
            equal(Map.of(full, 7L, empty, 0L), consumer.endOffsets(List.of(full, empty)), "ends");
        }
    }

    private void times() throws Exception {
        String topic = cluster.topic("times", 1);
        long base = System.currentTimeMillis() - 1_000_000;
        try (Producer<String, String> producer = cluster.producer("linger.ms", "100")) {
            for (int index = 0; index < 20; index++) {
                producer.send(new ProducerRecord<>(topic, 0, base + index * 1000L, "k", "value " + index));
            }
        }
        TopicPartition partition = new TopicPartition(topic, 0);
        try (Consumer<String, String> consumer = cluster.consumer()) {
            Map<Long, Long> expected = Map.of(base, 0L, base - 5, 0L, base + 4_500, 5L, base + 19_000, 19L);
            for (Map.Entry<Long, Long> entry : expected.entrySet()) {
                OffsetAndTimestamp found = consumer.offsetsForTimes(Map.of(partition, entry.getKey())).get(partition);
                equal(entry.getValue(), found.offset(), "offset for " + (entry.getKey() - base));
                equal(base + entry.getValue() * 1000, found.timestamp(), "its time");
            }
            equal(null, consumer.offsetsForTimes(Map.of(partition, base + 20_000)).get(partition), "later than all");
        }
    }

    private void smallFetch() throws Exception {
        String topic = cluster.topic("small-fetch", 1);
        cluster.fill(topic, 0, 400, "linger.ms", "100", "batch.size", "4000");
        equal(400, cluster.read(topic, 400, "max.partition.fetch.bytes", "1", "fetch.max.bytes", "1").size(), "records");
    }

    private void fewAtATime() throws Exception {
        String topic = cluster.topic("few", 1);
        cluster.fill(topic, 0, 50);
        try (Consumer<String, String> consumer = cluster.consumer("max.poll.records", "7")) {
            consumer.assign(List.of(new TopicPartition(topic, 0)));
            for (int seen = 0; seen < 50;) {
                int count = consumer.poll(Duration.ofSeconds(10)).count();
                check(0 < count && count <= 7, count + " records at once");
                seen += count;
            }
        }
    }

    private void outOfRange() throws Exception {
        String topic = cluster.topic("out-of-range", 1);
        cluster.fill(topic, 0, 5);
        TopicPartition partition = new TopicPartition(topic, 0);
        try (Consumer<String, String> consumer = cluster.consumer("auto.offset.reset", "none")) {
            consumer.assign(List.of(partition));
            consumer.seek(partition, 1000);
            failsWith(OffsetOutOfRangeException.class, () -> take(consumer, 1));
        }
        try (Consumer<String, String> consumer = cluster.consumer("auto.offset.reset", "earliest")) {
            consumer.assign(List.of(partition));
            consumer.seek(partition, 1000);
            equal(0L, take(consumer, 1).get(0).offset(), "reset to the beginning");
        }
    }

    private void noOffset() throws Exception {
        String topic = cluster.topic("no-offset", 1);
        try (Consumer<String, String> consumer = cluster.consumer("auto.offset.reset", "none", "group.id", cluster.fresh("g"))) {
            consumer.assign(List.of(new TopicPartition(topic, 0)));
            failsWith(NoOffsetForPartitionException.class, () -> consumer.poll(Duration.ofSeconds(10)));
        }
    }

    private void paused() throws Exception {
        String topic = cluster.topic("paused", 2);
        cluster.fill(topic, 0, 5);
        cluster.fill(topic, 1, 5);
        TopicPartition first = new TopicPartition(topic, 0);
        TopicPartition second = new TopicPartition(topic, 1);
        try (Consumer<String, String> consumer = cluster.consumer()) {
            consumer.assign(List.of(first, second));
            consumer.pause(List.of(first));
            take(consumer, 5).forEach(record -> equal(1, record.partition(), "partition while the other is paused"));
            consumer.resume(List.of(first));
            take(consumer, 5).forEach(record -> equal(0, record.partition(), "partition afterwards"));
        }
    }

    private void listed() throws Exception {
        String topic = cluster.topic("listed", 3);
        try (Consumer<String, String> consumer = cluster.consumer()) {
            equal(3, consumer.partitionsFor(topic).size(), "partitions");
            check(consumer.listTopics().containsKey(topic), "the topic is listed");
        }
    }

    private void readCommitted() throws Exception {
        String topic = cluster.topic("committed", 1);
        cluster.fill(topic, 0, 10);
        equal(10, cluster.read(topic, 10, "isolation.level", "read_committed").size(), "records");
    }

    private void longPoll() throws Exception {
        String topic = cluster.topic("long-poll", 1);
        try (Consumer<String, String> consumer = cluster.consumer("fetch.max.wait.ms", "6000");
            Producer<String, String> producer = cluster.producer()) {
            consumer.assign(List.of(new TopicPartition(topic, 0)));
            consumer.poll(Duration.ofMillis(500));
            long began = System.nanoTime();
            producer.send(new ProducerRecord<>(topic, "now"));
            producer.flush();
            equal("now", take(consumer, 1).get(0).value(), "value");
            check(System.nanoTime() - began < 3_000_000_000L, "it took seconds");
        }
    }

    private void pattern() throws Exception {
        String stem = cluster.fresh("pattern");
        for (int index = 0; index < 3; index++) {
            cluster.fill(cluster.topic(stem, 1), 0, 1);
        }
        try (Consumer<String, String> consumer = cluster.consumer("group.id", cluster.fresh("g"))) {
            consumer.subscribe(Pattern.compile(stem + "-.*"));
            equal(3, take(consumer, 3).size(), "records");
        }
    }

    private void session() throws Exception {
        String topic = cluster.topic("session", 6);
        List<TopicPartition> all = java.util.stream.IntStream.range(0, 6).mapToObj(index -> new TopicPartition(topic, index)).toList();
        try (Consumer<String, String> consumer = cluster.consumer("fetch.max.wait.ms", "100");
            Producer<String, String> producer = cluster.producer()) {
            consumer.assign(all);
            Map<Integer, Integer> seen = new HashMap<>();
            for (int round = 0; round < 12; round++) {
                producer.send(new ProducerRecord<>(topic, round % 6, "k", "round " + round));
                producer.flush();
                ConsumerRecord<String, String> record = take(consumer, 1).get(0);
                equal("round " + round, record.value(), "value");
                seen.merge(record.partition(), 1, Integer::sum);
            }
            equal(6, seen.size(), "partitions");
            consumer.assign(all.subList(0, 2));
            producer.send(new ProducerRecord<>(topic, 5, "k", "not read"));
            producer.send(new ProducerRecord<>(topic, 1, "k", "read"));
            producer.flush();
            equal("read", take(consumer, 1).get(0).value(), "value after fewer partitions");
        }
    }
}
