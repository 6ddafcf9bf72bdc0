"""Which requests exist in which versions, and what others meet."""

from __future__ import annotations

import struct

from .asking import APIS, Answer, Asker, question, schema_named


@question("versions: the table")
def table(ask: Asker) -> dict[str, Answer]:
    answers: dict[str, Answer] = {}
    names = {key: name for name, key in APIS.items()}
    for version in range(5):
        body = {"clientSoftwareName": "raw", "clientSoftwareVersion": "1"} if version >= 3 else {}
        answer = ask.raw("ApiVersions", version, **body)
        ranges = {names[row["apiKey"]]: [row["minVersion"], row["maxVersion"]] for row in answer["apiKeys"] if row["apiKey"] in names}
        answers[f"v{version}"] = {"errorCode": answer["errorCode"]} | {name: ranges.get(name, "missing") for name in APIS}
    return answers


@question("versions: ApiVersions that are not valid")
def invalid(ask: Asker) -> dict[str, Answer]:
    answers: dict[str, Answer] = {}
    cases = [("empty", "", ""), ("spaces", "a b", "1"), ("dashes at the ends", "-a-", "1"), ("good", "a.b-c", "1.0-x")]
    for label, name, software in cases:
        answer = ask.raw("ApiVersions", 4, clientSoftwareName=name, clientSoftwareVersion=software)
        answers[label] = ask.comparable(answer["errorCode"], "errorCode")
    frame = ask.connection.frame_of(18, 99, b"", flexible=True)
    ask.connection.send_bytes(frame)
    received = ask.connection.receive_frame()
    decoded = schema_named("ApiVersionsResponse").decode(received[4:], 0)
    rows = [[row["apiKey"], row["minVersion"], row["maxVersion"]] for row in decoded["apiKeys"]]
    answers["a version of the future"] = {"error": ask.comparable(decoded["errorCode"], "errorCode"), "keys": rows}
    answers["and the connection goes on"] = ask.comparable(ask.raw("ApiVersions", 0)["errorCode"], "errorCode")
    return answers


@question("versions: one above the highest")
def too_high(ask: Asker) -> dict[str, Answer]:
    answers: dict[str, Answer] = {}
    for name, key in APIS.items():
        if name == "ApiVersions":
            continue
        schema = schema_named(f"{name}Request")
        answers[name] = ask.bytes(ask.connection.frame_of(key, schema.valid.high + 1, b"\0" * 64, flexible=True))
    return answers


@question("versions: one below the lowest")
def too_low(ask: Asker) -> dict[str, Answer]:
    answers: dict[str, Answer] = {}
    for name, key in APIS.items():
        schema = schema_named(f"{name}Request")
        if schema.valid.low > 0:
            answers[name] = ask.bytes(ask.connection.frame_of(key, schema.valid.low - 1, b"\0" * 64, flexible=False))
    return answers


@question("versions: frames that mean nothing")
def nonsense(ask: Asker) -> dict[str, Answer]:
    return {
        "an unknown key": ask.bytes(ask.connection.frame_of(9999, 0, b"", flexible=False)),
        "a negative key": ask.bytes(ask.connection.frame_of(-5, 0, b"", flexible=False)),
        "a negative version": ask.bytes(ask.connection.frame_of(3, -1, b"", flexible=False)),
        "a negative size": ask.bytes(struct.pack(">i", -1)),
        "a size of zero": ask.bytes(struct.pack(">i", 0)),
        "a header that ends early": ask.bytes(struct.pack(">ihh", 4, 3, 4)),
        "a size above the limit": ask.bytes(struct.pack(">i", 200_000_000) + b"x" * 100),
        "a body that ends early": ask.bytes(ask.connection.frame_of(3, 4, struct.pack(">i", 5), flexible=False)),
        "an absurd count": ask.bytes(ask.connection.frame_of(3, 4, struct.pack(">i", 0x7FFFFFFF), flexible=False)),
        "a body with bytes behind it": ask.bytes(ask.connection.frame_of(3, 4, struct.pack(">i?", 0, False) + b"more", flexible=False)),
    }
