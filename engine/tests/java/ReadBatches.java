// Reads batch files with Apache Kafka's own classes and prints one line per batch and record, for
// a test to compare with what it wrote:
//   java -cp "KAFKA_LIBS/*" engine/tests/java/ReadBatches.java FILE…
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MutableRecordBatch;
import org.apache.kafka.common.record.internal.Record;

public class ReadBatches {
    public static void main(String[] arguments) throws Exception {
        for (String file : arguments) {
            ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(Path.of(file)));
            for (MutableRecordBatch batch : MemoryRecords.readableRecords(bytes).batches()) {
                batch.ensureValid();
                System.out.println("batch " + batch.baseOffset() + ".." + batch.lastOffset() + " "
                    + batch.compressionType().name + " epoch=" + batch.partitionLeaderEpoch()
                    + " producer=" + batch.producerId() + "/" + batch.producerEpoch() + "/"
                    + batch.baseSequence() + ".." + batch.lastSequence() + " "
                    + batch.timestampType() + " max=" + batch.maxTimestamp()
                    + " transactional=" + batch.isTransactional()
                    + " control=" + batch.isControlBatch());
                for (Record record : batch) {
                    StringBuilder line = new StringBuilder("record " + record.offset() + " "
                        + record.timestamp() + " " + text(record.key()) + " " + text(record.value()));
                    for (Header header : record.headers()) {
                        byte[] value = header.value();
                        line.append(" ").append(header.key()).append("=")
                            .append(text(value == null ? null : ByteBuffer.wrap(value)));
                    }
                    System.out.println(line);
                }
            }
        }
    }

    static String text(ByteBuffer bytes) {
        return bytes == null ? "null" : "'" + StandardCharsets.UTF_8.decode(bytes.duplicate()) + "'";
    }
}
