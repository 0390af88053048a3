"""Runs steps: asks providers, keeps the state in step, tells what happens.

Owns the moment between "about to" and "done": the operation is recorded as pending before a
provider is asked and cleared when it has answered, so that a crash in between is seen by the next
run. A failure stops new steps from beginning; steps under way end in their own time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from local_engine import diff as diffs
from local_engine import events
from local_engine.deployment_context import DeploymentContext, StepFailed
from local_engine.errors import EngineError
from local_engine.events import StepFinished, StepStarted
from local_engine.property_values import UNKNOWN_TEXT, PropertyMap, Secret, strip_secrets
from local_engine.providers_answers import Applied
from local_engine.providers_client import ProviderClient
from local_engine.providers_errors import ProviderError
from local_engine.resource_state import OperationKind, ResourceState
from local_engine.steps import PlannedStep
from local_engine.steps_comparison import compare_with

_PENDING: dict[str, OperationKind] = {
    events.OP_CREATE: "creating",
    events.OP_CREATE_REPLACEMENT: "creating",
    events.OP_UPDATE: "updating",
    events.OP_DELETE: "deleting",
    events.OP_DELETE_REPLACED: "deleting",
    events.OP_DISCARD: "deleting",
    events.OP_DISCARD_REPLACED: "deleting",
    events.OP_READ: "reading",
    events.OP_READ_REPLACEMENT: "reading",
}


class _HalfDone(Exception):  # noqa: N818  (not a failure of ours)
    """The resource was made or changed but did not get ready; its state is kept."""


class StepExecutor:
    """Runs the steps of one deployment, so many at a time."""

    def __init__(self, context: DeploymentContext, deleted: set[str]) -> None:
        """`deleted` holds the URNs that are deleted in this deployment (`deleted_with`)."""
        self._context = context
        self._deleted = deleted
        self._slots = threading.BoundedSemaphore(max(1, context.parallel))
        self._condemned: dict[int, threading.Event] = {}
        context.on_stop(self._release)
        self._apply: dict[str, Callable[[PlannedStep], None]] = {
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

    def condemn(self, chain: list[PlannedStep]) -> None:
        """Take note of what a chain that was just planned will delete before it is made anew.

        A resource may go with one it does not depend on any more: nothing else would keep the
        program from having its successor made while the old one still stands.
        """
        for planned in chain:
            if planned.pending_replacement:
                self._condemned[id(planned.step.old)] = threading.Event()

    def run(self, chain: list[PlannedStep]) -> None:
        """Run steps one after the other.

        Raises:
            StepFailed: one of them failed, or nothing new may begin any more.
        """
        for planned in chain:
            deletion = self._condemned.get(id(planned.step.old))
            if deletion is not None and planned.step.op == events.OP_CREATE_REPLACEMENT:
                deletion.wait()
            with self._slots:
                if self._context.stopping.is_set():
                    raise StepFailed("stopped")
                self._run(planned)

    def _run(self, planned: PlannedStep) -> None:
        context, step = self._context, planned.step
        began = time.monotonic()
        subject = step.old if step.op in _REMOVALS else step.new
        pending = _PENDING.get(step.op)
        if pending and subject is not None and not context.preview:
            context.writer.begin(pending, subject)
        context.emit(StepStarted(step))
        failure: str | None = None
        half_done = False
        try:
            self._apply[step.op](planned)
        except _HalfDone as error:
            failure, half_done = str(error), True
        except (EngineError, ProviderError) as error:
            failure = error.message
        except StepFailed as error:
            failure = str(error)
        if failure is None or half_done:
            if step.new is not None and step.op != events.OP_REPLACE:
                _keep_secrets(step.new)
            if step.new is not None:
                self._remember(step.op, step.new)
        self._record(planned, subject, succeeded=failure is None or half_done)
        if failure is None:
            deletion = self._condemned.get(id(step.old))
            if deletion is not None and planned.pending_replacement:
                deletion.set()
            context.count(step)
        else:
            context.errored = True
        context.emit(StepFinished(step, time.monotonic() - began, failure))
        if failure is not None:
            protected = step.op == events.OP_DELETE and step.old is not None and step.old.protect
            if not protected:
                # Nothing was attempted on a protected resource: the rest may be reported too.
                context.stop()
            raise StepFailed(failure)

    def _release(self) -> None:
        for deletion in list(self._condemned.values()):
            deletion.set()

    def _remember(self, op: str, new: ResourceState) -> None:
        reads = op in (events.OP_READ, events.OP_READ_REPLACEMENT)
        (self._context.reads if reads else self._context.news)[new.urn] = new

    def _record(
        self, planned: PlannedStep, subject: ResourceState | None, *, succeeded: bool
    ) -> None:
        context, step = self._context, planned.step
        if subject is None or step.op in (events.OP_REPLACE, events.OP_REFRESH):
            return
        old, new = step.old, step.new
        if context.preview:
            return
        if not succeeded:
            context.writer.end(subject)
        elif step.op == events.OP_SAME:
            assert old is not None  # noqa: S101
            assert new is not None  # noqa: S101
            context.writer.keep(old, new)
        elif step.op == events.OP_CREATE_REPLACEMENT:
            # The old state stays until it is deleted, unless it was deleted first.
            gone = old if old is not None and old.pending_replacement else None
            context.writer.end(subject, done=gone, new=new)
        elif step.op in _REMOVALS:
            gone = None if planned.pending_replacement else old
            context.writer.end(subject, done=gone)
        elif step.op == events.OP_READ_REPLACEMENT:
            context.writer.end(subject, new=new)
        else:
            context.writer.end(subject, done=old, new=new)

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
                "flag from the resource in your Pulumi program and run `up`, or take it out of "
                "the state with `stack export` and `stack import`",
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


_REMOVALS = frozenset(
    {
        events.OP_DELETE,
        events.OP_DELETE_REPLACED,
        events.OP_DISCARD,
        events.OP_DISCARD_REPLACED,
        events.OP_REMOVE_PENDING_REPLACE,
    }
)


def run_together(
    context: DeploymentContext, executor: StepExecutor, planned: Sequence[PlannedStep]
) -> list[Exception]:
    """Run independent steps side by side, all to their end; returns the failures."""
    failures: list[Exception] = []
    with ThreadPoolExecutor(max_workers=max(1, context.parallel)) as pool:
        outcomes = [pool.submit(executor.run, [step]) for step in planned]
        for outcome in outcomes:
            try:
                outcome.result()
            except StepFailed as failure:
                failures.append(failure)
            except KeyboardInterrupt:
                # Ends the calls under way; leaving the pool would otherwise wait for them.
                context.abandon()
                raise
    return failures


def _both(planned: PlannedStep) -> tuple[ResourceState, ResourceState]:
    old, new = planned.step.old, planned.step.new
    assert old is not None  # noqa: S101
    assert new is not None  # noqa: S101
    return old, new


def _raise_half_done(applied: Applied) -> None:
    if applied.init_errors:
        count = len(applied.init_errors)
        reasons = "".join(f"\n    * {reason}" for reason in applied.init_errors)
        raise _HalfDone(f"{count} error{'s' if count > 1 else ''} occurred:{reasons}")


def _keep_secrets(state: ResourceState) -> None:
    """Mark outputs secret that the program named, or that echo a secret input."""
    outputs: PropertyMap = state.outputs
    marked = {
        key: Secret(strip_secrets(value))
        for key, value in outputs.items()
        if not isinstance(value, Secret)
        and (key in state.additional_secret_outputs or isinstance(state.inputs.get(key), Secret))
    }
    if marked:
        state.outputs = {**outputs, **marked}
