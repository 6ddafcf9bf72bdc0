"""A node with two data folders (`log.dirs`), and what the scripts that break one of them ask it."""

from __future__ import annotations

import itertools
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "peer"))

from brokers import Corelog, free_port  # noqa: E402
from load import PARTITIONS, SETTINGS, TOPIC  # noqa: E402
from protocol import Connection, encode_batch, error_name  # noqa: E402

# No two records are alike.
SINGLES = itertools.count()


class TwoFolders(Corelog):
    def __init__(self, folder: Path, folders: list[Path]) -> None:
        super().__init__(folder, free_port(), SETTINGS)
        self.folders = folders

    def prepare(self) -> list[str]:
        command = super().prepare()
        command[command.index("--data") + 1] = ",".join(map(str, self.folders))
        return command


def create(connection: Connection, topic: str) -> str:
    wanted = {"name": topic, "numPartitions": PARTITIONS, "replicationFactor": 1}
    answer = connection.request("CreateTopics", 5, {"topics": [wanted], "timeoutMs": 10_000})
    return error_name(answer["topics"][0]["errorCode"])


def placed(folder: Path, topic: str = TOPIC) -> list[int]:
    """The topic's partitions that live there."""
    return [index for index in range(PARTITIONS) if (folder / f"{topic}-{index}").exists()]


def produce(connection: Connection, topic: str, partition: int, timeout_ms: int = 8000, filling: int = 0) -> str:
    value = b"single/%d" % next(SINGLES) + bytes(filling)
    batch = encode_batch([(None, value)], timestamp=int(time.time() * 1000))
    data = [{"name": topic, "partitionData": [{"index": partition, "records": batch}]}]
    answer = connection.request("Produce", 9, {"acks": -1, "timeoutMs": timeout_ms, "topicData": data})
    return error_name(answer["responses"][0]["partitionResponses"][0]["errorCode"])


def fetch(connection: Connection, partition: int) -> str:
    wanted = [{"partition": partition, "fetchOffset": 0, "partitionMaxBytes": 1 << 20}]
    body = {"maxWaitMs": 0, "minBytes": 0, "maxBytes": 1 << 20, "topics": [{"topic": TOPIC, "partitions": wanted}]}
    return error_name(connection.request("Fetch", 11, body)["responses"][0]["partitions"][0]["errorCode"])
