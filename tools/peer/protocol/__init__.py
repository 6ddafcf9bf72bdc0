"""The Kafka protocol for test scripts, driven by the schema tables in Kafka's own jar.

It shares no code with Corelog's generated codec: a mistake in ours would otherwise meet the same
mistake here and pass. Messages are plain dictionaries with the schema's field names.
"""

from .batch import Record, decode_batches, encode_batch
from .connection import Connection, ConnectionLost
from .errors import error_name
from .schema import Schema, schema_for, schema_named

__all__ = [
    "Connection",
    "ConnectionLost",
    "Record",
    "Schema",
    "decode_batches",
    "encode_batch",
    "error_name",
    "schema_for",
    "schema_named",
]
