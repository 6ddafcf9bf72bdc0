"""Groups: joining, sharing, committing, and every way in which a member is turned away."""

from __future__ import annotations

from typing import Any

from .asking import UNKNOWN_ID, Answer, Asker, Connection, question

SUBSCRIPTION = bytes.fromhex("00010000000100056a6f696e73ffffffff00000000")
ASSIGNMENT = bytes.fromhex("00010000000100056a6f696e730000000100000000ffffffff")


@question("groups: their coordinator")
def coordinator(ask: Asker) -> dict[str, Answer]:
    answers: dict[str, Answer] = {}
    for version in ask.versions("FindCoordinator"):
        body = {"coordinatorKeys": ["g"]} if version >= 4 else {"key": "g"}
        answers[f"v{version}"] = ask.settled(lambda version=version, body=body: ask("FindCoordinator", version, **body))
    answers["several"] = ask("FindCoordinator", 4, coordinatorKeys=["a", "b"], keyType=0)
    answers["empty name"] = ask("FindCoordinator", 4, coordinatorKeys=[""], keyType=0)
    answers["unknown kind"] = ask("FindCoordinator", 4, coordinatorKeys=["g"], keyType=9)
    answers["a share key, too early"] = ask("FindCoordinator", 4, coordinatorKeys=["g"], keyType=2)
    return answers


def join(ask: Asker, group: str, version: int = 9, **more: Any) -> dict[str, Any]:
    body: dict[str, Any] = {
        "groupId": group,
        "sessionTimeoutMs": 10_000,
        "memberId": "",
        "protocolType": "consumer",
        "protocols": [{"name": "range", "metadata": SUBSCRIPTION}],
    }
    if version >= 1:
        body["rebalanceTimeoutMs"] = 10_000
    return ask.raw("JoinGroup", version, **(body | more))


def joined(ask: Asker, group: str, **more: Any) -> str:
    """A single member, as its own leader, stable; returns its id."""
    first = join(ask, group, **more)
    second = join(ask, group, memberId=first["memberId"], **more)
    member = second["memberId"]
    ask.raw(
        "SyncGroup",
        5,
        groupId=group,
        generationId=second["generationId"],
        memberId=member,
        protocolType="consumer",
        protocolName="range",
        assignments=[{"memberId": member, "assignment": ASSIGNMENT}],
        **({"groupInstanceId": more["groupInstanceId"]} if "groupInstanceId" in more else {}),
    )
    return member


def ready(ask: Asker) -> None:
    """Waits until the coordinator takes requests: its topic is made by the first who looks for it."""
    ask.settled(lambda: ask("FindCoordinator", 4, coordinatorKeys=["ready"]))
    ask.settled(lambda: ask("OffsetFetch", 7, groupId="ready", topics=None))


@question("groups: joining in every version")
def join_versions(ask: Asker) -> dict[str, Answer]:
    ready(ask)
    answers: dict[str, Answer] = {}
    for version in ask.versions("JoinGroup"):
        group = f"join-v{version}"
        first = join(ask, group, version)
        answers[f"v{version}"] = ask.comparable(first)
        if first["memberId"]:
            answers[f"v{version} with its id"] = ask.comparable(join(ask, group, version, memberId=first["memberId"]))
    return answers


@question("groups: joining that is refused")
def join_refused(ask: Asker) -> dict[str, Answer]:
    ready(ask)
    joined(ask, "strict")
    cases: dict[str, dict[str, Any]] = {
        "empty group": {"group": ""},
        "unknown member": {"group": "refused", "memberId": "nobody"},
        "session too short": {"group": "refused", "sessionTimeoutMs": 10},
        "session too long": {"group": "refused", "sessionTimeoutMs": 100_000_000},
        "no protocols": {"group": "refused", "protocols": []},
        "empty kind": {"group": "refused", "protocolType": ""},
        "another kind than the group's": {"group": "strict", "protocolType": "connect"},
        "no protocol in common": {"group": "strict", "protocols": [{"name": "other", "metadata": b""}]},
    }
    return {label: ask.comparable(join(ask, case.pop("group"), **case)) for label, case in cases.items()}


