"""What is seen after a command, in a form in which two engines can be compared.

Owns the normalisation: time stamps, ciphertext, generated ids and the host's paths are taken out,
everything else of a checkpoint, a preview and the cloud's journal stays. It also owns what "the
same order" means: engines run independent steps at once, so only the order of calls to things that
depend on each other is compared.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping
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
            print(f"[{self.engine}] {' '.join(self.completed.arguments)}\n{self.text}")
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
    kept = {
        key: _normalised(value) for key, value in state.items() if key not in HOST_DEPENDENT
    }
    if kept["type"].startswith("pulumi:providers:"):
        kept["id"] = "<generated>"
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


def differences(one: Outcome, other: Outcome) -> list[str]:
    """Return what two engines did differently with the same program, one line each."""
    found: list[str] = []
    # Which failure has which code is each command line's own: the embedded engine keeps to the
    # house's 0, 1, 2; Pulumi has more (7 where --expect-no-changes found some).
    if bool(one.exit_code) != bool(other.exit_code):
        found.append(f"exit code: {one.exit_code} and {other.exit_code}")
    if one.changes != other.changes:
        found.append(f"history: {one.changes} and {other.changes}")
    if one.summary != other.summary:
        found.append(f"preview's summary: {one.summary} and {other.summary}")
    found += _unequal("checkpoint", _by_identity(one.resources), _by_identity(other.resources))
    found += _unequal("step", _by_identity(one.steps or []), _by_identity(other.steps or []))
    found += _unequal("pending", _numbered(one.pending_operations), _numbered(other.pending_operations))
    found += _unequal("call", _numbered(one.calls), _numbered(other.calls))
    if not found:
        found += _unequal("order", dict(constrained_order(one)), dict(constrained_order(other)))
    return [f"{line}   ({one.engine} and {other.engine})" for line in found]


def constrained_order(outcome: Outcome) -> Iterable[tuple[str, list[str]]]:
    """Yield, for every two things of which one depends on the other, their calls in order."""
    ties = _ties(outcome.resources)
    calls = [c for c in outcome.calls if c["call"] in CHANGING_CALLS]
    names = sorted({c["name"] for c in calls})
    for one, other in itertools.combinations_with_replacement(names, 2):
        if one == other or one in ties.get(other, ()) or other in ties.get(one, ()):
            both = [c for c in calls if c["name"] in {one, other}]
            yield f"{one}, {other}", [f"{c['call']} {c['id']}" for c in both]


def _ties(resources: list[State]) -> dict[str, set[str]]:
    ties: dict[str, set[str]] = {}
    for state in resources:
        direct = {*state.get("dependencies", []), state.get("parent", "")} - {""}
        name = name_of(state["urn"])
        known = ties.setdefault(name, set())
        for urn in direct:
            known |= {name_of(urn)} | ties.get(name_of(urn), set())
    return ties


def _by_identity(items: Iterable[State]) -> dict[str, State]:
    """Key states and steps by what identifies them; their order is judged elsewhere."""
    return {
        f"{item.get('op', '')}{item['urn']}{' (to be deleted)' if item.get('delete') else ''}": item
        for item in items
    }


def _numbered(items: Iterable[Any]) -> dict[str, int]:
    counted: dict[str, int] = {}
    for item in items:
        key = json.dumps(item, sort_keys=True)
        counted[key] = counted.get(key, 0) + 1
    return counted


def _unequal(what: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterable[str]:
    for key in sorted({*one, *other}):
        left, right = one.get(key), other.get(key)
        if left == right:
            continue
        if isinstance(left, dict) and isinstance(right, dict):
            for field_ in sorted({*left, *right}):
                if left.get(field_) != right.get(field_):
                    yield f"{what} {key}, {field_}: {left.get(field_)} and {right.get(field_)}"
        else:
            yield f"{what} {key}: {left} and {right}"
