"""kafka-get-offsets, kafka-delete-records and kafka-log-dirs."""

from .step import Dialogue, Step

PERF = "kafka-producer-perf-test --topic {name}-one --num-records 30 --record-size 10 --throughput -1"


def deletion(text: str) -> Step:
    line = "kafka-delete-records --offset-json-file {folder}/delete.json"
    # Kafka's shows the class of the exception before the message of an error.
    return Step(line, files={"delete.json": text}, masks=[(r"org\.apache\.kafka\.\S+Exception: ", "")])


DIALOGUES = [
    Dialogue(
        "offsets and deleted records",
        "offsets",
        [
            Step("kafka-topics --create --topic {name} --partitions 3"),
            Step("kafka-topics --create --topic {name}-one --partitions 1"),
            Step(PERF, is_setup=True),
            Step("kafka-get-offsets --topic {name}.*"),
            Step("kafka-get-offsets --topic {name} --time earliest"),
            Step("kafka-get-offsets --topic {name} --time -2 --partitions 0,2"),
            Step("kafka-get-offsets --topic-partitions {name}:1-"),
            Step("kafka-get-offsets --topic-partitions {name}:0,{name}:2-3 --time earliest-local"),
            Step("kafka-get-offsets --topic-partitions {name}:-2 --time -4 --exclude-internal-topics"),
            Step("kafka-get-offsets --topic {name} --time latest-tiered"),
            Step("kafka-get-offsets --topic {name}.* --time 99999999999999"),
            Step("kafka-get-offsets --topic {name}.* --time 1"),
            Step("kafka-get-offsets --topic {name} --time soon"),
            Step("kafka-get-offsets --topic {name}-none"),
            Step("kafka-get-offsets --topic {name} --partitions x"),
            Step("kafka-get-offsets --topic {name} --topic-partitions {name}:1"),
            Step("kafka-get-offsets --topic-partitions a:b:c"),
            deletion('{"partitions":[{"topic":"NAME-one","partition":0,"offset":4}],"version":1}'),
            Step("kafka-get-offsets --topic {name}-one --time earliest"),
            deletion('{"partitions":[{"topic":"NAME-one","partition":0,"offset":-1}],"version":1}'),
            Step("kafka-get-offsets --topic {name}-one --time earliest"),
            deletion('{"partitions":[{"topic":"NAME-one","partition":0,"offset":1000}],"version":1}'),
            deletion('{"partitions":[{"topic":"NAME","partition":0,"offset":0},{"topic":"NAME","partition":0,"offset":0}]}'),
            deletion('{"partitions":[{"topic":"NAME","partition":0}]}'),
            deletion('{"partitions":[],"version":7}'),
            deletion("nothing"),
            Step("kafka-delete-records --offset-json-file {folder}/none.json"),
            Step("kafka-log-dirs --describe --topic-list {name}-one", masks=[(r'"size":\d+', "SIZE"), (r'"logDir":"[^"]*"', "DIR")]),
            Step("kafka-log-dirs --describe --topic-list {name}-none --broker-list 1", masks=[(r'"logDir":"[^"]*"', "DIR")]),
            Step("kafka-log-dirs --describe --broker-list 1,9"),
            Step("kafka-log-dirs --broker-list 1"),
            Step("kafka-topics --delete --topic {name}.*"),
        ],
    ),
]
