"""What a preflight saw: one record per step, and the report they make.

Owns the shapes alone. A step is carried out in `preflight_steps`; printing is the command line's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Outcome(Enum):
    """What came of a step."""

    PASSED = "passed"
    WARNING = "warning"  # training may begin, and somebody should look
    FAILED = "failed"
    NOT_RUN = "not_run"  # an earlier failure left nothing to look at


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One step of the preflight: its question and the answer."""

    step: str  # for machines: `health`, `authentication`, …
    question: str
    outcome: Outcome
    message: str  # what was seen, one sentence
    remedy: str | None = None  # what to do about it
    seconds: float = 0.0

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            "step": self.step,
            "question": self.question,
            "outcome": self.outcome.value,
            "message": self.message,
            "remedy": self.remedy,
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class TrackedRun:
    """A run that is proven to be tracked; what training goes on with.

    It serves wherever MLflow's own run serves that only `info.run_id` is asked of.
    """

    run_id: str
    experiment_id: str
    experiment_name: str
    tracking_uri: str
    report: PreflightReport

    @property
    def info(self) -> TrackedRun:
        """As MLflow's run has it."""
        return self


@dataclass(frozen=True, kw_only=True, slots=True)
class PreflightReport:
    """Every step, in order, and what training needs to know."""

    tracking_uri: str
    experiment_name: str
    findings: tuple[Finding, ...]
    seconds: float
    experiment_id: str | None = None
    run_id: str | None = None
    artifact_uri: str | None = None
    server_version: str | None = None
    client_version: str | None = None

    @property
    def passed(self) -> bool:
        """Whether training may begin."""
        return not self.failed

    @property
    def failed(self) -> tuple[Finding, ...]:
        """The steps that failed."""
        return tuple(item for item in self.findings if item.outcome is Outcome.FAILED)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The steps that passed with something to look at."""
        return tuple(item for item in self.findings if item.outcome is Outcome.WARNING)

    def describe_failure(self) -> str:
        """Every finding with its remedy, for an exception's text."""
        where = f"the preflight of {self.tracking_uri} failed after {self.seconds:.1f} s"
        lines = [f"training did not begin: {where}"]
        for item in self.failed:
            lines.append(f"  - {item.step}: {item.message}")
            if item.remedy:
                lines.append(f"    {item.remedy}")
        unseen = [item.step for item in self.findings if item.outcome is Outcome.NOT_RUN]
        if unseen:
            lines.append(f"  not checked: {', '.join(unseen)}")
        return "\n".join(lines)

    def as_dict(self) -> Mapping[str, object]:
        """For JSON."""
        return {
            "schema_version": 1,
            "passed": self.passed,
            "tracking_uri": self.tracking_uri,
            "experiment_name": self.experiment_name,
            "experiment_id": self.experiment_id,
            "run_id": self.run_id,
            "artifact_uri": self.artifact_uri,
            "server_version": self.server_version,
            "client_version": self.client_version,
            "seconds": round(self.seconds, 3),
            "findings": [item.as_dict() for item in self.findings],
        }
