package clients;

import static clients.Suite.check;
import static clients.Suite.equal;
import static clients.Suite.eventually;
import static clients.Suite.failsWith;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.AlterConfigOp.OpType;
import org.apache.kafka.clients.admin.AlterConfigsOptions;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ConfigEntry.ConfigSource;
import org.apache.kafka.clients.admin.CreatePartitionsOptions;
import org.apache.kafka.clients.admin.CreateTopicsOptions;
import org.apache.kafka.clients.admin.CreateTopicsResult;
import org.apache.kafka.clients.admin.DescribeClusterResult;
import org.apache.kafka.clients.admin.DescribeConfigsOptions;
import org.apache.kafka.clients.admin.LogDirDescription;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.TopicCollection;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.InvalidPartitionsException;
import org.apache.kafka.common.errors.InvalidReplicationFactorException;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicIdException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;

/** Topics and configurations through the Admin client. */
final class Topics {
    private final Cluster cluster;

    Topics(Cluster cluster) {
        this.cluster = cluster;
    }

    void run(Suite suite) {
        suite.run("admin: create, describe and delete a topic", this::lifecycle);
        suite.run("admin: create answers with id, partitions and configs", this::createAnswer);
        suite.run("admin: a placement by hand is honoured", this::placement);
        suite.run("admin: validate only changes nothing", this::validateOnly);
        suite.run("admin: what may not be created", this::refused);
        suite.run("admin: topics by id", this::byId);
        suite.run("admin: a deleted topic can be made anew and is empty", this::recreated);
        suite.run("admin: more partitions, never fewer", this::partitions);
        suite.run("admin: topic configs with source and synonyms", this::topicConfigs);
        suite.run("admin: configs set, appended, subtracted and deleted", this::alterConfigs);
        suite.run("admin: what may not be configured", this::refusedConfigs);
        suite.run("admin: broker configs, per broker and for all", this::brokerConfigs);
        suite.run("admin: the cluster describes itself", this::describeCluster);
        suite.run("admin: log directories list every partition with its size", this::logDirs);
    }

    private <T> T get(org.apache.kafka.common.KafkaFuture<T> future) throws Exception {
        return future.get(20, TimeUnit.SECONDS);
    }

    private TopicDescription describe(String topic) throws Exception {
        return get(cluster.admin.describeTopics(List.of(topic)).allTopicNames()).get(topic);
    }

    /** A broker may learn of a topic a moment after its creation was answered. */
    private TopicDescription described(String topic) throws Exception {
        eventually("the topic is known", () -> get(cluster.admin.listTopics().names()).contains(topic));
        return describe(topic);
    }

    private void lifecycle() throws Exception {
        String topic = cluster.topic("life", 3);
        TopicDescription description = described(topic);
        equal(3, description.partitions().size(), "partitions");
        equal(false, description.isInternal(), "internal");
        check(!description.topicId().equals(Uuid.ZERO_UUID), "the topic has an id");
        description.partitions().forEach(partition -> {
            equal(1, partition.replicas().size(), "replicas");
            equal(partition.replicas(), partition.isr(), "in sync");
            equal(partition.replicas().get(0), partition.leader(), "leader");
        });
        get(cluster.admin.deleteTopics(List.of(topic)).all());
        eventually("the topic is gone", () -> !get(cluster.admin.listTopics().names()).contains(topic));
        failsWith(UnknownTopicOrPartitionException.class, () -> describe(topic));
        failsWith(UnknownTopicOrPartitionException.class, () -> get(cluster.admin.deleteTopics(List.of(topic)).all()));
    }

    private void createAnswer() throws Exception {
        String topic = cluster.fresh("answer");
        CreateTopicsResult result = cluster.admin.createTopics(
            List.of(new NewTopic(topic, 4, (short) 1).configs(Map.of("retention.ms", "1234567"))));
        equal(4, get(result.numPartitions(topic)), "partitions");
        equal(1, get(result.replicationFactor(topic)), "replicas");
        equal("1234567", get(result.config(topic)).get("retention.ms").value(), "config");
        equal(described(topic).topicId(), get(result.topicId(topic)), "id");
    }

