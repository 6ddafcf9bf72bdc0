"""Client quotas: what may be set for whom, what is refused and in which words, and how they are found again."""

from __future__ import annotations

import json
from typing import Any

from .asking import Answer, Asker, question

# No client of the other questions goes by these names, so that nobody is slowed down.
USER, OTHER, CLIENT = "quota-user", "quota-other", "quota-client"
ADDRESS = "10.255.255.1"
DEFAULT = None


def entity(**names: str | None) -> list[dict[str, Any]]:
    kinds = {"user": "user", "client": "client-id", "ip": "ip"}
    return [{"entityType": kinds.get(kind, kind), "entityName": name} for kind, name in names.items()]


def sets(key: str, value: float) -> dict[str, Any]:
    return {"key": key, "value": value, "remove": False}


def removes(key: str) -> dict[str, Any]:
    return {"key": key, "value": 0.0, "remove": True}


def entry(of: list[dict[str, Any]], *ops: dict[str, Any]) -> dict[str, Any]:
    return {"entity": of, "ops": list(ops)}


def sorted_entries(answer: Answer) -> Answer:
    """Kafka keeps them in a table without an order."""
    if isinstance(answer, dict) and answer.get("entries"):
        for one in answer["entries"]:
            one["entity"] = sorted(one["entity"], key=json.dumps)
            if "values" in one:
                one["values"] = sorted(one["values"], key=json.dumps)
        answer["entries"] = sorted(answer["entries"], key=json.dumps)
    return answer


def altered(ask: Asker, version: int, *entries: dict[str, Any], validate_only: bool = False) -> Answer:
    return sorted_entries(ask.worded("AlterClientQuotas", version, entries=list(entries), validateOnly=validate_only))


def component(kind: str, match: int, name: str | None = None) -> dict[str, Any]:
    return {"entityType": kind, "matchType": match, "match": name}


EXACT, ANY_DEFAULT, SPECIFIED = 0, 1, 2


def found(ask: Asker, version: int, *components: dict[str, Any], strict: bool = False) -> Answer:
    return sorted_entries(ask.worded("DescribeClientQuotas", version, components=list(components), strict=strict))


def settled(ask: Asker, version: int, *components: dict[str, Any], strict: bool = False) -> Answer:
    return ask.settled(lambda: found(ask, version, *components, strict=strict))


REFUSED = {
    "no entity": entry([], sets("producer_byte_rate", 1.0)),
    "an unknown type": entry(entity(group="g"), sets("producer_byte_rate", 1.0)),
    "an empty type": entry([{"entityType": "", "entityName": "a"}], sets("producer_byte_rate", 1.0)),
    "an empty user": entry(entity(user=""), sets("producer_byte_rate", 1.0)),
    "an empty client": entry(entity(client=""), sets("producer_byte_rate", 1.0)),
    "an empty address": entry(entity(ip=""), sets("connection_creation_rate", 1.0)),
    "an address and a user": entry(entity(ip=ADDRESS, user=USER), sets("connection_creation_rate", 1.0)),
    "an address and a client": entry(entity(ip=ADDRESS, client=CLIENT), sets("connection_creation_rate", 1.0)),
    "an address that is none": entry(entity(ip="1.2.3.4.5"), sets("connection_creation_rate", 1.0)),
    "a host that is none": entry(entity(ip="no such host"), sets("connection_creation_rate", 1.0)),
    "a key of addresses for a user": entry(entity(user=USER), sets("connection_creation_rate", 1.0)),
    "a key of users for an address": entry(entity(ip=ADDRESS), sets("producer_byte_rate", 1.0)),
    "an unknown key": entry(entity(user=USER), sets("producer_bit_rate", 1.0)),
    "an empty key": entry(entity(user=USER), sets("", 1.0)),
    "nothing": entry(entity(user=USER), sets("producer_byte_rate", 0.0)),
    "less than nothing": entry(entity(user=USER), sets("request_percentage", -1.0)),
    "a part of a byte": entry(entity(user=USER), sets("consumer_byte_rate", 1.5)),
    "a part of a connection": entry(entity(ip=ADDRESS), sets("connection_creation_rate", 1.5)),
    "too many bytes": entry(entity(user=USER), sets("producer_byte_rate", 1e30)),
    "too many connections": entry(entity(ip=ADDRESS), sets("connection_creation_rate", 2147483648.0)),
    "a key twice": entry(entity(user=USER), sets("producer_byte_rate", 1.0), sets("producer_byte_rate", 2.0)),
    "a key set and removed": entry(entity(user=USER), sets("producer_byte_rate", 1.0), removes("producer_byte_rate")),
    "one key of two wrong": entry(entity(user=USER), sets("producer_byte_rate", 7.0), sets("nonsense", 2.0)),
}

