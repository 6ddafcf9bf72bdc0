"""The quorum of a node that is its own controller."""

from __future__ import annotations

from typing import Any

from .asking import Answer, Asker, question

METADATA = "__cluster_metadata"


def described(ask: Asker, version: int, topics: list[dict[str, Any]]) -> Answer:
    answer = ask.worded("DescribeQuorum", version, topics=topics)
    if not isinstance(answer, dict):
        return answer
    for topic in answer["topics"]:
        for partition in topic["partitions"]:
            # How far the log has come differs with every record.
            if partition["highWatermark"] > 0:
                partition["highWatermark"] = "<end>"
            if partition["errorCode"] == "NONE":
                partition["leaderEpoch"] = "<epoch>"
            for replica in [*(partition["currentVoters"] or []), *(partition["observers"] or [])]:
                for key in ("logEndOffset", "lastFetchTimestamp", "lastCaughtUpTimestamp"):
                    if isinstance(replica.get(key), int) and replica[key] > 0:
                        replica[key] = "<some>"
                if replica.get("replicaDirectoryId", "0") != "00" * 16 and "replicaDirectoryId" in replica:
                    replica["replicaDirectoryId"] = "<directory>"
    for node in answer.get("nodes", []):
        # Those of the file, and the two brokers are not started with the same.
        node["listeners"] = "<listeners>"
    return answer


@question("quorum: described in every version")
def quorum(ask: Asker) -> dict[str, Answer]:
    def topic(name: str, *partitions: int) -> dict[str, Any]:
        return {"topicName": name, "partitions": [{"partitionIndex": index} for index in partitions]}

    asked = {
        "the metadata": [topic(METADATA, 0)],
        "another partition": [topic(METADATA, 1)],
        "two partitions": [topic(METADATA, 0, 1)],
        "no partition": [topic(METADATA)],
        "another topic": [topic("a", 0)],
        "two topics": [topic(METADATA, 0), topic("a", 0)],
        "nothing": [],
    }
    answers: dict[str, Answer] = {}
    for version in ask.versions("DescribeQuorum"):
        for label, topics in asked.items():
            answers[f"v{version} {label}"] = described(ask, version, topics)
    return answers
