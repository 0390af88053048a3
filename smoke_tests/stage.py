"""A stage of the check as a record: its question, how to answer it, and the answer.

Owns the types that stages, runner and reports share. A stage knows nothing about printing: it
yields evidence as it goes and raises `StageFailed` when the platform is broken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from smoke_tests.visit import Visit


class Outcome(Enum):
    """What came of a stage."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_RUN = "not_run"


class Weight(Enum):
    """How a line of evidence is shown: an achievement, a remark, or a detail below one."""

    ACHIEVEMENT = "achievement"
    REMARK = "remark"
    DETAIL = "detail"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing a stage saw."""

    text: str
    weight: Weight = Weight.ACHIEVEMENT


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """One question the check asks the platform."""

    number: int
    name: str  # for machines: `health`
    title: str  # for people, in the integration guide's words
    question: str
    failed_sentence: str  # the guide's sentence after `FAILED:`
    run: Callable[[Visit], Iterator[Evidence]]


@dataclass(frozen=True, kw_only=True, slots=True)
class StageResult:
    """The answer to one stage's question."""

    stage: Stage
    outcome: Outcome
    evidence: tuple[Evidence, ...] = ()
    problem: str | None = None  # why it failed or was not run
    remedy: str | None = None
    seconds: float = 0.0
