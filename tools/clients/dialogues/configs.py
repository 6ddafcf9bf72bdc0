"""kafka-configs."""

from .step import Dialogue, Step

REFUSED = "a stack trace there, a sentence here"


def entity(kind: str, name: str = "{name}") -> str:
    return f"kafka-configs --entity-type {kind} --entity-name {name}"


def resource(kind: str, key: str, value: str, other: str) -> list[Step]:
    """A setting that is made, shown and taken back."""
    return [
        Step(f"{entity(kind)} --alter --add-config {key}={value}"),
        Step(f"{entity(kind)} --describe"),
        Step(f"kafka-configs --entity-type {kind} --describe", only="NAME"),
        Step(f"{entity(kind)} --alter --delete-config {other}"),
        Step(f"{entity(kind)} --alter --delete-config {key}"),
        Step(f"{entity(kind)} --describe"),
        Step(f"{entity(kind)} --alter --add-config no.such.key=1"),
    ]


DIALOGUES = [
    Dialogue(
        "configs of a topic",
        "configs",
        [
            Step("kafka-topics --create --topic {name} --partitions 1"),
            Step(f"{entity('topics')} --alter --add-config cleanup.policy=[compact,delete],segment.ms=100000"),
            Step(f"{entity('topics')} --describe"),
            Step("kafka-configs --topic {name} --describe --all"),
            Step("kafka-configs --entity-type topics --describe", only="NAME"),
            Step(f"{entity('topics')} --alter --add-config-file {{folder}}/added", files={"added": "retention.ms=7000\n"}),
            Step(f"{entity('topics')} --alter --delete-config segment.ms,cleanup.policy"),
            Step(f"{entity('topics')} --alter --add-config retention.ms=9000 --delete-config retention.bytes"),
            Step("kafka-configs --topic {name} --alter --add-config retention.ms=9000 --delete-config retention.ms"),
            Step(f"{entity('topics')} --describe"),
            Step(f"{entity('topics')} --alter --add-config retention.ms=soon"),
            Step(f"{entity('topics')} --alter --add-config retention.ms"),
            Step(f"{entity('topics')} --alter"),
            Step(entity("topics")),
            Step("kafka-configs --topic {name}-none --describe"),
            Step("kafka-configs --topic {name}-none --alter --add-config retention.ms=1"),
            Step("kafka-configs --entity-type topics --alter --add-config retention.ms=1"),
            Step("kafka-configs --entity-type topic --describe"),
            Step("kafka-configs --describe"),
            Step("kafka-topics --delete --topic {name}"),
        ],
    ),
    Dialogue(
        "configs of brokers",
        "configs-brokers",
        [
            Step("kafka-configs --broker 1 --describe"),
            Step("kafka-configs --broker 1 --alter --add-config log.retention.ms=7000000"),
            Step("kafka-configs --broker-defaults --alter --add-config log.retention.ms=8000000"),
            Step("kafka-configs --entity-type brokers --describe"),
            Step("kafka-configs --entity-type brokers --entity-default --describe"),
            Step("kafka-configs --entity-type brokers --entity-default --alter --delete-config log.retention.ms"),
            Step("kafka-configs --entity-type brokers --entity-name 1 --alter --delete-config log.retention.ms"),
            Step("kafka-configs --broker 1 --alter --delete-config log.retention.ms"),
            Step("kafka-configs --broker 1 --describe"),
            Step("kafka-configs --broker one --describe"),
            Step("kafka-configs --broker 1 --describe --all", only="^  (num|log.retention|log.cleanup)"),
        ],
    ),
    Dialogue("configs of a group", "configs-group", resource("groups", "consumer.session.timeout.ms", "50000", "share.session.timeout.ms")),
    Dialogue("configs of client metrics", "configs-metrics", resource("client-metrics", "interval.ms", "1000", "metrics")),
    Dialogue(
        "configs: quotas",
        "configs-quotas",
        [
            Step("kafka-configs --client {name} --alter --add-config producer_byte_rate=1000000,request_percentage=150"),
            Step("kafka-configs --client {name} --describe"),
            Step(f"{entity('clients')} --alter --delete-config producer_byte_rate"),
            Step("kafka-configs --entity-type clients --describe", only="NAME"),
            Step("kafka-configs --user {name} --client-defaults --alter --add-config consumer_byte_rate=12345"),
            Step(f"{entity('users')} --entity-type clients --entity-default --describe"),
            Step(f"{entity('clients')} --entity-type users --entity-name {{name}} --alter --add-config producer_byte_rate=12345678901"),
            Step(f"{entity('clients')} --entity-type users --describe"),
            Step(f"{entity('users')} --entity-type clients --describe", is_sorted=True),
            Step("kafka-configs --user {name} --client-defaults --alter --delete-config consumer_byte_rate"),
            Step("kafka-configs --user {name} --client {name} --alter --delete-config producer_byte_rate,request_percentage"),
            Step("kafka-configs --user {name} --client {name} --alter --delete-config producer_byte_rate"),
            Step("kafka-configs --user {name} --client {name} --describe"),
            Step("kafka-configs --ip 10.1.1.1 --alter --add-config connection_creation_rate=100"),
            Step("kafka-configs --entity-type ips --describe"),
            Step("kafka-configs --ip 10.1.1.1 --alter --delete-config connection_creation_rate"),
            Step("kafka-configs --ip 10.1.1.1 --describe"),
            Step("kafka-configs --ip 10.1.1.1 --alter --add-config producer_byte_rate=1"),
            Step("kafka-configs --client {name} --alter --add-config producer_byte_rate=fast"),
            Step("kafka-configs --client {name} --alter --add-config producer_byte_rate=-1"),
            Step("kafka-configs --client {name} --alter --add-config SCRAM-SHA-256=[password=secret]"),
            Step("kafka-configs --client {name} --alter --delete-config request_percentage"),
        ],
    ),
    Dialogue(
        "configs: users",
        "configs-users",
        [
            Step("kafka-configs --user {name} --alter --add-config SCRAM-SHA-256=[iterations=8192,password=secret]"),
            Step("kafka-configs --user {name} --alter --add-config SCRAM-SHA-512=[password=secret]"),
            Step("kafka-configs --user {name} --alter --add-config producer_byte_rate=1"),
            Step("kafka-configs --user {name} --describe"),
            Step("kafka-configs --entity-type users --describe", only="NAME"),
            Step("kafka-configs --user {name} --alter --add-config SCRAM-SHA-256=[iterations=10,password=secret]"),
            Step("kafka-configs --user {name} --alter --add-config SCRAM-SHA-256=secret"),
            Step("kafka-configs --user {name} --alter --add-config producer_byte_rate=1,SCRAM-SHA-256=[password=secret]"),
            Step("kafka-configs --user {name} --alter --add-config nothing=1"),
            Step("kafka-configs --user-defaults --alter --add-config SCRAM-SHA-256=[password=secret]"),
            Step("kafka-configs --user {name} --alter --delete-config SCRAM-SHA-512"),
            Step("kafka-configs --user {name} --alter --delete-config SCRAM-SHA-512"),
            Step("kafka-configs --user {name} --describe"),
            Step("kafka-configs --user {name} --alter --delete-config SCRAM-SHA-256"),
            Step("kafka-configs --user {name} --alter --delete-config producer_byte_rate"),
            Step("kafka-configs --user {name} --describe"),
            Step("kafka-configs --user-defaults --describe"),
        ],
    ),
]
