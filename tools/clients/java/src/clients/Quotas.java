package clients;

import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.CreateTopicsOptions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.Metric;
import org.apache.kafka.common.MetricName;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidRequestException;
import org.apache.kafka.common.errors.ThrottlingQuotaExceededException;
import org.apache.kafka.common.quota.ClientQuotaAlteration;
import org.apache.kafka.common.quota.ClientQuotaEntity;
import org.apache.kafka.common.quota.ClientQuotaFilter;
import org.apache.kafka.common.quota.ClientQuotaFilterComponent;

/** Quotas as clients set them and feel them. Every case has client ids of its own, so that it slows down nobody else. */
final class Quotas {
    private static final String VALUE = "x".repeat(10_000);

    private final Cluster cluster;

    Quotas(Cluster cluster) {
        this.cluster = cluster;
    }

    void run(Suite suite) {
        suite.run("quotas: are set, found and taken back", this::setAndFound);
        suite.run("quotas: what cannot be is refused", this::refused);
        suite.run("quotas: a producer above its own is slowed down and loses nothing", this::producer);
        suite.run("quotas: a consumer above its own is slowed down and misses nothing", this::consumer);
        suite.run("quotas: whoever takes too much time is slowed down", this::time);
        suite.run("quotas: topics beyond them are refused, and come when the client tries again", this::mutations);
    }

    private void setAndFound() throws Exception {
        String name = cluster.fresh("quota");
        Map<String, String> parts = new HashMap<>();
        parts.put(ClientQuotaEntity.USER, name);
        parts.put(ClientQuotaEntity.CLIENT_ID, null);
        ClientQuotaEntity both = new ClientQuotaEntity(parts);
        alter(both, "producer_byte_rate", 1e6);
        alter(both, "request_percentage", 12.5);
        ClientQuotaFilter filter = ClientQuotaFilter.containsOnly(List.of(
            ClientQuotaFilterComponent.ofEntity(ClientQuotaEntity.USER, name),
            ClientQuotaFilterComponent.ofDefaultEntity(ClientQuotaEntity.CLIENT_ID)));
        Map<String, Double> wanted = Map.of("producer_byte_rate", 1e6, "request_percentage", 12.5);
        Suite.eventually("both are found", () -> Map.of(both, wanted).equals(found(filter)));
        ClientQuotaFilter users = ClientQuotaFilter.contains(
            List.of(ClientQuotaFilterComponent.ofEntity(ClientQuotaEntity.USER, name)));
        Suite.equal(Map.of(both, wanted), found(users), "by its user alone");
        alter(both, "producer_byte_rate", null);
        alter(both, "request_percentage", null);
        Suite.eventually("both are gone", () -> found(filter).isEmpty());
    }

    private void refused() {
        ClientQuotaEntity user = new ClientQuotaEntity(Map.of(ClientQuotaEntity.USER, cluster.fresh("quota")));
        Suite.failsWith(InvalidRequestException.class, () -> alter(user, "producer_byte_rate", -1.0));
        Suite.failsWith(InvalidRequestException.class, () -> alter(user, "connection_creation_rate", 1.0));
        ClientQuotaEntity address = new ClientQuotaEntity(Map.of(ClientQuotaEntity.IP, "1.2.3.4.5"));
        Suite.failsWith(InvalidRequestException.class, () -> alter(address, "connection_creation_rate", 1.0));
    }

    private void producer() throws Exception {
        String topic = cluster.topic("quota", 1);
        String client = cluster.fresh("quota");
        limited(client, "producer_byte_rate", 50_000.0);
        int[] sent = {0};
        try (Producer<String, String> producer = cluster.producer("client.id", client, "batch.size", "1")) {
            Suite.eventually("the producer is told to wait", () -> {
                producer.send(new ProducerRecord<>(topic, VALUE)).get(60, TimeUnit.SECONDS);
                sent[0]++;
                return metric(producer.metrics(), "produce-throttle-time-max") > 0;
            });
        }
        alter(ofClient(client), "producer_byte_rate", null);
        Suite.equal(sent[0], cluster.read(topic, sent[0]).size(), "records");
    }

