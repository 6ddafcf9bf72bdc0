import java.lang.reflect.Field;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.function.Function;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.coordinator.group.GroupConfig;
import org.apache.kafka.server.config.ConfigSynonym;
import org.apache.kafka.server.config.DynamicBrokerConfig;
import org.apache.kafka.server.config.DynamicConfig;
import org.apache.kafka.server.config.ServerTopicConfigSynonyms;
import org.apache.kafka.server.metrics.ClientMetricsConfigs;
import org.apache.kafka.storage.internals.log.LogConfig;

/**
 * Asks Kafka's own classes for the facts about every configuration key and prints them as
 * engine/src/config/keys.tsv. Only facts leave this program: no documentation sentence of Kafka's.
 *
 * <pre>
 * javac -cp 'LIBS/*' -d OUT tools/codegen/java/ConfigTable.java
 * java -cp 'OUT:LIBS/*' ConfigTable > engine/src/config/keys.tsv
 * </pre>
 */
public final class ConfigTable {
    public static void main(String[] arguments) throws Exception {
        System.out.println(
            "# scope\tname\ttype\tdefault\tvalid\timportance\tupdate\tflags\tsynonyms");
        Map<String, ConfigDef> scopes = new LinkedHashMap<>();
        scopes.put("broker", kafka.server.KafkaConfig.configDef());
        scopes.put("topic", LogConfig.configDefCopy());
        scopes.put("group", GroupConfig.CONFIG_DEF);
        scopes.put("client-metrics", ClientMetricsConfigs.configDef());
        for (Map.Entry<String, ConfigDef> scope : scopes.entrySet()) {
            Map<String, ConfigDef.ConfigKey> keys = new HashMap<>(scope.getValue().configKeys());
            if (scope.getKey().equals("broker")) {
                // A few keys exist only as dynamic settings, never in server.properties.
                keys.putAll(DynamicConfig.Broker.configKeys());
            }
            for (String name : new TreeSet<>(keys.keySet())) {
                System.out.println(line(scope.getKey(), keys.get(name)));
            }
        }
    }

    private static String line(String scope, ConfigDef.ConfigKey key) throws Exception {
        String update = "dynamic";
        if (scope.equals("broker")) {
            update = DynamicBrokerConfig.dynamicConfigUpdateModes()
                .getOrDefault(key.name, "read-only");
        }
        return String.join("\t", scope, key.name, key.type.name().toLowerCase(), byDefault(key),
            validator(key.validator), key.importance.name().toLowerCase(), update,
            flags(scope, key), synonyms(scope, key.name));
    }

    private static String flags(String scope, ConfigDef.ConfigKey key) {
        boolean isStatic = kafka.server.KafkaConfig.configDef().configKeys().containsKey(key.name);
        if (scope.equals("broker") && !isStatic) {
            return "dynamic-only";
        }
        return key.internalConfig ? "internal" : "-";
    }

    private static String byDefault(ConfigDef.ConfigKey key) {
        if (!key.hasDefault()) {
            return "required";
        }
        if (key.defaultValue == null) {
            return "null";
        }
        return "=" + ConfigDef.convertToString(key.defaultValue, key.type);
    }

    private static String validator(ConfigDef.Validator validator) throws Exception {
        if (validator == null) {
            return "-";
        }
        String name = validator.getClass().getSimpleName();
        switch (name) {
            case "Range":
                Object min = field(validator, "min");
                Object max = field(validator, "max");
                return "range " + (min == null ? "" : min) + ".." + (max == null ? "" : max);
            case "ValidString":
                return "in " + join(field(validator, "validStrings"));
            case "CaseInsensitiveValidString":
                return "in-any-case " + join(field(validator, "validStrings"));
            case "ValidList":
                Object choices = field(field(validator, "validString"), "validStrings");
                String empty = (boolean) field(validator, "isEmptyAllowed") ? " or-empty" : "";
                String absent = (boolean) field(validator, "isNullAllowed") ? " or-null" : "";
                String each = join(choices);
                return "list " + (each.isEmpty() ? "any" : each) + empty + absent;
            case "NonEmptyString":
                return "non-empty";
            case "NonNullValidator":
                return "non-null";
            case "LambdaValidator":
                if (validator.toString().equals("[1,...,9] or -1")) {
                    return "gzip-level";
                }
                throw new IllegalStateException("unknown lambda validator " + validator);
            case "ThrottledReplicaListValidator":
                return "throttled-replicas";
            case "ControllerQuorumVotersValidator":
                return "quorum-voters";
            case "ControllerQuorumBootstrapServersValidator":
                return "bootstrap-servers";
            case "Validator":
                return "share-offset-reset";
            default:
                throw new IllegalStateException("unknown validator " + name + " " + validator);
        }
    }

    private static String synonyms(String scope, String name) throws Exception {
        List<String> found = new ArrayList<>();
        if (scope.equals("broker")) {
            found.addAll(DynamicBrokerConfig.brokerConfigSynonyms(name, true));
        } else if (scope.equals("topic")) {
            for (ConfigSynonym synonym
                : ServerTopicConfigSynonyms.ALL_TOPIC_CONFIG_SYNONYMS.getOrDefault(name, List.of())) {
                Function<String, String> converter = synonym.converter();
                found.add(synonym.name() + "*" + converter.apply("1"));
            }
        } else if (scope.equals("group")) {
            GroupConfig.ALL_GROUP_CONFIG_SYNONYMS.get(name).ifPresent(found::add);
        }
        boolean alone = found.equals(List.of(name));
        return found.isEmpty() || alone ? "-" : String.join(",", found);
    }

    private static Object field(Object owner, String name) throws Exception {
        Field field = owner.getClass().getDeclaredField(name);
        field.setAccessible(true);
        return field.get(owner);
    }

    private static String join(Object strings) {
        List<String> all = new ArrayList<>();
        for (Object each : (Iterable<?>) strings) {
            all.add(each.toString());
        }
        return String.join("|", all);
    }
}