    private void placement() throws Exception {
        String topic = cluster.fresh("placed");
        int broker = get(cluster.admin.describeCluster().nodes()).iterator().next().id();
        get(cluster.admin.createTopics(List.of(new NewTopic(topic, Map.of(0, List.of(broker), 1, List.of(broker))))).all());
        equal(2, described(topic).partitions().size(), "partitions");
    }

    private void validateOnly() throws Exception {
        String topic = cluster.fresh("validate");
        List<NewTopic> topics = List.of(new NewTopic(topic, 1, (short) 1));
        get(cluster.admin.createTopics(topics, new CreateTopicsOptions().validateOnly(true)).all());
        failsWith(UnknownTopicOrPartitionException.class, () -> describe(topic));
    }

    private void refused() throws Exception {
        String there = cluster.topic("there.x", 1);
        refuse(TopicExistsException.class, new NewTopic(there, 1, (short) 1));
        refuse(InvalidTopicException.class, new NewTopic(there.replace('.', '_'), 1, (short) 1));
        refuse(InvalidTopicException.class, new NewTopic("../up", 1, (short) 1));
        refuse(InvalidTopicException.class, new NewTopic("x".repeat(250), 1, (short) 1));
        refuse(InvalidPartitionsException.class, new NewTopic(cluster.fresh("no"), 0, (short) 1));
        refuse(InvalidReplicationFactorException.class, new NewTopic(cluster.fresh("no"), 1, (short) 3));
        refuse(InvalidConfigurationException.class,
            new NewTopic(cluster.fresh("no"), 1, (short) 1).configs(Map.of("no.such.key", "1")));
        refuse(InvalidConfigurationException.class,
            new NewTopic(cluster.fresh("no"), 1, (short) 1).configs(Map.of("retention.ms", "soon")));
    }

    private void refuse(Class<? extends Exception> kind, NewTopic topic) {
        failsWith(kind, () -> get(cluster.admin.createTopics(List.of(topic)).all()));
    }

    private void byId() throws Exception {
        String topic = cluster.topic("by-id", 1);
        Uuid id = described(topic).topicId();
        TopicCollection ids = TopicCollection.ofTopicIds(List.of(id));
        equal(topic, get(cluster.admin.describeTopics(ids).allTopicIds()).get(id).name(), "name");
        get(cluster.admin.deleteTopics(ids).all());
        failsWith(UnknownTopicIdException.class, () -> get(cluster.admin.deleteTopics(ids).all()));
    }

