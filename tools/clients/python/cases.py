"""Runs named cases one after another, says how each ended, and counts."""

from __future__ import annotations

import argparse
import itertools
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

_SERIAL = itertools.count(1)
_RUN = format(int(time.time()) & 0xFFFFFF, "x")


def fresh(stem: str) -> str:
    """A name that starts with `stem` and that no other case uses."""
    return f"{stem}-{_RUN}-{next(_SERIAL)}"


def equal(actual: object, expected: object, what: str) -> None:
    if actual != expected:
        raise AssertionError(f"{what}: {actual!r} where {expected!r} was expected")


def fails_with(kind: type[BaseException] | tuple[type[BaseException], ...], body: Callable[[], object]) -> BaseException:
    """Runs a body that must fail with this exception."""
    try:
        body()
    except kind as error:
        return error
    raise AssertionError(f"{kind} was expected, and nothing failed")


def until(what: str, holds: Callable[[], bool], seconds: float = 30.0) -> None:
    """Waits for a condition, with a bound."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise AssertionError(f"never: {what}")
        time.sleep(0.02)


class Suite:
    def __init__(self, name: str) -> None:
        parser = argparse.ArgumentParser(description=name)
        parser.add_argument("--bootstrap", default="127.0.0.1:9092", metavar="HOST:PORT")
        parser.add_argument("--case", default="", help="run only the cases whose name contains this")
        self.options = parser.parse_args()
        self.bootstrap: str = self.options.bootstrap
        self.passed = self.failed = 0

    def run(self, name: str, body: Callable[[], None]) -> None:
        if self.options.case not in name:
            return
        began = time.monotonic()
        try:
            body()
        except Exception as error:  # noqa: BLE001 — whatever it is, it fails this case and not the others
            self.failed += 1
            print(f"FAIL {name} ({_millis(began)} ms): {type(error).__name__}: {error}", flush=True)
            for frame in _own_frames(error):
                print(f"       at {frame}", flush=True)
        else:
            self.passed += 1
            print(f"PASS {name} ({_millis(began)} ms)", flush=True)

    def finish(self) -> int:
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        return 1 if self.failed else 0


def _millis(began: float) -> int:
    return int((time.monotonic() - began) * 1000)


def _own_frames(error: BaseException) -> Iterator[str]:
    here = str(Path(__file__).resolve().parent)
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename.startswith(here) and not frame.filename.endswith("cases.py"):
            yield f"{Path(frame.filename).name}:{frame.lineno} {frame.line}"
