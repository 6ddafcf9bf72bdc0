package clients;

import static clients.Suite.check;
import static clients.Suite.equal;
import static clients.Suite.eventually;
import static clients.Suite.failsWith;

import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.AbortTransactionSpec;
import org.apache.kafka.clients.admin.ListTransactionsOptions;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.ProducerState;
import org.apache.kafka.clients.admin.TransactionDescription;
import org.apache.kafka.clients.admin.TransactionListing;
import org.apache.kafka.clients.admin.TransactionState;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.errors.TransactionalIdNotFoundException;

/** What an administrator sees of transactions, and can do to them. */
final class TransactionAdministration {
    private final Cluster cluster;
    private final Transactions transactions;

    TransactionAdministration(Cluster cluster) {
        this.cluster = cluster;
        this.transactions = new Transactions(cluster);
    }

    void run(Suite suite) {
        suite.run("transaction: they are listed and described", this::described);
        suite.run("transaction: lists are filtered", this::listed);
        suite.run("transaction: an administrator fences a producer", this::fencedByAdmin);
        suite.run("transaction: an administrator aborts what hangs", this::abortedByAdmin);
        suite.run("transaction: an administrator terminates one by its id", this::terminatedByAdmin);
    }

    private TransactionDescription describe(String id) throws Exception {
        return cluster.admin.describeTransactions(List.of(id)).description(id).get(20, TimeUnit.SECONDS);
    }

    private void described() throws Exception {
        String topic = cluster.topic("tx-described", 2);
        String id = cluster.fresh("tx");
        failsWith(TransactionalIdNotFoundException.class, () -> describe(id));
        try (Producer<String, String> producer = transactions.begun(id, "transaction.timeout.ms", "50000")) {
            equal(TransactionState.EMPTY, describe(id).state(), "before the first record");
            Transactions.send(producer, topic, 1, "x").get(20, TimeUnit.SECONDS);
            TransactionDescription open = describe(id);
            equal(TransactionState.ONGOING, open.state(), "state");
            equal(Set.of(new TopicPartition(topic, 1)), open.topicPartitions(), "partitions");
            equal(50_000L, open.transactionTimeoutMs(), "timeout");
            check(open.transactionStartTimeMs().isPresent(), "it has a start");
            ProducerState state = producers(topic, 1).get(0);
            equal(open.producerId(), state.producerId(), "the producer in the partition");
            equal(0L, state.currentTransactionStartOffset().getAsLong(), "where it began");
            producer.commitTransaction();
            eventually("it is complete", () -> describe(id).state() == TransactionState.COMPLETE_COMMIT);
            TransactionDescription ended = describe(id);
            equal(Set.of(), ended.topicPartitions(), "partitions at the end");
            check(producers(topic, 1).get(0).currentTransactionStartOffset().isEmpty(), "nothing is open");
        }
    }

    private List<ProducerState> producers(String topic, int index) throws Exception {
        TopicPartition partition = new TopicPartition(topic, index);
        return cluster.admin.describeProducers(List.of(partition)).partitionResult(partition)
            .get(20, TimeUnit.SECONDS).activeProducers();
    }

    private Set<String> listed(ListTransactionsOptions options) throws Exception {
        Set<String> ids = new HashSet<>();
        for (TransactionListing one : cluster.admin.listTransactions(options).all().get(20, TimeUnit.SECONDS)) {
            ids.add(one.transactionalId());
        }
        return ids;
    }

    private void listed() throws Exception {
        String topic = cluster.topic("tx-listed", 1);
        String stem = cluster.fresh("tx-listed");
        try (Producer<String, String> open = transactions.begun(stem + "-open"); Producer<String, String> idle = transactions.begun(stem + "-idle")) {
            Transactions.send(open, topic, 0, "x").get(20, TimeUnit.SECONDS);
            long producerId = describe(stem + "-open").producerId();
            Set<String> both = Set.of(stem + "-open", stem + "-idle");
            check(listed(new ListTransactionsOptions()).containsAll(both), "all are listed");
            Set<String> ongoing = listed(new ListTransactionsOptions().filterStates(List.of(TransactionState.ONGOING)));
            check(ongoing.contains(stem + "-open") && !ongoing.contains(stem + "-idle"), "by state: " + ongoing);
            equal(Set.of(stem + "-open"), listed(new ListTransactionsOptions().filterProducerIds(List.of(producerId))), "by producer");
            equal(both, listed(new ListTransactionsOptions().filterOnTransactionalIdPattern(stem + "-.*")), "by pattern");
            equal(Set.of(), listed(new ListTransactionsOptions().filterOnDuration(3_600_000)
                .filterStates(List.of(TransactionState.ONGOING))
                .filterOnTransactionalIdPattern(stem + "-.*")), "by duration");
            open.abortTransaction();
            idle.abortTransaction();
        }
    }

    private void fencedByAdmin() throws Exception {
        String topic = cluster.topic("tx-admin-fences", 1);
        String id = cluster.fresh("tx");
        Producer<String, String> producer = transactions.begun(id);
        try {
            Transactions.send(producer, topic, 0, "x").get(20, TimeUnit.SECONDS);
            cluster.admin.fenceProducers(List.of(id)).all().get(20, TimeUnit.SECONDS);
            failsWith(ProducerFencedException.class, producer::commitTransaction);
        } finally {
            producer.close(Duration.ZERO);
        }
        transactions.eventuallyReadable(List.of(), topic, 0);
    }

    private void abortedByAdmin() throws Exception {
        String topic = cluster.topic("tx-admin-aborts", 1);
        TopicPartition partition = new TopicPartition(topic, 0);
        Producer<String, String> producer = transactions.begun(cluster.fresh("tx"));
        try {
            Transactions.send(producer, topic, 0, "x").get(20, TimeUnit.SECONDS);
            ProducerState state = producers(topic, 0).get(0);
            cluster.admin.abortTransaction(new AbortTransactionSpec(partition, state.producerId(),
                (short) state.producerEpoch(), state.coordinatorEpoch().orElse(0))).all().get(20, TimeUnit.SECONDS);
            check(producers(topic, 0).get(0).currentTransactionStartOffset().isEmpty(), "nothing is open");
            Map<TopicPartition, OffsetSpec> latest = new HashMap<>();
            latest.put(partition, OffsetSpec.latest());
            equal(2L, cluster.admin.listOffsets(latest).partitionResult(partition).get(20, TimeUnit.SECONDS).offset(), "the end");
            equal(List.of(), transactions.readable(topic, 0), "what can be read");
        } finally {
            producer.close(Duration.ZERO);
        }
    }

    private void terminatedByAdmin() throws Exception {
        String topic = cluster.topic("tx-admin-terminates", 1);
        String id = cluster.fresh("tx");
        Producer<String, String> producer = transactions.begun(id);
        try {
            Transactions.send(producer, topic, 0, "x").get(20, TimeUnit.SECONDS);
            cluster.admin.forceTerminateTransaction(id).result().get(20, TimeUnit.SECONDS);
            failsWith(KafkaException.class, producer::commitTransaction);
        } finally {
            producer.close(Duration.ZERO);
        }
        transactions.eventuallyReadable(List.of(), topic, 0);
    }
}
