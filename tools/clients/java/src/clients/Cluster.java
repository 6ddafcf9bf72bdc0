package clients;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** The broker under test: clients for it, and topics whose names no other case uses. */
final class Cluster implements AutoCloseable {
    private static final AtomicInteger SERIAL = new AtomicInteger();
    private static final String RUN = Long.toString(System.currentTimeMillis(), 36);

    final String bootstrap;
    final Admin admin;

    Cluster(String bootstrap) {
        this.bootstrap = bootstrap;
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.put("request.timeout.ms", "15000");
        properties.put("default.api.timeout.ms", "20000");
        this.admin = Admin.create(properties);
    }

    @Override
    public void close() {
        admin.close(Duration.ofSeconds(5));
    }

    /** A name that starts with `stem` and is new. */
    String fresh(String stem) {
        return stem + "-" + RUN + "-" + SERIAL.incrementAndGet();
    }

    String topic(String stem, int partitions, Map<String, String> configs) throws Exception {
        String name = fresh(stem);
        admin.createTopics(List.of(new NewTopic(name, Optional.of(partitions), Optional.empty()).configs(configs)))
            .all().get(20, TimeUnit.SECONDS);
        // Kafka answers before its partitions take records; a question to each leader waits until they do.
        Map<TopicPartition, OffsetSpec> ends = new HashMap<>();
        for (int index = 0; index < partitions; index++) {
            ends.put(new TopicPartition(name, index), OffsetSpec.latest());
        }
        Suite.eventually(name + " takes records", () -> {
            try {
                return admin.listOffsets(ends).all().get(20, TimeUnit.SECONDS).size() == partitions;
            } catch (ExecutionException notYet) {
                return false;
            }
        });
        return name;
    }

    String topic(String stem, int partitions) throws Exception {
        return topic(stem, partitions, Map.of());
    }

    Producer<String, String> producer(String... settings) {
        Properties properties = properties(settings);
        properties.putIfAbsent("delivery.timeout.ms", "20000");
        properties.putIfAbsent("request.timeout.ms", "10000");
        properties.putIfAbsent("max.block.ms", "20000");
        return new KafkaProducer<>(properties, new StringSerializer(), new StringSerializer());
    }

    Consumer<String, String> consumer(String... settings) {
        Properties properties = properties(settings);
        properties.putIfAbsent("auto.offset.reset", "earliest");
        properties.putIfAbsent("enable.auto.commit", "false");
        properties.putIfAbsent("default.api.timeout.ms", "20000");
        return new KafkaConsumer<>(properties, new StringDeserializer(), new StringDeserializer());
    }

    private Properties properties(String... settings) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        for (int index = 0; index < settings.length; index += 2) {
            properties.put(settings[index], settings[index + 1]);
        }
        return properties;
    }

    /** Sends "value 0" … in order to one partition and returns what the broker answered. */
    List<RecordMetadata> fill(String topic, int partition, int count, String... settings) throws Exception {
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        try (Producer<String, String> producer = producer(settings)) {
            for (int index = 0; index < count; index++) {
                sent.add(producer.send(new ProducerRecord<>(topic, partition, "key " + index, "value " + index)));
            }
        }
        List<RecordMetadata> answers = new ArrayList<>();
        for (Future<RecordMetadata> future : sent) {
            answers.add(future.get(20, TimeUnit.SECONDS));
        }
        return answers;
    }

    /** Polls until `count` records came, with a bound. */
    static List<ConsumerRecord<String, String>> take(Consumer<String, String> consumer, int count) {
        List<ConsumerRecord<String, String>> records = new ArrayList<>();
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
        while (records.size() < count) {
            Suite.check(System.nanoTime() < end, "only " + records.size() + " of " + count + " records came");
            consumer.poll(Duration.ofMillis(200)).forEach(records::add);
        }
        return records;
    }

    /** Reads whole partitions from their beginning. */
    List<ConsumerRecord<String, String>> read(Collection<TopicPartition> partitions, int count, String... settings) {
        try (Consumer<String, String> consumer = consumer(settings)) {
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            return take(consumer, count);
        }
    }

    List<ConsumerRecord<String, String>> read(String topic, int count, String... settings) {
        return read(List.of(new TopicPartition(topic, 0)), count, settings);
    }
}
