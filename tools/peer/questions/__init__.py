"""What is asked of Kafka and of Corelog alike; each module registers its questions when it is imported."""

from . import (
    configs,
    consumer_groups,
    consumer_offsets,
    group_changes,
    groups,
    records,
    topics,
    transactions,
    transactions_of_members,
    versions,
)
from .asking import QUESTIONS, Asker

__all__ = [
    "QUESTIONS",
    "Asker",
    "configs",
    "consumer_groups",
    "consumer_offsets",
    "group_changes",
    "groups",
    "records",
    "topics",
    "transactions",
    "transactions_of_members",
    "versions",
]
