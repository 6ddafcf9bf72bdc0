package clients;

/** Apache Kafka's own Java clients against a broker: `clients.Main HOST:PORT [PART_OF_A_CASE'S_NAME]`. */
public final class Main {
    private Main() {}

    public static void main(String[] arguments) {
        Suite suite = new Suite(arguments.length > 1 ? arguments[1] : "");
        try (Cluster cluster = new Cluster(arguments[0])) {
            new Producing(cluster).run(suite);
            new Consuming(cluster).run(suite);
            new Groups(cluster).run(suite);
            new ConsumerGroups(cluster).run(suite);
            new ShareGroups(cluster).run(suite);
            new StreamsGroups(cluster).run(suite);
            new Topics(cluster).run(suite);
            new Offsets(cluster).run(suite);
            new Quotas(cluster).run(suite);
            new Transactions(cluster).run(suite);
            new TransactionAdministration(cluster).run(suite);
        }
        System.exit(suite.finish());
    }
}
