"""The members of one Kafka Streams application (KIP-1071), as a broker sees them: each heartbeats, gives up and takes over tasks."""

from __future__ import annotations

import time
from typing import Any

from protocol import Connection, error_name

NOT_YET = ("COORDINATOR_LOAD_IN_PROGRESS", "COORDINATOR_NOT_AVAILABLE", "NOT_COORDINATOR")
ROLES = ("activeTasks", "standbyTasks", "warmupTasks")
LEAVING = -1
PATIENCE_SECONDS = 60.0


class Application:
    """One group with its members. It reads `source`, and keeps state in a changelog of its own."""

    def __init__(self, group: str, source: str, partitions: int, patience_ms: int = 60_000) -> None:
        self.group, self.source, self.partitions, self.patience_ms = group, source, partitions, patience_ms
        # What each member was answered last.
        self.epochs: dict[str, int] = {}
        self.held: dict[str, dict[str, list[dict[str, Any]]]] = {}

    def joining(self, member: str) -> dict[str, Any]:
        changelog = {
            "name": f"{self.group}-state-changelog",
            "partitions": 0,
            "replicationFactor": 0,
            "topicConfigs": [{"key": "cleanup.policy", "value": "compact"}],
        }
        part = {
            "subtopologyId": "0",
            "sourceTopics": [self.source],
            "sourceTopicRegex": [],
            "stateChangelogTopics": [changelog],
            "repartitionSinkTopics": [],
            "repartitionSourceTopics": [],
            "copartitionGroups": [],
        }
        topology = {"epoch": 0, "subtopologies": [part]}
        nothing: dict[str, Any] = {role: [] for role in ROLES}
        return nothing | {"topology": topology, "processId": f"process of {member}", "rebalanceTimeoutMs": self.patience_ms}

    def beat(self, connection: Connection, member: str) -> bool:
        """One heartbeat; whether the coordinator has answered it. The first joins."""
        epoch = self.epochs.get(member, 0)
        more = self.joining(member) if epoch == 0 else dict(self.held[member])
        return self.asked(connection, member, epoch, more)

    def leave(self, connection: Connection, member: str) -> bool:
        return self.asked(connection, member, LEAVING, {})

    def asked(self, connection: Connection, member: str, epoch: int, more: dict[str, Any]) -> bool:
        body = {"groupId": self.group, "memberId": member, "memberEpoch": epoch, "endpointInformationEpoch": 0} | more
        answer = connection.request("StreamsGroupHeartbeat", 0, body)
        if error_name(answer["errorCode"]) in NOT_YET:
            connection.request("FindCoordinator", 4, {"coordinatorKeys": [self.group]})
            return False
        assert answer["errorCode"] == 0, (member, epoch, answer)
        if epoch == LEAVING:
            self.epochs.pop(member, None)
            self.held.pop(member, None)
            return True
        self.epochs[member] = answer["memberEpoch"]
        if answer["activeTasks"] is not None:
            self.held[member] = {role: answer[role] for role in ROLES}
        return True

    def described(self, connection: Connection) -> dict[str, Any]:
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            group = connection.request("StreamsGroupDescribe", 0, {"groupIds": [self.group]})["groups"][0]
            if error_name(group["errorCode"]) not in NOT_YET:
                break
            assert time.monotonic() < end, "the coordinator never loads"
            connection.request("FindCoordinator", 4, {"coordinatorKeys": [self.group]})
            time.sleep(0.05)
        assert group["errorCode"] == 0, group
        group["members"].sort(key=lambda member: member["memberId"])
        return group

    def is_whole(self, group: dict[str, Any]) -> bool:
        """Every task has exactly one member."""
        return group["groupState"] == "Stable" and active(group) == list(range(self.partitions))

    def rest(self, connection: Connection) -> dict[str, Any]:
        """Everybody goes on until nothing moves any more."""
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            for member in list(self.epochs):
                self.beat(connection, member)
            group = self.described(connection)
            if self.is_whole(group) and set(self.epochs.values()) == {group["groupEpoch"]}:
                return group
            assert time.monotonic() < end, f"the application never comes to rest: {group}"
            time.sleep(0.05)


def active(group: dict[str, Any]) -> list[int]:
    """The partitions of all active tasks, of every member."""
    tasks = [ids for member in group["members"] for ids in member["assignment"]["activeTasks"]]
    return sorted(partition for ids in tasks for partition in ids["partitions"])
