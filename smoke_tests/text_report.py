"""The report a person reads: that of the team's integration guide, line for line.

Owns the words around the evidence and their order. What the guide does not have is added without
touching its lines: stages that were not run, the remedy below the verdict, and the waits of a
server that starts slowly (a countdown on a terminal, one line each elsewhere).
"""

from __future__ import annotations

from smoke_tests.masking import Masker
from smoke_tests.retrying import Wait
from smoke_tests.runner import Report
from smoke_tests.stage import Evidence, Outcome, Stage, StageResult, Weight
from smoke_tests.terminal import Colour, Terminal

_RULE = "=" * 60


class TextReport:
    """Prints a pass while it happens."""

    def __init__(self, terminal: Terminal, masker: Masker) -> None:
        """Print to that terminal."""
        self._terminal = terminal
        self._masker = masker

    def begin(self, tracking_uri: str) -> None:
        """Print the head."""
        self._line(_RULE)
        self._line("MLflow Integration Test")
        self._line(_RULE)
        self._line(f"Tracking URI: {tracking_uri}")

    def stage_started(self, stage: Stage) -> None:
        """Print the stage's title."""
        self._line()
        self._line(f"=== Test {stage.number}: {stage.title} ===")

    def saw(self, evidence: Evidence) -> None:
        """Print one thing the stage saw."""
        match evidence.weight:
            case Weight.ACHIEVEMENT:
                self._line(f"{self._terminal.symbols.passed} {evidence.text}", "green")
            case Weight.REMARK:
                self._line(f"  {evidence.text}")
            case Weight.DETAIL:
                self._line(f"    {evidence.text}")

    def waiting(self, wait: Wait, remaining: float) -> None:
        """Print a wait when it begins, and count it down where the line can be taken back."""
        if remaining == wait.seconds:
            self._line(
                f"  {wait.subject} failed (attempt {wait.attempt}/{wait.attempts}): {wait.reason}"
            )
            if not self._terminal.is_live:
                self._line(f"  Waiting {wait.seconds:g}s before retry...")
        if remaining > 0:
            self._terminal.write_temporarily(f"  Waiting {remaining:.0f}s before retry...")
        else:
            self._terminal.erase()

    def stage_ended(self, result: StageResult) -> None:
        """Print why a stage failed or was not run."""
        if result.outcome is Outcome.FAILED:
            self._line(f"{self._terminal.symbols.failed} {result.problem}", "red")
        elif result.outcome is Outcome.NOT_RUN:
            self._line(f"- Not run: {result.problem}", "yellow")

    def end(self, report: Report) -> None:
        """Print the verdict."""
        symbols = self._terminal.symbols
        self._line()
        if report.failure is not None:
            sentence = report.failure.stage.failed_sentence
            self._line(f"{symbols.verdict_failed} FAILED: {sentence}", "red")
            if report.failure.remedy:
                self._line(f"   What to do: {report.failure.remedy}")
        elif report.interrupted:
            self._line("Interrupted: the check did not finish.", "yellow")
            if report.run_id is not None:
                self._line(f"   What was written so far: run {report.run_id}")
        else:
            self._line(_RULE)
            self._line(
                f"{symbols.all_passed} ALL TESTS PASSED - MLflow integration is working!", "green"
            )
            self._line(_RULE)

    def _line(self, text: str = "", colour: Colour | None = None) -> None:
        self._terminal.write(self._masker.report(text), colour)


class QuietReport:
    """Shows nothing while a pass happens: for reports written at its end."""

    def stage_started(self, stage: Stage) -> None:
        """Nothing to show."""

    def saw(self, evidence: Evidence) -> None:
        """Nothing to show."""

    def waiting(self, wait: Wait, remaining: float) -> None:
        """Nothing to show."""

    def stage_ended(self, result: StageResult) -> None:
        """Nothing to show."""
