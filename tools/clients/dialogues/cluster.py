"""kafka-cluster, kafka-leader-election and kafka-client-metrics."""

from .step import Dialogue, Step

ELECT = "kafka-leader-election --election-type preferred"
NUMBERS = [(r"\b\d+\b", "N")]
METRICS = "kafka-client-metrics --name {name}"
# Kafka's shows the class of an exception before its message.
CLASSES = [(r"\b(org|java)\.[\w.]+Exception: ", "")]


def election(text: str) -> Step:
    return Step(f"{ELECT} --path-to-json-file {{folder}}/partitions.json", files={"partitions.json": text})


DIALOGUES = [
    Dialogue(
        "elections",
        "elections",
        [
            Step("kafka-topics --create --topic {name} --partitions 2"),
            Step(f"{ELECT} --topic {{name}} --partition 1"),
            Step("kafka-leader-election --election-type unclean --topic {name} --partition 0"),
            election('{"partitions":[{"topic":"NAME","partition":0}]}'),
            election('{"partitions":[{"topic":"NAME","partition":0},{"topic":"NAME","partition":0}]}'),
            election("nothing"),
            Step(f"{ELECT} --all-topic-partitions"),
            Step(f"{ELECT} --topic {{name}}-none --partition 0", masks=CLASSES),
            Step(f"{ELECT} --topic {{name}}"),
            Step(ELECT),
            Step("kafka-leader-election --election-type other --all-topic-partitions"),
            Step("kafka-leader-election --all-topic-partitions"),
            Step("kafka-topics --delete --topic {name}"),
        ],
    ),
    Dialogue(
        "client metrics",
        "metrics",
        [
            Step(f"{METRICS} --alter --metrics a.b,c --interval 1000 --match client_id=x"),
            Step(f"{METRICS} --describe"),
            Step("kafka-client-metrics --describe", only="NAME"),
            Step("kafka-client-metrics --list", only="NAME"),
            Step(f"{METRICS} --alter --interval soon"),
            Step(f"{METRICS} --alter --match nobody=x"),
            Step(f"{METRICS} --describe --interval 1"),
            Step(f"{METRICS} --list --describe"),
            Step("kafka-client-metrics --alter --interval 1000"),
            Step("kafka-client-metrics --delete"),
            Step(f"{METRICS} --delete"),
            Step(f"{METRICS} --delete"),
            Step(f"{METRICS} --describe"),
        ],
    ),
    Dialogue(
        "the metadata quorum",
        "quorum",
        [
            Step("kafka-metadata-quorum describe --status", masks=[(r"(HighWatermark: +)\d+", r"\1N")]),
            Step("kafka-metadata-quorum describe --replication", masks=[*NUMBERS, (" +", " ")]),
            Step("kafka-metadata-quorum describe --replication --human-readable", masks=[*NUMBERS, (" +", " ")]),
            Step("kafka-metadata-quorum describe"),
            Step("kafka-metadata-quorum describe --status --human-readable"),
            Step("kafka-metadata-quorum"),
        ],
    ),
    Dialogue(
        # A command line that is wrong would end the JVM of Kafka's tool.
        "cluster",
        "cluster",
        [
            Step("kafka-broker-api-versions"),
            Step("kafka-cluster cluster-id --bootstrap-server {bootstrap}", needs_bootstrap=False),
            Step("kafka-cluster list-endpoints --bootstrap-server {bootstrap}", needs_bootstrap=False),
            Step("kafka-cluster list-endpoints --include-fenced-brokers --bootstrap-server {bootstrap}", needs_bootstrap=False),
        ],
    ),
]