@question("groups: one member's life, and strangers")
def life(ask: Asker) -> dict[str, Answer]:
    ready(ask)
    ask.topic("joins", 1)
    group = "life"
    first = join(ask, group)
    second = join(ask, group, memberId=first["memberId"])
    member, generation = second["memberId"], second["generationId"]

    def sync(version: int = 5, **more: Any) -> Answer:
        body = {"groupId": group, "generationId": generation, "memberId": member}
        body |= {"protocolType": "consumer", "protocolName": "range"} if version >= 5 else {}
        return ask("SyncGroup", version, **(body | more))

    def heartbeat(version: int = 4, **more: Any) -> Answer:
        return ask("Heartbeat", version, **({"groupId": group, "generationId": generation, "memberId": member} | more))

    assignments = [{"memberId": member, "assignment": ASSIGNMENT}]
    answers: dict[str, Answer] = {"first": ask.comparable(first), "second": ask.comparable(second)}
    answers["heartbeat before the sync"] = heartbeat()
    answers["sync of a stranger"] = sync(memberId="nobody")
    answers["sync of another generation"] = sync(generationId=9)
    answers["sync of another protocol"] = sync(protocolName="other")
    answers["sync of another kind"] = sync(protocolType="connect")
    answers["sync"] = sync(assignments=assignments)
    for version in ask.versions("SyncGroup"):
        answers[f"sync again v{version}"] = sync(version)
    for version in ask.versions("Heartbeat"):
        answers[f"heartbeat v{version}"] = heartbeat(version)
    answers["heartbeat of a stranger"] = heartbeat(memberId="nobody")
    answers["heartbeat of another generation"] = heartbeat(generationId=9)
    answers["heartbeat in an unknown group"] = heartbeat(groupId="life-none")
    answers["heartbeat in no group"] = heartbeat(groupId="")
    answers["heartbeat with an unknown instance"] = heartbeat(groupInstanceId="other")
    for version in ask.versions("DescribeGroups"):
        described = ask("DescribeGroups", version, groups=[group, "life-none"])
        # Kafka asks each partition of __consumer_offsets for its groups, in no order.
        described["groups"].sort(key=lambda one: one["groupId"])
        answers[f"described v{version}"] = described
    answers["delete while it lives"] = ask("DeleteGroups", 2, groupsNames=[group])
    answers["rejoin with the same protocols"] = ask.comparable(join(ask, group, memberId=member))
    answers["leave of a stranger"] = ask("LeaveGroup", 5, groupId=group, members=[{"memberId": "nobody"}])
    answers["leave"] = ask("LeaveGroup", 5, groupId=group, members=[{"memberId": member, "reason": "done"}])
    answers["leave again"] = ask("LeaveGroup", 5, groupId=group, members=[{"memberId": member}])
    answers["leave an unknown group"] = ask("LeaveGroup", 5, groupId="life-none", members=[{"memberId": "nobody"}])
    for version in range(3):
        answers[f"leave v{version}"] = ask("LeaveGroup", version, groupId=group, memberId="nobody")
    answers["described when empty"] = ask("DescribeGroups", 6, groups=[group])
    return answers


@question("groups: described while it rebalances")
def rebalancing(ask: Asker) -> dict[str, Answer]:
    ready(ask)
    group = "rebalancing"
    first = joined(ask, group)
    second = join(ask, group)["memberId"]
    answers: dict[str, Answer] = {}

    def described() -> Answer:
        answer = ask.raw("DescribeGroups", 6, groups=[group])
        answer["groups"][0]["members"].sort(key=lambda member: member["memberId"] != first)
        return ask.comparable(answer)

    def asks_to_join(connection: Connection, member: str) -> int:
        body: dict[str, Any] = {"groupId": group, "sessionTimeoutMs": 10_000, "rebalanceTimeoutMs": 10_000}
        body |= {"memberId": member, "protocolType": "consumer", "protocols": [{"name": "range", "metadata": SUBSCRIPTION}]}
        return connection.send("JoinGroup", 9, body)

    with Connection(ask.host, ask.port, timeout=15.0) as one, Connection(ask.host, ask.port, timeout=15.0) as other:
        theirs = asks_to_join(other, second)
        answers["one has joined"] = ask.settled(described)
        ours = asks_to_join(one, first)
        leads = one.receive("JoinGroup", 9, ours)
        other.receive("JoinGroup", 9, theirs)
        answers["both have joined"] = described()
        given = [{"memberId": second, "assignment": ASSIGNMENT}]
        sync = {"groupId": group, "generationId": leads["generationId"], "memberId": first, "assignments": given}
        one.request("SyncGroup", 5, sync | {"protocolType": "consumer", "protocolName": "range"})
        answers["the leader has assigned"] = described()
    return answers


