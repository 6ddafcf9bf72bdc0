"""One blocking connection that sends exactly the bytes it is told to."""

from __future__ import annotations

import socket
import struct
from typing import Any

from .schema import schema_named

API_VERSIONS = 18
FRAME_BYTES_MAX = 256 << 20


class ConnectionLost(Exception):
    """The broker closed the connection, or did not answer in time."""


class Connection:
    """Requests go out in order and answers come back in order; nothing is retried."""

    def __init__(self, host: str, port: int, timeout: float = 30.0, client_id: str | None = "raw") -> None:
        self.client_id = client_id
        self.correlation = 0
        self.socket = socket.create_connection((host, port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def frame(self, api: str, version: int, body: dict[str, Any]) -> bytes:
        """The whole frame of a request, length included."""
        schema = schema_named(f"{api}Request")
        return self.frame_of(schema.api_key or 0, version, schema.encode(body, version), version in schema.flexible)

    def frame_of(self, api_key: int, version: int, body: bytes, flexible: bool) -> bytes:
        """A frame around any body, for requests that no schema would write."""
        self.correlation += 1
        client = b"\xff\xff" if self.client_id is None else struct.pack(">h", len(self.client_id)) + self.client_id.encode()
        header = struct.pack(">hhi", api_key, version, self.correlation) + client + (b"\0" if flexible else b"")
        return struct.pack(">i", len(header) + len(body)) + header + body

    def send_bytes(self, data: bytes) -> None:
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise ConnectionLost(f"while sending: {error}") from error

    def receive_frame(self) -> bytes:
        (size,) = struct.unpack(">i", self._receive(4))
        if not 0 <= size <= FRAME_BYTES_MAX:
            raise ConnectionLost(f"an answer of {size} bytes")
        return self._receive(size)

    def _receive(self, count: int) -> bytes:
        parts: list[bytes] = []
        while count > 0:
            try:
                part = self.socket.recv(min(count, 1 << 20))
            except OSError as error:
                raise ConnectionLost(f"while receiving: {error}") from error
            if not part:
                raise ConnectionLost("closed by the broker")
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def send(self, api: str, version: int, body: dict[str, Any]) -> int:
        """Sends without waiting; the correlation id is for `receive`."""
        self.send_bytes(self.frame(api, version, body))
        return self.correlation

    def receive(self, api: str, version: int, correlation: int) -> dict[str, Any]:
        data = self.receive_frame()
        (answered,) = struct.unpack(">i", data[:4])
        if answered != correlation:
            raise ConnectionLost(f"answer {answered} where {correlation} was due")
        schema = schema_named(f"{api}Response")
        flexible_header = version in schema.flexible and schema.api_key != API_VERSIONS
        return schema.decode(data[5 if flexible_header else 4 :], version)

    def request(self, api: str, version: int, body: dict[str, Any] | None = None) -> dict[str, Any]:
        return self.receive(api, version, self.send(api, version, body or {}))
