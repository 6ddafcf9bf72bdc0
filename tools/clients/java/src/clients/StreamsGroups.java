package clients;

import static clients.Suite.check;
import static clients.Suite.equal;
import static clients.Suite.eventually;
import static clients.Suite.failsWith;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.GroupListing;
import org.apache.kafka.clients.admin.ListStreamsGroupOffsetsSpec;
import org.apache.kafka.clients.admin.StreamsGroupDescription;
import org.apache.kafka.clients.admin.StreamsGroupMemberDescription;
import org.apache.kafka.clients.admin.StreamsGroupSubtopologyDescription;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.GroupType;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.GroupNotEmptyException;
import org.apache.kafka.streams.KafkaStreams;

/** Kafka Streams applications whose tasks the broker gives out (KIP-1071). */
final class StreamsGroups {
    private static final int PARTITIONS = 3;
    private static final long TAKEOVER_SECONDS = 150;

    private final Cluster cluster;

    StreamsGroups(Cluster cluster) {
        this.cluster = cluster;
    }

    void run(Suite suite) {
        suite.run("streams group: words are counted through a repartition topic and a state store", this::counted);
        suite.run("streams group: two instances share the tasks, and the one that stays takes all", this::shared);
        suite.run("streams group: an instance that is killed and comes back loses and repeats nothing counted", this::killed);
        suite.run("streams group: exactly once stays exact while instances come and go", this::exactlyOnce);
        suite.run("streams group: copies of the state lie in another process", this::standbys);
        suite.run("streams group: an application waits for its source topic", this::waiting);
        suite.run("streams group: its offsets are listed, altered and deleted", this::altered);
        suite.run("streams group: it is deleted only without members", this::deleted);
    }

    /** An application with its topics, its instances and the folders of their state. */
    private final class Application implements AutoCloseable {
        final String name = cluster.fresh("words");
        final String input;
        final String output;
        final TreeMap<String, Long> written = new TreeMap<>();
        final List<KafkaStreams> instances = new ArrayList<>();
        final List<Path> folders = new ArrayList<>();
        final List<Process> processes = new ArrayList<>();

        Application() throws Exception {
            input = cluster.topic("lines", PARTITIONS);
            output = cluster.topic("counts", 1);
        }

        void set(String key, String value) throws Exception {
            ConfigResource group = new ConfigResource(ConfigResource.Type.GROUP, name);
            AlterConfigOp set = new AlterConfigOp(new ConfigEntry(key, value), AlterConfigOp.OpType.SET);
            cluster.admin.incrementalAlterConfigs(Map.of(group, List.of(set))).all().get(20, TimeUnit.SECONDS);
        }

        Path folder() throws IOException {
            Path folder = Files.createTempDirectory("corelog-streams-");
            folders.add(folder);
            return folder;
        }

        KafkaStreams start(String... more) throws IOException {
            KafkaStreams streams = WordCount.instance(cluster.bootstrap, name, input, output, folder(), more);
            instances.add(streams);
            streams.start();
            return streams;
        }

        Process launch(Path folder, String... more) throws IOException {
            String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
            List<String> command = new ArrayList<>(List.of(java, "-Xmx256m", "-XX:+UseSerialGC", "-cp", System.getProperty("java.class.path"),
                "clients.WordCount", cluster.bootstrap, name, input, output, folder.toString()));
            command.addAll(List.of(more));
            Process process = new ProcessBuilder(command)
                .redirectErrorStream(true).redirectOutput(new File(folder.toFile(), "output")).start();
            processes.add(process);
            return process;
        }

        void write(int round) throws Exception {
            try (Producer<String, String> producer = cluster.producer()) {
                for (int line = 0; line < 30; line++) {
                    String word = "word" + line % 10;
                    producer.send(new ProducerRecord<>(input, line % PARTITIONS, "", "all " + word + " round" + round));
                    for (String one : List.of("all", word, "round" + round)) {
                        written.merge(one, 1L, Long::sum);
                    }
                }
            }
        }

