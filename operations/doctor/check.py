"""What a check is, and what it answers.

Owns the record: a question, and an answer that is `passed`, `failed` or `not_run`. A check only
knows; it prints nothing, stops nobody and never raises for what it found. Where it cannot look it
raises `NotRun` with the reason, wherever in it that becomes clear.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from operations.doctor.patient import Patient

Status = Literal["passed", "failed", "not_run"]

USUAL_SECONDS = 20.0
"""After this long a check is given up: what hangs is a finding too."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a check found out."""

    status: Status
    evidence: str  # what was seen; of a check that did not run, why not
    cause: str | None = None
    next_step: str | None = None


def passed(evidence: str) -> Answer:
    """All is well, and this is what was seen."""
    return Answer(status="passed", evidence=evidence)


def failed(evidence: str, *, cause: str, next_step: str) -> Answer:
    """Something is wrong: what was seen, what that means and what to do."""
    return Answer(status="failed", evidence=evidence, cause=cause, next_step=next_step)


def counted(number: int, noun: str) -> str:
    """A number with its noun: `1 line`, `2 lines`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


class NotRun(Exception):  # noqa: N818  # an answer, not a defect
    """The check cannot look; the text says why, without secrets."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One question about a platform."""

    name: str  # `group.subject`, as documents and programs call it
    question: str
    ask: Callable[[Patient], Answer]
    explained_by: tuple[str, ...] = ()  # checks whose failure would be the reason for this one's
    timeout_seconds: float = USUAL_SECONDS


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """A check that was made."""

    check: Check
    answer: Answer
    seconds: float
    follows_from: str | None = None  # the failed check that explains this failure
