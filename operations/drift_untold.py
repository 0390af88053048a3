"""Differences that an engine counts in its JSON and spells out in its text alone.

Owns the reading of that text. Where a provider compares without saying what differs (Pulumi's
dynamic providers, which a platform on this machine consists of), both engines count an update in
the summary of `refresh --preview-only --json` and show neither it nor the new state. `--diff` shows
both. What is counted and shows nowhere is said: a drift may be unclear, never silent.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence

from operations.drift_findings import Difference, Finding
from operations.drift_severity import severity_of_change
from operations.engine_steps import ENGINE_SECONDS, Step, Steps
from operations.place import Place
from smoke_tests.errors import CouldNotLook
from smoke_tests.stack_target import PROJECT_DIRECTORY, engine_command, engine_environment

DYNAMIC = "pulumi-python:dynamic"
"""How the types begin whose providers say that something differs, and not what."""

COUNTED = ("update", "delete", "replace")

_URN = re.compile(r"\[urn=(?P<urn>.+)\]$")
_PROPERTY = re.compile(r"^(?P<indent> *)[~+-] (?P<name>[\w.\-]+) *: (?P<rest>.+)$")


def untold(steps: Steps) -> int:
    """How many differences the engine counted and did not show."""
    counted = sum(steps.summary.get(op, 0) for op in COUNTED)
    return max(0, counted - sum(step.op in COUNTED for step in steps.steps))


def find_untold(place: Place, steps: Steps, more: Sequence[str]) -> tuple[list[Finding], int]:
    """The differences that were not shown, and how many of them are not clear even so.

    Raises:
        CouldNotLook: the engine does not show them.
    """
    missing = untold(steps)
    silent = {step.urn: step for step in steps.resources if step.type.startswith(DYNAMIC)}
    if not missing or not silent:
        return [], missing
    told = dict(read_differences(place.masker.foreign(_text(place, more))))
    found = [_finding(silent[urn], properties) for urn, properties in told.items() if urn in silent]
    return found, missing - len(found)


def read_differences(text: str) -> Iterator[tuple[str, list[Difference]]]:
    """The changed properties in what `refresh --preview-only --diff` prints, by URN."""
    urn, depth = "", 0
    found: list[Difference] = []
    for line in text.splitlines():
        if named := _URN.search(line):
            if urn and found:
                yield urn, found
            urn, found, depth = named["urn"], [], 0
        elif urn and (changed := _PROPERTY.match(line)):
            depth = depth or len(changed["indent"])
            if len(changed["indent"]) == depth:  # deeper ones are parts of it
                found.append(_difference(changed["name"], changed["rest"]))
        elif not line.startswith(" "):
            if urn and found:
                yield urn, found
            urn, found = "", []
    if urn and found:
        yield urn, found


def _difference(name: str, rest: str) -> Difference:
    before, arrow, after = rest.partition(" => ")
    if not arrow:
        return Difference(property=name, expected="as deployed", found="otherwise")
    return Difference(property=name, expected=before.strip('"'), found=after.strip('"'))


def _finding(step: Step, properties: list[Difference]) -> Finding:
    return Finding(
        severity=severity_of_change(step.type, tuple(item.property for item in properties)),
        look="resources",
        kind=step.type,
        subject=step.name,
        identity=step.old.id if step.old else "",
        what="changed",
        differences=tuple(properties),
    )


def _text(place: Place, more: Sequence[str]) -> str:
    stack = place.stack or ""
    words = ("refresh", "--preview-only", "--diff", "--color", "never", "--stack", stack, *more)
    try:
        finished = subprocess.run(
            [*engine_command(place.environ), *words],
            cwd=PROJECT_DIRECTORY,
            env=engine_environment(stack, place.environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=ENGINE_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CouldNotLook(
            f"the differences of stack {stack!r} were not shown ({type(error).__name__}): run "
            "`refresh --preview-only --diff` by hand"
        ) from None
    return finished.stdout.decode("utf-8", "replace")
