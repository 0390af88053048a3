"""A step with what its execution needs to know beyond what is shown of it.

Owns the making of steps in Pulumi's terms (which of old and new they carry, whether they count);
`steps_generator.py` chooses them, `steps_executor.py` runs them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from local_engine import events
from local_engine.diff import DiffResult
from local_engine.events import Step
from local_engine.resource_state import ResourceState


@dataclass(kw_only=True, slots=True, eq=False)
class PlannedStep:
    """A step to run.

    `pending_delete`: the old state stays, marked to be deleted at the end of the deployment.
    `pending_replacement`: the old state stays after its deletion, until its successor is there.
    """

    step: Step
    pending_delete: bool = False
    pending_replacement: bool = False
    replacing: bool = False
    ignored: Sequence[str] = field(default_factory=tuple)


def same(old: ResourceState, new: ResourceState) -> PlannedStep:
    """Nothing to do."""
    return PlannedStep(step=_step(events.OP_SAME, old, new))


def create(new: ResourceState) -> PlannedStep:
    """Create a resource."""
    return PlannedStep(step=_step(events.OP_CREATE, None, new))


def update(
    old: ResourceState, new: ResourceState, diff: DiffResult, ignored: Sequence[str]
) -> PlannedStep:
    """Change a resource in place."""
    return PlannedStep(step=_step(events.OP_UPDATE, old, new, diff), ignored=ignored)


def recreate(old: ResourceState, new: ResourceState, keys: tuple[str, ...]) -> list[PlannedStep]:
    """Create the successor of a resource that went together with one it depended on."""
    shown, making = replace(old, new, DiffResult(), pending_delete=False)
    making.step.replace_keys = list(keys)
    return [shown, making]


def replace(
    old: ResourceState, new: ResourceState, diff: DiffResult, *, pending_delete: bool
) -> list[PlannedStep]:
    """Create the successor of a resource; the order shows whether the old one goes first."""
    making = PlannedStep(
        step=_step(events.OP_CREATE_REPLACEMENT, old, new, diff, logical=False),
        pending_delete=pending_delete,
        replacing=True,
    )
    shown = PlannedStep(step=_step(events.OP_REPLACE, old, new, diff), replacing=True)
    return [making, shown] if pending_delete else [shown, making]


def read(old: ResourceState | None, new: ResourceState) -> PlannedStep:
    """Look at a resource that is not ours."""
    return PlannedStep(step=_step(events.OP_READ, old, new))


def read_replacement(old: ResourceState, new: ResourceState) -> list[PlannedStep]:
    """Look at a resource that is not ours where one of ours has its URN so far."""
    reading = PlannedStep(
        step=_step(events.OP_READ_REPLACEMENT, old, new, logical=False),
        pending_delete=True,
        replacing=True,
    )
    return [reading, PlannedStep(step=_step(events.OP_REPLACE, old, new), replacing=True)]


def delete(
    old: ResourceState, *, replacing: bool = False, pending_replacement: bool = False
) -> PlannedStep:
    """Delete a resource, or stop knowing of one that is not ours."""
    if old.external:
        op = events.OP_DISCARD_REPLACED if replacing else events.OP_DISCARD
    else:
        op = events.OP_DELETE_REPLACED if replacing else events.OP_DELETE
    return PlannedStep(
        step=_step(op, old, None, logical=not replacing),
        replacing=replacing,
        pending_replacement=pending_replacement,
    )


def remove_pending_replace(old: ResourceState) -> PlannedStep:
    """Forget a resource that was deleted for a successor which is not wanted any more."""
    return PlannedStep(step=_step(events.OP_REMOVE_PENDING_REPLACE, old, None, logical=False))


def refresh(old: ResourceState) -> PlannedStep:
    """Look at a resource of ours."""
    return PlannedStep(step=_step(events.OP_REFRESH, old, old, logical=False))


def _step(
    op: str,
    old: ResourceState | None,
    new: ResourceState | None,
    diff: DiffResult | None = None,
    *,
    logical: bool = True,
) -> Step:
    state = new if new is not None else old
    assert state is not None  # noqa: S101
    diff = diff or DiffResult()
    return Step(
        op=op,
        urn=state.urn,
        type=state.type,
        provider=state.provider,
        old=old,
        new=new,
        diffs=list(diff.changed_keys),
        replace_keys=list(diff.replace_keys),
        detailed_diff=diff.detailed,
        logical=logical,
    )
