"""`preview-summary`: what a reviewer of a change must know before reading its diff.

Owns which of a preview's steps matter most: what holds data and is replaced or deleted, what
changes protection or access, how many of everything. Exit code 1 means that data would be lost or a
mandatory policy is violated, so that a deployment can stop there; 0 that neither is so; 2 that
nobody could read the preview.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import cast

from operations.cost_estimate import cost_of_change
from operations.data_resources import holds
from operations.drift_severity import severity_of_change
from operations.engine_steps import Step, Steps, steps_of
from operations.place import Place
from operations.preview_report import BrokenPolicy, Change, Loss, PreviewReport
from operations.report import Report
from operations.stack_preview import add_preview_argument, read_preview
from operations.step_differences import differences
from policies.engine_documents import graph_before_preview, graph_of_preview
from policies.rule import evaluate
from policies.rules import RULES
from smoke_tests.errors import CouldNotLook
from smoke_tests.json_document import Document, as_document

CREATED = ("create", "import")
UPDATED = ("update",)
REPLACED = ("replace", "create-replacement", "delete-replaced", "import-replacement")
DELETED = ("delete",)
SILENT = ("same", "read", "refresh", "discard", "remove-pending-replace")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what can be chosen."""
    add_preview_argument(parser)


def run(arguments: argparse.Namespace, place: Place) -> Report:
    """Read a preview, or make one, and say what matters.

    Raises:
        CouldNotLook: it cannot be had, or is none.
    """
    stack = place.stack or ""
    preview = read_preview(place, stack, arguments.preview)
    steps = steps_of(preview)
    if steps.problems:
        raise CouldNotLook(
            f"the preview of {stack!r} failed ({place.masker.foreign(steps.problems[0])}): mend "
            "that first"
        )
    return replace(
        summary(stack, steps),
        policies=broken_policies(preview, stack),
        cost=cost_of_change(preview, stack),
    )


def broken_policies(preview: Document, stack: str) -> tuple[BrokenPolicy, ...]:
    """The rules of `policies/` that would not be kept, those that this change breaks first."""
    before = evaluate(graph_before_preview(preview, stack), RULES)
    known = {(item.rule, item.urn) for item in before}
    after = evaluate(graph_of_preview(preview, stack), RULES)
    found = [
        BrokenPolicy(
            rule=item.rule, message=item.message, is_new=(item.rule, item.urn) not in known
        )
        for item in after
    ]
    return tuple(sorted(found, key=lambda item: not item.is_new))


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
        guards=tuple(_change(step, critical=True) for step in changes if _is_guard(step)),
        policies=(),
        is_whole=not steps.left_out,
        cost=None,
        changes=tuple(_change(step) for step in changes),
    )


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


def _change(step: Step, *, critical: bool = False) -> Change:
    """A step with its properties; with `critical`, with those alone that guard something."""
    paths = tuple(
        path
        for path in step.changed
        if not critical or severity_of_change(step.type, (path,)) == "critical"
    )
    return Change(
        what=_word(step.op),
        name=step.name,
        type=step.type,
        properties={item.path: (item.before, item.after) for item in differences(step, paths)},
        replaced_for=step.replaced_for,
    )


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
        document = as_document(cast("object", json.loads(path.read_text(encoding="utf-8"))))
    except (OSError, ValueError) as error:
        raise CouldNotLook(f"{path} is no summary of a preview ({type(error).__name__})") from None
    if document is None or not isinstance(document.get("markdown"), str | None):
        raise CouldNotLook(f"{path} is no summary of a preview: preview-summary --json writes one")
    return document
