#!/usr/bin/env python3
"""What an operator meets around `corelog serve`: listeners and the addresses that clients are told, log lines,
signals, a second broker on the same folder or port, and files of earlier Kafka versions.

    serving.py [--case WORDS]

Each case starts the executable named by CORELOG, else the newest build, on free ports and in folders of its
own. Only what is said and done is looked at, never how long it took; waits are bounded.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "peer"))

from brokers import executable, free_port, remove  # noqa: E402
from protocol import Connection, ConnectionLost, decode_batches, encode_batch  # noqa: E402

PATIENCE_SECONDS = 30.0


class Node:
    """One `corelog serve` with what it says, in a folder that is its working folder too."""

    def __init__(self, folder: Path, *arguments: str, environment: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [str(executable()), "serve", *arguments],
            cwd=folder,
            env=os.environ | (environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.errors: list[str] = []
        self.reader = threading.Thread(target=self.read_errors, daemon=True)
        self.reader.start()
        assert self.process.stdout is not None
        self.line = self.process.stdout.readline().strip()

    def read_errors(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.errors.append(line.rstrip("\n"))

    def __enter__(self) -> Node:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def said(self) -> str:
        return "\n".join(self.errors)

    def until_said(self, words: str) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while words not in self.said():
            if time.monotonic() > end:
                raise AssertionError(f"never said {words!r}:\n{self.said()}")
            time.sleep(0.02)

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def ended(self) -> int:
        code = self.process.wait(PATIENCE_SECONDS)
        self.reader.join(PATIENCE_SECONDS)
        return code

    def stop(self) -> None:
        self.terminate()
        code = self.ended()
        assert code == 0, f"ended with {code}:\n{self.said()}"


def brokers(host: str, port: int) -> list[tuple[str, int]]:
    """Where a client that comes in by this address is sent."""
    with Connection(host, port) as connection:
        answer = connection.request("Metadata", 9, {"topics": []})
    return [(row["host"], row["port"]) for row in answer["brokers"]]


def create_topic(connection: Connection, name: str) -> None:
    wanted = {"name": name, "numPartitions": 1, "replicationFactor": 1}
    answer = connection.request("CreateTopics", 5, {"topics": [wanted], "timeoutMs": 10_000})
    assert answer["topics"][0]["errorCode"] == 0, answer


def produce_body(topic: str, value: bytes) -> dict[str, object]:
    data = [{"name": topic, "partitionData": [{"index": 0, "records": encode_batch([(None, value)])}]}]
    return {"acks": -1, "timeoutMs": 5000, "topicData": data}


def fetch_body(topic: str, offset: int, wait_ms: int) -> dict[str, object]:
    wanted = [{"partition": 0, "fetchOffset": offset, "partitionMaxBytes": 1 << 20}]
    return {"maxWaitMs": wait_ms, "minBytes": 1, "topics": [{"topic": topic, "partitions": wanted}]}


def several_listeners(folder: Path) -> None:
    inside, outside = free_port(), free_port()
    properties = folder / "server.properties"
    properties.write_text(
        f"listeners=INSIDE://127.0.0.1:{inside},OUTSIDE://127.0.0.1:{outside}\n"
        f"advertised.listeners=INSIDE://127.0.0.1:{inside},OUTSIDE://broker.example:9999\n"
        "listener.security.protocol.map=INSIDE:PLAINTEXT,OUTSIDE:PLAINTEXT\n"
        "inter.broker.listener.name=INSIDE\nlog.dirs=data\n"
    )
    with Node(folder, str(properties)) as node:
        assert brokers("127.0.0.1", inside) == [("127.0.0.1", inside)]
        assert brokers("127.0.0.1", outside) == [("broker.example", 9999)]
        assert f"INSIDE://127.0.0.1:{inside}" in node.line and f"OUTSIDE://127.0.0.1:{outside}" in node.line, node.line
        node.stop()


def host_names(folder: Path) -> None:
    port = free_port()
    with Node(folder, "--listeners", f"PLAINTEXT://localhost:{port}") as node:
        assert brokers("localhost", port) == [("localhost", port)]
        node.stop()


def internet_protocol_6(folder: Path) -> None:
    port = free_port()
    with Node(folder, "--listeners", f"PLAINTEXT://[::1]:{port}") as node:
        assert brokers("::1", port) == [("::1", port)]
        assert f"PLAINTEXT://[::1]:{port}" in node.line and "not encrypted" not in node.line, node.line
        bootstrap = ["--bootstrap", f"[::1]:{port}"]
        corelog = str(executable())
        subprocess.run([corelog, "topic", "create", "t", *bootstrap], check=True, capture_output=True)
        sent = subprocess.run([corelog, "produce", "t", *bootstrap], input=b"six\n", capture_output=True, check=True)
        assert sent.returncode == 0
        read = subprocess.run([corelog, "consume", "t", "--from-beginning", "-n", "1", *bootstrap], capture_output=True, check=True)
        assert read.stdout == b"six\n", read
        node.stop()


def every_address(folder: Path) -> None:
    port = free_port()
    with Node(folder, "--listeners", f"PLAINTEXT://:{port}") as node:
        assert brokers("127.0.0.1", port) == brokers("::1", port) == [(socket.gethostname(), port)]
        assert "open to the network, not encrypted" in node.line, node.line
        node.stop()


def a_port_that_the_kernel_chooses(folder: Path) -> None:
    with Node(folder, "--listeners", "PLAINTEXT://127.0.0.1:0") as node:
        found = re.search(r"PLAINTEXT://127\.0\.0\.1:(\d+)", node.line)
        assert found is not None, node.line
        port = int(found[1])
        assert brokers("127.0.0.1", port) == [("127.0.0.1", port)]
        node.stop()


def log_lines(folder: Path) -> None:
    listeners = ["--listeners", "PLAINTEXT://127.0.0.1:0", "--override", "num.io.threads=3"]
    with Node(folder, *listeners, "--log-format", "json") as node:
        node.stop()
    lines = [json.loads(line) for line in node.errors]
    assert any("num.io.threads" in line["message"] for line in lines), lines
    assert all({"timestamp", "level", "target"} <= line.keys() for line in lines), lines
    with Node(folder, *listeners) as node:
        node.stop()
    assert "\x1b" not in node.said(), "colours are for terminals"
    assert "stopped cleanly" in node.said()
    with Node(folder, *listeners, environment={"RUST_LOG": "error"}) as node:
        node.stop()
    assert node.errors == [], node.errors
    with Node(folder, *listeners, environment={"RUST_LOG": "no=such=level"}) as node:
        assert node.ended() == 2
    assert "RUST_LOG" in node.said()


def a_stop_answers_what_is_in_flight(folder: Path) -> None:
    port = free_port()
    listeners = ["--listeners", f"PLAINTEXT://127.0.0.1:{port}"]
    writes = 50
    with Node(folder, *listeners) as node:
        with Connection("127.0.0.1", port) as writer, Connection("127.0.0.1", port) as reader:
            create_topic(writer, "t")
            waiting = reader.send("Fetch", 11, fetch_body("t", 0, 600_000))
            answered = writer.request("Produce", 9, produce_body("t", b"first"))
            assert answered["responses"][0]["partitionResponses"][0]["errorCode"] == 0
            assert reader.receive("Fetch", 11, waiting)["responses"][0]["partitions"][0]["records"]
            create_topic(writer, "empty")
            waiting = reader.send("Fetch", 11, fetch_body("empty", 0, 600_000))
            sent = [writer.send("Produce", 9, produce_body("t", b"%d" % number)) for number in range(writes)]
            first = writer.receive("Produce", 9, sent[0])
            node.terminate()
            offsets = [first["responses"][0]["partitionResponses"][0]["baseOffset"]]
            for correlation in sent[1:]:
                try:
                    answer = writer.receive("Produce", 9, correlation)
                except ConnectionLost:
                    break
                offsets.append(answer["responses"][0]["partitionResponses"][0]["baseOffset"])
            assert offsets == list(range(1, 1 + len(offsets))), offsets
            assert reader.receive("Fetch", 11, waiting)["errorCode"] == 0
        code = node.ended()
        assert code == 0, f"ended with {code}:\n{node.said()}"
    with Node(folder, *listeners) as node:
        assert "unclean" not in node.line, node.line
        with Connection("127.0.0.1", port) as connection:
            row = connection.request("Fetch", 11, fetch_body("t", 0, 0))["responses"][0]["partitions"][0]
            stored = [record.value for record in decode_batches(row["records"])]
            assert stored[: 1 + len(offsets)] == [b"first", *(b"%d" % number for number in range(len(offsets)))], stored
        node.stop()


def a_second_signal_ends_it_at_once(folder: Path) -> None:
    port = free_port()
    listeners = ["--listeners", f"PLAINTEXT://127.0.0.1:{port}"]
    with Node(folder, *listeners) as node, Connection("127.0.0.1", port) as connection:
        create_topic(connection, "t")
        # Answers that nobody takes hold the stop up.
        for _ in range(4):
            connection.request("Produce", 9, produce_body("t", b"x" * 900_000))
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        frames = b"".join(connection.frame("Fetch", 11, fetch_body("t", offset % 4, 0)) for offset in range(100))
        connection.send_bytes(frames)
        time.sleep(0.3)
        node.terminate()
        node.until_said("again to stop at once")
        node.terminate()
        assert node.ended() == 1, node.said()
    with Node(folder, *listeners) as node:
        assert "recovering after an unclean stop" in node.line, node.line
        assert brokers("127.0.0.1", port) == [("127.0.0.1", port)]
        node.stop()


def a_second_broker_is_refused(folder: Path) -> None:
    port = free_port()
    (folder / "other").mkdir()
    with Node(folder, "--listeners", f"PLAINTEXT://127.0.0.1:{port}") as first:
        with Node(folder, "--listeners", "PLAINTEXT://127.0.0.1:0") as second:
            assert second.ended() == 1
            assert "another process uses the data folder" in second.said(), second.said()
        with Node(folder, "--data", "other/data", "--listeners", f"PLAINTEXT://127.0.0.1:{port}") as second:
            assert second.ended() == 1
            assert "another program listens there already" in second.said(), second.said()
        rebuilt = subprocess.run(
            [str(executable()), "log", "index", "--rebuild", "data"], cwd=folder, capture_output=True, text=True, check=False
        )
        if any((folder / "data").glob("*-[0-9]")):
            assert rebuilt.returncode == 1 and "a broker uses the data folder" in rebuilt.stderr, rebuilt
        assert brokers("127.0.0.1", port) == [("127.0.0.1", port)]
        first.stop()


def a_file_of_kafka_2(folder: Path) -> None:
    port = free_port()
    (folder / "config").mkdir()
    properties = folder / "config" / "server.properties"
    properties.write_text(
        "# as it was shipped with Kafka 2\n"
        f"broker.id=7\nport={port}\nhost.name=localhost\n"
        "num.network.threads=3\nnum.io.threads=8\nsocket.send.buffer.bytes=102400\n"
        "socket.receive.buffer.bytes=102400\nsocket.request.max.bytes=104857600\n"
        "log.dirs=kafka-logs\nnum.partitions=3\nnum.recovery.threads.per.data.dir=1\n"
        "offsets.topic.replication.factor=1\ntransaction.state.log.replication.factor=1\n"
        "log.retention.hours=168\nlog.segment.bytes=1073741824\nlog.retention.check.interval.ms=300000\n"
        "zookeeper.connect=localhost:2181\nzookeeper.connection.timeout.ms=18000\n"
        "group.initial.rebalance.delay.ms=0\ninter.broker.protocol.version=2.8\n"
    )
    with Node(folder, str(properties)) as node:
        assert brokers("localhost", port) == [("localhost", port)]
        assert "node 7 of cluster" in node.line, node.line
        assert (folder / "kafka-logs" / "meta.properties").exists(), "the folder starts where the process runs"
        for key in ("zookeeper.connect", "port is the old name of listeners", "host.name is the old name of listeners"):
            assert key in node.said(), node.said()
        with Connection("localhost", port) as connection:
            answer = connection.request("Metadata", 9, {"topics": [{"name": "made"}], "allowAutoTopicCreation": True})
            assert len(answer["brokers"]) == 1 and answer["brokers"][0]["nodeId"] == 7
        node.stop()
    wrong = folder / "wrong.properties"
    wrong.write_text("num.partition=3\nlisteners=PLAINTEXT://:x\nprocess.roles=broker\n")
    with Node(folder, str(wrong)) as node:
        assert node.ended() == 2
        for words in ("line 1: num.partition", "did you mean num.partitions?"):
            assert words in node.said(), node.said()


CASES: list[Callable[[Path], None]] = [
    several_listeners,
    host_names,
    internet_protocol_6,
    every_address,
    a_port_that_the_kernel_chooses,
    log_lines,
    a_stop_answers_what_is_in_flight,
    a_second_signal_ends_it_at_once,
    a_second_broker_is_refused,
    a_file_of_kafka_2,
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", default="", help="only cases whose name contains this")
    options = parser.parse_args()
    passed = failed = 0
    for case in CASES:
        name = case.__name__.replace("_", " ")
        if options.case not in name:
            continue
        folder = Path(tempfile.mkdtemp(prefix="corelog-serving-"))
        try:
            case(folder)
        except (AssertionError, ConnectionLost, OSError, subprocess.SubprocessError) as error:
            failed += 1
            print(f"FAIL serving: {name}: {type(error).__name__}: {error}", flush=True)
        else:
            passed += 1
            print(f"PASS serving: {name}", flush=True)
        finally:
            remove(folder)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
