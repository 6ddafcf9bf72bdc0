import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.protocol.Errors;

/** Prints Kafka's error codes as the lines of our table. */
public class KafkaErrors {
    public static void main(String[] arguments) {
        for (Errors error : Errors.values()) {
            boolean retriable = error.exception() instanceof RetriableException;
            String message = error.message() == null ? "" : error.message().replace('\n', ' ');
            System.out.println(error.code() + " " + error.name() + " "
                + (retriable ? "retriable" : "final") + " " + message);
        }
    }
}
