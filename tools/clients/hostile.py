#!/usr/bin/env python3
"""Bad input over raw sockets, while a well-behaved client goes on undisturbed.

    hostile.py --bootstrap HOST:PORT [--pid PID]

Each case sends what no client should; the broker must close that connection or answer with an error, keep
serving everybody else, and (where its process is known) keep its memory within bounds.

Apache Kafka passes these cases but for `frames` and the bound on memory: it takes memory for a frame as
soon as its length is announced, and fifty promises of 50 MB exhaust a heap of 1 GiB.
"""

from __future__ import annotations

import argparse
import os
import random
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "peer"))

from protocol import Connection, ConnectionLost, decode_batches, encode_batch  # noqa: E402

TOPIC = "undisturbed"
IDLE_CONNECTIONS = 1000
MEMORY_GROWTH_BYTES_MAX = 256 << 20
SLOWEST_ANSWER_SECONDS_MAX = 5.0
PRODUCE, FETCH, METADATA, JOIN = 0, 1, 3, 11


class Bystander:
    """Produces and reads back, one record after another, and notes everything that goes wrong."""

    def __init__(self, host: str, port: int) -> None:
        self.connection = Connection(host, port, timeout=30.0, client_id="bystander")
        self.stop = threading.Event()
        self.rounds = 0
        self.slowest = 0.0
        self.problems: list[str] = []
        self.thread = threading.Thread(target=self.run, daemon=True)

    def prepare(self) -> None:
        wanted = {"name": TOPIC, "numPartitions": 1, "replicationFactor": 1}
        self.connection.request("CreateTopics", 5, {"topics": [wanted], "timeoutMs": 10_000})
        end = time.monotonic() + 20
        while self.produce(b"first") < 0:
            if time.monotonic() > end:
                raise SystemExit("the bystander's topic takes no records")
            time.sleep(0.05)

    def produce(self, value: bytes) -> int:
        data = [{"name": TOPIC, "partitionData": [{"index": 0, "records": encode_batch([(None, value)])}]}]
        answer = self.connection.request("Produce", 9, {"acks": -1, "timeoutMs": 5000, "topicData": data})
        row = answer["responses"][0]["partitionResponses"][0]
        return int(row["baseOffset"]) if row["errorCode"] == 0 else -1

    def fetch(self, offset: int) -> bytes | None:
        wanted = [{"partition": 0, "fetchOffset": offset, "partitionMaxBytes": 1 << 16}]
        body = {"maxWaitMs": 1000, "minBytes": 1, "topics": [{"topic": TOPIC, "partitions": wanted}]}
        row = self.connection.request("Fetch", 11, body)["responses"][0]["partitions"][0]
        return next((record.value for record in decode_batches(row["records"] or b"") if record.offset == offset), None)

    def run(self) -> None:
        while not self.stop.is_set():
            value = b"round %d" % self.rounds
            began = time.monotonic()
            try:
                offset = self.produce(value)
                if self.fetch(offset) != value:
                    self.problems.append(f"offset {offset} does not hold {value!r}")
            except (ConnectionLost, ValueError) as error:
                self.problems.append(str(error))
                return
            self.slowest = max(self.slowest, time.monotonic() - began)
            self.rounds += 1
            self.stop.wait(0.005)


