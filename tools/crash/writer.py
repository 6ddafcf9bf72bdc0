"""Producers that remember what they were told, over raw connections: a client library would retry, and blur
what was acknowledged.

A plain writer never sends a record twice. An idempotent writer sends what was not acknowledged again after
a crash, with the same sequence numbers, and so must find each of its records exactly once.
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque

from ledger import Ledger, Receipt, identity_of
from protocol import Connection, ConnectionLost, encode_batch

IN_FLIGHT_MAX = 4
RECORDS_MAX = 40
RECORD_BYTES = 100
DUPLICATE_SEQUENCE_NUMBER = 46


class Writer:
    """Writes to one partition, a few requests in flight, until told to stop or the broker dies."""

    def __init__(self, name: str, topic: str, partition: int, ledger: Ledger, seed: int, producer_id: int | None) -> None:
        self.name = name
        self.topic = topic
        self.partition = partition
        self.ledger = ledger
        self.random = random.Random(seed)
        self.producer_id = producer_id
        self.next_number = 0
        self.unanswered: deque[tuple[int, int]] = deque()
        self.again: deque[tuple[int, int]] = deque()
        self.refused: list[int] = []

    def run(self, host: str, port: int, stop: threading.Event) -> None:
        """One life of the broker."""
        try:
            with Connection(host, port, timeout=10.0) as connection:
                pending: deque[int] = deque()
                while not stop.is_set():
                    while len(pending) < IN_FLIGHT_MAX:
                        pending.append(self.send(connection))
                    self.receive(connection, pending.popleft())
                while pending:
                    self.receive(connection, pending.popleft())
        except (ConnectionLost, OSError):
            pass
        if self.producer_id is not None:
            self.again = self.unanswered + self.again
        self.unanswered = deque()

    def send(self, connection: Connection) -> int:
        if self.again:
            first, count = self.again.popleft()
        else:
            first, count = self.next_number, self.random.randint(1, RECORDS_MAX)
            self.next_number += count
        self.unanswered.append((first, count))
        values = [identity_of(self.name, first + index).encode().ljust(RECORD_BYTES, b".") for index in range(count)]
        idempotence = {} if self.producer_id is None else {"producer_id": self.producer_id, "producer_epoch": 0, "sequence": first}
        # A broker forgets a producer by the times in its records, so these must be of now.
        now = int(time.time() * 1000)
        batch = encode_batch([(None, value) for value in values], timestamp=now, **idempotence)
        data = [{"name": self.topic, "partitionData": [{"index": self.partition, "records": batch}]}]
        return connection.send("Produce", 9, {"acks": -1, "timeoutMs": 8000, "topicData": data})

    def receive(self, connection: Connection, correlation: int) -> None:
        answer = connection.receive("Produce", 9, correlation)
        first, count = self.unanswered[0]
        result = answer["responses"][0]["partitionResponses"][0]
        code = result["errorCode"]
        if code == 0:
            self.ledger.add(Receipt(self.partition, result["baseOffset"], self.name, first, count))
        elif code != DUPLICATE_SEQUENCE_NUMBER:
            # The requests behind a refused one are out of order for an idempotent writer: all are sent again.
            self.refused.append(code)
            raise ConnectionLost(f"refused with {code}")
        self.unanswered.popleft()


def identity_in(value: bytes | None) -> str:
    return (value or b"").rstrip(b".").decode()
