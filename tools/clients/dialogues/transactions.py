"""kafka-transactions."""

from .step import Dialogue, Step

COMMITTED = "kafka-producer-perf-test --topic {name} --num-records 10 --record-size 10 --throughput -1 --transactional-id {name}"
NUMBERS = [(r"\b\d+\b", "N")]

DIALOGUES = [
    Dialogue(
        "transactions",
        "transactions",
        [
            Step("kafka-topics --create --topic {name} --partitions 1"),
            Step(COMMITTED, is_setup=True),
            Step("kafka-transactions list --transactional-id-pattern {name}", is_setup=True, until="CompleteCommit"),
            Step("kafka-transactions list", only="NAME|TransactionalId", masks=NUMBERS),
            Step("kafka-transactions list --transactional-id-pattern {name}", masks=NUMBERS),
            Step("kafka-transactions list --transactional-id-pattern {name}-none"),
            Step("kafka-transactions list --duration-filter 1000000"),
            Step("kafka-transactions describe --transactional-id {name}", masks=[*NUMBERS, (" +", " ")]),
            Step("kafka-transactions describe --transactional-id {name}-none"),
            Step("kafka-transactions describe"),
            Step("kafka-transactions describe-producers --topic {name} --partition 0", masks=[*NUMBERS, (" +", " ")]),
            Step("kafka-transactions describe-producers --topic {name} --partition 0 --broker-id 1", masks=[*NUMBERS, (" +", " ")]),
            Step("kafka-transactions describe-producers --topic {name}"),
            Step("kafka-transactions describe-producers --topic {name} --partition x"),
            Step("kafka-transactions abort --topic {name} --partition 0 --start-offset 7"),
            Step("kafka-transactions abort --topic {name} --partition 0"),
            Step("kafka-transactions abort --topic {name} --partition 0 --producer-id 1"),
            Step("kafka-transactions abort --topic {name} --partition 0 --producer-id 7000 --producer-epoch 0 --coordinator-epoch 0"),
            Step("kafka-transactions find-hanging --topic {name}"),
            Step("kafka-transactions find-hanging --broker-id 1 --max-transaction-timeout 1"),
            Step("kafka-transactions find-hanging"),
            Step("kafka-transactions find-hanging --partition 0 --broker-id 1"),
            Step("kafka-transactions"),
            Step("kafka-transactions forget"),
            Step("kafka-topics --delete --topic {name}"),
        ],
    ),
]
