"""Runs steps: in their order, so many at a time, with the state kept in step.

Owns the moment between "about to" and "done": the operation is recorded as pending before a
provider is asked and cleared when it has answered, so that a crash in between is seen by the next
run. A failure stops new steps from beginning; steps under way end in their own time. What a step
asks of its provider is in `steps_operations.py`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from local_engine import events
from local_engine.deployment_context import DeploymentContext, StepFailed
from local_engine.errors import EngineError
from local_engine.events import StepFinished, StepStarted
from local_engine.property_values import PropertyMap, Secret, strip_secrets
from local_engine.providers_errors import ProviderError
from local_engine.resource_state import OperationKind, ResourceState
from local_engine.steps import PlannedStep
from local_engine.steps_operations import HalfDone, StepOperations

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

_REMOVALS = frozenset(
    {
        events.OP_DELETE,
        events.OP_DELETE_REPLACED,
        events.OP_DISCARD,
        events.OP_DISCARD_REPLACED,
        events.OP_REMOVE_PENDING_REPLACE,
    }
)


class StepExecutor:
    """Runs the steps of one deployment, so many at a time."""

    def __init__(self, context: DeploymentContext, deleted: set[str]) -> None:
        """`deleted` holds the URNs that are deleted in this deployment (`deleted_with`)."""
        self._context = context
        self._operations = StepOperations(context, deleted)
        self._slots = threading.BoundedSemaphore(max(1, context.parallel))
        self._condemned: dict[int, threading.Event] = {}
        context.on_stop(self._release)

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
            self._operations.apply(planned)
        except HalfDone as error:
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
