"""Topics: created, described, grown, deleted, and every way in which that is refused."""

from __future__ import annotations

import time
from typing import Any

from .asking import UNKNOWN_ID, Answer, Asker, question


@question("metadata: every version, a topic that exists and one that does not")
def metadata(ask: Asker) -> dict[str, Answer]:
    ask.topic("meta", 2)
    answers: dict[str, Answer] = {}
    for version in ask.versions("Metadata"):
        quiet: dict[str, Any] = {"allowAutoTopicCreation": False} if version >= 4 else {}
        operations: dict[str, Any] = {"includeTopicAuthorizedOperations": True} if version >= 8 else {}
        answers[f"v{version}"] = ask("Metadata", version, topics=[{"name": "meta"}], **quiet, **operations)
        if version >= 4:
            names = ["meta-none", "a/b", "", "x" * 250, ".."]
            answer = ask("Metadata", version, topics=[{"name": name} for name in names], **quiet)
            # Kafka keeps what it does not find in a hash table.
            answer["topics"].sort(key=lambda topic: topic["name"])
            answers[f"v{version} bad names"] = answer
        if version >= 10:
            answers[f"v{version} unknown id"] = ask("Metadata", version, topics=[{"topicId": UNKNOWN_ID, "name": None}], **quiet)
    answers["no topics"] = ask("Metadata", 12, topics=[])
    return answers


@question("metadata: a topic by its id")
def metadata_by_id(ask: Asker) -> dict[str, Answer]:
    topic_id = ask.topic("meta-id", 1)
    by_id = [{"topicId": topic_id, "name": None}]
    both = [{"topicId": topic_id, "name": "meta-id"}]
    return {
        "id": ask("Metadata", 12, topics=by_id, allowAutoTopicCreation=False),
        "id and name": ask("Metadata", 12, topics=both, allowAutoTopicCreation=False),
        "null name and no id": ask("Metadata", 12, topics=[{"name": None}], allowAutoTopicCreation=False),
    }


@question("metadata: creation by asking")
def auto_create(ask: Asker) -> dict[str, Answer]:
    first = ask("Metadata", 12, topics=[{"name": "auto-created"}], allowAutoTopicCreation=True)
    end = time.monotonic() + 10
    while time.monotonic() < end:
        later = ask.raw("Metadata", 12, topics=[{"name": "auto-created"}], allowAutoTopicCreation=True)
        if later["topics"][0]["errorCode"] == 0:
            break
        time.sleep(0.05)
    refused = ask("Metadata", 12, topics=[{"name": "bad name"}], allowAutoTopicCreation=True)
    return {"first": first["topics"][0]["errorCode"], "later": ask.comparable(later["topics"]), "bad name": refused["topics"]}


@question("metadata: the cluster")
def cluster(ask: Asker) -> dict[str, Answer]:
    answers = {}
    for version in ask.versions("DescribeCluster"):
        answers[f"v{version}"] = ask("DescribeCluster", version, includeClusterAuthorizedOperations=True)
    answers["v1 controllers"] = ask("DescribeCluster", 1, endpointType=2)
    return answers


@question("metadata: partitions page by page")
def pages(ask: Asker) -> dict[str, Answer]:
    ask.topic("paged", 5)
    topics = [{"name": "paged"}, {"name": "paged-none"}]
    cursor = {"topicName": "paged", "partitionIndex": 3}
    return {
        "all": ask("DescribeTopicPartitions", 0, topics=topics, responsePartitionLimit=2000, cursor=None),
        "two": ask("DescribeTopicPartitions", 0, topics=topics, responsePartitionLimit=2, cursor=None),
        "from a cursor": ask("DescribeTopicPartitions", 0, topics=topics, responsePartitionLimit=2000, cursor=cursor),
        "negative cursor": ask(
            "DescribeTopicPartitions", 0, topics=topics, responsePartitionLimit=2, cursor={"topicName": "paged", "partitionIndex": -1}
        ),
    }


def wanted(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "numPartitions": 1, "replicationFactor": 1} | more


def assigned(*replicas: list[int]) -> list[dict[str, Any]]:
    return [{"partitionIndex": index, "brokerIds": ids} for index, ids in enumerate(replicas)]