    private void recreated() throws Exception {
        String topic = cluster.topic("again", 1);
        cluster.fill(topic, 0, 20);
        Uuid before = described(topic).topicId();
        get(cluster.admin.deleteTopics(List.of(topic)).all());
        eventually("the name is free", () -> {
            try {
                get(cluster.admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1))).all());
                return true;
            } catch (java.util.concurrent.ExecutionException busy) {
                return false;
            }
        });
        check(!before.equals(described(topic).topicId()), "a new id");
        equal(0L, cluster.fill(topic, 0, 1).get(0).offset(), "first offset");
        equal(1, cluster.read(topic, 1).size(), "records");
    }

    private void partitions() throws Exception {
        String topic = cluster.topic("more", 2);
        get(cluster.admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(5)),
            new CreatePartitionsOptions().validateOnly(true)).all());
        equal(2, described(topic).partitions().size(), "partitions after validation");
        get(cluster.admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(5))).all());
        eventually("five partitions", () -> describe(topic).partitions().size() == 5);
        cluster.fill(topic, 4, 3);
        failsWith(InvalidPartitionsException.class,
            () -> get(cluster.admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(3))).all()));
        failsWith(InvalidPartitionsException.class,
            () -> get(cluster.admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(5))).all()));
        failsWith(UnknownTopicOrPartitionException.class,
            () -> get(cluster.admin.createPartitions(Map.of(cluster.fresh("none"), NewPartitions.increaseTo(3))).all()));
    }

    private Config config(ConfigResource resource) throws Exception {
        DescribeConfigsOptions options = new DescribeConfigsOptions().includeSynonyms(true).includeDocumentation(true);
        return get(cluster.admin.describeConfigs(List.of(resource), options).all()).get(resource);
    }

    private static ConfigResource topicResource(String topic) {
        return new ConfigResource(ConfigResource.Type.TOPIC, topic);
    }

    private void topicConfigs() throws Exception {
        String topic = cluster.topic("configs", 1, Map.of("retention.ms", "3600000"));
        Config config = config(topicResource(topic));
        ConfigEntry set = config.get("retention.ms");
        equal("3600000", set.value(), "value that was set");
        equal(ConfigSource.DYNAMIC_TOPIC_CONFIG, set.source(), "its source");
        equal(ConfigEntry.ConfigType.LONG, set.type(), "its type");
        check(set.documentation() != null && !set.documentation().isEmpty(), "it is documented");
        equal(List.of("retention.ms"),
            set.synonyms().stream().map(ConfigEntry.ConfigSynonym::name).collect(Collectors.toList()), "its synonyms");
        ConfigEntry other = config.get("cleanup.policy");
        equal("delete", other.value(), "default value");
        equal(ConfigSource.DEFAULT_CONFIG, other.source(), "its source");
        equal(ConfigEntry.ConfigType.LIST, other.type(), "its type");
        equal(List.of("log.cleanup.policy"),
            other.synonyms().stream().map(ConfigEntry.ConfigSynonym::name).collect(Collectors.toList()), "its synonyms");
        for (String name : List.of("segment.bytes", "max.message.bytes", "min.insync.replicas", "compression.type",
            "message.timestamp.type", "retention.bytes", "segment.ms", "delete.retention.ms", "flush.messages")) {
            check(config.get(name) != null, name + " is described");
        }
    }

    private Collection<AlterConfigOp> ops(Object... words) {
        List<AlterConfigOp> ops = new ArrayList<>();
        for (int index = 0; index < words.length; index += 3) {
            ops.add(new AlterConfigOp(new ConfigEntry((String) words[index + 1], (String) words[index + 2]), (OpType) words[index]));
        }
        return ops;
    }

    private void alter(ConfigResource resource, Object... words) throws Exception {
        get(cluster.admin.incrementalAlterConfigs(Map.of(resource, ops(words))).all());
    }

    private void alterConfigs() throws Exception {
        ConfigResource topic = topicResource(cluster.topic("alter", 1));
        alter(topic, OpType.SET, "retention.ms", "5000000", OpType.APPEND, "cleanup.policy", "compact");
        eventually("set", () -> config(topic).get("retention.ms").value().equals("5000000"));
        equal("delete,compact", config(topic).get("cleanup.policy").value(), "appended");
        alter(topic, OpType.SUBTRACT, "cleanup.policy", "delete", OpType.DELETE, "retention.ms", "");
        eventually("deleted", () -> config(topic).get("retention.ms").source() == ConfigSource.DEFAULT_CONFIG);
        equal("compact", config(topic).get("cleanup.policy").value(), "subtracted");
        get(cluster.admin.incrementalAlterConfigs(Map.of(topic, ops(OpType.SET, "retention.ms", "1")),
            new AlterConfigsOptions().validateOnly(true)).all());
        equal(ConfigSource.DEFAULT_CONFIG, config(topic).get("retention.ms").source(), "source after validation");
    }

    private void refusedConfigs() throws Exception {
        ConfigResource topic = topicResource(cluster.topic("refused", 1));
        failsWith(InvalidConfigurationException.class, () -> alter(topic, OpType.SET, "no.such.key", "1"));
        failsWith(InvalidConfigurationException.class, () -> alter(topic, OpType.SET, "segment.bytes", "many"));
        failsWith(InvalidConfigurationException.class, () -> alter(topic, OpType.SET, "compression.type", "rar"));
        failsWith(InvalidConfigurationException.class, () -> alter(topic, OpType.APPEND, "retention.ms", "1"));
        ConfigResource none = topicResource(cluster.fresh("none"));
        failsWith(UnknownTopicOrPartitionException.class, () -> alter(none, OpType.SET, "retention.ms", "1"));
        failsWith(UnknownTopicOrPartitionException.class, () -> config(none));
    }

    private void brokerConfigs() throws Exception {
        String id = get(cluster.admin.describeCluster().nodes()).iterator().next().idString();
        ConfigResource one = new ConfigResource(ConfigResource.Type.BROKER, id);
        ConfigResource all = new ConfigResource(ConfigResource.Type.BROKER, "");
        Config config = config(one);
        check(config.entries().size() > 100, "only " + config.entries().size() + " entries");
        equal(ConfigSource.STATIC_BROKER_CONFIG, config.get("offsets.topic.num.partitions").source(), "source of a file's line");
        equal(true, config.get("num.partitions").isReadOnly(), "read only");
        alter(all, OpType.SET, "log.retention.ms", "86400000");
        eventually("a default for all brokers", () -> config(one).get("log.retention.ms").source()
            == ConfigSource.DYNAMIC_DEFAULT_BROKER_CONFIG);
        alter(one, OpType.SET, "log.retention.ms", "43200000");
        eventually("a value of this broker", () -> config(one).get("log.retention.ms").source() == ConfigSource.DYNAMIC_BROKER_CONFIG);
        ConfigResource topic = topicResource(cluster.topic("inherits", 1));
        equal("43200000", config(topic).get("retention.ms").value(), "what a topic inherits");
        equal(ConfigSource.DYNAMIC_BROKER_CONFIG, config(topic).get("retention.ms").source(), "its source");
        alter(one, OpType.DELETE, "log.retention.ms", "");
        alter(all, OpType.DELETE, "log.retention.ms", "");
        eventually("back to the default", () -> config(one).get("log.retention.ms").source() == ConfigSource.DEFAULT_CONFIG);
        failsWith(org.apache.kafka.common.errors.InvalidRequestException.class, () -> alter(one, OpType.SET, "num.partitions", "3"));
    }

    private void describeCluster() throws Exception {
        DescribeClusterResult result = cluster.admin.describeCluster();
        equal(1, get(result.nodes()).size(), "nodes");
        check(!get(result.clusterId()).isEmpty(), "an id");
        equal(get(result.nodes()).iterator().next().id(), get(result.controller()).id(), "controller");
        equal(Optional.empty(), Optional.ofNullable(get(result.nodes()).iterator().next().rack()), "rack");
    }

    private void logDirs() throws Exception {
        String topic = cluster.topic("dirs", 2);
        cluster.fill(topic, 1, 100);
        int broker = get(cluster.admin.describeCluster().nodes()).iterator().next().id();
        Map<String, LogDirDescription> dirs = get(cluster.admin.describeLogDirs(List.of(broker)).allDescriptions()).get(broker);
        equal(1, dirs.size(), "directories");
        LogDirDescription dir = dirs.values().iterator().next();
        equal(null, dir.error(), "error");
        check(dir.replicaInfos().get(new TopicPartition(topic, 0)).size() == 0, "an empty partition");
        check(dir.replicaInfos().get(new TopicPartition(topic, 1)).size() > 1000, "a partition with records");
        check(dir.totalBytes().isPresent() && dir.totalBytes().getAsLong() > 0, "the size of the disk");
    }
}
