"""Record batches (magic 2) as the scripts need them, with every header field open to being wrong."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from .schema import Cursor, varint

try:
    from crc32c import crc32c
except ImportError:
    _TABLE = []
    for _index in range(256):
        _value = _index
        for _ in range(8):
            _value = (_value >> 1) ^ (0x82F63B78 if _value & 1 else 0)
        _TABLE.append(_value)

    def crc32c(data: bytes) -> int:
        state = 0xFFFFFFFF
        for byte in data:
            state = _TABLE[(state ^ byte) & 0xFF] ^ (state >> 8)
        return state ^ 0xFFFFFFFF


HEADER = struct.Struct(">qiibIhiqqqhii")
GZIP = 1


@dataclass(frozen=True)
class Record:
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


def _blob(data: bytes | None) -> bytes:
    return varint(-1) if data is None else varint(len(data)) + data


def encode_records(
    records: Sequence[tuple[bytes | None, bytes | None]],
    headers: Sequence[tuple[str, bytes | None]] | None = None,
    timestamp_deltas: list[int] | None = None,
) -> bytes:
    out = bytearray()
    for index, (key, value) in enumerate(records):
        delta = timestamp_deltas[index] if timestamp_deltas else 0
        body = b"\0" + varint(delta) + varint(index) + _blob(key) + _blob(value)
        body += varint(len(headers or []))
        for name, content in headers or []:
            body += varint(len(name)) + name.encode() + _blob(content)
        out += varint(len(body)) + body
    return bytes(out)


def encode_batch(
    records: Sequence[tuple[bytes | None, bytes | None]],
    *,
    timestamp: int = 1_700_000_000_000,
    timestamp_deltas: list[int] | None = None,
    headers: Sequence[tuple[str, bytes | None]] | None = None,
    producer_id: int = -1,
    producer_epoch: int = -1,
    sequence: int = -1,
    attributes: int = 0,
    magic: int = 2,
    base_offset: int = 0,
    record_count: int | None = None,
    last_offset_delta: int | None = None,
    crc_flip: int = 0,
    payload: bytes | None = None,
) -> bytes:
    """One batch; each named field overrides what would be right."""
    body = encode_records(records, headers, timestamp_deltas) if payload is None else payload
    if attributes & 7 == GZIP and payload is None:
        body = gzip.compress(body, mtime=0)
    last_delta = len(records) - 1 if last_offset_delta is None else last_offset_delta
    checked = struct.pack(
        ">hiqqqhii",
        attributes,
        last_delta,
        timestamp,
        timestamp + max(timestamp_deltas or [0]),
        producer_id,
        producer_epoch,
        sequence,
        len(records) if record_count is None else record_count,
    )
    checked += body
    head = struct.pack(">ibI", -1, magic, crc32c(checked) ^ crc_flip)
    return struct.pack(">qi", base_offset, len(head) + len(checked)) + head + checked


def decode_batches(data: bytes) -> list[Record]:
    """Every record of the whole batches in `data`; a cut batch at the end is left out."""
    records: list[Record] = []
    position = 0
    while position + HEADER.size <= len(data):
        (base, size, _, magic, crc, attributes, _, first_time, max_time, _, _, _, count) = HEADER.unpack_from(data, position)
        end = position + 12 + size
        if end > len(data):
            break
        if magic != 2:
            raise ValueError(f"magic {magic} at {position}")
        if crc32c(data[position + 21 : end]) != crc:
            raise ValueError(f"the checksum of the batch at offset {base} does not match")
        body = data[position + HEADER.size : end]
        if attributes & 7 == GZIP:
            body = gzip.decompress(body)
        elif attributes & 7:
            raise ValueError(f"compression {attributes & 7} is not read here")
        cursor = Cursor(body)
        for _ in range(count):
            cursor.varint()
            cursor.take(1)
            time_delta, delta = cursor.varint(), cursor.varint()
            key = _read_blob(cursor)
            value = _read_blob(cursor)
            headers = tuple((cursor.take(cursor.varint()).decode(), _read_blob(cursor)) for _ in range(cursor.varint()))
            time = max_time if attributes & 8 else first_time + time_delta
            records.append(Record(base + delta, time, key, value, headers))
        position = end
    return records


def _read_blob(cursor: Cursor) -> bytes | None:
    size = cursor.varint()
    return None if size < 0 else cursor.take(size)