@question("create: who does not wait gets nothing, nor who grows, deletes, elects or reassigns")
def no_patience(ask: Asker) -> dict[str, Answer]:
    ask.topic("patient", 1)
    answers = {}
    for timeout in [0, -1, -2147483648]:
        more = [{"name": "patient", "count": 2, "assignments": None}]
        answers[f"create {timeout}"] = ask("CreateTopics", 7, topics=[wanted("hasty"), wanted("patient")], timeoutMs=timeout)
        answers[f"validate {timeout}"] = ask("CreateTopics", 7, topics=[wanted("hasty")], timeoutMs=timeout, validateOnly=True)
        answers[f"grow {timeout}"] = ask("CreatePartitions", 3, topics=more, timeoutMs=timeout)
        answers[f"delete {timeout}"] = ask("DeleteTopics", 6, topics=[{"name": "patient"}, {"name": "hasty"}], timeoutMs=timeout)
        elect = [{"topic": "patient", "partitions": [0]}]
        answers[f"elect {timeout}"] = ask("ElectLeaders", 2, electionType=0, topicPartitions=elect, timeoutMs=timeout)
        move = [{"name": "patient", "partitions": [{"partitionIndex": 0, "replicas": None}]}]
        answers[f"reassign {timeout}"] = ask("AlterPartitionReassignments", 0, topics=move, timeoutMs=timeout)
        answers[f"reassigned {timeout}"] = ask("ListPartitionReassignments", 0, topics=None, timeoutMs=timeout)
    answers["elect everywhere"] = ask("ElectLeaders", 2, electionType=0, topicPartitions=None, timeoutMs=0)
    answers["elect nowhere"] = ask("ElectLeaders", 2, electionType=0, topicPartitions=[], timeoutMs=0)
    answers["elect in an unknown way"] = ask("ElectLeaders", 2, electionType=9, topicPartitions=elect, timeoutMs=0)
    answers["reassign nothing"] = ask("AlterPartitionReassignments", 0, topics=[], timeoutMs=0)
    names = [{"name": "patient"}, {"name": "hasty"}]
    answers["afterwards"] = ask("Metadata", 12, topics=names, allowAutoTopicCreation=False)
    return answers


@question("create: every version")
def create_versions(ask: Asker) -> dict[str, Answer]:
    answers = {}
    for version in ask.versions("CreateTopics"):
        answer = ask.raw("CreateTopics", version, topics=[wanted(f"created-v{version}", numPartitions=3)], timeoutMs=9000)
        for topic in answer["topics"]:
            names = [config["name"] for config in topic.get("configs") or []]
            topic["configs"] = sorted(names) if "configs" in topic else "not in this version"
        answers[f"v{version}"] = ask.comparable(answer)
    return answers


@question("create: what is refused")
def create_refused(ask: Asker) -> dict[str, Answer]:
    ask.topic("taken.name")
    cases: dict[str, dict[str, Any]] = {
        "exists": wanted("taken.name"),
        "differs only in a dot": wanted("taken_name"),
        "empty name": wanted(""),
        "one dot": wanted("."),
        "two dots": wanted(".."),
        "a slash": wanted("a/b"),
        "a space": wanted("a b"),
        "a letter outside ascii": wanted("tüv"),
        "249 letters": wanted("x" * 249),
        "250 letters": wanted("x" * 250),
        "no partitions": wanted("c1", numPartitions=0),
        "default partitions": wanted("c2", numPartitions=-1),
        "minus two partitions": wanted("c3", numPartitions=-2),
        "no replicas": wanted("c4", replicationFactor=0),
        "default replicas": wanted("c5", replicationFactor=-1),
        "minus two replicas": wanted("c6", replicationFactor=-2),
        "two replicas of one broker": wanted("c7", replicationFactor=2),
        "placed by hand": wanted("c8", numPartitions=-1, replicationFactor=-1, assignments=assigned([1], [1])),
        "placed and counted": wanted("c9", assignments=assigned([1])),
        "placed on an unknown broker": wanted("c10", numPartitions=-1, replicationFactor=-1, assignments=assigned([9])),
        "placed twice on one broker": wanted("c11", numPartitions=-1, replicationFactor=-1, assignments=assigned([1, 1])),
        "placed nowhere": wanted("c12", numPartitions=-1, replicationFactor=-1, assignments=assigned([])),
        "placed with a gap": wanted("c13", numPartitions=-1, replicationFactor=-1, assignments=[{"partitionIndex": 1, "brokerIds": [1]}]),
        "placed twice": wanted("c14", numPartitions=-1, replicationFactor=-1, assignments=assigned([1]) * 2),
        "internal name": wanted("__transaction_state_x"),
    }
    answers = {}
    for label, topic in cases.items():
        answer = ask("CreateTopics", 7, topics=[topic], timeoutMs=9000, validateOnly=True)
        answers[label] = [without_configs(entry) for entry in answer["topics"]]
    twice = ask("CreateTopics", 7, topics=[wanted("twice"), wanted("twice"), wanted("once")], timeoutMs=9000, validateOnly=True)
    answers["twice in one request"] = sorted((without_configs(entry) for entry in twice["topics"]), key=lambda entry: entry["name"])
    answers["nothing"] = ask("CreateTopics", 7, topics=[], timeoutMs=9000)
    return answers


def without_configs(topic: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in topic.items() if key not in ("configs", "topicId")}


