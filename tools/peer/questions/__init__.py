"""What is asked of Kafka and of Corelog alike; each module registers its questions when it is imported."""

from . import (
    config_resources,
    configs,
    consumer_groups,
    consumer_offsets,
    elections,
    group_changes,
    groups,
    quorum,
    quotas,
    reassignments,
    records,
    security,
    shares,
    topics,
    transactions,
    transactions_of_members,
    versions,
)
from .asking import QUESTIONS, Asker

__all__ = [
    "QUESTIONS",
    "Asker",
    "config_resources",
    "configs",
    "consumer_groups",
    "consumer_offsets",
    "elections",
    "group_changes",
    "groups",
    "quorum",
    "quotas",
    "reassignments",
    "records",
    "security",
    "shares",
    "topics",
    "transactions",
    "transactions_of_members",
    "versions",
]
