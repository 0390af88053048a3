"""A step of the preflight as a record: its question, what it needs, and its verdict.

Owns the types that steps and their runner share, and the runner: it measures each step, turns
errors into findings with a remedy, and says of what depends on a failed step that it was not run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from mlflow_platform_client.client_settings import ClientSettings
from mlflow_platform_client.clock import Clock
from mlflow_platform_client.errors import TrackingError
from mlflow_platform_client.findings import Finding, Outcome
from mlflow_platform_client.masking import mask
from mlflow_platform_client.remedies import remedy_for

Visit = TypeVar("Visit")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a step saw when it did not fail."""

    message: str
    remedy: str | None = None
    outcome: Outcome = Outcome.PASSED


class StepFailed(TrackingError):  # noqa: N818
    """A step failed and knows its remedy itself."""

    def __init__(self, message: str, remedy: str) -> None:
        """Keep both sentences."""
        super().__init__(message)
        self.remedy = remedy


@dataclass(frozen=True, kw_only=True, slots=True)
class Step(Generic[Visit]):
    """One question to the server, or to a store."""

    name: str
    question: str
    run: Callable[[Visit], Verdict]
    needs: tuple[str, ...] = ()


def run_steps(
    steps: Sequence[Step[Visit]],
    visit: Visit,
    *,
    settings: ClientSettings,
    clock: Clock,
    on_finding: Callable[[Finding], None] = lambda _: None,
) -> tuple[Finding, ...]:
    """Every step's finding, in order."""
    findings: dict[str, Finding] = {}
    for step in steps:
        missing = [name for name in step.needs if findings[name].outcome not in _USABLE]
        if missing:
            finding = Finding(
                step=step.name,
                question=step.question,
                outcome=Outcome.NOT_RUN,
                message=f"not checked, because {' and '.join(missing)} did not pass",
            )
        else:
            finding = _carry_out(step, visit, settings, clock)
        findings[step.name] = finding
        on_finding(finding)
    return tuple(findings.values())


_USABLE = (Outcome.PASSED, Outcome.WARNING)


def _carry_out(step: Step[Visit], visit: Visit, settings: ClientSettings, clock: Clock) -> Finding:
    began = clock.monotonic()
    try:
        verdict = step.run(visit)
    except TrackingError as error:
        remedy = error.remedy if isinstance(error, StepFailed) else remedy_for(error, settings)
        verdict = Verdict(str(error), remedy, Outcome.FAILED)
    except Exception as error:
        # A step must not stop the others; what it did not foresee is a finding too.
        said = mask(f"{type(error).__name__}: {error}", settings.secrets())
        verdict = Verdict(f"unexpected {said}", "Report this as a defect.", Outcome.FAILED)
    return Finding(
        step=step.name,
        question=step.question,
        outcome=verdict.outcome,
        message=verdict.message,
        remedy=verdict.remedy,
        seconds=clock.monotonic() - began,
    )
