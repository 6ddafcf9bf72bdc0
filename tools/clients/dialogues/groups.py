"""kafka-groups and kafka-share-groups."""

from .step import Dialogue, Step

PERF = "kafka-producer-perf-test --topic {name} --num-records 30 --record-size 10 --throughput -1"
GROUP = "kafka-share-groups --group {name}"
EXIT = "exit code 0 on failure"
# Kafka's shows the class of an exception before its message.
CLASSES = [(r"\b(org|java)\.[\w.]+Exception: ", "")]


def moved(line: str) -> Step:
    return Step(f"{GROUP} --reset-offsets {line}", is_sorted=True)


DIALOGUES = [
    Dialogue(
        "share groups",
        "share",
        [
            Step("kafka-topics --create --topic {name} --partitions 1"),
            Step(PERF, is_setup=True),
            Step(f"{GROUP} --describe", differs="a sentence on standard error here", code_differs=EXIT),
            moved("--topic {name} --to-earliest --dry-run"),
            moved("--topic {name} --to-earliest --execute"),
            moved("--topic {name}:0 --to-latest --dry-run"),
            moved("--all-topics --to-datetime 2020-01-01T00:00:00.000 --execute"),
            moved("--topic {name} --to-latest"),
            moved("--topic {name} --execute"),
            Step("kafka-share-groups --list", only="NAME"),
            Step("kafka-share-groups --list --state", only="NAME|GROUP"),
            Step("kafka-share-groups --list --state empty", only="NAME|GROUP"),
            Step("kafka-share-groups --list --state stable", only="NAME|GROUP"),
            Step("kafka-share-groups --list --state wrong"),
            Step(f"{GROUP} --describe", masks=[(r" (0|30|-) *$", " N")]),
            Step(f"{GROUP} --describe --verbose", masks=[(r" (0|30|-) *$", " N")]),
            Step(f"{GROUP} --describe --members"),
            Step(f"{GROUP} --describe --state"),
            Step(f"{GROUP} --describe --state --verbose"),
            Step(f"{GROUP} --describe --state --members"),
            Step("kafka-share-groups --describe"),
            Step("kafka-groups --list", only="NAME|GROUP", masks=[(" +", " ")]),
            Step("kafka-groups --list --share", only="NAME|GROUP"),
            Step("kafka-groups --list --consumer", only="NAME|GROUP"),
            Step("kafka-groups --list --group-type share", only="NAME|GROUP"),
            Step("kafka-groups --list --group-type queue"),
            Step("kafka-groups --list --protocol share", only="NAME|GROUP"),
            Step("kafka-groups"),
            Step(f"{GROUP} --delete-offsets --topic {{name}}"),
            Step(f"{GROUP} --delete-offsets --topic {{name}}-none", code_differs=EXIT),
            Step(f"{GROUP} --delete"),
            Step(f"{GROUP} --delete", masks=CLASSES, code_differs=EXIT),
            Step("kafka-topics --delete --topic {name}"),
        ],
    ),
]
