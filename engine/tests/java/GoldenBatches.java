// Writes the golden record batches with Apache Kafka's own classes, so that our reader is measured
// against the format's author and not against our writer. Run again only to add a file:
//   java -cp "KAFKA_LIBS/*" engine/tests/java/GoldenBatches.java engine/tests/golden
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.message.LeaderChangeMessage;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.CompressionType;
import org.apache.kafka.common.record.internal.ControlRecordType;
import org.apache.kafka.common.record.internal.EndTransactionMarker;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MemoryRecordsBuilder;
import org.apache.kafka.common.record.internal.RecordBatch;

public class GoldenBatches {
    static final long START = 1_700_000_000_000L;
    static Path folder;

    public static void main(String[] arguments) throws Exception {
        folder = Path.of(arguments[0]);
        for (CompressionType type : CompressionType.values()) {
            Compression codec = Compression.of(type).build();
            batch(type.name + ".bin", codec, TimestampType.CREATE_TIME, false, false, 50, 1);
            batch(type.name + "-large.bin", codec, TimestampType.CREATE_TIME, false, false, 2000, 9);
        }
        Compression lz4 = Compression.lz4().build();
        batch("idempotent.bin", lz4, TimestampType.CREATE_TIME, true, false, 50, 1);
        batch("transactional.bin", lz4, TimestampType.CREATE_TIME, true, true, 50, 1);
        batch("log-append-time.bin", lz4, TimestampType.LOG_APPEND_TIME, false, false, 50, 1);
        marker("commit.bin", ControlRecordType.COMMIT);
        marker("abort.bin", ControlRecordType.ABORT);
        LeaderChangeMessage change = new LeaderChangeMessage().setVersion((short) 0).setLeaderId(3)
            .setVoters(List.of(new LeaderChangeMessage.Voter().setVoterId(3)));
        write("leader-change.bin", MemoryRecords.withLeaderChangeMessage(
            77L, START, 5, ByteBuffer.allocate(256), change));
    }

    static void batch(String name, Compression codec, TimestampType type, boolean producer,
                      boolean transactional, int count, int repeat) throws Exception {
        long id = producer ? 4000L : RecordBatch.NO_PRODUCER_ID;
        short epoch = producer ? (short) 3 : RecordBatch.NO_PRODUCER_EPOCH;
        int sequence = producer ? Integer.MAX_VALUE - 9 : RecordBatch.NO_SEQUENCE;
        MemoryRecordsBuilder builder = MemoryRecords.builder(ByteBuffer.allocate(1 << 20),
            RecordBatch.MAGIC_VALUE_V2, codec, type, 1000L, START + 999, id, epoch, sequence,
            transactional, 7);
        for (int i = 0; i < count; i++) {
            byte[] key = i % 5 == 0 ? null : bytes("key-" + i);
            byte[] value = i % 7 == 0 ? null : bytes(("value-" + i).repeat(repeat));
            Header[] headers = i % 3 != 0 ? new Header[0] : new Header[] {
                new RecordHeader("first", bytes("a" + i)), new RecordHeader("second", (byte[]) null)};
            builder.append(START + i * 10 - (i % 4) * 25, key, value, headers);
        }
        write(name, builder.build());
    }

    static void marker(String name, ControlRecordType type) throws Exception {
        write(name, MemoryRecords.withEndTransactionMarker(
            55L, START, 7, 4000L, (short) 3, new EndTransactionMarker(type, 12)));
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static void write(String name, MemoryRecords records) throws Exception {
        ByteBuffer buffer = records.buffer().duplicate();
        byte[] bytes = new byte[buffer.remaining()];
        buffer.get(bytes);
        Files.write(folder.resolve(name), bytes);
    }
}
