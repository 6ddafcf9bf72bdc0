import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import org.apache.kafka.common.message.ApiMessageType.ListenerType;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;

/**
 * Answers each line of its input with what Kafka's own classes make of it.
 *
 * recode NAME FROM TO HEX   the message, read in one version and written in another
 * default NAME TO           the message whose fields all have their default
 * apis LISTENER             key, lowest and highest version of each API that listener offers
 * headers                   key, version, header versions of request and response
 */
public class KafkaBytes {
    private static final String[] PACKAGES = {
        "org.apache.kafka.common.message.",
        "org.apache.kafka.common.metadata.",
        "org.apache.kafka.coordinator.group.generated.",
        "org.apache.kafka.coordinator.transaction.generated.",
        "org.apache.kafka.coordinator.share.generated.",
        "org.apache.kafka.server.log.remote.metadata.storage.generated.",
        "org.apache.kafka.storage.internals.log.generated.",
        "org.apache.kafka.raft.generated.",
    };
    private static final Map<String, Class<?>> CLASSES = new HashMap<>();

    public static void main(String[] arguments) throws Exception {
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        PrintStream output = new PrintStream(new java.io.FileOutputStream(java.io.FileDescriptor.out), false);
        StringBuilder answers = new StringBuilder();
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            answers.append(answer(line.split(" ", -1))).append('\n');
        }
        output.print(answers);
        output.flush();
    }

    private static String answer(String[] words) throws Exception {
        switch (words[0]) {
            case "recode":
                return recode(words[1], Short.parseShort(words[2]), Short.parseShort(words[3]), words[4]);
            case "default":
                return write((Message) create(words[1]), Short.parseShort(words[2]));
            case "apis":
                return apis(ListenerType.valueOf(words[1]));
            case "headers":
                return headers();
            default:
                throw new IllegalArgumentException(words[0]);
        }
    }

    private static String recode(String name, short from, short to, String hex) throws Exception {
        Message message = (Message) create(name);
        ByteBufferAccessor readable = new ByteBufferAccessor(ByteBuffer.wrap(HexFormat.of().parseHex(hex)));
        try {
            message.read(readable, from);
        } catch (RuntimeException error) {
            return "unreadable: " + error;
        }
        if (readable.remaining() != 0) {
            return "unreadable: bytes are left over";
        }
        return write(message, to);
    }

    private static String write(Message message, short version) {
        try {
            ObjectSerializationCache cache = new ObjectSerializationCache();
            int size = message.size(cache, version);
            ByteBuffer buffer = ByteBuffer.allocate(size);
            message.write(new ByteBufferAccessor(buffer), cache, version);
            return HexFormat.of().formatHex(buffer.array(), 0, buffer.position());
        } catch (RuntimeException error) {
            return "unwritable: " + error.toString().replace('\n', ' ');
        }
    }

    private static Object create(String name) throws Exception {
        Class<?> found = CLASSES.get(name);
        if (found == null) {
            found = find(name);
            CLASSES.put(name, found);
        }
        return found.getDeclaredConstructor().newInstance();
    }

    private static Class<?> find(String name) {
        for (String folder : PACKAGES) {
            for (String suffix : new String[] {"", "Data"}) {
                try {
                    return Class.forName(folder + name + suffix);
                } catch (ClassNotFoundException error) {
                    // The next package may have it.
                }
            }
        }
        throw new IllegalArgumentException("no class for " + name);
    }

    private static String apis(ListenerType listener) {
        StringBuilder text = new StringBuilder();
        for (ApiKeys api : ApiKeys.apisForListener(listener)) {
            api.toApiVersionForApiResponse(false, listener).ifPresent(version ->
                text.append(version.apiKey()).append(':').append(version.minVersion())
                    .append(':').append(version.maxVersion()).append(' '));
        }
        return text.toString().trim();
    }

    private static String headers() {
        StringBuilder text = new StringBuilder();
        for (ApiKeys api : ApiKeys.values()) {
            for (short version : api.allVersions()) {
                text.append(api.id).append(':').append(version)
                    .append(':').append(api.requestHeaderVersion(version))
                    .append(':').append(api.responseHeaderVersion(version)).append(' ');
            }
        }
        return text.toString().trim();
    }
}
