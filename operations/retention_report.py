"""How retention is told: what would go and what it weighs, what stays and why, what went."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from operations.report import ExitCode, Line
from operations.retention_archive import PutAway
from operations.retention_plan import Kept, Run, Selection

SHOWN = 20
"""Runs that a text names one by one; a program gets them all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Weight:
    """What a run's files weigh; None where they lie elsewhere."""

    files: int
    size_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RetentionReport:
    """What would go, or went."""

    stack: str
    days: int
    archive: str | None  # where each run is put first; None: nowhere
    command: str  # what does what is shown
    selection: Selection
    weights: Mapping[str, Weight | None]  # by run
    archived: tuple[PutAway, ...] = ()
    gone: tuple[str, ...] | None = None  # runs; None: a dry run
    left: tuple[str, ...] = ()  # files of runs that went which are still there

    @property
    def exit_code(self) -> ExitCode:
        """1 where a run that was to go is still there, or files of one."""
        if self.gone is None:
            return 0
        return 1 if self.left or len(self.gone) < len(self.selection.go) else 0

    def done(
        self, gone: tuple[str, ...], archived: tuple[PutAway, ...], left: tuple[str, ...]
    ) -> RetentionReport:
        """The same, after it was done."""
        return replace(self, gone=gone, archived=archived, left=left)

    def document(self) -> Mapping[str, object]:
        """Every run."""
        return {
            "days": self.days,
            "before": _day(self.selection.before),
            "dry_run": self.gone is None,
            "runs": [self._run(run) for run in self.selection.go],
            "files": sum(weight.files for weight in self._known),
            "bytes": self._bytes,
            "kept": [
                {"run_id": kept.run.run_id, "reason": kept.reason, "why": kept.why}
                for kept in self.selection.kept
            ],
            "archived": [
                {"run_id": one.run_id, "uri": one.uri, "files": one.files, "bytes": one.size_bytes}
                for one in self.archived
            ],
            "gone": None if self.gone is None else list(self.gone),
            "left": list(self.left),
        }

    def lines(self) -> Iterator[Line]:
        """The plan and the next step; or, the plan having been shown, what was done."""
        if self.gone is None:
            yield from (Line(text) for text in self.plan())
            if self.selection.go:
                yield Line(f"Nothing was changed. To do it: {self.command}", "yellow")
            return
        if self.archived:
            size = sum(one.size_bytes for one in self.archived)
            yield Line(f"{len(self.archived):,} archived and read back, {weighed(size)}")
        missing = len(self.selection.go) - len(self.gone)
        yield Line(
            f"{counted(len(self.gone), 'run')} deleted for good, with artifacts",
            "red" if missing or self.left else "green",
        )
        if missing:
            yield Line(f"still there: {counted(missing, 'run')} that had to go: do it again", "red")
        if self.left:
            yield Line(f"files still there: {', '.join(self.left[:SHOWN])}", "red")

    def plan(self) -> Iterator[str]:
        """What goes and what stays."""
        go, kept = self.selection.go, self.selection.kept
        yield (
            f"Runs of stack {self.stack} older than {self.days} days (last active before "
            f"{_day(self.selection.before)}):"
        )
        for run in go[:SHOWN]:
            state = "deleted by somebody" if run.deleted else run.status.lower()
            models = f", {counted(len(run.models), 'model')}" if run.models else ""
            yield (
                f"  {run.run_id}  {_day(run.last_moment)}  {state:<20}"
                f"{_shown(self.weights[run.run_id]):>24}{models}  {run.experiment}/{run.name}"
            )
        if len(go) > SHOWN:
            yield f"  and {len(go) - SHOWN:,} more (--json names all)"
        yield from _kept(kept)
        files = sum(weight.files for weight in self._known)
        models = sum(len(run.models) for run in go)
        yield (
            f"{counted(len(go), 'run')} to go, with {counted(models, 'logged model')}, "
            f"{counted(files, 'file')}, {weighed(self._bytes)}; {counted(len(kept), 'old one')} to "
            "stay"
        )
        if go and self.archive:
            yield f"Each is copied to {self.archive} first, and read back"

    def _run(self, run: Run) -> dict[str, object]:
        weight = self.weights[run.run_id]
        return {
            "run_id": run.run_id,
            "name": run.name,
            "experiment": run.experiment,
            "status": run.status,
            "already_deleted": run.deleted,
            "last_active": _day(run.last_moment),
            "logged_models": [model.model_id for model in run.models],
            "files": weight.files if weight else None,
            "bytes": weight.size_bytes if weight else None,
        }

    @property
    def _known(self) -> list[Weight]:
        return [weight for weight in self.weights.values() if weight is not None]

    @property
    def _bytes(self) -> int:
        return sum(weight.size_bytes for weight in self._known)


def _kept(kept: tuple[Kept, ...]) -> Iterator[str]:
    for one in kept[:SHOWN]:
        yield f"  {one.run.run_id}  stays: {one.why}"
    if len(kept) > SHOWN:
        yield f"  and {len(kept) - SHOWN:,} more that stay"


def _shown(weight: Weight | None) -> str:
    if weight is None:
        return "elsewhere"
    return f"{counted(weight.files, 'file')}, {weighed(weight.size_bytes)}"


def counted(number: int, word: str) -> str:
    """`1 run`, `1,200 runs`."""
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def weighed(size: int) -> str:
    """`12.3 MB`, `4 B`."""
    amount, unit = float(size), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{amount:.1f} {unit}" if unit != "B" else f"{size} B"


def _day(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).date().isoformat()
