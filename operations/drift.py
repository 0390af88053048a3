"""`drift`: is the stack still as it was deployed?

Owns the order of the comparison: the engine asks every resource how it is (`drift_resources`), then
the running platform is looked at itself (`drift_live`), and whoever the cloud names as the cause is
added (`drift_suspects`). It changes nothing. What could not be looked at is part of the report: an
absent answer is no clean one.
"""

from __future__ import annotations

import argparse
import datetime
import json
from pathlib import Path

from operations.drift_findings import Drift, Look, in_order, merged, read_drift
from operations.drift_live import LOOKS, look_at_everything
from operations.drift_report import DriftReport
from operations.drift_resources import LOOK, drift_of_resources
from operations.drift_suspects import with_suspects
from operations.drift_untold import find_untold
from operations.engine_steps import ask_for_steps
from operations.place import Place
from operations.report import Report
from smoke_tests.errors import CouldNotLook
from smoke_tests.json_document import as_document


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what can be chosen."""
    add = parser.add_argument
    add("--markdown", action="store_true", help="print Markdown, as for an issue")
    add(
        "--resources-only",
        action="store_true",
        help="compare resources alone: no look at the server, the database or a cluster",
    )
    add(
        "--no-pool",
        dest="pool",
        action="store_false",
        help="leave out the burst of requests that shows the connection pool in force",
    )
    add(
        "--require",
        metavar="LOOKS",
        default="",
        help="looks without which the exit code is 2, with commas between them, or `all` "
        f"({', '.join(LOOKS)})",
    )
    add("--config-file", metavar="FILE", help="for the Pulumi CLI: the stack's file, if another")
    add("--from", dest="report", metavar="FILE", help="show a report that --json wrote; look not")


def run(arguments: argparse.Namespace, place: Place) -> Report:
    """Compare, and say what is not as it was deployed.

    Raises:
        CouldNotLook: an argument is not allowed, or the engine cannot say how the resources are.
    """
    required = _required(arguments.require)
    drift = (
        saved_drift(Path(arguments.report), place.stack)
        if arguments.report
        else _looked(arguments, place)
    )
    return DriftReport(drift=drift, markdown=arguments.markdown, required=required)


def saved_drift(path: Path, stack: str | None) -> Drift:
    """A report that an earlier `drift --json` wrote.

    Raises:
        CouldNotLook: it cannot be read, is about another stack, or says that nobody could look.
    """
    try:
        document = as_document(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise CouldNotLook(
            f"{path} is no report of drift ({type(error).__name__}): write one with "
            f"`python -m operations drift --stack {stack} --json`"
        ) from None
    document = document or {}
    if document.get("stack") != stack:
        raise CouldNotLook(
            f"{path} is about stack {document.get('stack')!r} and --stack is {stack!r}: give the "
            "report of that stack"
        )
    if document.get("problem"):
        raise CouldNotLook(f"{path} says that nobody could look: {document['problem']}")
    try:
        return read_drift(document)
    except ValueError as error:
        raise CouldNotLook(f"{path} is no report of drift: {error}") from None


def _looked(arguments: argparse.Namespace, place: Place) -> Drift:
    place.progress(f"comparing the resources of {place.stack}: a cloud takes minutes")
    more = ["--config-file", arguments.config_file] if arguments.config_file else []
    steps = ask_for_steps(place, "refresh", "--preview-only", more=more)
    resources = drift_of_resources(steps)
    if not steps.steps and not steps.problems and not any(steps.summary.values()):
        raise CouldNotLook(
            f"the stack {place.stack} has no resources: it was never deployed, or taken down; "
            f"`make up STACK={place.stack}` deploys it"
        )
    looks = [Look(name=LOOK, looked_at=_compared(resources.resources, resources.volatile))]
    more_findings, unclear = find_untold(place, steps, more)
    findings = in_order([*resources.findings, *more_findings])
    if unclear:
        looks.append(
            Look(
                name=f"{LOOK} (details)",
                looked_at="",
                problem=f"the engine counts {unclear} more and does not say what differs: see "
                f"`refresh --preview-only --diff` of stack {place.stack}",
            )
        )
    if not arguments.resources_only:
        live = look_at_everything(place, steps, pool=arguments.pool)
        findings = merged(findings, live.findings)
        looks += live.looks
        findings, who = with_suspects(place, steps, findings)
        looks += who
    return Drift(
        stack=place.stack or "",
        environment=_environment(place),
        looked_at=_now(place),
        findings=findings,
        looks=tuple(looks),
    )


def _environment(place: Place) -> str:
    """What the deployed stack calls it; a stack whose first deployment failed exports nothing."""
    try:
        return place.outputs.environment if place.outputs else ""
    except CouldNotLook:
        return place.stack or ""


def _compared(resources: int, volatile: int) -> str:
    said = f"{resources} resources compared by the engine"
    return f"{said}; {volatile} differences change by themselves" if volatile else said


def _now(place: Place) -> str:
    seconds = place.clock.epoch_milliseconds() // 1000
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat()


def _required(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    known = {*LOOKS, "all"}
    if unknown := [name for name in names if name not in known]:
        raise CouldNotLook(
            f"--require names {unknown[0]!r}: it must be some of {', '.join(LOOKS)}, or all"
        )
    return names
