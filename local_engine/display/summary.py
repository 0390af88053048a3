"""What stands below the steps: diagnostics, the stack's outputs, counts and duration."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from local_engine.display.property_text import outputs_lines
from local_engine.display.terminal import Terminal, harmless
from local_engine.display.wording import (
    BOLD,
    BRIGHT_BLUE,
    HEADLINE,
    MAGENTA,
    RED,
    STEPS,
    UNCOUNTED,
    YELLOW,
)
from local_engine.events import Diagnostic
from local_engine.resource_state import urn_name, urn_type

_SEVERITY = {"error": RED, "warning": YELLOW, "info#err": MAGENTA, "info": "", "debug": ""}


def diagnostics_lines(messages: list[Diagnostic], terminal: Terminal) -> Iterator[str]:
    """Yield the messages, grouped by resource in the order they first spoke."""
    if not messages:
        return
    yield terminal.paint(HEADLINE, "Diagnostics:")
    groups: dict[str, list[Diagnostic]] = {}
    for message in messages:
        groups.setdefault(message.urn, []).append(message)
    for urn, group in groups.items():
        title = f"{urn_type(urn)} ({urn_name(urn)}):" if urn else "deployment:"
        yield "  " + terminal.paint(BRIGHT_BLUE, title)
        for message in group:
            label = f"{message.severity}: " if message.severity in ("error", "warning") else ""
            text = harmless(message.message).rstrip("\n")
            for number, line in enumerate(text.split("\n")):
                start = terminal.paint(_SEVERITY.get(message.severity, ""), label)
                yield f"    {start if number == 0 else ''}{line}"
        yield ""


def outputs_text(old: dict[str, Any], new: dict[str, Any], terminal: Terminal) -> Iterator[str]:
    """Yield the stack's outputs, marked where they changed."""
    lines = list(outputs_lines(old, new, 1))
    if not lines:
        return
    yield terminal.paint(HEADLINE, "Outputs:")
    for line in lines:
        yield terminal.paint(line.color, str(line))
    yield ""


def resources_lines(
    changes: dict[str, int], terminal: Terminal, *, preview: bool, failed: int
) -> Iterator[str]:
    """Yield `Resources:` with the counts, in Pulumi's words."""
    yield terminal.paint(HEADLINE, "Resources:")
    counted = [(op, changes[op]) for op in STEPS if op not in UNCOUNTED and changes.get(op, 0) > 0]
    for op, count in counted:
        what = f"to {op}" if preview else STEPS[op].counted
        yield "    " + terminal.paint(STEPS[op].color, f"{STEPS[op].mark}{count} {what}")
    pieces: list[str] = []
    if len(counted) >= 2:
        total = sum(count for _, count in counted)
        pieces.append(terminal.paint(BOLD, f"{total} changes"))
    if changes.get("same"):
        pieces.append(f"{changes['same']} unchanged")
    if pieces:
        yield "    " + ". ".join(pieces)
    if failed:
        yield "    " + terminal.paint(RED, f"{failed} errored")


def duration_line(seconds: float, terminal: Terminal) -> str:
    """Return `Duration: 1m2s`, rounded up as Pulumi does."""
    return f"{terminal.paint(HEADLINE, 'Duration:')} {whole_seconds(math.ceil(seconds))}"


def whole_seconds(seconds: int) -> str:
    """Return seconds as Go prints a duration: `5s`, `1m5s`, `1h0m5s`."""
    hours, rest = divmod(seconds, 3600)
    minutes, left = divmod(rest, 60)
    if hours:
        return f"{hours}h{minutes}m{left}s"
    return f"{minutes}m{left}s" if minutes else f"{left}s"
