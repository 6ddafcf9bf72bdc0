"""What is asked of Kafka and of Corelog alike; each module registers its questions when it is imported."""

from . import configs, groups, records, topics, transactions, versions
from .asking import QUESTIONS, Asker

__all__ = ["QUESTIONS", "Asker", "configs", "groups", "records", "topics", "transactions", "versions"]