        /** What was told last of each word, once it is what was written, with a bound. */
        void awaitCounts(long seconds, String... settings) {
            TreeMap<String, Long> counts = new TreeMap<>();
            long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(seconds);
            try (Consumer<String, String> consumer = cluster.consumer(settings)) {
                List<TopicPartition> all = List.of(new TopicPartition(output, 0));
                consumer.assign(all);
                consumer.seekToBeginning(all);
                while (!counts.equals(written)) {
                    check(System.nanoTime() < end, "counted " + counts + " where " + written + " was written");
                    for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(200))) {
                        counts.put(record.key(), Long.parseLong(record.value()));
                    }
                }
            }
        }

        /** Every update of each word, in its order: with exactly once none is missing or twice. */
        Map<String, List<Long>> updates() {
            int all = (int) written.values().stream().mapToLong(Long::longValue).sum();
            Map<String, List<Long>> updates = new HashMap<>();
            for (ConsumerRecord<String, String> record : cluster.read(output, all, "isolation.level", "read_committed")) {
                updates.computeIfAbsent(record.key(), word -> new ArrayList<>()).add(Long.parseLong(record.value()));
            }
            return updates;
        }

        StreamsGroupDescription described() throws Exception {
            return cluster.admin.describeStreamsGroups(List.of(name)).describedGroups().get(name).get(20, TimeUnit.SECONDS);
        }

        void awaitMembers(int count) throws Exception {
            eventually(count + " members with all tasks", () -> {
                try {
                    StreamsGroupDescription group = described();
                    return group.groupState() == GroupState.STABLE && group.members().size() == count
                        && active(group) == 2 * PARTITIONS;
                } catch (ExecutionException notYet) {
                    return false;
                }
            });
        }

        @Override
        public void close() throws IOException {
            processes.forEach(Process::destroyForcibly);
            instances.forEach(streams -> streams.close(Duration.ofSeconds(20)));
            for (Path folder : folders) {
                try (var files = Files.walk(folder)) {
                    files.sorted((one, other) -> other.compareTo(one)).map(Path::toFile).forEach(File::delete);
                }
            }
        }
    }

    private static int active(StreamsGroupDescription group) {
        return group.members().stream().mapToInt(member -> count(member.assignment().activeTasks())).sum();
    }

    private static int count(Collection<org.apache.kafka.clients.admin.StreamsGroupMemberAssignment.TaskIds> tasks) {
        return tasks.stream().mapToInt(ids -> ids.partitions().size()).sum();
    }

    private void counted() throws Exception {
        try (Application words = new Application()) {
            words.write(1);
            words.start();
            words.awaitCounts(40);
            words.awaitMembers(1);
            StreamsGroupDescription group = words.described();
            equal(2, group.subtopologies().size(), "sub-topologies");
            equal(group.groupEpoch(), group.targetAssignmentEpoch(), "epochs of group and target");
            StreamsGroupMemberDescription member = group.members().iterator().next();
            equal(group.groupEpoch(), member.memberEpoch(), "epoch of the member");
            equal(member.targetAssignment(), member.assignment(), "what the member has");
            String changelog = words.name + "-" + WordCount.STORE + "-changelog";
            String repartition = words.name + "-" + WordCount.BY_WORD + "-repartition";
            Set<String> internal = new TreeSet<>();
            for (StreamsGroupSubtopologyDescription one : group.subtopologies()) {
                internal.addAll(one.stateChangelogTopics().keySet());
                internal.addAll(one.repartitionSourceTopics().keySet());
            }
            equal(Set.of(changelog, repartition), internal, "topics in between");
            var topics = cluster.admin.describeTopics(internal).allTopicNames().get(20, TimeUnit.SECONDS);
            equal(Set.of(PARTITIONS), topics.values().stream().map(it -> it.partitions().size()).collect(Collectors.toSet()), "partitions");
            equal("compact", setting(changelog, "cleanup.policy"), "how the changelog is cleaned");
            equal("delete", setting(repartition, "cleanup.policy"), "how the repartition topic is cleaned");
            equal("-1", setting(repartition, "retention.ms"), "how long the repartition topic is kept");
            List<GroupListing> listed = cluster.admin.listGroups().all().get(20, TimeUnit.SECONDS).stream()
                .filter(one -> one.groupId().equals(words.name)).toList();
            equal(1, listed.size(), "listed");
            equal(GroupType.STREAMS, listed.get(0).type().orElseThrow(), "type");
            equal("streams", listed.get(0).protocol(), "protocol");
        }
    }

    private String setting(String topic, String key) throws Exception {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        return cluster.admin.describeConfigs(List.of(resource)).all().get(20, TimeUnit.SECONDS).get(resource).get(key).value();
    }

    private void shared() throws Exception {
        try (Application words = new Application()) {
            words.write(1);
            KafkaStreams first = words.start();
            words.start();
            words.awaitMembers(2);
            for (StreamsGroupMemberDescription member : words.described().members()) {
                equal(PARTITIONS, count(member.assignment().activeTasks()), "tasks of " + member.memberId());
            }
            words.awaitCounts(30);
            first.close(Duration.ofSeconds(20));
            words.awaitMembers(1);
            words.write(2);
            words.awaitCounts(30);
        }
    }

    private void killed() throws Exception {
        try (Application words = new Application()) {
            words.write(1);
            Path folder = words.folder();
            try {
                words.set("streams.session.timeout.ms", "6000");
            } catch (ExecutionException outOfBounds) {
                System.out.println("the broker takes no short session: " + outOfBounds.getMessage());
            }
            // Otherwise what it had not committed would be counted once more.
            Process other = words.launch(folder, "processing.guarantee", "exactly_once_v2");
            words.start("processing.guarantee", "exactly_once_v2");
            words.awaitMembers(2);
            words.awaitCounts(TAKEOVER_SECONDS, "isolation.level", "read_committed");
            other.destroyForcibly().waitFor();
            words.write(2);
            words.launch(folder, "processing.guarantee", "exactly_once_v2");
            words.awaitCounts(TAKEOVER_SECONDS, "isolation.level", "read_committed");
        }
    }

    private void exactlyOnce() throws Exception {
        try (Application words = new Application()) {
            words.set("streams.initial.rebalance.delay.ms", "0");
            words.write(1);
            KafkaStreams first = words.start("processing.guarantee", "exactly_once_v2");
            words.awaitCounts(40, "isolation.level", "read_committed");
            words.start("processing.guarantee", "exactly_once_v2");
            words.write(2);
            words.awaitMembers(2);
            words.write(3);
            first.close(Duration.ofSeconds(20));
            words.write(4);
            words.awaitCounts(40, "isolation.level", "read_committed");
            words.updates().forEach((word, counts) -> {
                for (int index = 0; index < counts.size(); index++) {
                    equal(index + 1L, counts.get(index), "update " + index + " of " + word);
                }
            });
        }
    }

    private void standbys() throws Exception {
        try (Application words = new Application()) {
            words.set("streams.num.standby.replicas", "1");
            words.write(1);
            words.start();
            words.start();
            words.awaitMembers(2);
            eventually("each stateful task has a copy", () -> {
                int copies = 0;
                for (StreamsGroupMemberDescription member : words.described().members()) {
                    var assignment = member.assignment();
                    copies += count(assignment.standbyTasks());
                    for (var ids : assignment.standbyTasks()) {
                        check(assignment.activeTasks().stream().noneMatch(active -> active.subtopologyId().equals(ids.subtopologyId())
                            && active.partitions().stream().anyMatch(ids.partitions()::contains)), "a task and its copy are apart");
                    }
                }
                return copies == PARTITIONS;
            });
            words.awaitCounts(30);
        }
    }

    private void waiting() throws Exception {
        try (Application words = new Application()) {
            cluster.admin.deleteTopics(List.of(words.input)).all().get(20, TimeUnit.SECONDS);
            words.start();
            eventually("the group is not ready", () -> {
                try {
                    return words.described().groupState() == GroupState.NOT_READY;
                } catch (ExecutionException notYet) {
                    return false;
                }
            });
            eventually("the topic can be made again", () -> {
                try {
                    cluster.admin.createTopics(List.of(new org.apache.kafka.clients.admin.NewTopic(words.input, PARTITIONS, (short) 1)))
                        .all().get(20, TimeUnit.SECONDS);
                    return true;
                } catch (ExecutionException notYet) {
                    return false;
                }
            });
            words.write(1);
            words.awaitMembers(1);
            words.awaitCounts(30);
        }
    }

    private void altered() throws Exception {
        try (Application words = new Application()) {
            words.write(1);
            KafkaStreams instance = words.start();
            words.awaitCounts(40);
            instance.close(Duration.ofSeconds(20));
            eventually("the group is empty", () -> words.described().groupState() == GroupState.EMPTY);
            var spec = Map.of(words.name, new ListStreamsGroupOffsetsSpec());
            var found = cluster.admin.listStreamsGroupOffsets(spec).partitionsToOffsetAndMetadata(words.name).get(20, TimeUnit.SECONDS);
            TopicPartition first = new TopicPartition(words.input, 0);
            equal(10L, found.get(first).offset(), "offset of what was read");
            cluster.admin.alterStreamsGroupOffsets(words.name, Map.of(first, new OffsetAndMetadata(7))).all().get(20, TimeUnit.SECONDS);
            found = cluster.admin.listStreamsGroupOffsets(spec).partitionsToOffsetAndMetadata(words.name).get(20, TimeUnit.SECONDS);
            equal(7L, found.get(first).offset(), "altered offset");
            cluster.admin.deleteStreamsGroupOffsets(words.name, Set.of(first)).all().get(20, TimeUnit.SECONDS);
            found = cluster.admin.listStreamsGroupOffsets(spec).partitionsToOffsetAndMetadata(words.name).get(20, TimeUnit.SECONDS);
            check(found.get(first) == null, "the offset is gone");
        }
    }

    private void deleted() throws Exception {
        try (Application words = new Application()) {
            words.write(1);
            KafkaStreams instance = words.start();
            words.awaitMembers(1);
            failsWith(GroupNotEmptyException.class, () ->
                cluster.admin.deleteStreamsGroups(List.of(words.name)).all().get(20, TimeUnit.SECONDS));
            instance.close(Duration.ofSeconds(20));
            eventually("the group can be deleted", () -> {
                try {
                    cluster.admin.deleteStreamsGroups(List.of(words.name)).all().get(20, TimeUnit.SECONDS);
                    return true;
                } catch (ExecutionException notYet) {
                    return false;
                }
            });
            check(cluster.admin.listGroups().all().get(20, TimeUnit.SECONDS).stream()
                .noneMatch(one -> one.groupId().equals(words.name)), "it is gone");
        }
    }
}
