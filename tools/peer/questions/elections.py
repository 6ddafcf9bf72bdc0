"""Elections that are asked for, on a node that leads everything it has."""

from __future__ import annotations

from typing import Any

from .asking import Answer, Asker, question


@question("elections: every version and kind")
def elections(ask: Asker) -> dict[str, Answer]:
    ask.topic("elected", 2)
    named: dict[str, list[dict[str, Any]]] = {
        "named": [{"topic": "elected", "partitions": [0, 1]}],
        "an unknown partition": [{"topic": "elected", "partitions": [1, 7, -1]}],
        "an unknown topic": [{"topic": "elected-none", "partitions": [0]}],
        "a name that is none": [{"topic": "a/b", "partitions": [0]}],
        "a partition twice": [{"topic": "elected", "partitions": [0, 0]}],
        "no partitions": [{"topic": "elected", "partitions": []}],
        "nothing": [],
    }
    answers: dict[str, Answer] = {}
    for version in ask.versions("ElectLeaders"):
        for kind in (-1, 0, 1, 2) if version >= 1 else (0,):
            body = {"electionType": kind} if version >= 1 else {}
            for label, asked in named.items():
                answers[f"v{version} kind {kind} {label}"] = ask.worded("ElectLeaders", version, topicPartitions=asked, **body)
            everything = ask.worded("ElectLeaders", version, topicPartitions=None, **body)
            # Every topic of this broker is named there, also those of other questions.
            if isinstance(everything, dict):
                rows = everything["replicaElectionResults"]
                everything["replicaElectionResults"] = [row for row in rows if row["topic"] == "elected"]
                everything["elections of others"] = sum(len(row["partitionResult"]) for row in rows)
            answers[f"v{version} kind {kind} all"] = everything
    return answers
