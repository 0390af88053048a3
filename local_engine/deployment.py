"""One deployment from beginning to end: `run(request)`.

Owns the order of things: providers started, the state refreshed where asked, the program run,
leftovers deleted, the stack's outputs settled, everything started ended. What the program asks for
meanwhile is in `deployment_registrar.py`, what single steps do in `steps_*.py`, what becomes of an
interrupted run in `deployment_pending.py`. Where state is kept is the caller's, which gets a
complete and consistent `Snapshot` through `save` after every change.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pulumi.runtime.proto import resource_pb2

from local_engine.deployment_context import DeploymentContext, StepFailed
from local_engine.deployment_pending import give_up_unregistered, warn_of_pending
from local_engine.deployment_refresh import refresh
from local_engine.deployment_registrar import Registrar
from local_engine.deployment_request import Kind, Outcome, UpdateRequest
from local_engine.deployment_snapshot import SnapshotWriter
from local_engine.engine_service import EngineService
from local_engine.errors import EngineError
from local_engine.events import Diagnostic, Event, ProgramStarted, UpdateFinished
from local_engine.monitor import ResourceMonitor, serve
from local_engine.program import ProgramRun, ProgramSettings
from local_engine.providers_errors import ProviderError
from local_engine.providers_host import DYNAMIC_PACKAGE, ProviderHost
from local_engine.providers_registry import ProviderRegistry
from local_engine.resource_state import PROVIDER_TYPE_PREFIX, STACK_TYPE, Snapshot, make_urn
from local_engine.steps_executor import StepExecutor, run_together
from local_engine.steps_generator import StepGenerator

__all__ = ["Kind", "Outcome", "UpdateRequest", "run"]

_pb: Any = resource_pb2


def run(
    request: UpdateRequest,
    *,
    sink: Callable[[Event], None],
    save: Callable[[Snapshot], None],
    cancel: threading.Event,
) -> Outcome:
    """Deploy, preview, refresh or destroy a stack.

    `sink` gets every event, one at a time; `save` every state worth keeping (never in a preview).
    Setting `cancel` ends the deployment gracefully: steps under way finish, no others begin.

    Raises:
        KeyboardInterrupt: stopped at once. Operations under way stay on record in the last state
            that was saved, for the next run to take up.
    """
    return _Deployment(request, sink, save, cancel).run()


class _Deployment:
    def __init__(
        self,
        request: UpdateRequest,
        sink: Callable[[Event], None],
        save: Callable[[Snapshot], None],
        cancel: threading.Event,
    ) -> None:
        self._request = request
        project = request.project_name
        self._preview = request.is_preview
        self._cancel = cancel
        self._sink = sink = _Sink(sink)
        base = request.snapshot or Snapshot()
        # The engine marks old states while it works; the caller's stay as they are.
        base = replace(base, resources=[state.copy() for state in base.resources])
        self._stack_urn = make_urn(
            request.stack, project, "", STACK_TYPE, f"{project}-{request.stack}"
        )
        self._host = ProviderHost(project, request.program_dir, self._log(sink))
        self._context = DeploymentContext(
            stack=request.stack,
            project=project,
            preview=self._preview,
            writer=SnapshotWriter(base, None if self._preview else save),
            registry=ProviderRegistry(self._host, preview=self._preview),
            sink=sink,
            abandon=self._abandon,
            parallel=request.parallel,
            refreshing=request.kind == "refresh",
        )
        self._engine = EngineService(self._log(sink))
        self._generator = StepGenerator(self._context)
        self._executor = StepExecutor(self._context, self._generator.ledger.deletes)
        self._registrar = Registrar(
            self._context,
            self._generator,
            self._executor,
            request.config,
            sorted(request.secret_keys),
        )
        self._finished = False

    def run(self) -> Outcome:
        began = time.monotonic()
        context = self._context
        threading.Thread(target=self._watch_cancel, name="cancel-watch", daemon=True).start()
        try:
            self._start_providers()
            self._run_kind()
        except StepFailed:
            context.errored = True
        except (EngineError, ProviderError) as error:
            context.tell("error", "", error.message)
        except KeyboardInterrupt:
            self._abandon()
            raise
        finally:
            self._finished = True
            outputs = self._registrar.settle_stack_outputs()
            self._host.close()
        succeeded = not context.errored and not self._cancel.is_set()
        if not succeeded:
            kind = "preview" if self._preview else "update"
            how = "failed" if context.errored else "canceled"
            context.tell("error", "", f"{kind} {how}")
        elif not self._preview:
            self._finish_state()
        seconds = time.monotonic() - began
        changes = dict(context.changes)
        context.emit(UpdateFinished(changes, seconds, outputs, succeeded))
        return Outcome(
            succeeded=succeeded,
            changes=changes,
            seconds=seconds,
            outputs=outputs,
            snapshot=context.writer.snapshot(),
            cancelled=self._cancel.is_set(),
        )

    def _run_kind(self) -> None:
        request, context = self._request, self._context
        warn_of_pending(context, destroying=request.kind == "destroy")
        if request.refresh or request.kind == "refresh":
            refresh(context, self._executor)
            self._generator.identities.use(context.olds)
            if request.kind == "refresh":
                return
        if request.kind != "destroy":
            self._run_program()
        if context.stopping.is_set() or context.errored:
            return
        self._delete_leftovers()

    def _start_providers(self) -> None:
        types = {state.type for state in self._context.previous if state.is_provider}
        first = not types and self._request.kind in ("up", "preview")
        if first or PROVIDER_TYPE_PREFIX + DYNAMIC_PACKAGE in types:
            self._host.start_dynamic()

    def _run_program(self) -> None:
        request, context = self._request, self._context
        info = _pb.DeploymentInfo(
            project=request.project_name,
            stack=request.stack,
            organization=request.organization,
            config=request.config,
            configSecretKeys=sorted(request.secret_keys),
            dryRun=self._preview,
            parallel=request.parallel,
        )
        monitor = ResourceMonitor(self._registrar, info, request.program_dir)
        server, address = serve(monitor, self._engine, request.parallel)
        self._host.engine_address = address
        program = ProgramRun(
            ProgramSettings(
                project=request.project_name,
                stack=request.stack,
                organization=request.organization,
                directory=request.program_dir,
                address=address,
                preview=self._preview,
                parallel=request.parallel,
                config=dict(request.config),
                secret_keys=sorted(request.secret_keys),
            ),
            self._log(context.sink),
            self._abandon,
        )
        context.on_stop(program.cancel)
        context.emit(ProgramStarted(request.kind, self._preview))
        try:
            error = program.run()
        finally:
            server.stop(grace=None).wait()
        if error is not None and not context.stopping.is_set():
            context.tell("error", self._stack_urn, error)

    def _delete_leftovers(self) -> None:
        for wave in self._registrar.leftovers():
            failures = run_together(self._context, self._executor, wave)
            if failures:
                raise failures[0]

    def _finish_state(self) -> None:
        context, request = self._context, self._request
        if request.kind == "up":
            give_up_unregistered(context, self._generator.identities.urns)
        had = context.writer.base.pending_operations
        if had or request.refresh or request.kind == "refresh":
            context.writer.write()

    def _abandon(self) -> None:
        """Stop at once: the last state saved stands, what was under way stays on record in it."""
        self._context.writer.freeze()
        self._sink.mute()
        self._context.stop()
        self._host.close()

    def _watch_cancel(self) -> None:
        self._cancel.wait()
        if not self._finished:
            self._context.stop()
            self._host.cancel()

    def _log(self, sink: Callable[[Event], None]) -> Callable[[Diagnostic], None]:
        def log(line: Diagnostic) -> None:
            sink(line if line.urn else replace(line, urn=self._stack_urn))

        return log


class _Sink:
    """Sends one event at a time, and none after a stop at once: nobody shows them any more."""

    def __init__(self, sink: Callable[[Event], None]) -> None:
        self._sink = sink
        self._lock = threading.RLock()
        self._muted = False

    def __call__(self, event: Event) -> None:
        with self._lock:
            if not self._muted:
                self._sink(event)

    def mute(self) -> None:
        self._muted = True
