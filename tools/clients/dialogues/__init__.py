"""What tools are asked one after another, for `compare`. A new tool is a list of command lines in a file of its own."""

from __future__ import annotations

from . import cluster, configs, groups, records, transactions
from .step import Dialogue, Step, masked

DIALOGUES: list[Dialogue] = [*configs.DIALOGUES, *records.DIALOGUES, *transactions.DIALOGUES, *groups.DIALOGUES, *cluster.DIALOGUES]

__all__ = ["DIALOGUES", "Dialogue", "Step", "masked"]
