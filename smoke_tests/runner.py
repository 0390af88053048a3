"""Runs stages in order and tells a listener what happens.

Owns the rules of a pass: a stage after a failed one is not run, and says so; `--cleanup` runs
whatever happened before; an interruption ends the pass but not the clean-up. Stages yield evidence
and raise; nothing here knows what they ask, and nothing here prints.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from smoke_tests.errors import StageFailed
from smoke_tests.masking import Masker
from smoke_tests.retrying import Clock, Wait
from smoke_tests.stage import Evidence, Outcome, Stage, StageResult
from smoke_tests.visit import Visit


class Listener(Protocol):
    """Whoever shows a pass while it happens."""

    def stage_started(self, stage: Stage) -> None:
        """A stage begins."""
        ...

    def saw(self, evidence: Evidence) -> None:
        """The stage under way has seen something."""
        ...

    def waiting(self, wait: Wait, remaining: float) -> None:
        """The stage under way waits for the server."""
        ...

    def stage_ended(self, result: StageResult) -> None:
        """A stage is over, or was not run."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What came of a pass."""

    tracking_uri: str
    experiment_name: str
    experiment_id: str | None
    run_id: str | None
    started_at: float  # seconds since 1970
    seconds: float
    results: tuple[StageResult, ...]
    interrupted: bool

    @property
    def failure(self) -> StageResult | None:
        """The first stage that failed."""
        failed = (result for result in self.results if result.outcome is Outcome.FAILED)
        return next(failed, None)

    @property
    def exit_code(self) -> int:
        """0 all passed, 1 a stage failed, 2 the check was interrupted."""
        if self.failure is not None:
            return 1
        return 2 if self.interrupted else 0


def run_stages(
    visit: Visit,
    stages: Sequence[Stage],
    *,
    afterwards: Sequence[Stage] = (),
    listener: Listener,
    masker: Masker,
) -> Report:
    """Run the stages, then those that run whatever happened."""
    started_at, started = visit.clock.epoch(), visit.clock.monotonic()
    results: list[StageResult] = []
    stopped: str | None = None  # why the remaining stages are not run
    interrupted = False
    for stage in (*stages, *afterwards):
        if stopped is not None and stage not in afterwards:
            result = StageResult(stage=stage, outcome=Outcome.NOT_RUN, problem=stopped)
            listener.stage_started(stage)
        else:
            result = _run(stage, visit, listener, masker)
        listener.stage_ended(result)
        results.append(result)
        interrupted = interrupted or result.problem == "interrupted"
        if result.outcome is not Outcome.PASSED and stopped is None:
            stopped = "interrupted" if interrupted else f"test {stage.number} failed"
    return Report(
        tracking_uri=visit.server.target.uri,
        experiment_name=visit.experiment_name,
        experiment_id=visit.experiment_id,
        run_id=visit.run_id,
        started_at=started_at,
        seconds=visit.clock.monotonic() - started,
        results=tuple(results),
        interrupted=interrupted,
    )


def _run(stage: Stage, visit: Visit, listener: Listener, masker: Masker) -> StageResult:
    clock: Clock = visit.clock
    started = clock.monotonic()
    evidence: list[Evidence] = []
    listener.stage_started(stage)
    outcome, problem, remedy = Outcome.PASSED, None, None
    try:
        for item in stage.run(visit):
            evidence.append(item)
            listener.saw(item)
    except StageFailed as failure:
        outcome, problem, remedy = Outcome.FAILED, failure.problem, failure.remedy
    except KeyboardInterrupt:
        outcome, problem = Outcome.NOT_RUN, "interrupted"
    except Exception as error:  # a defect of the check must not look like a traceback
        outcome = Outcome.FAILED
        problem = f"The check itself broke: {type(error).__name__}: {masker.foreign(str(error))}"
        remedy = "This is a defect of smoke_tests, not of the platform: report it."
    return StageResult(
        stage=stage,
        outcome=outcome,
        evidence=tuple(evidence),
        problem=problem,
        remedy=remedy,
        seconds=clock.monotonic() - started,
    )
