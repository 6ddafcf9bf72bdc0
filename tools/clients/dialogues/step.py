"""One command line, and how two answers to it are compared."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field


@dataclass
class Step:
    """`{name}`, `{bootstrap}` and `{folder}` in the line stand for what a run has of its own."""

    line: str
    # Files in {folder} before the call, NAME in them standing for {name}.
    files: dict[str, str] = field(default_factory=dict)
    # Regular expressions whose matches become their second part.
    masks: list[tuple[str, str]] = field(default_factory=list)
    # Only lines that match, for lists of all that there is.
    only: str = ""
    # Where a Java map decides about the order of lines.
    is_sorted: bool = False
    # Why the output differs; the exit code is compared all the same.
    differs: str = ""
    code_differs: str = ""
    needs_bootstrap: bool = True
    # Made by Kafka's tool for both: what the dialogue needs and is not about.
    is_setup: bool = False
    # The step is repeated until its output has a match; what a broker does behind an answer takes a moment.
    until: str = ""

    @property
    def words(self) -> list[str]:
        words = shlex.split(self.line)
        if self.needs_bootstrap:
            words[1:1] = ["--bootstrap-server", "{bootstrap}"]
        return words


@dataclass
class Dialogue:
    title: str
    stem: str
    steps: list[Step]


def masked(output: str, step: Step, names: dict[str, str]) -> str:
    """The output with what belongs to this run replaced."""
    for name, stands_for in names.items():
        output = output.replace(name, stands_for)
    for pattern, replacement in step.masks:
        output = re.sub(pattern, replacement, output)
    lines = [line for line in output.splitlines() if re.search(step.only, line)]
    return "".join(f"{line}\n" for line in (sorted(lines) if step.is_sorted else lines))
