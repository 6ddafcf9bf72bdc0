"""Configurations: every key with its value, source, type and synonyms, and what may not be changed."""

from __future__ import annotations

from typing import Any

from .asking import Answer, Asker, question

TOPIC, BROKER = 2, 4
SET, DELETE, APPEND, SUBTRACT = range(4)

# What two brokers on one machine cannot agree on, and what one of them was started with.
LOCAL_KEYS = {
    "advertised.listeners",
    "controller.listener.names",
    "controller.quorum.bootstrap.servers",
    "early.start.listeners",
    "listener.security.protocol.map",
    "listeners",
    "log.dir",
    "log.dirs",
    "metadata.log.dir",
    "process.roles",
    "broker.id",
    "node.id",
}

# The sizes of thread pools, with their defaults; some may only change step by step.
THREADS = {
    "background.threads": 10,
    "log.cleaner.threads": 1,
    "num.io.threads": 8,
    "num.network.threads": 3,
    "num.recovery.threads.per.data.dir": 2,
    "num.replica.fetchers": 1,
    "remote.log.manager.copier.thread.pool.size": 10,
    "remote.log.manager.expiration.thread.pool.size": 10,
    "remote.log.manager.follower.thread.pool.size": 2,
    "remote.log.reader.threads": 10,
}


def describe(ask: Asker, kind: int, name: str, version: int = 4, keys: list[str] | None = None) -> dict[str, Any]:
    resource = {"resourceType": kind, "resourceName": name, "configurationKeys": keys}
    more = {"includeDocumentation": False} if version >= 3 else {}
    answer = ask("DescribeConfigs", version, resources=[resource], includeSynonyms=True, **more)
    for result in answer["results"]:
        result["configs"] = {config.pop("name"): config for config in sorted(result["configs"], key=lambda config: config["name"])}
    return answer


@question("configs: every key of a topic")
def topic_keys(ask: Asker) -> dict[str, Answer]:
    ask.topic("keys", 1, retention_ms="3600000", cleanup_policy="compact,delete")
    answers = dict(describe(ask, TOPIC, "keys")["results"][0]["configs"])
    for version in ask.versions("DescribeConfigs"):
        asked = ["retention.ms", "cleanup.policy", "segment.bytes"]
        answers[f"v{version}"] = describe(ask, TOPIC, "keys", version, asked)
    return answers


@question("configs: every key of a broker")
def broker_keys(ask: Asker) -> dict[str, Answer]:
    configs = describe(ask, BROKER, "1")["results"][0]["configs"]
    return {name: entry for name, entry in configs.items() if name not in LOCAL_KEYS}


@question("configs: descriptions that are refused")
def describe_refused(ask: Asker) -> dict[str, Answer]:
    ask.topic("described")
    return {
        "unknown topic": describe(ask, TOPIC, "no-such-topic"),
        "bad topic name": describe(ask, TOPIC, "a/b"),
        "empty topic name": describe(ask, TOPIC, ""),
        "another broker": describe(ask, BROKER, "77"),
        "a broker that is no number": describe(ask, BROKER, "one"),
        "all brokers": describe(ask, BROKER, ""),
        "unknown keys are left out": describe(ask, TOPIC, "described", keys=["no.such.key", "retention.ms"]),
        "no keys at all": describe(ask, TOPIC, "described", keys=[]),
        "an unknown kind": describe(ask, 3, "x"),
        "nothing": ask("DescribeConfigs", 4, resources=[]),
    }


def alter(ask: Asker, kind: int, name: str, *changes: tuple[int, str, str | None], version: int = 1, validate: bool = False) -> Answer:
    configs = [{"configOperation": operation, "name": key, "value": value} for operation, key, value in changes]
    resource = {"resourceType": kind, "resourceName": name, "configs": configs}
    return ask("IncrementalAlterConfigs", version, resources=[resource], validateOnly=validate)