class Hostile:
    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port

    def open(self) -> Connection:
        return Connection(self.host, self.port, timeout=20.0, client_id="hostile")

    def closes(self, data: bytes) -> None:
        """The broker ends the connection that sent this."""
        with self.open() as connection:
            try:
                connection.send_bytes(data)
                answer = connection.receive_frame()
            except ConnectionLost as lost:
                if "timed out" in str(lost):
                    raise AssertionError("the broker neither answers nor closes") from lost
                return
            raise AssertionError(f"the broker answers with {len(answer)} bytes")

    def request(self, key: int, version: int, body: bytes, flexible: bool = False) -> bytes:
        with self.open() as connection:
            return connection.frame_of(key, version, body, flexible)

    def sizes(self) -> None:
        for size in (-1, -(2**31), 2**31 - 1, 500_000_000, 104_857_601):
            self.closes(struct.pack(">i", size) + b"\0" * 64)

    def truncated(self) -> None:
        whole = self.request(METADATA, 4, struct.pack(">i?", 0, False))
        for cut in range(1, len(whole)):
            with self.open() as connection:
                connection.send_bytes(whole[:cut])

    def counts(self) -> None:
        """Counts for which no bytes follow: memory must follow bytes, not promises."""
        most = struct.pack(">i", 2**31 - 1)
        flexible_most = b"\xff\xff\xff\xff\x0f"
        self.closes(self.request(METADATA, 4, most))
        self.closes(self.request(METADATA, 12, flexible_most, flexible=True))
        self.closes(self.request(PRODUCE, 8, struct.pack(">hhi", -1, 1, 1000) + most))
        self.closes(self.request(FETCH, 11, struct.pack(">iiiibii", -1, 1, 1, 1, 0, 0, -1) + most))
        self.closes(self.request(JOIN, 0, struct.pack(">h", 2) + b"g1" + struct.pack(">ih", 10000, 0) + b"\0\1c" + most))

    def lengths(self) -> None:
        """Strings and byte fields longer than what follows."""
        self.closes(self.request(METADATA, 4, struct.pack(">ih", 1, 32767) + b"short"))
        self.closes(self.request(METADATA, 4, struct.pack(">ih", 1, -2)))
        topic = struct.pack(">ih", 1, 1) + b"t"
        self.closes(self.request(PRODUCE, 8, struct.pack(">hhi", -1, 1, 1000) + topic + struct.pack(">iii", 1, 0, 2**31 - 1)))
        self.closes(struct.pack(">ihhih", 10, METADATA, 4, 1, 32767))
        endless = b"\xff" * 40
        self.closes(self.request(METADATA, 12, endless, flexible=True))

    def letters(self) -> None:
        """A name that is not UTF-8 is answered or ends the connection; it must not end the broker."""
        with self.open() as connection:
            frame = connection.frame_of(METADATA, 4, struct.pack(">ih", 1, 3) + b"\xff\xfe\xfd\0", flexible=False)
            try:
                connection.send_bytes(frame)
                connection.receive_frame()
            except ConnectionLost as lost:
                if "timed out" in str(lost):
                    raise AssertionError("the broker neither answers nor closes") from lost

    def unknown(self) -> None:
        for key, version in ((9999, 0), (-1, 0), (32767, 32767), (METADATA, 999), (METADATA, -1), (PRODUCE, 99), (4, 0), (7, 3)):
            self.closes(self.request(key, version, b"\0" * 32))

    def garbage(self) -> None:
        chance = random.Random(7)
        for _ in range(200):
            data = chance.randbytes(chance.randint(1, 400))
            with self.open() as connection:
                connection.send_bytes(data)
        for _ in range(200):
            body = chance.randbytes(chance.randint(1, 200))
            key, version = chance.randint(0, 92), chance.randint(0, 18)
            with self.open() as connection:
                connection.send_bytes(connection.frame_of(key, version, body, flexible=chance.random() < 0.5))

    def other_protocols(self) -> None:
        self.closes(b"GET / HTTP/1.1\r\nHost: broker\r\n\r\n")
        self.closes(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 200)

    def slow_loris(self) -> None:
        """Many connections that promise a large frame and send it byte by byte."""
        connections = [self.open() for _ in range(50)]
        for connection in connections:
            connection.send_bytes(struct.pack(">i", 50_000_000))
        for _ in range(20):
            for connection in connections:
                connection.send_bytes(b"\0\3\0\4")
            time.sleep(0.05)
        for connection in connections:
            connection.close()

    def large_frames(self) -> None:
        """Frames of the largest size, all at once, that mean nothing: they pass, but do not pile up."""
        filler = b"\0" * (1 << 20)

        def send() -> None:
            try:
                with self.open() as connection:
                    connection.send_bytes(struct.pack(">ihhih", 40 << 20, METADATA, 4, 1, -1))
                    for _ in range(39):
                        connection.send_bytes(filler)
            except (ConnectionLost, OSError):
                pass

        threads = [threading.Thread(target=send) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
            if thread.is_alive():
                raise AssertionError("a large frame is neither taken nor refused")

    def never_reading(self) -> None:
        """Requests whose answers nobody takes: the broker must stop reading, not keep the answers."""
        wanted = [{"partition": 0, "fetchOffset": 0, "partitionMaxBytes": 8 << 20}]
        body = {"maxWaitMs": 0, "minBytes": 0, "maxBytes": 8 << 20, "topics": [{"topic": TOPIC, "partitions": wanted}]}
        with self.open() as connection:
            connection.socket.settimeout(3.0)
            try:
                for _ in range(200_000):
                    connection.send_bytes(connection.frame("Fetch", 11, body))
            except ConnectionLost as lost:
                if "timed out" not in str(lost):
                    return
            else:
                raise AssertionError("the broker takes any number of requests whose answers nobody reads")

    def half_open(self) -> None:
        """Connections that end in every way but the polite one."""
        frame = self.request(METADATA, 4, struct.pack(">i?", 0, False))
        for _ in range(50):
            with self.open() as connection:
                connection.send_bytes(frame)
                connection.socket.shutdown(socket.SHUT_WR)
            with self.open() as connection:
                connection.send_bytes(frame)
                connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def idle(self) -> None:
        connections: list[Connection] = []
        try:
            for _ in range(IDLE_CONNECTIONS):
                connections.append(self.open())
            with self.open() as one_more:
                one_more.request("ApiVersions", 0)
            for connection in connections[:: IDLE_CONNECTIONS // 20]:
                connection.request("Metadata", 4, {"topics": []})
        finally:
            for connection in connections:
                connection.close()

    def storm(self) -> None:
        for _ in range(2000):
            self.open().close()

    def pipelined(self) -> None:
        """Many requests at once are answered in order."""
        with self.open() as connection:
            waiting = [connection.send("Metadata", 4, {"topics": []}) for _ in range(500)]
            for correlation in waiting:
                connection.receive("Metadata", 4, correlation)

    def bad_batches(self) -> None:
        chance = random.Random(11)
        good = bytearray(encode_batch([(b"k", b"v" * 50)] * 5))
        with self.open() as connection:
            for _ in range(300):
                broken = bytearray(good)
                for _ in range(chance.randint(1, 4)):
                    broken[chance.randrange(len(broken))] ^= 1 << chance.randrange(8)
                data = [{"name": TOPIC + "-other", "partitionData": [{"index": 0, "records": bytes(broken)}]}]
                try:
                    connection.request("Produce", 9, {"acks": -1, "timeoutMs": 1000, "topicData": data})
                except ConnectionLost as lost:
                    if "timed out" in str(lost):
                        raise AssertionError("a broken batch is not answered") from lost
                    connection.close()
                    connection.__init__(self.host, self.port, timeout=20.0, client_id="hostile")  # type: ignore[misc]


def resident_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bootstrap", default="127.0.0.1:9092", metavar="HOST:PORT")
    parser.add_argument("--pid", type=int, help="the broker's process, to watch its memory")
    parser.add_argument("--case", default="", help="run only the cases whose name contains this")
    parser.add_argument("--skip", default="\0", help="leave out the cases whose name contains this")
    options = parser.parse_args()
    host, port = options.bootstrap.rsplit(":", 1)
    bystander = Bystander(host, int(port))
    bystander.prepare()
    bystander.thread.start()
    hostile = Hostile(host, int(port))
    cases: list[tuple[str, Callable[[], None]]] = [
        ("frames of impossible size", hostile.sizes),
        ("frames that end early", hostile.truncated),
        ("counts without bytes", hostile.counts),
        ("lengths without bytes", hostile.lengths),
        ("names that are not UTF-8", hostile.letters),
        ("unknown requests and versions", hostile.unknown),
        ("garbage", hostile.garbage),
        ("other protocols", hostile.other_protocols),
        ("broken batches", hostile.bad_batches),
        ("slow senders of large frames", hostile.slow_loris),
        ("sixteen frames of 40 MiB", hostile.large_frames),
        ("a client that never reads", hostile.never_reading),
        ("half-open and reset connections", hostile.half_open),
        (f"{IDLE_CONNECTIONS} idle connections", hostile.idle),
        ("a storm of connections", hostile.storm),
        ("five hundred requests in flight", hostile.pipelined),
    ]
    before = resident_bytes(options.pid) if options.pid else 0
    passed = failed = 0
    for name, body in cases:
        if options.case not in name or options.skip in name:
            continue
        rounds, problem, began = bystander.rounds, "", time.monotonic()
        bystander.slowest = 0.0
        try:
            body()
        except Exception as error:  # noqa: BLE001 — whatever it is, it fails this case and not the others
            problem = f"{type(error).__name__}: {error}"
        end = time.monotonic() + 10
        while bystander.rounds <= rounds + 1 and not bystander.problems and time.monotonic() < end:
            time.sleep(0.01)
        if bystander.problems:
            problem = f"the bystander was disturbed: {bystander.problems[0]} {problem}"
        elif bystander.rounds <= rounds + 1:
            problem = f"the bystander stands still {problem}"
        elif bystander.slowest > SLOWEST_ANSWER_SECONDS_MAX:
            problem = f"the bystander waited {bystander.slowest:.1f} s {problem}"
        memory = ""
        if options.pid:
            if not os.path.exists(f"/proc/{options.pid}"):
                problem = f"the broker is gone {problem}"
            else:
                grown = resident_bytes(options.pid) - before
                memory = f", memory {grown / 2**20:+.0f} MiB"
                if grown > MEMORY_GROWTH_BYTES_MAX:
                    problem = f"memory grew by {grown >> 20} MiB {problem}"
        failed, passed = failed + bool(problem), passed + (not problem)
        millis = int((time.monotonic() - began) * 1000)
        print(f"{'FAIL' if problem else 'PASS'} hostile: {name} ({millis} ms{memory}){': ' + problem if problem else ''}", flush=True)
        if bystander.problems:
            break
    bystander.stop.set()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
