"""What is seen after a command, in a form in which two engines can be compared.

Owns the normalisation: time stamps, ciphertext, generated ids and the host's paths are taken out,
everything else of a checkpoint, a preview and the cloud's journal stays. Comparing is done in
`comparison.py`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.local_engine.conformance.engines import Completed
from tests.local_engine.conformance.fake_cloud import CHANGING_CALLS

SIGNATURE = "4dabf18193072939515e22adb298388d"
HOST_DEPENDENT = ("created", "modified", "stackTrace", "sourcePosition")

State = dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """One command on one engine."""

    engine: str
    completed: Completed
    calls: list[dict[str, Any]]
    """What the provider was asked, in order."""
    resources: list[State]
    """The checkpoint's resources afterwards, in its order."""
    pending_operations: list[State] = field(default_factory=list)
    changes: dict[str, int] | None = None
    """The history's count of resources by operation; only of commands that write history."""
    steps: list[State] | None = None
    """The steps of `preview --json`."""
    summary: dict[str, int] | None = None
    """The `changeSummary` of `preview --json`."""

    @property
    def command(self) -> str:
        """The command line."""
        return " ".join(self.completed.arguments)

    @property
    def exit_code(self) -> int:
        """The command's exit code."""
        return self.completed.exit_code

    @property
    def text(self) -> str:
        """Everything the command said."""
        return self.completed.text

    @property
    def ok(self) -> bool:
        """Whether the command succeeded; shows what it said if it did not."""
        if self.exit_code:
            sys.stderr.write(
                f"[{self.engine}] {self.command} exited {self.exit_code}:\n{self.text}\n"
            )
        return self.exit_code == 0

    @property
    def changing(self) -> list[str]:
        """Return the calls that change the cloud, as `create a-1`, in order."""
        return [f"{c['call']} {c['id']}" for c in self.calls if c["call"] in CHANGING_CALLS]

    @property
    def ops(self) -> dict[str, list[str]]:
        """Return the operations of a preview by resource name, in order."""
        assert self.steps is not None
        found: dict[str, list[str]] = {}
        for step in self.steps:
            found.setdefault(name_of(step["urn"]), []).append(step["op"])
        return found

    def called(self, call: str, name: str) -> list[dict[str, Any]]:
        """Return the calls of one kind for one thing."""
        return [c for c in self.calls if c["call"] == call and c["name"] == name]

    def resource(self, name: str, *, deleted: bool = False) -> State:
        """Return the one state of that name in the checkpoint."""
        found = [
            state
            for state in self.resources
            if name_of(state["urn"]) == name and bool(state.get("delete")) == deleted
        ]
        assert len(found) == 1, f"{name}: {found}"
        return found[0]

    @property
    def names(self) -> list[str]:
        """Return the names of what the checkpoint holds, stack and providers left out."""
        return sorted(
            name_of(state["urn"])
            for state in self.resources
            if not state["type"].startswith(("pulumi:providers:", "pulumi:pulumi:Stack"))
        )


def name_of(urn: str) -> str:
    """Return the name in a URN."""
    return urn.split("::", 3)[3]


def before(calls: list[str], *wanted: str) -> bool:
    """Tell whether these calls are there in this order, with others between."""
    remaining = iter(calls)
    return all(call in remaining for call in wanted)


def read_checkpoint(file: Path) -> tuple[list[State], list[State]]:
    """Return resources and pending operations of a file of Pulumi's DIY backend, normalised."""
    if not file.is_file():
        return [], []
    checkpoint = json.loads(file.read_text(encoding="utf-8"))
    assert checkpoint["version"] == 3
    latest = checkpoint["checkpoint"].get("latest") or {}
    pending = [
        {**operation, "resource": normalised_state(operation["resource"])}
        for operation in latest.get("pending_operations") or []
    ]
    return [normalised_state(state) for state in latest.get("resources") or []], pending


def read_history(folder: Path) -> dict[str, int] | None:
    """Return what the newest entry of a stack's history counts."""
    files = sorted(folder.glob("*.history.json"))
    if not files:
        return None
    newest = json.loads(files[-1].read_text(encoding="utf-8"))
    return newest.get("resourceChanges", {})


def normalised_state(state: State) -> State:
    """Return a state without what differs from run to run."""
    kept = {key: _normalised(value) for key, value in state.items() if key not in HOST_DEPENDENT}
    if kept["type"].startswith("pulumi:providers:"):
        kept["id"] = "<generated>"
    # The SDK gathers dependencies in sets, whose order changes from run to run.
    if "dependencies" in kept:
        kept["dependencies"] = sorted(kept["dependencies"])
    if "propertyDependencies" in kept:
        kept["propertyDependencies"] = {
            key: sorted(urns) for key, urns in kept["propertyDependencies"].items()
        }
    if "provider" in kept:
        kept["provider"] = kept["provider"].rpartition("::")[0]
    return kept


def normalised_steps(steps: Iterable[State]) -> list[State]:
    """Return a preview's steps without what differs from run to run."""
    return [
        {
            key: normalised_state(value)
            if key in {"oldState", "newState"}
            else value.rpartition("::")[0]
            if key == "provider"
            else sorted(value)  # gathered in no particular order
            if key in {"diffReasons", "replaceReasons"}
            else value
            for key, value in step.items()
        }
        for step in steps
    ]


def _normalised(value: Any) -> Any:
    if isinstance(value, dict):
        if SIGNATURE in value and ("ciphertext" in value or "plaintext" in value):
            return "<secret>"
        return {key: _normalised(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_normalised(item) for item in value]
    return value