    private void consumer() throws Exception {
        String topic = cluster.topic("quota", 1);
        int count = 100;
        try (Producer<String, String> producer = cluster.producer()) {
            for (int index = 0; index < count; index++) {
                producer.send(new ProducerRecord<>(topic, VALUE));
            }
        }
        String client = cluster.fresh("quota");
        limited(client, "consumer_byte_rate", 70_000.0);
        try (Consumer<String, String> consumer = cluster.consumer("client.id", client, "max.partition.fetch.bytes", "100000")) {
            List<TopicPartition> partitions = List.of(new TopicPartition(topic, 0));
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            Suite.equal(count, Cluster.take(consumer, count).size(), "records");
            Suite.check(metric(consumer.metrics(), "fetch-throttle-time-max") > 0, "the consumer was told to wait");
        }
        alter(ofClient(client), "consumer_byte_rate", null);
    }

    private void time() throws Exception {
        String topic = cluster.topic("quota", 1);
        String client = cluster.fresh("quota");
        limited(client, "request_percentage", 0.01);
        try (Producer<String, String> producer = cluster.producer("client.id", client)) {
            Suite.eventually("the producer is told to wait", () -> {
                producer.send(new ProducerRecord<>(topic, "x")).get(60, TimeUnit.SECONDS);
                return metric(producer.metrics(), "produce-throttle-time-max") > 0;
            });
            Suite.check(metric(producer.metrics(), "produce-throttle-time-max") <= 1000, "nobody waits for longer than a window");
        }
        alter(ofClient(client), "request_percentage", null);
    }

    private void mutations() throws Exception {
        String client = cluster.fresh("quota");
        limited(client, "controller_mutation_rate", 1.0);
        Properties properties = new Properties();
        properties.put("bootstrap.servers", cluster.bootstrap);
        properties.put("client.id", client);
        String last = cluster.fresh("quota");
        try (Admin admin = Admin.create(properties)) {
            CreateTopicsOptions once = new CreateTopicsOptions().retryOnQuotaViolation(false);
            ThrottlingQuotaExceededException refused = Suite.failsWith(ThrottlingQuotaExceededException.class, () -> {
                for (int tries = 0; tries < 10; tries++) {
                    NewTopic topic = new NewTopic(cluster.fresh("quota"), Optional.of(7), Optional.empty());
                    admin.createTopics(List.of(topic), once).all().get(30, TimeUnit.SECONDS);
                }
            });
            Suite.check(refused.throttleTimeMs() > 0, "it says for how long to wait");
            admin.createTopics(List.of(new NewTopic(last, Optional.of(1), Optional.empty()))).all().get(60, TimeUnit.SECONDS);
        }
        alter(ofClient(client), "controller_mutation_rate", null);
        Suite.eventually("the last topic is there", () -> cluster.admin.listTopics().names().get(20, TimeUnit.SECONDS).contains(last));
    }

    private static ClientQuotaEntity ofClient(String name) {
        return new ClientQuotaEntity(Map.of(ClientQuotaEntity.CLIENT_ID, name));
    }

    /** Sets a quota of the client, and waits until it is in force. */
    private void limited(String client, String key, double value) throws Exception {
        alter(ofClient(client), key, value);
        ClientQuotaFilter filter = ClientQuotaFilter.containsOnly(
            List.of(ClientQuotaFilterComponent.ofEntity(ClientQuotaEntity.CLIENT_ID, client)));
        Suite.eventually(key + " is set", () -> !found(filter).isEmpty());
    }

    private void alter(ClientQuotaEntity entity, String key, Double value) throws Exception {
        List<ClientQuotaAlteration.Op> ops = List.of(new ClientQuotaAlteration.Op(key, value));
        Collection<ClientQuotaAlteration> alterations = List.of(new ClientQuotaAlteration(entity, ops));
        cluster.admin.alterClientQuotas(alterations).all().get(20, TimeUnit.SECONDS);
    }

    private Map<ClientQuotaEntity, Map<String, Double>> found(ClientQuotaFilter filter) throws Exception {
        return cluster.admin.describeClientQuotas(filter).entities().get(20, TimeUnit.SECONDS);
    }

    private static double metric(Map<MetricName, ? extends Metric> metrics, String name) {
        return metrics.entrySet().stream()
            .filter(entry -> entry.getKey().name().equals(name) && entry.getKey().tags().size() <= 1)
            .mapToDouble(entry -> (Double) entry.getValue().metricValue())
            .filter(value -> !Double.isNaN(value))
            .max().orElse(0);
    }
}
