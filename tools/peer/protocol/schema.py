"""Schema tables: which fields a message has in which version, and the bytes they make.

Read from kafka-clients' jar (common/message/*.json), so that a request of any version can be written
without a client library deciding what is sensible to send.
"""

from __future__ import annotations

import functools
import json
import re
import struct
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LIBS = Path(__file__).resolve().parents[3] / ".cache" / "kafka" / "libs"

FIXED = {
    "bool": ">?",
    "int8": ">b",
    "int16": ">h",
    "uint16": ">H",
    "int32": ">i",
    "uint32": ">I",
    "int64": ">q",
    "float64": ">d",
}


@dataclass(frozen=True)
class Versions:
    """An inclusive range of versions; `none` is empty."""

    low: int
    high: int

    @staticmethod
    def parse(text: str | None) -> Versions:
        if text is None or text == "none":
            return Versions(0, -1)
        if text.endswith("+"):
            return Versions(int(text[:-1]), 1 << 15)
        low, _, high = text.partition("-")
        return Versions(int(low), int(high or low))

    def __contains__(self, version: int) -> bool:
        return self.low <= version <= self.high


@dataclass
class Field:
    name: str
    type: str
    versions: Versions
    nullable: Versions
    tagged: Versions
    tag: int | None
    flexible: Versions | None
    default: Any
    fields: list[Field] = field(default_factory=list)

    @property
    def element(self) -> str | None:
        return self.type[2:] if self.type.startswith("[]") else None


@dataclass
class Schema:
    name: str
    api_key: int | None
    kind: str
    valid: Versions
    flexible: Versions
    fields: list[Field]

    def encode(self, body: dict[str, Any], version: int) -> bytes:
        out = bytearray()
        _write_struct(out, self.fields, body, version, version in self.flexible, self.name)
        return bytes(out)

    def decode(self, data: bytes, version: int) -> dict[str, Any]:
        cursor = Cursor(data)
        body = _read_struct(cursor, self.fields, version, version in self.flexible)
        if cursor.position != len(data):
            raise ValueError(f"{self.name} v{version}: {len(data) - cursor.position} bytes follow the message")
        return body


