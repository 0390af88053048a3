"""Drift of resources: what a refresh that writes nothing found.

Owns the step from an engine's answer to findings. The engine asks every resource's provider how it
is and compares that with what was deployed; nothing here knows any cloud. What changes by itself
(`drift_severity.VOLATILE`) is dropped, and a value that the engine hides stays hidden.
"""

from __future__ import annotations

from dataclasses import dataclass

from operations.data_resources import holds
from operations.drift_findings import Difference, Finding
from operations.drift_severity import is_volatile, severity_of_absence, severity_of_change
from operations.engine_steps import SECRET, Step, Steps
from operations.step_differences import Changed, differences

LOOK = "resources"


@dataclass(frozen=True, kw_only=True, slots=True)
class ResourceDrift:
    """What became of the resources."""

    findings: tuple[Finding, ...]
    resources: int  # how many were compared
    volatile: int  # differences that are none


def drift_of_resources(steps: Steps) -> ResourceDrift:
    """Read what a refresh found."""
    findings: list[Finding] = []
    volatile = 0
    for step in steps.resources:
        if step.op == "delete":
            findings.append(_gone(step))
        elif step.op == "update" and step.changed:
            paths = tuple(path for path in step.changed if not is_volatile(step.type, path))
            volatile += len(step.changed) - len(paths)
            if paths:
                findings.append(_changed(step, paths))
    return ResourceDrift(
        findings=tuple(findings), resources=len(steps.resources), volatile=volatile
    )


def _gone(step: Step) -> Finding:
    lost = holds(step.type)
    return Finding(
        severity=severity_of_absence(step.type),
        look=LOOK,
        kind=step.type,
        subject=step.name,
        identity=step.old.id if step.old else "",
        what="gone",
        note=f"it held {lost}" if lost else "",
    )


def _changed(step: Step, paths: tuple[str, ...]) -> Finding:
    return Finding(
        severity=severity_of_change(step.type, paths),
        look=LOOK,
        kind=step.type,
        subject=step.name,
        identity=step.old.id if step.old else "",
        what="changed",
        differences=tuple(_difference(item) for item in differences(step, paths)),
    )


def _difference(item: Changed) -> Difference:
    if item.before == item.after == SECRET:
        return Difference(property=item.path, expected="a secret", found="another one")
    expected, found = ("a secret" if one == SECRET else one for one in (item.before, item.after))
    return Difference(property=item.path, expected=expected, found=found)
