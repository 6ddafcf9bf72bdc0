import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.message.AlterConfigsRequestData;
import org.apache.kafka.common.message.CreatePartitionsRequestData;
import org.apache.kafka.common.message.CreateTopicsRequestData;
import org.apache.kafka.common.message.DeleteTopicsRequestData;
import org.apache.kafka.common.message.DescribeConfigsRequestData;
import org.apache.kafka.common.message.IncrementalAlterConfigsRequestData;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.requests.AbstractRequest;
import org.apache.kafka.common.requests.AbstractResponse;
import org.apache.kafka.common.requests.AlterConfigsRequest;
import org.apache.kafka.common.requests.AlterConfigsResponse;
import org.apache.kafka.common.requests.CreatePartitionsRequest;
import org.apache.kafka.common.requests.CreatePartitionsResponse;
import org.apache.kafka.common.requests.CreateTopicsRequest;
import org.apache.kafka.common.requests.CreateTopicsResponse;
import org.apache.kafka.common.requests.DeleteTopicsRequest;
import org.apache.kafka.common.requests.DeleteTopicsResponse;
import org.apache.kafka.common.requests.DescribeConfigsRequest;
import org.apache.kafka.common.requests.DescribeConfigsResponse;
import org.apache.kafka.common.requests.IncrementalAlterConfigsRequest;
import org.apache.kafka.common.requests.IncrementalAlterConfigsResponse;
import org.apache.kafka.common.requests.RequestHeader;

/**
 * Asks a real Kafka broker, freshly formatted and with node id 1, the commands of a case file and
 * prints them with its answers: one line per command, one indented line per answer.
 *
 * <pre>
 * java -cp 'OUT:LIBS/*' ClusterCases localhost:9092 engine/tests/cluster_cases.txt > answered.txt
 * </pre>
 */
public final class ClusterCases {
    private static Socket socket;
    private static int correlation;

    public static void main(String[] arguments) throws Exception {
        String[] at = arguments[0].split(":");
        socket = new Socket(at[0], Integer.parseInt(at[1]));
        for (String line : Files.readAllLines(Path.of(arguments[1]))) {
            if (line.startsWith("  ")) {
                continue;
            }
            System.out.println(line);
            if (!line.isBlank() && !line.startsWith("#")) {
                for (String answer : run(line)) {
                    System.out.println("  " + answer);
                }
            }
        }
    }

    private static List<String> run(String line) throws Exception {
        String[] words = line.trim().split(" ");
        switch (words[0]) {
            case "create":
                return create(words);
            case "delete":
                return delete(words);
            case "grow":
                return grow(words);
            case "alter":
                return alter(words);
            case "replace":
                return replace(words);
            case "describe":
                return describe(words);
            default:
                throw new IllegalArgumentException(line);
        }
    }

    private static List<String> create(String[] words) throws Exception {
        CreateTopicsRequestData data = new CreateTopicsRequestData().setTimeoutMs(10000);
        CreateTopicsRequestData.CreatableTopic topic = null;
        for (String word : Arrays.copyOfRange(words, 1, words.length)) {
            if (word.equals("validate")) {
                data.setValidateOnly(true);
            } else if (word.startsWith("partitions=")) {
                topic.setNumPartitions(Integer.parseInt(word.substring(11)));
            } else if (word.startsWith("factor=")) {
                topic.setReplicationFactor(Short.parseShort(word.substring(7)));
            } else if (word.startsWith("assign=")) {
                for (String part : word.substring(7).split(";")) {
                    String[] sides = part.split(":", -1);
                    topic.assignments().add(new CreateTopicsRequestData.CreatableReplicaAssignment()
                        .setPartitionIndex(Integer.parseInt(sides[0]))
                        .setBrokerIds(numbers(sides[1])));
                }
            } else if (word.startsWith("topic:")) {
                topic = new CreateTopicsRequestData.CreatableTopic().setName(word.substring(6))
                    .setNumPartitions(-1).setReplicationFactor((short) -1);
                data.topics().mustAdd(topic);
            } else {
                String[] sides = word.split("=", 2);
                topic.configs().add(new CreateTopicsRequestData.CreatableTopicConfig()
                    .setName(sides[0]).setValue(value(sides[1])));
            }
        }
        CreateTopicsResponse response =
            (CreateTopicsResponse) ask(new CreateTopicsRequest.Builder(data).build());
        List<String> answers = new ArrayList<>();
        response.data().topics().stream().sorted((a, b) -> a.name().compareTo(b.name()))
            .forEach(result -> answers.add(result.name() + " "
                + error(result.errorCode(), result.errorMessage())
                + (result.errorCode() == 0
                    ? " partitions=" + result.numPartitions() + " factor="
                        + result.replicationFactor() + " id="
                        + (result.topicId().equals(Uuid.ZERO_UUID) ? "zero" : "some")
                    : "")));
        return answers;
    }