@question("configs: changes of a topic")
def alter_topic(ask: Asker) -> dict[str, Answer]:
    ask.topic("altered")

    def change(*changes: tuple[int, str, str | None], **more: Any) -> Answer:
        return alter(ask, TOPIC, "altered", *changes, **more)

    answers = {
        "v0": change((SET, "retention.ms", "5000"), version=0),
        "v1": change((SET, "retention.ms", "6000"), version=1),
        "unknown key": change((SET, "no.such.key", "1")),
        "bad value": change((SET, "retention.ms", "soon")),
        "null value": change((SET, "retention.ms", None)),
        "append to a list": change((APPEND, "cleanup.policy", "compact")),
        "append what is there": change((APPEND, "cleanup.policy", "compact")),
        "append to a number": change((APPEND, "retention.ms", "1")),
        "subtract": change((SUBTRACT, "cleanup.policy", "delete")),
        "subtract what is not there": change((SUBTRACT, "cleanup.policy", "delete")),
        "delete": change((DELETE, "retention.ms", None)),
        "delete what is not set": change((DELETE, "retention.ms", None)),
        "delete an unknown key": change((DELETE, "no.such.key", None)),
        "same key twice": change((SET, "retention.ms", "1"), (DELETE, "retention.ms", None)),
        "one bad among good": change((SET, "retention.ms", "9000"), (SET, "segment.bytes", "1")),
        "unknown operation": change((9, "retention.ms", "1")),
        "validated": change((SET, "retention.ms", "7"), validate=True),
        "small segments": change((SET, "segment.bytes", "1024")),
        "unknown topic": alter(ask, TOPIC, "no-such-topic", (SET, "retention.ms", "1")),
        "bad topic name": alter(ask, TOPIC, "a/b", (SET, "retention.ms", "1")),
    }
    keys = ["retention.ms", "cleanup.policy", "segment.bytes"]
    answers["what is left"] = ask.settled(lambda: describe(ask, TOPIC, "altered", keys=keys))
    return answers


@question("configs: changes of brokers")
def alter_broker(ask: Asker) -> dict[str, Answer]:
    answers = {
        "a default of all": alter(ask, BROKER, "", (SET, "log.retention.ms", "86400000")),
        "one broker": alter(ask, BROKER, "1", (SET, "log.retention.ms", "43200000")),
        "read only": alter(ask, BROKER, "1", (SET, "num.partitions", "3")),
        "read only for all": alter(ask, BROKER, "", (SET, "num.partitions", "3")),
        "of one broker, for all": alter(ask, BROKER, "", (SET, "listeners", "PLAINTEXT://:1")),
        "unknown key": alter(ask, BROKER, "1", (SET, "no.such.key", "1")),
        "bad value": alter(ask, BROKER, "1", (SET, "log.retention.ms", "soon")),
        "another broker": alter(ask, BROKER, "77", (SET, "log.retention.ms", "1")),
        "no number": alter(ask, BROKER, "one", (SET, "log.retention.ms", "1")),
        "threads": alter(ask, BROKER, "1", (SET, "num.io.threads", "10"), validate=True),
        "threads by a leap": alter(ask, BROKER, "1", (SET, "num.io.threads", "1000"), validate=True),
        "largest message": alter(ask, BROKER, "", (SET, "message.max.bytes", "2000000")),
    }
    for key, now in THREADS.items():
        for step in (now // 2 - 1, now // 2, now * 2, now * 2 + 1):
            answers[f"{key}={step}"] = alter(ask, BROKER, "1", (SET, key, str(step)), validate=True)
    ask.topic("inheriting")
    inherited, shown = ["retention.ms", "max.message.bytes"], ["log.retention.ms", "message.max.bytes"]
    answers["what a topic inherits"] = ask.settled(lambda: describe(ask, TOPIC, "inheriting", keys=inherited))
    answers["what the broker shows"] = ask.settled(lambda: describe(ask, BROKER, "1", keys=shown))
    answers["what is shown for all"] = ask.settled(lambda: describe(ask, BROKER, ""))
    for name, keys in (("", ("log.retention.ms", "message.max.bytes")), ("1", ("log.retention.ms",))):
        alter(ask, BROKER, name, *((DELETE, key, None) for key in keys))
    return answers


@question("configs: the older way to change them")
def alter_whole(ask: Asker) -> dict[str, Answer]:
    ask.topic("whole", 1, retention_ms="1000")

    def change(version: int, *configs: tuple[str, str | None], name: str = "whole") -> Answer:
        entries = [{"name": key, "value": value} for key, value in configs]
        return ask("AlterConfigs", version, resources=[{"resourceType": TOPIC, "resourceName": name, "configs": entries}])

    answers = {f"v{version}": change(version, ("segment.ms", "5000")) for version in ask.versions("AlterConfigs")}
    keys = ["retention.ms", "segment.ms"]
    answers["what was not named is back to its default"] = ask.settled(lambda: describe(ask, TOPIC, "whole", keys=keys))
    answers["unknown key"] = change(2, ("no.such.key", "1"))
    answers["null value"] = change(2, ("segment.ms", None))
    answers["unknown topic"] = change(2, ("segment.ms", "5000"), name="no-such-topic")
    return answers
