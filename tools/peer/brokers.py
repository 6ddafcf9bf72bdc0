"""Starts and stops a broker for a test: Apache Kafka or Corelog, the same way and with the same settings.

A test that only ever ran against our broker proves that the two agree, not that either is right; every
script here therefore takes either kind.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from protocol import Connection, ConnectionLost  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
PEER = ROOT / "tools" / "peer"
HOST = "127.0.0.1"
CLUSTER_ID = "Y29yZWxvZy1wZWVyLXRlcw"
START_SECONDS = 60
STOP_SECONDS = 60

# Kafka's defaults wait three seconds for more members and want three replicas for its own topics.
SETTINGS = {
    "broker.id": "1",
    "group.initial.rebalance.delay.ms": "0",
    "offsets.topic.num.partitions": "5",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
}


# A script that is told to end must not leave its broker behind: SystemExit runs every `finally`.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


class BrokerFailed(Exception):
    """The broker did not start, or did not stop as it should."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


class Broker:
    """One broker process with its data, settings and output in one folder."""

    kind = "?"
    start_seconds = START_SECONDS
    stop_seconds = STOP_SECONDS

    def __init__(self, folder: Path, port: int, settings: dict[str, str] | None = None) -> None:
        self.folder = folder.resolve()
        self.port = port
        self.settings = SETTINGS | (settings or {})
        self.process: subprocess.Popen[bytes] | None = None
        self.folder.mkdir(parents=True, exist_ok=True)

    @property
    def bootstrap(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def output(self) -> Path:
        return self.folder / "output"

    @property
    def pid(self) -> int:
        if self.process is None:
            raise BrokerFailed(f"{self.kind} is not running")
        return self.process.pid

    def prepare(self) -> list[str]:
        """Writes what the broker reads, and returns the command that starts it."""
        raise NotImplementedError

    def start(self) -> float:
        """Starts the process, waits until it answers, and returns the seconds that took."""
        command = self.prepare()
        began = time.monotonic()
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=self.folder, start_new_session=True
            )
        while not self.answers():
            if self.process.poll() is not None:
                raise BrokerFailed(f"{self.kind} ended with {self.process.returncode}:\n{self.tail()}")
            if time.monotonic() - began > self.start_seconds:
                self.kill()
                raise BrokerFailed(f"{self.kind} does not answer after {self.start_seconds} s:\n{self.tail()}")
            time.sleep(0.02)
        return time.monotonic() - began

    def answers(self) -> bool:
        try:
            with Connection(HOST, self.port, timeout=2.0) as connection:
                return bool(connection.request("Metadata", 4, {"topics": []})["brokers"])
        except (OSError, ConnectionLost):
            return False

    def stop(self) -> float:
        """Asks the process to stop, and returns the seconds that took; a broker that must be killed fails."""
        process, began = self.process, time.monotonic()
        if process is None:
            return 0.0
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(self.stop_seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise BrokerFailed(f"{self.kind} did not stop within {self.stop_seconds} s") from None
        self.process = None
        # 143 is how a Java process says that SIGTERM ended it.
        if process.returncode not in (0, 143, -signal.SIGTERM if self.kind == "kafka" else 0):
            raise BrokerFailed(f"{self.kind} stopped with {process.returncode}:\n{self.tail()}")
        return time.monotonic() - began

    def kill(self) -> None:
        """`kill -9`, as a crash would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def rss_bytes(self) -> int:
        """Resident memory of the process."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise BrokerFailed("the process shows no resident memory")

    def tail(self) -> str:
        return "\n".join(self.output.read_text(errors="replace").splitlines()[-25:])

    def write_properties(self, settings: dict[str, str]) -> Path:
        path = self.folder / "server.properties"
        path.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        return path


class Kafka(Broker):
    """Apache Kafka, broker and controller in one process."""

    kind = "kafka"

    def __init__(self, folder: Path, port: int, settings: dict[str, str] | None = None) -> None:
        super().__init__(folder, port, settings)
        self.controller_port = free_port()

    def prepare(self) -> list[str]:
        listener, controller = f"PLAINTEXT://{HOST}:{self.port}", f"{HOST}:{self.controller_port}"
        settings = {key: value for key, value in self.settings.items() if key != "broker.id"}
        properties = self.write_properties(
            {
                "process.roles": "broker,controller",
                "node.id": self.settings["broker.id"],
                "controller.quorum.bootstrap.servers": controller,
                "controller.listener.names": "CONTROLLER",
                "listeners": f"{listener},CONTROLLER://{controller}",
                "advertised.listeners": f"{listener},CONTROLLER://{controller}",
                "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
                "log.dirs": str(self.data),
            }
            | settings
        )
        if not (self.data / "meta.properties").exists():
            format_command = ["kafka.tools.StorageTool", "format", "--standalone", "-t", CLUSTER_ID, "-c", str(properties)]
            formatted = subprocess.run([str(PEER / "kafka"), *format_command], capture_output=True, text=True)
            if formatted.returncode != 0:
                raise BrokerFailed(f"format failed:\n{formatted.stdout}{formatted.stderr}")
        class_path = f"{PEER / 'conf'}:{ROOT / '.cache' / 'kafka' / 'libs'}/*"
        return ["java", "-Xms256m", "-Xmx1g", "-cp", class_path, "kafka.Kafka", str(properties)]


class Corelog(Broker):
    """Our broker: the executable named by CORELOG, else the newest build."""

    kind = "corelog"
    cores: int | None = None

    def prepare(self) -> list[str]:
        properties = self.write_properties(self.settings)
        listeners = f"PLAINTEXT://{HOST}:{self.port}"
        command = [str(executable()), "serve", str(properties), "--data", str(self.data), "--listeners", listeners]
        return command if self.cores is None else [*command, "--cores", str(self.cores)]


def executable() -> Path:
    """The corelog executable under test."""
    if named := os.environ.get("CORELOG"):
        return Path(named).resolve()
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    builds = [path for path in (target / "release" / "corelog", target / "debug" / "corelog") if path.exists()]
    if not builds:
        raise SystemExit("there is no corelog executable: run `cargo build --release` first")
    return max(builds, key=lambda path: path.stat().st_mtime)


KINDS: dict[str, type[Broker]] = {"kafka": Kafka, "corelog": Corelog}


def broker(kind: str, folder: Path, port: int | None = None, settings: dict[str, str] | None = None) -> Broker:
    return KINDS[kind](folder, port or free_port(), settings)


def remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
