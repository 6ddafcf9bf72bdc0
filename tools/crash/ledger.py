"""What a broker promised, and whether it kept it.

Every record carries its own identity, so that the log read back can be compared record by record: an
acknowledged record is at its offset, no offset was given to two records, and nothing was stored twice.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Receipt:
    """An acknowledgement: `count` records from `base` on, numbered from `first` by their writer."""

    partition: int
    base: int
    writer: str
    first: int
    count: int


@dataclass
class Ledger:
    """All receipts; shared by the writers."""

    receipts: list[Receipt] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, receipt: Receipt) -> None:
        with self.lock:
            self.receipts.append(receipt)

    def records(self) -> int:
        return sum(receipt.count for receipt in self.receipts)

    def end(self, partition: int) -> int:
        """The offset behind the last acknowledged record."""
        return max((r.base + r.count for r in self.receipts if r.partition == partition), default=0)

    def promised(self, partition: int) -> tuple[dict[int, str], list[str]]:
        """Offset → identity as acknowledged, and offsets that were given out twice."""
        promised: dict[int, str] = {}
        wrong: list[str] = []
        for receipt in self.receipts:
            if receipt.partition != partition:
                continue
            for index in range(receipt.count):
                offset = receipt.base + index
                identity = identity_of(receipt.writer, receipt.first + index)
                other = promised.setdefault(offset, identity)
                if other != identity:
                    wrong.append(f"partition {partition}: offset {offset} was acknowledged for {other} and for {identity}")
        return promised, wrong


def identity_of(writer: str, number: int) -> str:
    return f"{writer}/{number}"


def check(ledger: Ledger, logs: dict[int, list[tuple[int, str]]]) -> list[str]:
    """Everything that is wrong with the partitions as read back: (offset, identity) in the order of the log."""
    wrong: list[str] = []
    for partition, log in logs.items():
        promised, twice = ledger.promised(partition)
        wrong += twice
        found: dict[int, str] = {}
        places: dict[str, int] = {}
        previous = -1
        for offset, identity in log:
            if offset != previous + 1:
                wrong.append(f"partition {partition}: offset {offset} follows {previous}")
            previous = offset
            if identity in places:
                wrong.append(f"partition {partition}: {identity} is at {places[identity]} and at {offset}")
            found[offset] = identity
            places[identity] = offset
        for offset, identity in promised.items():
            if found.get(offset) != identity:
                there = found.get(offset, "nothing")
                wrong.append(f"partition {partition}: offset {offset} was acknowledged for {identity} and holds {there}")
        if previous + 1 < ledger.end(partition):
            wrong.append(f"partition {partition}: the log ends at {previous + 1}, acknowledged up to {ledger.end(partition)}")
    return wrong