    private static List<String> delete(String[] words) throws Exception {
        DeleteTopicsRequestData data = new DeleteTopicsRequestData().setTimeoutMs(10000);
        for (String word : Arrays.copyOfRange(words, 1, words.length)) {
            DeleteTopicsRequestData.DeleteTopicState state =
                new DeleteTopicsRequestData.DeleteTopicState();
            if (word.startsWith("id:")) {
                String id = word.substring(3);
                state.setName(null).setTopicId(id.equals("unknown") ? Uuid.randomUuid()
                    : Uuid.fromString(id));
            } else {
                state.setName(word);
            }
            data.topics().add(state);
        }
        DeleteTopicsResponse response = (DeleteTopicsResponse) ask(
            new DeleteTopicsRequest.Builder(data).build());
        List<String> answers = new ArrayList<>();
        response.data().responses().stream()
            .map(result -> result.name() + " " + error(result.errorCode(), result.errorMessage()))
            .sorted().forEach(answers::add);
        return answers;
    }

    private static List<String> grow(String[] words) throws Exception {
        CreatePartitionsRequestData data = new CreatePartitionsRequestData().setTimeoutMs(10000);
        CreatePartitionsRequestData.CreatePartitionsTopic topic = null;
        for (String word : Arrays.copyOfRange(words, 1, words.length)) {
            if (word.equals("validate")) {
                data.setValidateOnly(true);
            } else if (word.startsWith("count=")) {
                topic.setCount(Integer.parseInt(word.substring(6)));
            } else if (word.startsWith("assign=")) {
                topic.setAssignments(new ArrayList<>());
                for (String part : word.substring(7).split(";")) {
                    topic.assignments().add(
                        new CreatePartitionsRequestData.CreatePartitionsAssignment()
                            .setBrokerIds(numbers(part)));
                }
            } else {
                topic = new CreatePartitionsRequestData.CreatePartitionsTopic()
                    .setName(word.substring(6)).setAssignments(null);
                data.topics().mustAdd(topic);
            }
        }
        CreatePartitionsResponse response = (CreatePartitionsResponse) ask(
            new CreatePartitionsRequest.Builder(data).build());
        List<String> answers = new ArrayList<>();
        response.data().results().stream()
            .map(result -> result.name() + " " + error(result.errorCode(), result.errorMessage()))
            .sorted().forEach(answers::add);
        return answers;
    }

    private static List<String> alter(String[] words) throws Exception {
        IncrementalAlterConfigsRequestData data = new IncrementalAlterConfigsRequestData();
        IncrementalAlterConfigsRequestData.AlterConfigsResource resource = null;
        for (String word : Arrays.copyOfRange(words, 1, words.length)) {
            String[] sides = word.split(":", 2);
            if (word.equals("validate")) {
                data.setValidateOnly(true);
            } else if (List.of("set", "delete", "append", "subtract").contains(sides[0])) {
                String[] pair = sides[1].split("=", 2);
                byte operation = (byte) List.of("set", "delete", "append", "subtract")
                    .indexOf(sides[0]);
                resource.configs().add(new IncrementalAlterConfigsRequestData.AlterableConfig()
                    .setName(pair[0]).setConfigOperation(operation)
                    .setValue(pair.length == 1 ? null : value(pair[1])));
            } else {
                resource = new IncrementalAlterConfigsRequestData.AlterConfigsResource()
                    .setResourceType(type(sides[0])).setResourceName(sides[1]);
                data.resources().add(resource);
            }
        }
        IncrementalAlterConfigsResponse response = (IncrementalAlterConfigsResponse) ask(
            new IncrementalAlterConfigsRequest(data, (short) 1));
        List<String> answers = new ArrayList<>();
        response.data().responses().stream().map(result -> resource(result.resourceType(),
            result.resourceName()) + " " + error(result.errorCode(), result.errorMessage()))
            .sorted().forEach(answers::add);
        return answers;
    }