@question("groups: static members")
def static(ask: Asker) -> dict[str, Answer]:
    ready(ask)
    first = join(ask, "static", groupInstanceId="one")
    again = join(ask, "static", groupInstanceId="one")
    answers: dict[str, Answer] = {"joined": ask.comparable(first), "replaced": ask.comparable(again)}
    asked = {"groupId": "static", "generationId": again["generationId"]}
    answers["the first is fenced"] = ask("Heartbeat", 4, memberId=first["memberId"], groupInstanceId="one", **asked)
    answers["unknown instance"] = ask("Heartbeat", 4, memberId=again["memberId"], groupInstanceId="two", **asked)
    member = {"memberId": "", "groupInstanceId": "one"}
    answers["removed by its instance"] = ask("LeaveGroup", 5, groupId="static", members=[member])
    answers["removed again"] = ask("LeaveGroup", 5, groupId="static", members=[member])
    return answers


@question("groups: listed")
def listed(ask: Asker) -> dict[str, Answer]:
    ready(ask)
    joined(ask, "listed-stable")
    ours = lambda answer: sorted(  # noqa: E731
        (group for group in answer["groups"] if group["groupId"].startswith("listed-")), key=lambda group: group["groupId"]
    )
    answers = {f"v{version}": ours(ask("ListGroups", version)) for version in ask.versions("ListGroups")}
    answers["stable"] = ours(ask("ListGroups", 5, statesFilter=["Stable"]))
    answers["in small letters"] = ours(ask("ListGroups", 5, statesFilter=["stable"]))
    answers["dead"] = ours(ask("ListGroups", 5, statesFilter=["Dead"]))
    answers["classic"] = ours(ask("ListGroups", 5, typesFilter=["classic"]))
    answers["of the new kind"] = ours(ask("ListGroups", 5, typesFilter=["consumer"]))
    return answers


def commit(ask: Asker, group: str, version: int = 9, topic: str = "committed", offset: int = 5, **more: Any) -> Answer:
    partition = {"partitionIndex": 0, "committedOffset": offset} | more.pop("partition", {})
    where = {"topicId": topic} if version >= 10 else {"name": topic}
    return ask("OffsetCommit", version, groupId=group, topics=[where | {"partitions": [partition]}], **more)


@question("groups: commits")
def commits(ask: Asker) -> dict[str, Answer]:
    ready(ask)
    topic_id = ask.topic("committed", 2)
    member = joined(ask, "committing")
    answers: dict[str, Answer] = {}
    for version in ask.versions("OffsetCommit"):
        where = topic_id if version >= 10 else "committed"
        answers[f"v{version}"] = commit(ask, f"commit-v{version}", version, where, generationIdOrMemberEpoch=-1)
    mine = {"memberId": member, "generationIdOrMemberEpoch": 1}
    answers["of a member"] = commit(ask, "committing", **mine)
    answers["of another generation"] = commit(ask, "committing", memberId=member, generationIdOrMemberEpoch=9)
    answers["of a stranger"] = commit(ask, "committing", memberId="nobody", generationIdOrMemberEpoch=1)
    answers["of an outsider while members live"] = commit(ask, "committing", generationIdOrMemberEpoch=-1)
    answers["with a generation, in a new group"] = commit(ask, "commit-new", memberId="nobody", generationIdOrMemberEpoch=3)
    answers["in no group"] = commit(ask, "", generationIdOrMemberEpoch=-1)
    answers["unknown topic"] = commit(ask, "commit-v9", topic="committed-none")
    answers["unknown partition"] = commit(ask, "commit-v9", partition={"partitionIndex": 7})
    answers["unknown id"] = commit(ask, "commit-v9", 10, UNKNOWN_ID)
    answers["long metadata"] = commit(ask, "commit-v9", partition={"committedMetadata": "x" * 4097})
    answers["longest metadata"] = commit(ask, "commit-v9", partition={"committedMetadata": "x" * 4096})
    answers["negative offset"] = commit(ask, "commit-v9", offset=-5)
    answers["nothing"] = ask("OffsetCommit", 9, groupId="commit-v9", topics=[])
    return answers


