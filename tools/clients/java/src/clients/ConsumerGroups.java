package clients;

import static clients.Member.settle;
import static clients.Suite.check;
import static clients.Suite.equal;
import static clients.Suite.eventually;
import static clients.Suite.failsWith;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.GroupListing;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.GroupType;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.GroupNotEmptyException;
import org.apache.kafka.common.errors.InvalidRegularExpression;
import org.apache.kafka.common.errors.UnreleasedInstanceIdException;
import org.apache.kafka.common.errors.UnsupportedAssignorException;

/** Members of the newer group protocol (KIP-848), alone and together with those of the classic one. */
final class ConsumerGroups {
    private final Cluster cluster;

    ConsumerGroups(Cluster cluster) {
        this.cluster = cluster;
    }

    void run(Suite suite) {
        for (String assignor : List.of("uniform", "range")) {
            suite.run("consumer group: three members share 13 partitions, " + assignor, () -> shared(assignor));
        }
        suite.run("consumer group: range gives the same partitions of two topics", this::together);
        suite.run("consumer group: nobody gives up more than it has to", this::sticky);
        suite.run("consumer group: closing a member hands its share over", this::handover);
        suite.run("consumer group: a regular expression finds topics, those of later too", this::regex);
        suite.run("consumer group: a regular expression that is none is refused", this::wrongRegex);
        suite.run("consumer group: a static member that returns has its share again", this::staticReturn);
        suite.run("consumer group: a second member with the instance id is refused", this::unreleased);
        suite.run("consumer group: an assignor that nobody has is refused", this::wrongAssignor);
        suite.run("consumer group: a member goes on where the last one committed", this::resumed);
        suite.run("consumer group: more partitions reach a running group", this::grown);
        suite.run("consumer group: tools see its members and what they hold", this::described);
        suite.run("consumer group: it is deleted only without members", this::deleted);
        suite.run("consumer group: a classic group becomes one while running, and goes back", this::migrated);
        suite.run("consumer group: members of both protocols share a topic", this::mixed);
    }

    private Member member(String group, Collection<String> topics, String... more) {
        return new Member(consumer(group, more), topics);
    }

    private Member member(String group, SubscriptionPattern pattern, String... more) {
        return new Member(consumer(group, more), pattern);
    }

    private Consumer<String, String> consumer(String group, String... more) {
        List<String> settings = new ArrayList<>(List.of("group.id", group));
        settings.addAll(List.of(more));
        if (!settings.contains("classic")) {
            settings.addAll(List.of("group.protocol", "consumer"));
        } else {
            settings.addAll(List.of("heartbeat.interval.ms", "300"));
        }
        return cluster.consumer(settings.toArray(new String[0]));
    }

    private void shared(String assignor) throws Exception {
        String topic = cluster.topic("newer", 13);
        String group = cluster.fresh("n");
        String[] settings = {"group.remote.assignor", assignor};
        try (Member a = member(group, List.of(topic), settings);
            Member b = member(group, List.of(topic), settings);
            Member c = member(group, List.of(topic), settings)) {
            settle(13, a, b, c);
            for (Member member : List.of(a, b, c)) {
                check(4 <= member.owned.size() && member.owned.size() <= 5, "a share of " + member.owned.size());
            }
        }
    }

    private void together() throws Exception {
        String one = cluster.topic("left", 4);
        String other = cluster.topic("right", 4);
        String group = cluster.fresh("n");
        String[] settings = {"group.remote.assignor", "range"};
        try (Member a = member(group, List.of(one, other), settings);
            Member b = member(group, List.of(one, other), settings)) {
            settle(8, a, b);
            for (Member member : List.of(a, b)) {
                Set<Integer> left = new TreeSet<>();
                Set<Integer> right = new TreeSet<>();
                for (TopicPartition partition : member.owned) {
                    (partition.topic().equals(one) ? left : right).add(partition.partition());
                }
                equal(left, right, "the partitions of both topics");
                check(left.equals(Set.of(0, 1)) || left.equals(Set.of(2, 3)), "a range and not " + left);
            }
        }
    }

    private void sticky() throws Exception {
        String topic = cluster.topic("keeping", 6);
        String group = cluster.fresh("n");
        try (Member first = member(group, List.of(topic))) {
            settle(6, first);
            try (Member second = member(group, List.of(topic))) {
                settle(6, first, second);
                equal(3, first.revoked, "partitions the first had to give");
                equal(0, second.revoked, "partitions the second had to give");
            }
            settle(6, first);
            equal(3, first.revoked, "partitions given in all");
        }
    }

    private void handover() throws Exception {
        String topic = cluster.topic("handing", 6);
        String group = cluster.fresh("n");
        try (Member stays = member(group, List.of(topic))) {
            try (Member leaves = member(group, List.of(topic))) {
                settle(6, stays, leaves);
            }
            settle(6, stays);
        }
    }

    private void regex() throws Exception {
        String prefix = cluster.fresh("rx");
        topicNamed(prefix + "-one", 2);
        topicNamed("not-" + prefix + "-two", 2);
        String group = cluster.fresh("n");
        try (Member member = member(group, new SubscriptionPattern(Pattern.quote(prefix) + "-.*"))) {
            settle(2, member);
            topicNamed(prefix + "-three", 3);
            settle(5, member);
        }
    }

    private void topicNamed(String name, int partitions) throws Exception {
        cluster.admin.createTopics(List.of(new NewTopic(name, partitions, (short) 1))).all().get(20, TimeUnit.SECONDS);
    }

    private void wrongRegex() throws Exception {
        String group = cluster.fresh("n");
        try (Member member = member(group, new SubscriptionPattern("(?=a)b"))) {
            failsWith(InvalidRegularExpression.class, () -> eventually("it is told", () -> {
                member.poll();
                return false;
            }));
        }
    }

