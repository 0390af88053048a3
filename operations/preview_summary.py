"""`preview-summary`: what a reviewer of a change must know before reading its diff.

Owns which of a preview's steps matter most: what holds data and is replaced or deleted, what
changes protection or access, how many of everything. Exit code 1 means that data would be lost or a
mandatory policy is violated, so that a deployment can stop there; 0 that neither is so; 2 that
nobody could read the preview.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

from operations.data_resources import holds
from operations.drift_severity import severity_of_change
from operations.engine_steps import Step, Steps, ask_for_steps, read_steps, shown
from operations.place import Place
from operations.preview_report import Change, Loss, PreviewReport
from operations.report import Report
from smoke_tests.errors import CouldNotLook

CREATED = ("create", "import")
UPDATED = ("update",)
REPLACED = ("replace", "create-replacement", "delete-replaced", "import-replacement")
DELETED = ("delete",)
SILENT = ("same", "read", "refresh", "discard", "remove-pending-replace")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what can be chosen."""
    add = parser.add_argument
    add(
        "--preview",
        metavar="FILE",
        help="what `pulumi preview --json` or `python -m local_engine preview --json` printed; "
        "`-` reads it from standard input (default: a preview is made)",
    )
    add("--config-file", metavar="FILE", help="for the Pulumi CLI: the stack's file, if another")


def run(arguments: argparse.Namespace, place: Place) -> Report:
    """Read a preview, or make one, and say what matters.

    Raises:
        CouldNotLook: it cannot be had, or is none.
    """
    if arguments.preview:
        steps = _from_file(arguments.preview)
    else:
        place.progress(f"previewing {place.stack}")
        more = ["--config-file", arguments.config_file] if arguments.config_file else []
        steps = ask_for_steps(place, "preview", more=more)
    return summary(place.stack or "", steps)


def summary(stack: str, steps: Steps) -> PreviewReport:
    """What of these steps a reviewer reads first."""
    changes = [step for step in steps.resources if step.op not in SILENT]
    counts = Counter(_word(step.op) for step in changes)
    unchanged = sum(count for op, count in steps.summary.items() if op in SILENT)
    return PreviewReport(
        stack=stack,
        counts=dict(sorted(counts.items())),
        unchanged=unchanged,
        losses=tuple(loss for step in changes if (loss := _loss(step)) is not None),
        guards=tuple(_change(step) for step in changes if _is_guard(step)),
        changes=tuple(_change(step) for step in changes),
    )


def _from_file(name: str) -> Steps:
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
        steps = read_steps(text)
    except (OSError, ValueError) as error:
        raise CouldNotLook(
            f"{name} is no preview ({error}): write one with `pulumi preview --json`"
        ) from None
    if steps.problems:
        raise CouldNotLook(f"the preview in {name} failed: {steps.problems[0]}")
    return steps


def _loss(step: Step) -> Loss | None:
    """What is lost with a step; None where nothing is."""
    what = holds(step.type)
    if what is None or _word(step.op) not in ("replaced", "deleted") or step.old is None:
        return None
    return Loss(
        change=_change(step),
        holds=what,
        protected=step.old.protect,
        retained=step.old.retained,
    )


def _is_guard(step: Step) -> bool:
    """Whether an update changes what protects data or lets somebody in."""
    paths = tuple(step.changed)
    return step.op == "update" and severity_of_change(step.type, paths) == "critical"


def _change(step: Step) -> Change:
    return Change(
        what=_word(step.op),
        name=step.name,
        type=step.type,
        properties={path: _values(step, path) for path in sorted(step.changed)},
        replaced_for=step.replaced_for,
    )


def _values(step: Step, path: str) -> tuple[str, str]:
    before = shown(step.old.at(path)) if step.old else "nothing"
    after = shown(step.new.at(path)) if step.new else "nothing"
    return before, after


def _word(op: str) -> str:
    for word, ops in (
        ("created", CREATED),
        ("updated", UPDATED),
        ("replaced", REPLACED),
        ("deleted", DELETED),
    ):
        if op in ops:
            return word
    return op


def load_summary(path: Path) -> dict[str, object]:
    """A summary that `preview-summary --json` wrote.

    Raises:
        CouldNotLook: it is none.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CouldNotLook(f"{path} is no summary of a preview ({type(error).__name__})") from None
    if not isinstance(document, dict) or not isinstance(document.get("markdown"), str | None):
        raise CouldNotLook(f"{path} is no summary of a preview: preview-summary --json writes one")
    return document
