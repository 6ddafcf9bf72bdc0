package clients;

import static clients.Suite.check;
import static clients.Suite.equal;
import static clients.Suite.eventually;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.StringDeserializer;

/** Members of share groups, and what they do with records. */
final class Sharing {
    private final Cluster cluster;

    Sharing(Cluster cluster) {
        this.cluster = cluster;
    }

    void configure(String group, String... settings) throws Exception {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.GROUP, group);
        List<AlterConfigOp> changes = new ArrayList<>();
        for (int index = 0; index < settings.length; index += 2) {
            changes.add(new AlterConfigOp(
                new ConfigEntry(settings[index], settings[index + 1]), AlterConfigOp.OpType.SET));
        }
        cluster.admin.incrementalAlterConfigs(Map.of(resource, changes)).all().get(20, TimeUnit.SECONDS);
    }

    /** A group that reads from the beginning. */
    String group(String... settings) throws Exception {
        String group = cluster.fresh("share");
        configure(group, "share.auto.offset.reset", "earliest");
        if (settings.length > 0) {
            configure(group, settings);
        }
        return group;
    }

    KafkaShareConsumer<String, String> member(String group, String topic, String... settings) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", cluster.bootstrap);
        properties.put("group.id", group);
        properties.put("share.acknowledgement.mode", "explicit");
        for (int index = 0; index < settings.length; index += 2) {
            properties.put(settings[index], settings[index + 1]);
        }
        KafkaShareConsumer<String, String> consumer =
            new KafkaShareConsumer<>(properties, new StringDeserializer(), new StringDeserializer());
        consumer.subscribe(List.of(topic));
        return consumer;
    }

    static List<ConsumerRecord<String, String>> poll(KafkaShareConsumer<String, String> member) {
        List<ConsumerRecord<String, String>> records = new ArrayList<>();
        member.poll(Duration.ofMillis(200)).forEach(records::add);
        return records;
    }

    /** One poll that brings something. */
    static List<ConsumerRecord<String, String>> next(KafkaShareConsumer<String, String> member)
            throws Exception {
        List<ConsumerRecord<String, String>> records = new ArrayList<>();
        eventually("records come", () -> {
            records.addAll(poll(member));
            return !records.isEmpty();
        });
        return records;
    }

    /** Accepts records until there were so many. */
    static List<ConsumerRecord<String, String>> take(KafkaShareConsumer<String, String> member, int count)
            throws Exception {
        List<ConsumerRecord<String, String>> taken = new ArrayList<>();
        eventually(count + " records come", () -> {
            taken.addAll(accept(member, poll(member)));
            return taken.size() >= count;
        });
        return taken;
    }

    static List<ConsumerRecord<String, String>> accept(
            KafkaShareConsumer<String, String> member, List<ConsumerRecord<String, String>> records) {
        return acknowledge(member, records, AcknowledgeType.ACCEPT);
    }

    static List<ConsumerRecord<String, String>> acknowledge(
            KafkaShareConsumer<String, String> member,
            List<ConsumerRecord<String, String>> records,
            AcknowledgeType type) {
        records.forEach(record -> member.acknowledge(record, type));
        if (!records.isEmpty()) {
            commit(member);
        }
        return records;
    }

    static void commit(KafkaShareConsumer<String, String> member) {
        member.commitSync(Duration.ofSeconds(20)).forEach((partition, failure) ->
            check(failure.isEmpty(), partition + ": " + failure));
    }

    static Set<Long> offsets(Collection<ConsumerRecord<String, String>> records) {
        Set<Long> offsets = new TreeSet<>();
        records.forEach(record -> offsets.add(record.offset()));
        return offsets;
    }

    /** Nothing comes for a while. */
    static void quiet(KafkaShareConsumer<String, String> member, String what) {
        for (int turn = 0; turn < 5; turn++) {
            equal(List.of(), poll(member), what);
        }
    }
}