    private void staticReturn() throws Exception {
        String topic = cluster.topic("static-newer", 4);
        String group = cluster.fresh("n");
        try (Member stays = member(group, List.of(topic), "group.instance.id", "one")) {
            Set<TopicPartition> before;
            try (Member bounces = member(group, List.of(topic), "group.instance.id", "two")) {
                settle(4, stays, bounces);
                before = Set.copyOf(bounces.owned);
            }
            try (Member returned = member(group, List.of(topic), "group.instance.id", "two")) {
                settle(4, stays, returned);
                equal(before, returned.owned, "the share of the returned member");
                equal(2, stays.revoked, "partitions that the other gave, in the beginning");
            }
        }
    }

    private void unreleased() throws Exception {
        String topic = cluster.topic("unreleased", 2);
        String group = cluster.fresh("n");
        try (Member first = member(group, List.of(topic), "group.instance.id", "same")) {
            settle(2, first);
            try (Member second = member(group, List.of(topic), "group.instance.id", "same")) {
                failsWith(UnreleasedInstanceIdException.class, () -> eventually("the second is told", () -> {
                    second.poll();
                    return false;
                }));
            }
            settle(2, first);
        }
    }

    private void wrongAssignor() throws Exception {
        String topic = cluster.topic("assignor", 1);
        try (Member member = member(cluster.fresh("n"), List.of(topic), "group.remote.assignor", "mine")) {
            failsWith(UnsupportedAssignorException.class, () -> eventually("it is told", () -> {
                member.poll();
                return false;
            }));
        }
    }

    private void resumed() throws Exception {
        String topic = cluster.topic("resuming", 1);
        String group = cluster.fresh("n");
        cluster.fill(topic, 0, 10);
        TopicPartition partition = new TopicPartition(topic, 0);
        try (Member member = member(group, List.of(topic))) {
            settle(1, member);
            member.consumer.commitSync(Map.of(partition, new OffsetAndMetadata(4, "note")));
            equal(4L, member.consumer.committed(Set.of(partition)).get(partition).offset(), "offset");
        }
        try (Member member = member(group, List.of(topic))) {
            settle(1, member);
            equal(4L, member.consumer.committed(Set.of(partition)).get(partition).offset(), "offset of the next");
            check(4 <= member.consumer.position(partition), "it goes on where the last one was");
        }
    }

    private void grown() throws Exception {
        String topic = cluster.topic("growing-newer", 1);
        String group = cluster.fresh("n");
        try (Member member = member(group, List.of(topic))) {
            settle(1, member);
            cluster.admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(3))).all().get(20, TimeUnit.SECONDS);
            settle(3, member);
        }
    }

    private void described() throws Exception {
        String topic = cluster.topic("described", 2);
        String group = cluster.fresh("n");
        try (Member member = member(group, List.of(topic), "group.instance.id", "me")) {
            settle(2, member);
            ConsumerGroupDescription found = cluster.admin.describeConsumerGroups(List.of(group)).all().get().get(group);
            equal(GroupType.CONSUMER, found.type(), "type");
            equal("uniform", found.partitionAssignor(), "assignor");
            equal(1, found.members().size(), "members");
            equal(member.owned, found.members().iterator().next().assignment().topicPartitions(), "what it holds");
            equal("me", found.members().iterator().next().groupInstanceId().orElse(null), "instance id");
            Collection<GroupListing> listed = cluster.admin.listGroups().all().get();
            GroupListing one = listed.stream().filter(it -> it.groupId().equals(group)).findFirst().orElseThrow();
            equal(GroupType.CONSUMER, one.type().orElse(null), "type in the list");
            eventually("it is stable", () -> {
                member.poll();
                return cluster.admin.describeConsumerGroups(List.of(group)).all().get().get(group).groupState() == GroupState.STABLE;
            });
        }
    }

    private void deleted() throws Exception {
        String topic = cluster.topic("deleted", 1);
        String group = cluster.fresh("n");
        try (Member member = member(group, List.of(topic))) {
            settle(1, member);
            failsWith(GroupNotEmptyException.class, () -> cluster.admin.deleteConsumerGroups(List.of(group)).all().get());
        }
        cluster.admin.deleteConsumerGroups(List.of(group)).all().get();
        check(cluster.admin.listGroups().all().get().stream().noneMatch(it -> it.groupId().equals(group)), "it is gone");
    }

    private GroupType typeOf(String group) throws Exception {
        return cluster.admin.describeConsumerGroups(List.of(group)).all().get().get(group).type();
    }

    private void migrated() throws Exception {
        String topic = cluster.topic("migrated", 6);
        String group = cluster.fresh("n");
        try (Member old = member(group, List.of(topic), "group.protocol", "classic")) {
            settle(6, old);
            equal(GroupType.CLASSIC, typeOf(group), "type before");
            try (Member newer = member(group, List.of(topic))) {
                settle(6, old, newer);
                equal(GroupType.CONSUMER, typeOf(group), "type with a newer member");
                old.consumer.commitSync();
                newer.consumer.commitSync();
            }
            settle(6, old);
            equal(GroupType.CLASSIC, typeOf(group), "type after");
            old.consumer.commitSync();
        }
    }

    private void mixed() throws Exception {
        String topic = cluster.topic("mixed", 9);
        String group = cluster.fresh("n");
        String[] classic = {"group.protocol", "classic"};
        try (Member a = member(group, List.of(topic), classic);
            Member b = member(group, List.of(topic), classic);
            Member c = member(group, List.of(topic))) {
            settle(9, a, b, c);
            try (Member d = member(group, List.of(topic))) {
                settle(9, a, b, c, d);
            }
            settle(9, a, b, c);
        }
    }
}
