"""What each kind of step does: the call to its provider, and the new state made from the answer.

Owns one small function for each operation, refresh and the protection against deletion included.
When a step runs, and what is recorded before and after it, is in `steps_executor.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from local_engine import diff as diffs
from local_engine import events
from local_engine.deployment_context import DeploymentContext
from local_engine.errors import EngineError
from local_engine.property_values import UNKNOWN_TEXT
from local_engine.providers_answers import Applied
from local_engine.providers_client import ProviderClient
from local_engine.resource_state import ResourceState
from local_engine.steps import PlannedStep
from local_engine.steps_comparison import compare_with


class HalfDone(Exception):  # noqa: N818  (not a failure of ours)
    """The resource was made or changed but did not get ready; its state is kept."""


class StepOperations:
    """Carries out the steps of one deployment."""

    def __init__(self, context: DeploymentContext, deleted: set[str]) -> None:
        """`deleted` holds the URNs that are deleted in this deployment (`deleted_with`)."""
        self._context = context
        self._deleted = deleted
        self._by_op: dict[str, Callable[[PlannedStep], None]] = {
            events.OP_SAME: self._same,
            events.OP_CREATE: self._create,
            events.OP_CREATE_REPLACEMENT: self._create,
            events.OP_UPDATE: self._update,
            events.OP_REPLACE: self._nothing,
            events.OP_DELETE: self._delete,
            events.OP_DELETE_REPLACED: self._delete,
            events.OP_DISCARD: self._delete,
            events.OP_DISCARD_REPLACED: self._delete,
            events.OP_REMOVE_PENDING_REPLACE: self._nothing,
            events.OP_READ: self._read,
            events.OP_READ_REPLACEMENT: self._read,
            events.OP_REFRESH: self._refresh,
        }

    def apply(self, planned: PlannedStep) -> None:
        """Carry out one step; its `new` state holds what came of it.

        Raises:
            HalfDone: it was done, and the resource did not get ready.
            EngineError, ProviderError: it was not done.
        """
        self._by_op[planned.step.op](planned)

    def _same(self, planned: PlannedStep) -> None:
        old, new = _both(planned)
        new.id, new.outputs = old.id, old.outputs
        if new.is_provider:
            # With the inputs it had: a difference that the provider calls none is none.
            self._context.registry.same(new.copy(inputs=old.inputs), checked=True)

    def _create(self, planned: PlannedStep) -> None:
        new, old = planned.step.new, planned.step.old
        assert new is not None  # noqa: S101
        applied = Applied(new.id, {})
        if new.custom:
            if new.is_provider:
                applied = self._context.registry.create(new)
            else:
                applied = self._client(new).create(new, preview=self._context.preview)
            new.id = applied.id
            new.outputs = applied.outputs or {}
            new.init_errors = applied.init_errors
            new.refresh_before_update = applied.refresh_before_update
        new.created = new.modified = datetime.now(tz=UTC)
        if planned.replacing and planned.pending_delete and old is not None:
            old.delete = True
        _raise_half_done(applied)

    def _update(self, planned: PlannedStep) -> None:
        old, new = _both(planned)
        new.id, new.created, new.modified = old.id, old.created, old.modified
        if not new.custom:
            return
        if new.is_provider:
            applied = self._context.registry.update(new)
        else:
            applied = self._client(new).update(
                old, new, planned.ignored, preview=self._context.preview
            )
        new.outputs = applied.outputs or {}
        new.init_errors = applied.init_errors
        new.refresh_before_update = applied.refresh_before_update
        new.modified = datetime.now(tz=UTC)
        if applied.init_errors:
            # The new inputs did not take: the next run must see the difference again.
            new.inputs = dict(old.inputs)
        _raise_half_done(applied)

    def _nothing(self, planned: PlannedStep) -> None:
        """A step that only shows, or that only changes the state."""

    def _delete(self, planned: PlannedStep) -> None:
        old = planned.step.old
        assert old is not None  # noqa: S101
        if old.protect and not planned.replacing:
            raise EngineError(
                f'resource "{old.urn}" cannot be deleted\n'
                "because it is protected. To unprotect the resource, either remove the `protect` "
                "flag from the resource in your Pulumi program and run `up`, or use the command "
                f"`state unprotect '{old.urn}'`",
                urn=old.urn,
            )
        spared = old.external or old.retain_on_delete or old.deleted_with in self._deleted
        if old.custom and not self._context.preview and not spared:
            if old.is_provider:
                self._context.registry.delete(old)
            else:
                self._client(old).delete(old)
        if planned.pending_replacement:
            old.pending_replacement = True

    def _read(self, planned: PlannedStep) -> None:
        new, old = planned.step.new, planned.step.old
        assert new is not None  # noqa: S101
        applied = Applied(new.id, {})
        # Reading changes nothing, so a preview reads too, as soon as it knows the id.
        if new.id != UNKNOWN_TEXT:
            applied = self._client(new).read(new, new.inputs, new.inputs)
            if applied.outputs is None:
                raise EngineError(f"resource '{new.id}' does not exist", urn=new.urn)
            new.id = applied.id or new.id
            new.outputs = applied.outputs
            new.init_errors = applied.init_errors
        if planned.replacing and old is not None:
            old.delete = True
        if old is not None:
            new.created, new.modified = old.created, old.modified
            if not diffs.same_value(old.inputs, new.inputs) or not diffs.same_value(
                old.outputs, new.outputs
            ):
                new.modified = datetime.now(tz=UTC)
        _raise_half_done(applied)

    def _refresh(self, planned: PlannedStep) -> None:
        step = planned.step
        old, _ = _both(planned)
        step.result_op = events.OP_SAME
        if not old.custom or old.is_provider or old.pending_replacement:
            return
        client = self._client(old)
        found = client.read(old, old.inputs, old.outputs)
        if found.init_errors:
            reasons = "\n* ".join(found.init_errors)
            self._context.tell(
                "warning", old.urn, f"Refreshed resource is in an unhealthy state:\n* {reasons}"
            )
        if not found.id or found.outputs is None:
            step.new, step.result_op = None, events.OP_DELETE
            return
        new = old.copy(
            id=found.id,
            outputs=found.outputs,
            inputs=old.inputs if found.inputs is None else found.inputs,
            init_errors=found.init_errors,
            refresh_before_update=found.refresh_before_update,
        )
        step.new = new
        if not diffs.same_value(old.inputs, new.inputs) or not diffs.same_value(
            old.outputs, new.outputs
        ):
            new.modified = datetime.now(tz=UTC)
        if old.external:
            same = diffs.same_value(old.outputs, new.outputs)
            step.result_op = events.OP_SAME if same else events.OP_UPDATE
            return
        # What would an unchanged program change now? The reverse of that is what drifted.
        seen = compare_with(
            client, new, old.inputs, old.ignore_changes, None, preview=self._context.preview
        )
        drift = diffs.invert(seen)
        step.diffs, step.detailed_diff = list(drift.changed_keys), drift.detailed
        step.result_op = events.OP_SAME if drift.changes == "none" else events.OP_UPDATE

    def _client(self, state: ResourceState) -> ProviderClient:
        client = self._context.registry.get(state.provider)
        if client is None:
            raise EngineError(
                f"unknown provider '{state.provider}' for resource '{state.urn}'", urn=state.urn
            )
        return client


def _both(planned: PlannedStep) -> tuple[ResourceState, ResourceState]:
    old, new = planned.step.old, planned.step.new
    assert old is not None  # noqa: S101
    assert new is not None  # noqa: S101
    return old, new


def _raise_half_done(applied: Applied) -> None:
    if applied.init_errors:
        count = len(applied.init_errors)
        reasons = "".join(f"\n    * {reason}" for reason in applied.init_errors)
        raise HalfDone(f"{count} error{'s' if count > 1 else ''} occurred:{reasons}")
