package clients;

import static clients.Suite.check;
import static clients.Suite.equal;
import static clients.Suite.failsWith;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidTimestampException;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.record.TimestampType;

/** What goes in comes out: codecs, headers, timestamps, nulls, and what a broker must refuse. */
final class Producing {
    private final Cluster cluster;

    Producing(Cluster cluster) {
        this.cluster = cluster;
    }

    void run(Suite suite) {
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            suite.run("produce: " + codec + " batches come back record by record", () -> codec(codec));
            suite.run("produce: a topic with compression.type=" + (codec.equals("none") ? "uncompressed" : codec),
                () -> recompressed(codec.equals("none") ? "uncompressed" : codec));
        }
        suite.run("produce: headers keep their order, repeats and nulls", this::headers);
        suite.run("produce: create time is the producer's", this::createTime);
        suite.run("produce: append time is the broker's", this::appendTime);
        suite.run("produce: null keys and null values", this::nulls);
        suite.run("produce: offsets count up without holes for every acks", this::acks);
        suite.run("produce: an idempotent producer with five requests in flight keeps the order", this::idempotent);
        suite.run("produce: keys choose partitions and all are answered", this::manyPartitions);
        suite.run("produce: a record above max.message.bytes is refused", this::tooLarge);
        suite.run("produce: a record of almost max.message.bytes is taken", this::large);
        suite.run("produce: a topic is created by its first record", this::autoCreated);
        suite.run("produce: a bad topic name is refused", this::badName);
        suite.run("produce: a record without a key does not enter a compacted topic", this::compacted);
        suite.run("produce: a timestamp too far in the future is refused", this::future);
    }

    private void codec(String codec) throws Exception {
        String topic = cluster.topic("codec-" + codec, 1);
        cluster.fill(topic, 0, 500, "compression.type", codec, "linger.ms", "50");
        verify(cluster.read(topic, 500), 500);
    }

    private void recompressed(String codec) throws Exception {
        String topic = cluster.topic("recompress-" + codec, 1, Map.of("compression.type", codec));
        cluster.fill(topic, 0, 100, "compression.type", codec.equals("gzip") ? "lz4" : "gzip", "linger.ms", "50");
        verify(cluster.read(topic, 100), 100);
    }

    private static void verify(List<ConsumerRecord<String, String>> records, int count) {
        equal(count, records.size(), "records");
        for (int index = 0; index < count; index++) {
            equal((long) index, records.get(index).offset(), "offset");
            equal("key " + index, records.get(index).key(), "key");
            equal("value " + index, records.get(index).value(), "value");
        }
    }

    private void headers() throws Exception {
        String topic = cluster.topic("headers", 1);
        try (Producer<String, String> producer = cluster.producer()) {
            ProducerRecord<String, String> record = new ProducerRecord<>(topic, "k", "v");
            record.headers().add("b", "1".getBytes()).add("a", new byte[0]).add("b", null).add("ü", "é".getBytes("UTF-8"));
            producer.send(record).get(20, TimeUnit.SECONDS);
        }
        List<String> seen = new ArrayList<>();
        for (Header header : cluster.read(topic, 1).get(0).headers()) {
            seen.add(header.key() + "=" + (header.value() == null ? "null" : new String(header.value(), "UTF-8")));
        }
        equal(List.of("b=1", "a=", "b=null", "ü=é"), seen, "headers");
    }

    private void createTime() throws Exception {
        String topic = cluster.topic("create-time", 1);
        long then = System.currentTimeMillis() - 86_400_000L;
        try (Producer<String, String> producer = cluster.producer()) {
            RecordMetadata answer = producer.send(new ProducerRecord<>(topic, 0, then, "k", "v")).get(20, TimeUnit.SECONDS);
            equal(then, answer.timestamp(), "timestamp in the answer");
        }
        ConsumerRecord<String, String> record = cluster.read(topic, 1).get(0);
        equal(then, record.timestamp(), "timestamp");
        equal(TimestampType.CREATE_TIME, record.timestampType(), "type");
    }

    private void appendTime() throws Exception {
        String topic = cluster.topic("append-time", 1, Map.of("message.timestamp.type", "LogAppendTime"));
        long before = System.currentTimeMillis();
        try (Producer<String, String> producer = cluster.producer("compression.type", "lz4")) {
            RecordMetadata answer = producer.send(new ProducerRecord<>(topic, 0, 1000L, "k", "v")).get(20, TimeUnit.SECONDS);
            check(answer.timestamp() >= before, "the answer has the broker's time, not " + answer.timestamp());
        }
        ConsumerRecord<String, String> record = cluster.read(topic, 1).get(0);
        check(record.timestamp() >= before && record.timestamp() <= System.currentTimeMillis(), "time " + record.timestamp());
        equal(TimestampType.LOG_APPEND_TIME, record.timestampType(), "type");
    }

    private void nulls() throws Exception {
        String topic = cluster.topic("nulls", 1);
        try (Producer<String, String> producer = cluster.producer()) {
            producer.send(new ProducerRecord<>(topic, null, "v"));
            producer.send(new ProducerRecord<>(topic, "k", null));
            producer.send(new ProducerRecord<>(topic, null, null));
            producer.send(new ProducerRecord<>(topic, "", ""));
        }
        List<String> seen = new ArrayList<>();
        cluster.read(topic, 4).forEach(record -> seen.add(record.key() + "/" + record.value()));
        equal(List.of("null/v", "k/null", "null/null", "/"), seen, "records");
    }

    private void acks() throws Exception {
        String topic = cluster.topic("acks", 1);
        cluster.fill(topic, 0, 10, "acks", "0", "enable.idempotence", "false");
        List<RecordMetadata> one = cluster.fill(topic, 0, 10, "acks", "1", "enable.idempotence", "false");
        List<RecordMetadata> all = cluster.fill(topic, 0, 10, "acks", "all", "enable.idempotence", "false");
        Set<Long> offsets = new HashSet<>();
        one.forEach(answer -> offsets.add(answer.offset()));
        all.forEach(answer -> offsets.add(answer.offset()));
        equal(20, offsets.size(), "different offsets");
        List<ConsumerRecord<String, String>> records = cluster.read(topic, 30);
        for (int index = 0; index < 30; index++) {
            equal((long) index, records.get(index).offset(), "offset");
        }
    }

    private void idempotent() throws Exception {
        String topic = cluster.topic("idempotent", 1);
        cluster.fill(topic, 0, 2000, "enable.idempotence", "true", "batch.size", "200", "max.in.flight.requests.per.connection", "5");
        verify(cluster.read(topic, 2000), 2000);
    }

    private void manyPartitions() throws Exception {
        String topic = cluster.topic("many", 13);
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        try (Producer<String, String> producer = cluster.producer()) {
            for (int index = 0; index < 1000; index++) {
                sent.add(producer.send(new ProducerRecord<>(topic, "key " + index, "value " + index)));
            }
        }
        Set<Integer> used = new HashSet<>();
        for (Future<RecordMetadata> future : sent) {
            used.add(future.get(20, TimeUnit.SECONDS).partition());
        }
        equal(13, used.size(), "partitions used");
        List<TopicPartition> partitions = new ArrayList<>();
        used.forEach(index -> partitions.add(new TopicPartition(topic, index)));
        Set<String> values = new HashSet<>();
        cluster.read(partitions, 1000).forEach(record -> values.add(record.value()));
        equal(1000, values.size(), "different values");
    }

    private void tooLarge() throws Exception {
        String topic = cluster.topic("too-large", 1, Map.of("max.message.bytes", "10000"));
        try (Producer<String, String> producer = cluster.producer()) {
            failsWith(RecordTooLargeException.class,
                () -> producer.send(new ProducerRecord<>(topic, "x".repeat(20_000))).get(20, TimeUnit.SECONDS));
            producer.send(new ProducerRecord<>(topic, "x".repeat(5_000))).get(20, TimeUnit.SECONDS);
        }
        equal(1, cluster.read(topic, 1).size(), "records");
    }

    private void large() throws Exception {
        String topic = cluster.topic("large", 1, Map.of("max.message.bytes", "5000000"));
        String value = "0123456789".repeat(490_000);
        try (Producer<String, String> producer = cluster.producer("max.request.size", "6000000", "buffer.memory", "64000000")) {
            producer.send(new ProducerRecord<>(topic, value)).get(20, TimeUnit.SECONDS);
        }
        equal(value, cluster.read(topic, 1).get(0).value(), "value");
    }

    private void autoCreated() throws Exception {
        String topic = cluster.fresh("auto");
        try (Producer<String, String> producer = cluster.producer()) {
            producer.send(new ProducerRecord<>(topic, "v")).get(20, TimeUnit.SECONDS);
        }
        check(cluster.admin.listTopics().names().get(20, TimeUnit.SECONDS).contains(topic), "the topic is listed");
        equal("v", cluster.read(topic, 1).get(0).value(), "value");
    }

    private void badName() {
        try (Producer<String, String> producer = cluster.producer()) {
            failsWith(InvalidTopicException.class,
                () -> producer.send(new ProducerRecord<>("a/../b", "v")).get(20, TimeUnit.SECONDS));
        }
    }

    private void compacted() throws Exception {
        String topic = cluster.topic("compacted", 1, Map.of("cleanup.policy", "compact"));
        try (Producer<String, String> producer = cluster.producer()) {
            failsWith(org.apache.kafka.common.InvalidRecordException.class,
                () -> producer.send(new ProducerRecord<>(topic, null, "v")).get(20, TimeUnit.SECONDS));
            producer.send(new ProducerRecord<>(topic, "k", "v")).get(20, TimeUnit.SECONDS);
        }
        equal(1, cluster.read(topic, 1).size(), "records");
    }

    private void future() throws Exception {
        String topic = cluster.topic("future", 1, Map.of("message.timestamp.after.max.ms", "1000"));
        try (Producer<String, String> producer = cluster.producer()) {
            failsWith(InvalidTimestampException.class, () -> producer
                .send(new ProducerRecord<>(topic, 0, System.currentTimeMillis() + 600_000, "k", "v")).get(20, TimeUnit.SECONDS));
            producer.send(new ProducerRecord<>(topic, 0, System.currentTimeMillis(), "k", "v")).get(20, TimeUnit.SECONDS);
        }
    }
}
