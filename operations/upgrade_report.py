"""How an upgrade is told: the plan before it, and what became of it.

Owns the words. An upgrade that failed and came back says both: what failed, and that every row and
file is as it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from operations.report import ExitCode, Line
from operations.upgrade_steps import Schema

Outcome = Literal["planned", "nothing to do", "upgraded", "went back", "stuck"]


@dataclass(frozen=True, kw_only=True, slots=True)
class UpgradePlan:
    """What would be done."""

    stack: str
    from_version: str
    to_version: str
    schema: Schema
    connections: int
    backup_to: str
    roll: str | None = None  # the command; None: the engine's `up`

    def lines(self) -> Iterator[str]:
        """For a person, before it is asked."""
        yield (
            f"Upgrade of stack {self.stack} from MLflow {self.from_version} to {self.to_version}:"
        )
        yield f"  1 backup     to {self.backup_to}, encrypted, then read back whole"
        if self.schema.ahead:
            yield (
                f"  2 migrate    schema {self.schema.revision} to {self.schema.head}, "
                f"{len(self.schema.ahead)} steps: {', '.join(self.schema.ahead)}"
            )
        else:
            yield f"  2 migrate    nothing: the schema is at {self.schema.head} already"
        yield f"  3 compare    the schema's revision with {self.schema.head}"
        how = self.roll or "the engine's `up`, which applies whatever else the stack's file changes"
        yield f"  4 roll       the server: {how}"
        yield "  5 check      health, experiment, run, metric"
        yield "  If 2, 3, 4 or 5 fails, database and artifacts go back to the backup of 1."
        if self.connections:
            yield (
                f"  connections open in the database: {self.connections}; what is logged after "
                "the backup is lost if it has to go back; stop the clients"
            )


@dataclass(kw_only=True)
class UpgradeReport:
    """What was done."""

    plan: UpgradePlan
    outcome: Outcome = "planned"
    steps: list[str] = field(default_factory=list[str])
    backup: str | None = None  # its name
    problem: str | None = None
    revision: str | None = None  # at the end
    next_step: str | None = None

    @property
    def exit_code(self) -> ExitCode:
        """1 where the upgrade failed, also when everything is back as it was."""
        return 1 if self.outcome in ("went back", "stuck") else 0

    def document(self) -> Mapping[str, object]:
        """For a machine."""
        return {
            "from_version": self.plan.from_version,
            "to_version": self.plan.to_version,
            "revision_before": self.plan.schema.revision,
            "revision_wanted": self.plan.schema.head,
            "revision": self.revision,
            "result": self.outcome,
            "steps": self.steps,
            "backup": self.backup,
            "failure": self.problem,
            "next_step": self.next_step,
        }

    def lines(self) -> Iterator[Line]:
        """The plan where nothing was done, else the steps and the end."""
        if self.outcome == "planned":
            yield from (Line(text) for text in self.plan.lines())
            yield Line(f"Nothing was changed. To do it, add --confirm {self.plan.stack}", "yellow")
            return
        yield from (Line(text) for text in self.steps)
        if self.problem:
            yield Line(self.problem, "red")
        good = self.outcome in ("upgraded", "nothing to do")
        yield Line(_ENDS[self.outcome].format(self=self), "green" if good else "red")
        if self.next_step:
            yield Line(self.next_step, "yellow")


_ENDS: Mapping[Outcome, str] = {
    "planned": "",
    "nothing to do": "MLflow {self.plan.to_version} runs, and its schema is there: nothing to do",
    "upgraded": "upgraded to MLflow {self.plan.to_version}, schema {self.revision}",
    "went back": "back at the backup {self.backup}: schema {self.revision}, every row and file",
    "stuck": "not back: restore the backup {self.backup} by hand (docs/runbooks/backup.md)",
}
