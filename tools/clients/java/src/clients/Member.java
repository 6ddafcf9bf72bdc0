package clients;

import static clients.Suite.eventually;

import java.time.Duration;
import java.util.Collection;
import java.util.HashSet;
import java.util.Set;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.common.TopicPartition;

/** One polling member of a group; what it owns is kept as its listener hears it. */
final class Member implements AutoCloseable, ConsumerRebalanceListener {
    final Consumer<String, String> consumer;
    final Set<TopicPartition> owned = new HashSet<>();
    int revoked;

    Member(Consumer<String, String> consumer, Collection<String> topics) {
        this.consumer = consumer;
        consumer.subscribe(topics, this);
    }

    Member(Consumer<String, String> consumer, SubscriptionPattern pattern) {
        this.consumer = consumer;
        consumer.subscribe(pattern, this);
    }

    /** Until each of them has a share, and together they have every partition once. */
    static void settle(int partitions, Member... members) throws Exception {
        eventually(partitions + " partitions shared by " + members.length, () -> {
            Set<TopicPartition> all = new HashSet<>();
            int sum = 0;
            boolean everyone = true;
            for (Member member : members) {
                member.poll();
                everyone &= !member.owned.isEmpty();
                sum += member.owned.size();
                all.addAll(member.owned);
            }
            return everyone && sum == partitions && all.size() == partitions;
        });
    }

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
        owned.addAll(partitions);
    }

    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
        revoked += partitions.size();
        owned.removeAll(partitions);
    }

    void poll() {
        consumer.poll(Duration.ofMillis(50));
    }

    @Override
    public void close() {
        consumer.close();
    }
}
