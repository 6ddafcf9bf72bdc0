"""Moving partitions to other brokers, on a node that is alone: nothing moves, and what cannot move is refused."""

from __future__ import annotations

import time
from typing import Any

from .asking import Answer, Asker, question

Partition = dict[str, Any]


def wanted(name: str, *partitions: Partition) -> dict[str, Any]:
    return {"name": name, "partitions": list(partitions)}


def to(index: int, replicas: list[int] | None) -> Partition:
    return {"partitionIndex": index, "replicas": replicas}


def internal_topic(ask: Asker) -> None:
    """Asks for a coordinator until the topic of the offsets is there."""
    end = time.monotonic() + 15
    while time.monotonic() < end:
        answer = ask.raw("FindCoordinator", 4, keyType=0, coordinatorKeys=["reassigned"])
        if answer["coordinators"][0]["errorCode"] == 0:
            return
        time.sleep(0.05)
    raise AssertionError("there is no coordinator")


@question("reassignments: none is under way")
def listed(ask: Asker) -> dict[str, Answer]:
    ask.topic("resting", 2)

    def ongoing(topics: list[tuple[str, list[int]]] | None) -> Answer:
        named = None if topics is None else [{"name": name, "partitionIndexes": indexes} for name, indexes in topics]
        return ask.worded("ListPartitionReassignments", 0, topics=named)

    return {
        "all": ongoing(None),
        "no topics": ongoing([]),
        "one topic": ongoing([("resting", [0, 1])]),
        "no partitions": ongoing([("resting", [])]),
        "an unknown partition": ongoing([("resting", [7])]),
        "an unknown topic": ongoing([("resting-none", [0])]),
        "a name that is none": ongoing([("a/b", [0]), ("", [-1])]),
    }


@question("reassignments: what is asked for in every version")
def altered(ask: Asker) -> dict[str, Answer]:
    ask.topic("staying", 3)
    internal_topic(ask)
    topics: dict[str, list[dict[str, Any]]] = {
        "the same": [wanted("staying", to(0, [1]), to(2, [1]))],
        "a cancel": [wanted("staying", to(0, None))],
        "an unknown broker": [wanted("staying", to(0, [9]))],
        "an unknown broker beside": [wanted("staying", to(0, [1, 9]))],
        "an unknown broker before": [wanted("staying", to(0, [9, 1]))],
        "a negative broker": [wanted("staying", to(0, [-1]))],
        "twice the same broker": [wanted("staying", to(0, [1, 1]))],
        "no brokers": [wanted("staying", to(0, []))],
        "an unknown partition": [wanted("staying", to(3, [1]), to(-1, [1]), to(1, [1]))],
        "an unknown partition's cancel": [wanted("staying", to(3, None))],
        "an unknown topic": [wanted("staying-none", to(0, [1])), wanted("staying", to(0, [1]))],
        "an unknown topic's cancel": [wanted("staying-none", to(0, None))],
        "no topic's name": [wanted("", to(0, [1]))],
        "a name that is none": [wanted("a/b", to(0, [9]))],
        "an internal topic": [wanted("__consumer_offsets", to(0, [1]), to(1, None), to(2, [9]))],
        "the metadata's topic": [wanted("__cluster_metadata", to(0, [1]))],
        "a topic twice": [wanted("staying", to(0, [1])), wanted("staying", to(0, [1]))],
        "a partition twice": [wanted("staying", to(0, [1]), to(0, None))],
        "no partitions": [wanted("staying")],
        "no topics": [],
    }
    answers: dict[str, Answer] = {}
    for version in ask.versions("AlterPartitionReassignments"):
        for label, asked in topics.items():
            answers[f"v{version} {label}"] = ask.worded("AlterPartitionReassignments", version, topics=asked)
    for label, asked in topics.items():
        answers[f"as many as before: {label}"] = ask.worded(
            "AlterPartitionReassignments", 1, topics=asked, allowReplicationFactorChange=False
        )
    answers["nothing is under way afterwards"] = ask.worded("ListPartitionReassignments", 0, topics=None)
    return answers