@question("groups: committed offsets")
def fetched(ask: Asker) -> dict[str, Answer]:
    ready(ask)
    topic_id = ask.topic("fetched-offsets", 2)
    partition = {"committedLeaderEpoch": 0, "committedMetadata": "so far"}
    commit(ask, "fetching", topic="fetched-offsets", generationIdOrMemberEpoch=-1, partition=partition)
    answers: dict[str, Answer] = {}
    for version in ask.versions("OffsetFetch"):
        where = {"topicId": topic_id} if version >= 10 else {"name": "fetched-offsets"}
        topics = [where | {"partitionIndexes": [0, 1, 5]}]
        if version >= 8:
            body: dict[str, Any] = {"groups": [{"groupId": "fetching", "topics": topics}]}
            answers[f"v{version} all"] = ask("OffsetFetch", version, groups=[{"groupId": "fetching", "topics": None}])
        else:
            body = {"groupId": "fetching", "topics": topics}
            if version >= 2:
                answers[f"v{version} all"] = ask("OffsetFetch", version, groupId="fetching", topics=None)
        answers[f"v{version}"] = ask("OffsetFetch", version, **body)
    several = [{"groupId": name, "topics": None} for name in ("fetching", "fetching-none", "")]
    answers["several groups"] = ask("OffsetFetch", 9, groups=several)
    stranger = [{"groupId": "fetching", "memberId": "nobody", "memberEpoch": 3, "topics": None}]
    answers["a stranger"] = ask("OffsetFetch", 9, groups=stranger)
    unknown = [{"groupId": "fetching", "topics": [{"topicId": UNKNOWN_ID, "partitionIndexes": [0]}]}]
    answers["unknown id"] = ask("OffsetFetch", 10, groups=unknown)
    answers["only what is stable"] = ask("OffsetFetch", 9, groups=[{"groupId": "fetching", "topics": None}], requireStable=True)
    return answers


@question("groups: offsets and groups deleted")
def deleted(ask: Asker) -> dict[str, Answer]:
    ready(ask)
    ask.topic("joins-2")
    ask.topic("dropped", 2)
    joined(ask, "subscribed")
    for group in ("dropping", "gone-v0", "gone-v1", "gone-v2"):
        commit(ask, group, topic="dropped", generationIdOrMemberEpoch=-1)

    def drop(group: str, topic: str = "dropped", partition: int = 0) -> Answer:
        return ask("OffsetDelete", 0, groupId=group, topics=[{"name": topic, "partitions": [{"partitionIndex": partition}]}])

    answers: dict[str, Answer] = {
        "an offset": drop("dropping"),
        "an offset that is not there": drop("dropping", partition=1),
        "an unknown topic": drop("dropping", topic="dropped-none"),
        "an unknown partition": drop("dropping", partition=8),
        "in an unknown group": drop("dropping-none"),
        "of a topic a member reads": drop("subscribed", topic="joins"),
        "of a topic no member reads": drop("subscribed"),
    }
    for version in ask.versions("DeleteGroups"):
        answers[f"group v{version}"] = ask("DeleteGroups", version, groupsNames=[f"gone-v{version}"])
    answers["group again"] = ask("DeleteGroups", 2, groupsNames=["gone-v2"])
    answers["group with members"] = ask("DeleteGroups", 2, groupsNames=["subscribed"])
    answers["no name"] = ask("DeleteGroups", 2, groupsNames=[""])
    answers["what a deleted group had"] = ask("OffsetFetch", 9, groups=[{"groupId": "gone-v2", "topics": None}])
    return answers
