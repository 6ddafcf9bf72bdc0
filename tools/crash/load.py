"""Load on a broker that will not live long, and the look for everything it acknowledged: what the scripts that kill
brokers, cut the power and break disks have in common.
"""

from __future__ import annotations

import os
import random
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "peer"))

from brokers import HOST, Broker, BrokerFailed, Corelog  # noqa: E402
from ledger import Ledger, check  # noqa: E402
from protocol import Connection, ConnectionLost, decode_batches, error_name  # noqa: E402
from writer import Writer, identity_in  # noqa: E402

TOPIC = "crash"
PARTITIONS = 6
GROUP = "crash-group"
READY_SECONDS = 60
FETCH_BYTES = 4 << 20
SHOWN_MAX = 20
# So that many checkpoints are written before each end, and some are being written then.
SETTINGS = {"log.flush.offset.checkpoint.interval.ms": "100"}


class Committer:
    """Commits growing offsets of a group, and remembers the last that was acknowledged."""

    def __init__(self) -> None:
        self.sent = 0
        self.acknowledged = 0

    def run(self, host: str, port: int, stop: threading.Event) -> None:
        try:
            with Connection(host, port, timeout=10.0) as connection:
                while not stop.is_set():
                    # Counted before it leaves: the broker may store it and die before it answers.
                    self.sent += 1
                    if commit(connection, self.sent) == 0:
                        self.acknowledged = self.sent
                    stop.wait(0.01)
        except (ConnectionLost, OSError):
            pass


def commit(connection: Connection, offset: int) -> int:
    topics = [{"name": TOPIC, "partitions": [{"partitionIndex": 0, "committedOffset": offset}]}]
    answer = connection.request("OffsetCommit", 8, {"groupId": GROUP, "generationIdOrMemberEpoch": -1, "topics": topics})
    return int(answer["topics"][0]["partitions"][0]["errorCode"])


def committed(connection: Connection) -> int:
    topics = [{"name": TOPIC, "partitionIndexes": [0]}]
    end = time.monotonic() + READY_SECONDS
    while True:
        answer = connection.request("OffsetFetch", 7, {"groupId": GROUP, "topics": topics})
        code = answer["errorCode"]
        if code == 0 and answer["topics"][0]["partitions"][0]["errorCode"] == 0:
            return int(answer["topics"][0]["partitions"][0]["committedOffset"])
        if time.monotonic() > end:
            raise BrokerFailed(f"the committed offset cannot be read: {error_name(code)}")
        time.sleep(0.1)


def list_offsets(connection: Connection, timestamp: int) -> list[dict[str, Any]]:
    asked = [{"partitionIndex": index, "timestamp": timestamp} for index in range(PARTITIONS)]
    answer = connection.request("ListOffsets", 6, {"replicaId": -1, "topics": [{"name": TOPIC, "partitions": asked}]})
    return sorted(answer["topics"][0]["partitions"], key=lambda row: row["partitionIndex"])


def wait_until_ready(connection: Connection) -> list[int]:
    """Waits until every partition has a leader, and returns the ends of their logs."""
    end = time.monotonic() + READY_SECONDS
    while True:
        rows = list_offsets(connection, -1)
        if all(row["errorCode"] == 0 for row in rows):
            return [row["offset"] for row in rows]
        if time.monotonic() > end:
            raise BrokerFailed(f"partitions are not ready: {[error_name(row['errorCode']) for row in rows]}")
        time.sleep(0.1)


def prepare(connection: Connection) -> list[int]:
    """Creates the topic and finds the coordinator; returns producer ids for the idempotent writers."""
    wanted = {"name": TOPIC, "numPartitions": PARTITIONS, "replicationFactor": 1}
    connection.request("CreateTopics", 5, {"topics": [wanted], "timeoutMs": 10_000})
    wait_until_ready(connection)
    ids: list[int] = []
    end = time.monotonic() + READY_SECONDS
    while len(ids) < PARTITIONS and time.monotonic() < end:
        answer = connection.request("InitProducerId", 4, {"transactionalId": None, "transactionTimeoutMs": 60_000})
        if answer["errorCode"] == 0:
            ids.append(answer["producerId"])
        else:
            time.sleep(0.1)
    while commit(connection, 0) != 0:
        connection.request("FindCoordinator", 3, {"key": GROUP})
        if time.monotonic() > end:
            raise BrokerFailed("offsets cannot be committed")
        time.sleep(0.1)
    return ids


def read_partition(connection: Connection, partition: int, end: int) -> list[tuple[int, str]]:
    log: list[tuple[int, str]] = []
    position = 0
    while position < end:
        wanted = {"partition": partition, "fetchOffset": position, "partitionMaxBytes": FETCH_BYTES}
        body = {"maxWaitMs": 500, "minBytes": 1, "maxBytes": FETCH_BYTES, "topics": [{"topic": TOPIC, "partitions": [wanted]}]}
        row = connection.request("Fetch", 11, body)["responses"][0]["partitions"][0]
        records = [record for record in decode_batches(row["records"] or b"") if record.offset >= position]
        if row["errorCode"] != 0 or not records:
            log.append((position, f"unreadable: {error_name(row['errorCode'])}"))
            return log
        log += [(record.offset, identity_in(record.value)) for record in records]
        position = records[-1].offset + 1
    return log


def verify(running: Broker, ledger: Ledger, committer: Committer) -> list[str]:
    with Connection(HOST, running.port, timeout=60.0) as connection:
        ends = wait_until_ready(connection)
        beginnings = [row["offset"] for row in list_offsets(connection, -2)]
        wrong = [f"partition {index}: the log begins at {begin}" for index, begin in enumerate(beginnings) if begin != 0]
        logs = {index: read_partition(connection, index, end) for index, end in enumerate(ends)}
        wrong += check(ledger, logs)
        found = committed(connection)
        if not committer.acknowledged <= found <= committer.sent:
            wrong.append(f"the group's offset is {found}; {committer.acknowledged} was acknowledged, {committer.sent} sent")
    return wrong


def make_writers(ledger: Ledger, seed: int, producer_ids: list[int]) -> list[Writer]:
    """Two for each partition: one that never sends a record twice, and an idempotent one."""
    plain = [Writer(f"plain-{index}", TOPIC, index, ledger, seed + index, None) for index in range(PARTITIONS)]
    return plain + [Writer(f"once-{index}", TOPIC, index, ledger, seed - index, producer_ids[index]) for index in range(PARTITIONS)]


def load_until(running: Broker, writers: list[Writer], committer: Committer, seconds: float, end: Callable[[], None]) -> None:
    """Lets them write for a while; `end` ends the broker, one way or another."""
    stop = threading.Event()
    tasks = [*(writer.run for writer in writers), committer.run]
    threads = [threading.Thread(target=task, args=(HOST, running.port, stop)) for task in tasks]
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    try:
        end()
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def choose_cores(running: Broker, chance: random.Random) -> None:
    """What a core has written down must serve the cores of the next start, however many there are."""
    if isinstance(running, Corelog):
        running.cores = chance.randint(1, min(4, os.cpu_count() or 1))


def report(wrong: list[str]) -> None:
    for line in wrong[:SHOWN_MAX]:
        print(f"     {line}")
    if len(wrong) > SHOWN_MAX:
        print(f"     … and {len(wrong) - SHOWN_MAX} more")
