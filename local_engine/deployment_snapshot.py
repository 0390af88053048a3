"""The stack's state while a deployment changes it: always one that can be written and resumed.

Owns which states the next checkpoint holds, in which order, and which operations are under way.
New states come first in the order they were finished (a resource is registered only after what it
depends on), then the old states that nothing has replaced yet: a valid order at every moment.
It decides nothing about resources, and writing itself is the caller's `save`.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Container
from dataclasses import fields, replace
from datetime import UTC, datetime

from local_engine import diff
from local_engine.resource_state import (
    Manifest,
    Operation,
    OperationKind,
    ResourceState,
    Snapshot,
    make_urn,
)

# The format that checkpoints are written in; the CLI compares it with its own version.
ENGINE_VERSION = "v3.272.0"


# Whole values, compared as they are; where a source line stands says nothing about a resource.
_VALUES = ("inputs", "outputs", "replacement_trigger", "dependencies")
_IGNORED = ("created", "modified", "source_position", "stack_trace", "extra", *_VALUES)
_PLAIN_FIELDS = tuple(f.name for f in fields(ResourceState) if f.name not in _IGNORED)


class SnapshotWriter:
    """Collects what happened and saves a checkpoint whenever that changed it."""

    def __init__(self, base: Snapshot | None, save: Callable[[Snapshot], None] | None) -> None:
        """Begin from `base`; with no `save`, as in a preview, nothing is ever written."""
        self._base = base or Snapshot()
        self._save = save
        self._lock = threading.Lock()
        self._new: list[ResourceState] = []
        self._done: set[int] = set()
        self._kept: list[ResourceState] = list(self._base.resources)
        self._operations: list[Operation] = []
        # Creations interrupted in an earlier run. They stay until the creation is taken up again:
        # only then is it known that what was half made is in the state.
        self._interrupted = [op for op in self._base.pending_operations if op.kind == "creating"]

    @property
    def base(self) -> Snapshot:
        """The state that the deployment began from."""
        return self._base

    def begin(self, kind: OperationKind, state: ResourceState) -> None:
        """Record that a provider is about to be asked to change or read `state`."""
        with self._lock:
            self._operations.append(Operation(kind, state))
            self._write()

    def end(
        self,
        state: ResourceState,
        *,
        done: ResourceState | None = None,
        new: ResourceState | None = None,
    ) -> None:
        """Record the end of the operation on `state`, what it did away with and what it made."""
        with self._lock:
            self._operations = [op for op in self._operations if op.resource is not state]
            if new is not None:
                self._interrupted = [op for op in self._interrupted if op.resource.urn != new.urn]
            self._settle(done, new)
            self._write()

    def give_up_interrupted(self, registered: Container[str]) -> list[str]:
        """Forget interrupted creations that were not taken up; returns those now unknown.

        For a URN that is registered the program got past it: there the state is complete.
        """
        with self._lock:
            given_up = [op.resource.urn for op in self._interrupted]
            self._interrupted = []
            return [urn for urn in given_up if urn not in registered]

    def keep(self, old: ResourceState, new: ResourceState) -> None:
        """Record that `new` follows `old` unchanged; written only where it differs at all."""
        with self._lock:
            self._settle(old, new)
            if _differs(old, new):
                self._write()

    def settle(self, *, done: ResourceState | None, new: ResourceState | None) -> None:
        """Record without writing: a step that changed nothing outside this process."""
        with self._lock:
            self._settle(done, new)

    def rebase(self, resources: list[ResourceState]) -> None:
        """Take over refreshed states in place of those the deployment began from."""
        with self._lock:
            self._kept = list(resources)
            self._base = replace(self._base, resources=list(resources))

    def write(self) -> None:
        """Save now."""
        with self._lock:
            self._write()

    def freeze(self) -> None:
        """Save nothing any more: what is still under way will not be seen to its end."""
        with self._lock:
            self._save = None

    def snapshot(self) -> Snapshot:
        """Return the state as it stands."""
        with self._lock:
            return self._snapshot()

    def _settle(self, done: ResourceState | None, new: ResourceState | None) -> None:
        if done is not None:
            self._done.add(id(done))
        if new is not None:
            self._new.append(new)

    def _write(self) -> None:
        if self._save is not None:
            self._save(self._snapshot())

    def _snapshot(self) -> Snapshot:
        now = datetime.now(tz=UTC)
        magic = hashlib.sha256(ENGINE_VERSION.encode()).hexdigest()
        resources = [state for state in (*self._new, *self._kept) if id(state) not in self._done]
        return replace(
            self._base,
            manifest=Manifest(time=now, magic=magic, version=ENGINE_VERSION),
            resources=_without_aliases(resources),
            pending_operations=[*self._operations, *self._interrupted],
        )


def _without_aliases(resources: list[ResourceState]) -> list[ResourceState]:
    """Let every reference to an earlier URN name the resource by the URN it has now."""
    names = {alias: state.urn for state in resources for alias in state.aliases}
    if not names:
        return resources
    # A state that is still old stands below its parent's new name already.
    for state in resources:
        parent = names.get(state.parent, "")
        if parent and state.urn not in names.values():
            stack, project = state.urn.removeprefix("urn:pulumi:").split("::")[:2]
            names[state.urn] = make_urn(stack, project, parent, state.type, state.name)

    def name(urn: str) -> str:
        return names.get(urn, urn)

    def provider(reference: str) -> str:
        urn, _, identity = reference.rpartition("::")
        return f"{name(urn)}::{identity}" if reference else ""

    return [
        state.copy(
            urn=name(state.urn),
            parent=name(state.parent),
            provider=provider(state.provider),
            dependencies=[name(urn) for urn in state.dependencies],
            property_dependencies={
                key: [name(urn) for urn in urns]
                for key, urns in state.property_dependencies.items()
            },
            deleted_with=name(state.deleted_with),
            replace_with=[name(urn) for urn in state.replace_with],
            aliases=[],
        )
        for state in resources
    ]


def _differs(old: ResourceState, new: ResourceState) -> bool:
    return (
        any(getattr(old, name) != getattr(new, name) for name in _PLAIN_FIELDS)
        or sorted(old.dependencies) != sorted(new.dependencies)
        or not diff.same_value(old.inputs, new.inputs)
        or not diff.same_value(old.outputs, new.outputs)
        or not diff.same_value(old.replacement_trigger, new.replacement_trigger)
    )