TAKEN = {
    "an unknown key removed": entry(entity(user=USER), removes("nonsense")),
    "a key removed that is not set": entry(entity(user=USER), removes("producer_byte_rate")),
    "no keys": entry(entity(user=USER)),
    "nearly a whole byte": entry(entity(user=USER), sets("producer_byte_rate", 5.0000001)),
    "a part of a percent": entry(entity(user=USER), sets("request_percentage", 0.25)),
    "a part of a mutation": entry(entity(user=USER), sets("controller_mutation_rate", 0.5)),
    "as many bytes as there are": entry(entity(user=USER), sets("producer_byte_rate", 9.223372036854775807e18)),
    "every percent there is": entry(entity(user=USER), sets("request_percentage", float("1e300"))),
    "a type twice": entry([*entity(user=USER), *entity(user=OTHER)], sets("producer_byte_rate", 3.0)),
    "a host": entry(entity(ip="localhost"), sets("connection_creation_rate", 1e9)),
    "an address of version 6": entry(entity(ip="2001:db8::1"), sets("connection_creation_rate", 1e9)),
}


@question("quotas: what is refused, and in which words")
def refusals(ask: Asker) -> dict[str, Answer]:
    answers: dict[str, Answer] = {}
    for version in ask.versions("AlterClientQuotas"):
        for label, asked in REFUSED.items():
            answers[f"v{version} {label}"] = altered(ask, version, asked)
        answers[f"v{version} nothing at all"] = altered(ask, version)
        twice = [entry(entity(user=USER), sets(key, 11.0)) for key in ("producer_byte_rate", "consumer_byte_rate")]
        answers[f"v{version} an entity twice"] = altered(ask, version, *twice)
        answers[f"v{version} after an entity twice"] = settled(ask, version, component("user", EXACT, USER))
        good = entry(entity(user=USER), removes("producer_byte_rate"), removes("consumer_byte_rate"))
        bad = entry(entity(user=OTHER), sets("producer_bit_rate", 1.0))
        answers[f"v{version} one good, one bad"] = altered(ask, version, good, bad)
        answers[f"v{version} what is left"] = settled(ask, version, component("user", SPECIFIED))
    return answers


@question("quotas: what is taken, kept and taken back")
def kept(ask: Asker) -> dict[str, Answer]:
    answers: dict[str, Answer] = {}
    for version in ask.versions("AlterClientQuotas"):
        for label, asked in TAKEN.items():
            answers[f"v{version} {label}, only tried"] = altered(ask, version, asked, validate_only=True)
            answers[f"v{version} {label}"] = altered(ask, version, asked)
            kind = asked["entity"][0]["entityType"]
            answers[f"v{version} after {label}"] = settled(ask, version, component(kind, SPECIFIED))
            names = {one["entityType"]: one for one in asked["entity"]}
            altered(ask, version, entry(list(names.values()), *(removes(op["key"]) for op in asked["ops"])))
        answers[f"v{version} at the end"] = settled(ask, version)
    return answers


FILTERS: dict[str, tuple[list[dict[str, Any]], bool]] = {
    "everything": ([], False),
    "what has no entity": ([], True),
    "a user": ([component("user", EXACT, USER)], False),
    "a user alone": ([component("user", EXACT, USER)], True),
    "the default user": ([component("user", ANY_DEFAULT)], False),
    "any user": ([component("user", SPECIFIED)], False),
    "any user alone": ([component("user", SPECIFIED)], True),
    "any client": ([component("client-id", SPECIFIED)], False),
    "the default client alone": ([component("client-id", ANY_DEFAULT)], True),
    "a user with any client": ([component("user", EXACT, USER), component("client-id", SPECIFIED)], True),
    "a user with the default client": ([component("user", EXACT, USER), component("client-id", ANY_DEFAULT)], True),
    "any address": ([component("ip", SPECIFIED)], False),
    "an address": ([component("ip", EXACT, ADDRESS)], True),
    "nobody": ([component("user", EXACT, "nobody of this name")], False),
    "an empty name": ([component("user", EXACT, "")], False),
    "no type": ([component("", SPECIFIED)], False),
    "an unknown type": ([component("group", SPECIFIED)], False),
    "a type twice": ([component("user", EXACT, USER), component("user", SPECIFIED)], False),
    "exactly nothing": ([component("user", EXACT)], False),
    "a default with a name": ([component("user", ANY_DEFAULT, USER)], False),
    "anybody with a name": ([component("user", SPECIFIED, USER)], False),
    "an unknown match": ([component("user", 3)], False),
    "a match below all": ([component("user", -1)], False),
    "an address and a user": ([component("ip", SPECIFIED), component("user", SPECIFIED)], False),
    "an address and a client": ([component("client-id", SPECIFIED), component("ip", EXACT, ADDRESS)], False),
}


