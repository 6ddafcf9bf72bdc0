"""Credentials and access rules, on a node that has no authorizer."""

from __future__ import annotations

import json
from typing import Any

from .asking import Answer, Asker, question

USER, OTHER = "scram-user", "scram-other"
SHA_256, SHA_512 = 1, 2
SALT, SALTED = b"salt of sixteen.", b"thirty-two bytes of salted words"


def upsertion(name: str, mechanism: int = SHA_256, iterations: int = 4096, **changed: Any) -> dict[str, Any]:
    return {"name": name, "mechanism": mechanism, "iterations": iterations, "salt": SALT, "saltedPassword": SALTED} | changed


def deletion(name: str, mechanism: int = SHA_256) -> dict[str, Any]:
    return {"name": name, "mechanism": mechanism}


def sorted_results(answer: Answer) -> Answer:
    """Kafka keeps them in a table without an order."""
    if isinstance(answer, dict) and "results" in answer:
        for result in answer["results"]:
            if "credentialInfos" in result:
                result["credentialInfos"] = sorted(result["credentialInfos"], key=json.dumps)
        answer["results"] = sorted(answer["results"], key=json.dumps)
    return answer


def altered(ask: Asker, deletions: list[dict[str, Any]], upsertions: list[dict[str, Any]]) -> Answer:
    return sorted_results(ask.worded("AlterUserScramCredentials", 0, deletions=deletions, upsertions=upsertions))


def described(ask: Asker, *names: str) -> Answer:
    users = [{"name": name} for name in names] if names else None
    return ask.settled(lambda: sorted_results(ask.worded("DescribeUserScramCredentials", 0, users=users)))


ALTERATIONS: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]] = {
    "nothing": ([], []),
    "a deletion of nobody": ([deletion(USER)], []),
    "two users": ([], [upsertion(USER), upsertion(OTHER, SHA_512, 8192)]),
    "another mechanism": ([], [upsertion(USER, SHA_512)]),
    "another mechanism's deletion": ([deletion(OTHER, SHA_256)], []),
    "more iterations": ([], [upsertion(USER, iterations=16384)]),
    "too few iterations": ([], [upsertion(USER, iterations=4095)]),
    "too many iterations": ([], [upsertion(USER, iterations=16385)]),
    "no iterations": ([], [upsertion(USER, iterations=0)]),
    "nobody": ([], [upsertion("")]),
    "nobody's deletion": ([deletion("")], []),
    "no mechanism": ([], [upsertion(USER, 0)]),
    "an unknown mechanism": ([deletion(OTHER, 3)], [upsertion(USER, 3)]),
    "no salt": ([], [upsertion(OTHER, SHA_512, salt=b"")]),
    "no password": ([], [upsertion(OTHER, SHA_512, saltedPassword=b"")]),
    "a long password": ([], [upsertion(OTHER, SHA_512, saltedPassword=b"long " * 100)]),
    "a user twice": ([], [upsertion(USER), upsertion(USER, SHA_512)]),
    "a user three times": ([], [upsertion(USER), upsertion(USER, SHA_512), upsertion(USER)]),
    "a user deleted and set": ([deletion(USER)], [upsertion(USER, SHA_512)]),
    "a user deleted twice": ([deletion(USER), deletion(USER, SHA_512)], []),
    "one wrong of two": ([deletion(USER, SHA_512)], [upsertion(OTHER, iterations=1)]),
    "the rest": ([deletion(USER), deletion(OTHER, SHA_512)], []),
}


@question("security: credentials")
def credentials(ask: Asker) -> dict[str, Answer]:
    answers: dict[str, Answer] = {}
    for label, (deletions, upsertions) in ALTERATIONS.items():
        answers[label] = altered(ask, deletions, upsertions)
        answers[f"after {label}"] = described(ask)
        if label == "another mechanism":
            answers["one user"] = described(ask, USER)
            answers["a user and nobody"] = described(ask, USER, "nobody of this name", "")
            answers["a user twice"] = described(ask, USER, OTHER, USER)
            answers["no users"] = sorted_results(ask.worded("DescribeUserScramCredentials", 0, users=[]))
    return answers


@question("security: access rules without an authorizer")
def access(ask: Asker) -> dict[str, Answer]:
    answers: dict[str, Answer] = {}
    for version in ask.versions("DescribeAcls"):
        pattern = {"patternTypeFilter": 1}
        every = {
            "resourceTypeFilter": 1,
            "resourceNameFilter": None,
            "principalFilter": None,
            "hostFilter": None,
            "operation": 1,
            "permissionType": 1,
        }
        answers[f"v{version} described"] = ask.worded("DescribeAcls", version, **every, **pattern)
        filters = [every | pattern, every | pattern | {"resourceTypeFilter": 2, "resourceNameFilter": "a"}]
        answers[f"v{version} deleted"] = ask.worded("DeleteAcls", version, filters=filters)
        answers[f"v{version} nothing deleted"] = ask.worded("DeleteAcls", version, filters=[])
        rule = {
            "resourceType": 2,
            "resourceName": "a",
            "resourcePatternType": 3,
            "principal": "User:a",
            "host": "*",
            "operation": 3,
            "permissionType": 3,
        }
        answers[f"v{version} created"] = ask.worded("CreateAcls", version, creations=[rule, rule | {"operation": 4}])
        answers[f"v{version} nothing created"] = ask.worded("CreateAcls", version, creations=[])
        answers[f"v{version} an unknown operation"] = ask.worded("CreateAcls", version, creations=[rule | {"operation": 0}])
        answers[f"v{version} any operation"] = ask.worded("CreateAcls", version, creations=[rule | {"operation": 1}])
        answers[f"v{version} an unknown filter"] = ask.worded("DescribeAcls", version, **(every | {"operation": 0}), **pattern)
    return answers