    private static List<String> replace(String[] words) throws Exception {
        AlterConfigsRequestData data = new AlterConfigsRequestData();
        AlterConfigsRequestData.AlterConfigsResource resource = null;
        for (String word : Arrays.copyOfRange(words, 1, words.length)) {
            if (word.equals("validate")) {
                data.setValidateOnly(true);
            } else if (word.contains("=")) {
                String[] pair = word.split("=", 2);
                resource.configs().add(new AlterConfigsRequestData.AlterableConfig()
                    .setName(pair[0]).setValue(value(pair[1])));
            } else {
                String[] sides = word.split(":", 2);
                resource = new AlterConfigsRequestData.AlterConfigsResource()
                    .setResourceType(type(sides[0])).setResourceName(sides[1]);
                data.resources().add(resource);
            }
        }
        AlterConfigsResponse response =
            (AlterConfigsResponse) ask(new AlterConfigsRequest(data, (short) 2));
        List<String> answers = new ArrayList<>();
        response.data().responses().stream().map(result -> resource(result.resourceType(),
            result.resourceName()) + " " + error(result.errorCode(), result.errorMessage()))
            .sorted().forEach(answers::add);
        return answers;
    }

    private static List<String> describe(String[] words) throws Exception {
        DescribeConfigsRequestData data =
            new DescribeConfigsRequestData().setIncludeSynonyms(true);
        String[] sides = words[1].split(":", 2);
        List<String> keys = new ArrayList<>(Arrays.asList(words).subList(2, words.length));
        data.resources().add(new DescribeConfigsRequestData.DescribeConfigsResource()
            .setResourceType(type(sides[0])).setResourceName(sides[1])
            .setConfigurationKeys(keys.isEmpty() ? null : keys));
        Thread.sleep(300);
        DescribeConfigsResponse response =
            (DescribeConfigsResponse) ask(new DescribeConfigsRequest.Builder(data).build());
        List<String> answers = new ArrayList<>();
        response.data().results().forEach(result -> {
            answers.add(resource(result.resourceType(), result.resourceName()) + " "
                + error(result.errorCode(), result.errorMessage()));
            List<String> entries = new ArrayList<>();
            result.configs().forEach(config -> {
                List<String> synonyms = new ArrayList<>();
                config.synonyms().forEach(synonym -> synonyms.add(
                    synonym.name() + "=" + synonym.value() + "@" + synonym.source()));
                entries.add(config.name() + "=" + config.value() + " source="
                    + config.configSource() + (config.readOnly() ? " read-only" : "")
                    + (config.isSensitive() ? " sensitive" : "") + " type=" + config.configType()
                    + " [" + String.join(" ", synonyms) + "]");
            });
            entries.stream().sorted().forEach(answers::add);
        });
        return answers;
    }

    private static AbstractResponse ask(AbstractRequest request) throws Exception {
        RequestHeader header = new RequestHeader(request.apiKey(), request.version(), "cases",
            correlation++);
        ByteBuffer bytes = request.serializeWithHeader(header);
        DataOutputStream out = new DataOutputStream(socket.getOutputStream());
        out.writeInt(bytes.remaining());
        out.write(bytes.array(), bytes.arrayOffset() + bytes.position(), bytes.remaining());
        out.flush();
        DataInputStream in = new DataInputStream(socket.getInputStream());
        byte[] answer = new byte[in.readInt()];
        in.readFully(answer);
        return AbstractResponse.parseResponse(ByteBuffer.wrap(answer), header);
    }

    private static String error(short code, String message) {
        boolean silent = message == null || code == 0;
        return Errors.forCode(code).name() + (silent ? "" : " \"" + message + "\"");
    }

    private static byte type(String name) {
        switch (name) {
            case "topic":
                return 2;
            case "broker":
                return 4;
            case "broker-logger":
                return 8;
            case "client-metrics":
                return 16;
            case "group":
                return 32;
            default:
                return Byte.parseByte(name);
        }
    }

    private static String resource(byte type, String name) {
        switch (type) {
            case 2:
                return "topic:" + name;
            case 4:
                return "broker:" + name;
            case 8:
                return "broker-logger:" + name;
            case 16:
                return "client-metrics:" + name;
            case 32:
                return "group:" + name;
            default:
                return type + ":" + name;
        }
    }

    /** `null` stands for no value, `_` for a space. */
    private static String value(String text) {
        return text.equals("null") ? null : text;
    }

    private static List<Integer> numbers(String text) {
        List<Integer> numbers = new ArrayList<>();
        for (String number : text.split(",")) {
            if (!number.isEmpty()) {
                numbers.add(Integer.parseInt(number));
            }
        }
        return numbers;
    }
}