@question("quotas: found by every filter")
def filters(ask: Asker) -> dict[str, Answer]:
    entities = [
        entity(user=USER),
        entity(user=DEFAULT),
        entity(client=CLIENT),
        entity(client=DEFAULT),
        entity(user=USER, client=CLIENT),
        entity(user=USER, client=DEFAULT),
        entity(user=DEFAULT, client=CLIENT),
        entity(user=DEFAULT, client=DEFAULT),
    ]
    # So much that it slows nobody down.
    every = [entry(one, sets("producer_byte_rate", 1e15 + place)) for place, one in enumerate(entities)]
    addresses = [entry(entity(ip=name), sets("connection_creation_rate", 1e9 + place)) for place, name in enumerate([ADDRESS, DEFAULT])]
    answers: dict[str, Answer] = {"set": altered(ask, 1, *every, *addresses)}
    for version in ask.versions("DescribeClientQuotas"):
        for label, (components, strict) in FILTERS.items():
            answers[f"v{version} {label}"] = settled(ask, version, *components, strict=strict)
    taken_back = [entry(one["entity"], removes(one["ops"][0]["key"])) for one in [*every, *addresses]]
    answers["taken back"] = altered(ask, 1, *taken_back)
    answers["left"] = settled(ask, 1)
    return answers


def slowed(answer: dict[str, Any], items: str) -> Answer:
    """Errors by item, and whether the client is told to slow down."""
    codes = sorted((one["name"], one["errorCode"], one.get("errorMessage")) for one in answer[items])
    return {"items": codes, "throttled": answer["throttleTimeMs"] > 0}


@question("quotas: mutations of the controller, strict and permissive")
def mutations(ask: Asker) -> dict[str, Answer]:
    """What empties the bucket is let through; what comes after it is refused, or only slowed down in old versions."""
    answers: dict[str, Answer] = {}
    for word, create, delete, grow in [("strict", 7, 6, 3), ("permissive", 5, 4, 2)]:
        # A client of its own for each, since what one has used up stays with it for long.
        client = f"quota-{word}"
        of = entity(user="ANONYMOUS", client=client)
        altered(ask, 1, entry(of, sets("controller_mutation_rate", 0.05)))
        settled(ask, 1)

        def mutate(api: str, version: int, items: str, client: str = client, **body: Any) -> Answer:
            # A connection that is slowed down is not read for long.
            ask.reconnect()
            ask.connection.client_id = client
            try:
                return slowed(ask.raw(api, version, timeoutMs=10_000, **body), items)
            finally:
                ask.reconnect()

        def topics(*names: str) -> list[dict[str, Any]]:
            return [{"name": name, "numPartitions": 3, "replicationFactor": 1} for name in names]

        named = {"topicNames": [f"{word}-1"]} if delete < 6 else {"topics": [{"name": f"{word}-1", "topicId": "00" * 16}]}
        grown = [{"name": f"{word}-1", "count": 5, "assignments": None}]
        answers[f"{word}: the first"] = mutate("CreateTopics", create, "topics", topics=topics(f"{word}-1"))
        answers[f"{word}: two more"] = mutate("CreateTopics", create, "topics", topics=topics(f"{word}-2", f"{word}-3"))
        answers[f"{word}: only tried"] = mutate("CreateTopics", create, "topics", topics=topics(f"{word}-4"), validateOnly=True)
        answers[f"{word}: refused anyway"] = mutate("CreateTopics", create, "topics", topics=topics(f"{word}-1", "a/b"))
        answers[f"{word}: more partitions"] = mutate("CreatePartitions", grow, "results", topics=grown, validateOnly=False)
        answers[f"{word}: a deletion"] = mutate("DeleteTopics", delete, "responses", **named)
        altered(ask, 1, entry(of, removes("controller_mutation_rate")))
    return answers