class Cursor:
    """A position in received bytes; running past the end is an error, not a short value."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    def take(self, count: int) -> bytes:
        end = self.position + count
        if count < 0 or end > len(self.data):
            raise ValueError(f"{count} bytes wanted at {self.position} of {len(self.data)}")
        taken = self.data[self.position : end]
        self.position = end
        return taken

    def fixed(self, layout: str) -> Any:
        return struct.unpack(layout, self.take(struct.calcsize(layout)))[0]

    def uvarint(self) -> int:
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def varint(self) -> int:
        raw = self.uvarint()
        return (raw >> 1) ^ -(raw & 1)


def uvarint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def varint(value: int) -> bytes:
    return uvarint((value << 1) if value >= 0 else ((-value << 1) - 1))


def _field_flexible(item: Field, version: int, flexible: bool) -> bool:
    return flexible if item.flexible is None else version in item.flexible


def _write_struct(out: bytearray, fields: list[Field], body: dict[str, Any], version: int, flexible: bool, path: str) -> None:
    present = {item.name for item in fields if version in item.versions}
    unknown = set(body) - present
    if unknown:
        raise ValueError(f"{path} v{version} has no {sorted(unknown)}; it has {sorted(present)}")
    tagged: list[tuple[int, bytes]] = []
    for item in fields:
        if version not in item.versions:
            continue
        value = body[item.name] if item.name in body else _default(item, version)
        is_flexible = _field_flexible(item, version, flexible)
        if flexible and version in item.tagged:
            if item.name in body:
                encoded = bytearray()
                _write_value(encoded, item, item.type, value, version, is_flexible, path)
                tagged.append((item.tag or 0, bytes(encoded)))
            continue
        _write_value(out, item, item.type, value, version, is_flexible, f"{path}.{item.name}")
    if flexible:
        out += uvarint(len(tagged))
        for tag, encoded in sorted(tagged):
            out += uvarint(tag) + uvarint(len(encoded)) + encoded


def _write_value(out: bytearray, item: Field, kind: str, value: Any, version: int, flexible: bool, path: str) -> None:
    if kind.startswith("[]"):
        if value is None:
            out += uvarint(0) if flexible else struct.pack(">i", -1)
            return
        out += uvarint(len(value) + 1) if flexible else struct.pack(">i", len(value))
        for index, element in enumerate(value):
            _write_value(out, item, kind[2:], element, version, flexible, f"{path}[{index}]")
    elif kind in FIXED:
        out += struct.pack(FIXED[kind], value)
    elif kind == "uuid":
        out += bytes.fromhex(value) if isinstance(value, str) else value
    elif kind == "string":
        encoded = None if value is None else value.encode()
        if flexible:
            out += uvarint(0) if encoded is None else uvarint(len(encoded) + 1) + encoded
        else:
            out += struct.pack(">h", -1) if encoded is None else struct.pack(">h", len(encoded)) + encoded
    elif kind in ("bytes", "records"):
        if flexible:
            out += uvarint(0) if value is None else uvarint(len(value) + 1) + value
        else:
            out += struct.pack(">i", -1) if value is None else struct.pack(">i", len(value)) + value
    else:
        if version in item.nullable and item.element is None:
            out += struct.pack(">b", -1 if value is None else 1)
            if value is None:
                return
        _write_struct(out, item.fields, value, version, flexible, path)


def _read_struct(cursor: Cursor, fields: list[Field], version: int, flexible: bool) -> dict[str, Any]:
    body: dict[str, Any] = {}
    by_tag: dict[int, Field] = {}
    for item in fields:
        if version not in item.versions:
            continue
        if flexible and version in item.tagged:
            body[item.name] = _default(item, version)
            by_tag[item.tag or 0] = item
            continue
        body[item.name] = _read_value(cursor, item, item.type, version, _field_flexible(item, version, flexible))
    if flexible:
        for _ in range(cursor.uvarint()):
            tag, size = cursor.uvarint(), cursor.uvarint()
            data = cursor.take(size)
            if tag in by_tag:
                item = by_tag[tag]
                body[item.name] = _read_value(Cursor(data), item, item.type, version, True)
            else:
                body.setdefault("unknownTags", []).append((tag, data.hex()))
    return body


def _read_value(cursor: Cursor, item: Field, kind: str, version: int, flexible: bool) -> Any:
    if kind.startswith("[]"):
        count = cursor.uvarint() - 1 if flexible else cursor.fixed(">i")
        if count < 0:
            return None
        return [_read_value(cursor, item, kind[2:], version, flexible) for _ in range(count)]
    if kind in FIXED:
        return cursor.fixed(FIXED[kind])
    if kind == "uuid":
        return cursor.take(16).hex()
    if kind == "string":
        size = cursor.uvarint() - 1 if flexible else cursor.fixed(">h")
        return None if size < 0 else cursor.take(size).decode()
    if kind in ("bytes", "records"):
        size = cursor.uvarint() - 1 if flexible else cursor.fixed(">i")
        return None if size < 0 else cursor.take(size)
    if version in item.nullable and item.element is None and cursor.fixed(">b") < 0:
        return None
    return _read_struct(cursor, item.fields, version, flexible)


def _default(item: Field, version: int) -> Any:
    text = item.default
    if text == "null":
        return None
    if item.type.startswith("[]"):
        return []
    if item.type == "bool":
        return text in (True, "true")
    if item.type in FIXED:
        number = 0 if text in (None, "") else text
        return float(number) if item.type == "float64" else int(str(number), 0)
    if item.type == "string":
        return text or ""
    if item.type == "uuid":
        return "00" * 16
    if item.type in ("bytes", "records"):
        return b""
    return {}


def _parse_fields(raw: list[dict[str, Any]], shared: dict[str, list[dict[str, Any]]]) -> list[Field]:
    parsed = []
    for entry in raw:
        inner = entry.get("fields") or shared.get(entry["type"].removeprefix("[]"), [])
        parsed.append(
            Field(
                name=entry["name"][0].lower() + entry["name"][1:],
                type=entry["type"],
                versions=Versions.parse(entry.get("versions", "0+")),
                nullable=Versions.parse(entry.get("nullableVersions")),
                tagged=Versions.parse(entry.get("taggedVersions")),
                tag=entry.get("tag"),
                flexible=Versions.parse(entry["flexibleVersions"]) if "flexibleVersions" in entry else None,
                default=entry.get("default"),
                fields=_parse_fields(inner, shared),
            )
        )
    return parsed


@functools.cache
def _all() -> dict[str, Schema]:
    jar = next(LIBS.glob("kafka-clients-*.jar"), None)
    if jar is None:
        raise SystemExit("Kafka's jars are missing: run tools/peer/fetch-kafka first")
    schemas: dict[str, Schema] = {}
    with zipfile.ZipFile(jar) as archive:
        for name in archive.namelist():
            if not (name.startswith("common/message/") and name.endswith(".json")):
                continue
            text = re.sub(r"^\s*//.*$", "", archive.read(name).decode(), flags=re.M)
            raw = json.loads(text)
            shared = {entry["name"]: entry["fields"] for entry in raw.get("commonStructs", [])}
            schemas[raw["name"]] = Schema(
                name=raw["name"],
                api_key=raw.get("apiKey"),
                kind=raw["type"],
                valid=Versions.parse(raw.get("validVersions")),
                flexible=Versions.parse(raw.get("flexibleVersions")),
                fields=_parse_fields(raw.get("fields", []), shared),
            )
    return schemas


def schema_named(name: str) -> Schema:
    """The schema of e.g. `ProduceRequest`."""
    return _all()[name]


def schema_for(api_key: int) -> tuple[Schema, Schema]:
    """Request and response schema of an API key."""
    request = next(s for s in _all().values() if s.kind == "request" and s.api_key == api_key)
    return request, _all()[request.name.removesuffix("Request") + "Response"]
