package clients;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Locale;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;

/** A Kafka Streams application that counts words: a repartition topic, a state store with its changelog. */
final class WordCount {
    /** The state store, and with it the changelog's name. */
    static final String STORE = "counts";
    /** Where words are sorted by themselves. */
    static final String BY_WORD = "by-word";

    private WordCount() {}

    static KafkaStreams instance(String bootstrap, String name, String input, String output, Path state, String... more) {
        Properties properties = new Properties();
        properties.put("application.id", name);
        properties.put("bootstrap.servers", bootstrap);
        properties.put("group.protocol", "streams");
        properties.put("state.dir", state.toString());
        properties.put("commit.interval.ms", "100");
        properties.put("statestore.cache.max.bytes", "0");
        properties.put("default.key.serde", Serdes.StringSerde.class.getName());
        properties.put("default.value.serde", Serdes.StringSerde.class.getName());
        properties.put("main.consumer.auto.offset.reset", "earliest");
        for (int index = 0; index < more.length; index += 2) {
            properties.put(more[index], more[index + 1]);
        }
        StreamsBuilder builder = new StreamsBuilder();
        builder.<String, String>stream(input)
            .flatMapValues(line -> Arrays.asList(line.toLowerCase(Locale.ROOT).split(" ")))
            .groupBy((key, word) -> word, Grouped.as(BY_WORD))
            .count(Materialized.as(STORE))
            .toStream()
            .mapValues(count -> Long.toString(count))
            .to(output, Produced.with(Serdes.String(), Serdes.String()));
        return new KafkaStreams(builder.build(), properties);
    }

    /** An instance in a process of its own, which lives until it is killed. */
    public static void main(String[] arguments) throws InterruptedException {
        String[] more = Arrays.copyOfRange(arguments, 5, arguments.length);
        KafkaStreams streams = instance(arguments[0], arguments[1], arguments[2], arguments[3], Path.of(arguments[4]), more);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(Duration.ofSeconds(10))));
        streams.start();
        new CountDownLatch(1).await();
    }
}
