"""One deployment from beginning to end: `run(request)`.

Owns the order of things: providers started, the state refreshed where asked, the program run
while its registrations become steps, leftovers deleted, the stack's outputs settled, everything
started ended. What single steps do is in `steps_*.py`; where state is kept is the caller's, which
gets a complete and consistent `Snapshot` through `save` after every change.

Interrupted runs: an operation is saved as pending before its provider is asked. A later `up` warns
of what it finds and goes on. An interrupted creation stays on record until the program registers
that resource again and its creation has run: providers of this project adopt what a first attempt
left behind, so nothing is orphaned. Other interrupted operations need no record: their resource is
in the state, and is compared and, on request, refreshed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from pulumi.runtime.proto import resource_pb2

from local_engine import events
from local_engine.deployment_context import DeploymentContext, StepFailed
from local_engine.deployment_refresh import refresh
from local_engine.deployment_snapshot import SnapshotWriter
from local_engine.engine_service import EngineService
from local_engine.errors import EngineError
from local_engine.events import Diagnostic, Event, ProgramStarted, ResourceOutputs, UpdateFinished
from local_engine.goal import Goal
from local_engine.monitor import Registrar, ResourceMonitor, serve
from local_engine.program import ProgramRun, ProgramSettings
from local_engine.project import Project
from local_engine.property_values import PropertyMap
from local_engine.providers_errors import ProviderError
from local_engine.providers_host import DYNAMIC_PACKAGE, ProviderHost
from local_engine.providers_registry import DefaultProviders, ProviderRegistry, ProviderRequest
from local_engine.resource_state import (
    PROVIDER_TYPE_PREFIX,
    STACK_TYPE,
    ResourceState,
    Snapshot,
    make_urn,
    urn_qualified_type,
)
from local_engine.steps import PlannedStep
from local_engine.steps_deletion import plan_deletions
from local_engine.steps_executor import StepExecutor, run_together
from local_engine.steps_generator import StepGenerator

Kind = Literal["up", "preview", "refresh", "destroy"]

_pb: Any = resource_pb2


@dataclass(frozen=True, kw_only=True)
class UpdateRequest:
    """What to do to which stack.

    `preview` previews an `up`; `dry_run` turns any other kind into its preview. `config` is the
    stack's whole configuration in clear, keys with namespace; `secret_keys` name what is secret.
    """

    kind: Kind
    project: Project | str
    stack: str
    config: dict[str, str]
    program_dir: Path
    snapshot: Snapshot | None
    secret_keys: frozenset[str] | set[str] = frozenset()
    organization: str = "organization"
    refresh: bool = False
    parallel: int = 16
    dry_run: bool = False

    @property
    def project_name(self) -> str:
        """The project's name, which stands in every URN."""
        return self.project if isinstance(self.project, str) else self.project.name

    @property
    def is_preview(self) -> bool:
        """Whether nothing is to be changed."""
        return self.dry_run or self.kind == "preview"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a deployment ended."""

    succeeded: bool
    changes: dict[str, int]
    seconds: float
    outputs: PropertyMap | None
    snapshot: Snapshot
    cancelled: bool = False

    @property
    def has_changes(self) -> bool:
        """Whether anything but `same` was done, or would be."""
        return any(count for op, count in self.changes.items() if op != events.OP_SAME)


@dataclass
class _Pending:
    """A component between its registration and its outputs."""

    planned: PlannedStep
    before: PropertyMap = field(default_factory=dict)


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


class _Deployment(Registrar):
    def __init__(
        self,
        request: UpdateRequest,
        sink: Callable[[Event], None],
        save: Callable[[Snapshot], None],
        cancel: threading.Event,
    ) -> None:
        self._request = request
        project = request.project_name
        self.preview = request.is_preview
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
            preview=self.preview,
            writer=SnapshotWriter(base, None if self.preview else save),
            registry=ProviderRegistry(self._host, preview=self.preview),
            sink=sink,
            abandon=self._abandon,
            parallel=request.parallel,
            refreshing=request.kind == "refresh",
        )
        self._engine = EngineService(self._log(sink))
        self._generating = threading.Lock()
        self._generator = StepGenerator(self._context)
        self._executor = StepExecutor(self._context, self._generator.ledger.deletes)
        self._defaults = DefaultProviders(
            request.config, sorted(request.secret_keys), self._register_default
        )
        self._components: dict[str, _Pending] = {}
        self._stack_outputs: tuple[_Pending, PropertyMap] | None = None
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
            outputs = self._settle_stack_outputs()
            self._host.close()
        succeeded = not context.errored and not self._cancel.is_set()
        if not succeeded:
            kind = "preview" if self.preview else "update"
            how = "failed" if context.errored else "canceled"
            context.tell("error", "", f"{kind} {how}")
        elif not self.preview:
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
        self._warn_of_pending_operations()
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
            dryRun=self.preview,
            parallel=request.parallel,
        )
        monitor = ResourceMonitor(self, info, request.program_dir)
        server, address = serve(monitor, self._engine, request.parallel)
        self._host.engine_address = address
        program = ProgramRun(
            ProgramSettings(
                project=request.project_name,
                stack=request.stack,
                organization=request.organization,
                directory=request.program_dir,
                address=address,
                preview=self.preview,
                parallel=request.parallel,
                config=dict(request.config),
                secret_keys=sorted(request.secret_keys),
            ),
            self._log(context.sink),
            self._abandon,
        )
        context.on_stop(program.cancel)
        context.emit(ProgramStarted(request.kind, self.preview))
        try:
            error = program.run()
        finally:
            server.stop(grace=None).wait()
        if error is not None and not context.stopping.is_set():
            context.tell("error", self._stack_urn, error)

    def _delete_leftovers(self) -> None:
        context, generator = self._context, self._generator
        with self._generating:
            waves = plan_deletions(context, generator.ledger, generator.identities.aliased)
        for wave in waves:
            failures = run_together(context, self._executor, wave)
            if failures:
                raise failures[0]

    def register(self, goal: Goal) -> ResourceState:
        """Choose and run the steps of one resource."""
        context = self._context
        with self._generating:
            if context.stopping.is_set():
                raise StepFailed("stopped")
            try:
                planned = self._generator.register(goal)
            except StepFailed:
                context.errored = True
                context.stop()
                raise
            self._executor.condemn(planned)
        self._executor.run(planned)
        last = next(p for p in reversed(planned) if p.step.new is not None)
        state = last.step.new
        assert state is not None  # noqa: S101
        if not goal.custom:
            shown = next((p for p in planned if p.step.logical and p.step.new), last)
            old = context.olds.get(state.urn)
            before = old.outputs if old is not None else {}
            self._components[state.urn] = _Pending(shown, before)
        return state

    def read(self, state: ResourceState, name: str) -> ResourceState:
        """Read a resource that is not ours."""
        context = self._context
        with self._generating:
            if context.stopping.is_set():
                raise StepFailed("stopped")
            try:
                planned = self._generator.read(state, name)
            except StepFailed:
                context.errored = True
                context.stop()
                raise
        self._executor.run(planned)
        return state

    def register_outputs(self, urn: str, outputs: PropertyMap) -> None:
        """Take a component's outputs; the stack's are settled when all is done."""
        pending = self._components.pop(urn, None)
        if pending is None:
            raise EngineError(
                f"cannot complete a resource '{urn}' whose registration isn't pending", urn=urn
            )
        if urn_qualified_type(urn) == STACK_TYPE:
            self._stack_outputs = (pending, outputs)
        else:
            self._complete(pending, outputs)

    def default_provider(self, request: ProviderRequest) -> str:
        """Return the default provider, made when first asked for."""
        return self._defaults.reference(request)

    def invoke(
        self, token: str, arguments: PropertyMap, provider: str
    ) -> tuple[PropertyMap, list[Any]]:
        """Call a function of a provider, or one of the engine's own."""
        if token == "pulumi:pulumi:getResource":  # noqa: S105
            return self._get_resource(str(arguments.get("urn", ""))), []
        if not provider:
            raise EngineError(f"unrecognized function name: '{token}'")
        client = self._context.registry.get(provider)
        if client is None:
            raise EngineError(f"unknown provider '{provider}'")
        return client.invoke(token, arguments, preview=self.preview)

    def refuse(self, urn: str, message: str) -> None:
        """Tell the user and let nothing new begin."""
        self._context.tell("error", urn, message)
        self._context.stop()

    def _get_resource(self, urn: str) -> PropertyMap:
        state = self._context.news.get(urn) or self._context.reads.get(urn)
        if state is None:
            raise EngineError(f"unknown resource {urn}")
        return {"urn": urn, "id": state.id, "provider": state.provider, "state": state.outputs}

    def _register_default(self, type_: str, name: str, inputs: PropertyMap) -> ResourceState:
        return self.register(Goal(type=type_, name=name, custom=True, properties=inputs))

    def _complete(self, pending: _Pending, outputs: PropertyMap) -> None:
        context, step = self._context, pending.planned.step
        assert step.new is not None  # noqa: S101
        unchanged = step.new.outputs == outputs
        step.new.outputs = outputs
        if not unchanged and not self.preview:
            context.writer.write()
        context.emit(ResourceOutputs(step, outputs, pending.before))

    def _settle_stack_outputs(self) -> PropertyMap | None:
        if self._stack_outputs is None:
            return None
        pending, outputs = self._stack_outputs
        if self._context.errored or self._context.stopping.is_set():
            # An output that is missing after a failure has not been removed from the program.
            outputs = {**pending.before, **outputs}
        self._complete(pending, outputs)
        return outputs

    def _finish_state(self) -> None:
        context, request = self._context, self._request
        if request.kind == "up":
            for urn in context.writer.give_up_interrupted(self._generator.identities.urns):
                context.tell(
                    "warning",
                    urn,
                    "its creation was interrupted earlier and the program does not register it "
                    "any more: whatever the first attempt left behind is not tracked, look for "
                    "it yourself",
                )
        had = context.writer.base.pending_operations
        if had or request.refresh or request.kind == "refresh":
            context.writer.write()

    def _warn_of_pending_operations(self) -> None:
        pending = self._context.writer.base.pending_operations
        if not pending or self.preview:
            return
        listed = "".join(f"  * {op.resource.urn}, interrupted while {op.kind}\n" for op in pending)
        advice = (
            "An interrupted creation is run again as soon as the program registers the resource; "
            "what the first attempt left behind is then adopted by a provider that can. "
            "Everything else is compared with the state as usual; `refresh` reads it anew."
        )
        if self._request.kind == "destroy":
            advice = (
                "Run `up` first where a creation was interrupted: it finishes the creation, so "
                "that `destroy` can then delete what was made."
            )
        self._context.tell(
            "warning",
            "",
            f"The last deployment was interrupted during {len(pending)} operation"
            f"{'s' if len(pending) > 1 else ''}:\n{listed}{advice}",
        )

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
