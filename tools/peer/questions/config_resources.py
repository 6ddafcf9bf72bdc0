"""Which resources can have settings (KIP-1142)."""

from __future__ import annotations

import time
from typing import Any

from .asking import Answer, Asker, question

GROUP, METRICS, LOGGER, BROKER, TOPIC = 32, 16, 8, 4, 2


@question("config resources: every kind in every version")
def resources(ask: Asker) -> dict[str, Answer]:
    ask.topic("listed-topic")
    for kind, name, key, value in [
        (GROUP, "listed-group", "consumer.session.timeout.ms", "50000"),
        (GROUP, "listed-emptied", "consumer.session.timeout.ms", "50000"),
        (METRICS, "listed-metrics", "interval.ms", "1000"),
    ]:
        set_to(ask, kind, name, key, value)

    def listed(version: int, **body: Any) -> Answer:
        answer = ask.worded("ListConfigResources", version, **body)
        if isinstance(answer, dict):
            rows = [row for row in answer["configResources"] if row["resourceName"] == "1" or row["resourceName"].startswith("listed")]
            answer["configResources"] = sorted(rows, key=lambda row: (row.get("resourceType", 0), row["resourceName"]))
        return answer

    ask.settled(lambda: listed(1, resourceTypes=[]))
    answers = {"v0": listed(0), "v1 all": listed(1, resourceTypes=[])}
    for kind in (GROUP, METRICS, LOGGER, BROKER, TOPIC, 0, 1, 3, 64, -1):
        answers[f"v1 {kind}"] = listed(1, resourceTypes=[kind])
    answers["v1 two"] = listed(1, resourceTypes=[TOPIC, GROUP])
    answers["v1 twice"] = listed(1, resourceTypes=[TOPIC, TOPIC])
    answers["v1 known and unknown"] = listed(1, resourceTypes=[TOPIC, 3])
    set_to(ask, GROUP, "listed-emptied", "consumer.session.timeout.ms", None)
    ask.settled(lambda: listed(1, resourceTypes=[GROUP]))
    answers["v1 without its last setting"] = listed(1, resourceTypes=[GROUP])
    return answers


def set_to(ask: Asker, kind: int, name: str, key: str, value: str | None) -> None:
    entry = {"name": key, "configOperation": 0 if value is not None else 1, "value": value}
    end = time.monotonic() + 10
    while True:
        wanted = {"resourceType": kind, "resourceName": name, "configs": [entry]}
        answer = ask.raw("IncrementalAlterConfigs", 1, resources=[wanted])["responses"][0]
        if answer["errorCode"] == 0:
            return
        if time.monotonic() > end:
            raise AssertionError(f"{name}: {answer}")
        time.sleep(0.05)