@question("create: configurations")
def create_configs(ask: Asker) -> dict[str, Answer]:
    cases: dict[str, list[tuple[str, str | None]]] = {
        "unknown key": [("no.such.key", "1")],
        "not a number": [("retention.ms", "soon")],
        "below the least": [("retention.ms", "-2")],
        "without limit": [("retention.ms", "-1")],
        "null value": [("retention.ms", None)],
        "not a codec": [("compression.type", "rar")],
        "every codec": [("compression.type", "zstd")],
        "policy of none": [("cleanup.policy", "")],
        "policy of both": [("cleanup.policy", "compact,delete")],
        "policy unknown": [("cleanup.policy", "burn")],
        "small segments": [("segment.bytes", "1024")],
        "least segments": [("segment.bytes", "1048576")],
        "more in sync than replicas": [("min.insync.replicas", "2")],
        "none in sync": [("min.insync.replicas", "0")],
        "ratio above one": [("min.cleanable.dirty.ratio", "1.5")],
        "kind of time": [("message.timestamp.type", "LogAppendTime")],
        "kind of time unknown": [("message.timestamp.type", "Never")],
        "same key twice": [("retention.ms", "1"), ("retention.ms", "2")],
        "local retention above retention": [("local.retention.ms", "10"), ("retention.ms", "5")],
        "remote storage": [("remote.storage.enable", "true")],
        "compaction lag upside down": [("min.compaction.lag.ms", "10"), ("max.compaction.lag.ms", "5")],
        "spaces around": [("retention.ms", " 5 ")],
        "a bool in capitals": [("preallocate", "TRUE")],
        "not a bool": [("preallocate", "yes")],
        "throttled replicas": [("leader.replication.throttled.replicas", "0:1,1:1")],
        "throttled replicas wrong": [("leader.replication.throttled.replicas", "some")],
    }
    answers = {}
    for index, (label, configs) in enumerate(cases.items()):
        topic = wanted(f"configured-{index}", configs=[{"name": name, "value": value} for name, value in configs])
        answer = ask("CreateTopics", 7, topics=[topic], timeoutMs=9000, validateOnly=True)["topics"][0]
        shown = [config for config in answer["configs"] or [] if config["configSource"] == 1]
        answers[label] = without_configs(answer) | {"set": sorted(shown, key=lambda config: config["name"])}
    return answers


@question("create: the configurations an answer carries")
def create_answer(ask: Asker) -> dict[str, Answer]:
    answer = ask("CreateTopics", 7, topics=[wanted("answered")], timeoutMs=9000)["topics"][0]
    return {config["name"]: config for config in answer["configs"]} | {"": without_configs(answer)}


@question("delete: by name, by id, and what is not there")
def delete(ask: Asker) -> dict[str, Answer]:
    answers: dict[str, Answer] = {}
    for version in ask.versions("DeleteTopics"):
        name = f"deleted-v{version}"
        topic_id = ask.topic(name)
        if version >= 6:
            answers["both"] = ask("DeleteTopics", version, topics=[{"name": name, "topicId": topic_id}], timeoutMs=9000)
            answers["neither"] = ask("DeleteTopics", version, topics=[{"name": None}], timeoutMs=9000)
            answers["by id"] = ask("DeleteTopics", version, topics=[{"name": None, "topicId": topic_id}], timeoutMs=9000)
            answers["unknown id"] = ask("DeleteTopics", version, topics=[{"name": None, "topicId": UNKNOWN_ID}], timeoutMs=9000)
            answers["unknown name"] = ask("DeleteTopics", version, topics=[{"name": "never"}], timeoutMs=9000)
            twice = ask("DeleteTopics", version, topics=[{"name": "never"}, {"name": "never"}], timeoutMs=9000)
            answers["the same twice"] = twice
        else:
            answers[f"v{version}"] = ask("DeleteTopics", version, topicNames=[name, "never"], timeoutMs=9000)
            rows = answers[f"v{version}"]["responses"]
            answers[f"v{version}"]["responses"] = sorted(rows, key=lambda row: row["name"])
    return answers


@question("partitions: more, fewer, and placed by hand")
def partitions(ask: Asker) -> dict[str, Answer]:
    ask.topic("growing", 2)

    def grow(name: str, count: int, version: int = 3, assignments: list[Any] | None = None, validate: bool = False) -> Answer:
        topic = {"name": name, "count": count, "assignments": assignments}
        return ask("CreatePartitions", version, topics=[topic], timeoutMs=9000, validateOnly=validate)

    answers = {f"v{version}": grow("growing", 3 + version, version) for version in ask.versions("CreatePartitions")}
    answers["same"] = grow("growing", 6)
    answers["fewer"] = grow("growing", 1)
    answers["negative"] = grow("growing", -1)
    answers["none"] = grow("growing", 0)
    answers["unknown"] = grow("growing-none", 4)
    answers["validated"] = grow("growing", 9, validate=True)
    answers["placed"] = grow("growing", 7, assignments=[{"brokerIds": [1]}])
    answers["placed too few"] = grow("growing", 9, assignments=[{"brokerIds": [1]}])
    answers["placed on an unknown broker"] = grow("growing", 8, assignments=[{"brokerIds": [7]}])
    answers["placed on two"] = grow("growing", 8, assignments=[{"brokerIds": [1, 1]}])
    answers["absurd"] = grow("growing", 2_000_000_000, validate=True)
    twice = [{"name": "growing", "count": 20, "assignments": None}] * 2
    answers["twice in one request"] = ask("CreatePartitions", 3, topics=twice, timeoutMs=9000, validateOnly=True)
    return answers
