"""What all parts of one deployment share: the old states, the providers, the way to the user.

Owns the lookup tables over the last state and the counters of what was done. Every part gets this
one object; none of them knows the others' insides.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from local_engine.deployment_graph import DependencyGraph
from local_engine.deployment_snapshot import SnapshotWriter
from local_engine.diff import same_value
from local_engine.errors import EngineError
from local_engine.events import Diagnostic, Event, Severity, Step
from local_engine.providers_client import ProviderClient
from local_engine.providers_registry import ProviderRegistry
from local_engine.resource_state import PROVIDER_TYPE_PREFIX, ResourceState, urn_name, urn_type


class StepFailed(Exception):  # noqa: N818  (named as the event it is)
    """A step or the planning of one failed, and the user has been told already."""


@dataclass(kw_only=True)
class DeploymentContext:
    """One deployment's shared state."""

    stack: str
    project: str
    preview: bool
    writer: SnapshotWriter
    registry: ProviderRegistry
    sink: Callable[[Event], None]
    abandon: Callable[[], None]
    parallel: int = 16
    refreshing: bool = False
    errored: bool = False
    changes: Counter[str] = field(default_factory=Counter[str])
    # Set when nothing new may begin: a step failed, or the user asked to stop.
    stopping: threading.Event = field(default_factory=threading.Event)
    news: dict[str, ResourceState] = field(default_factory=dict)
    reads: dict[str, ResourceState] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Index the state that the deployment begins from."""
        self._failure_hooks: list[Callable[[], None]] = []
        self.use(self.writer.base.resources)

    def use(self, resources: list[ResourceState]) -> None:
        """Take `resources` for the last state; called again after a refresh."""
        self.previous = list(resources)
        self.olds = {state.urn: state for state in resources if not state.delete}
        self.graph = DependencyGraph(self.previous)

    def emit(self, event: Event) -> None:
        """Send an event."""
        self.sink(event)

    def tell(self, severity: Severity, urn: str, message: str) -> None:
        """Send a line for the user; an error also marks the deployment as failed."""
        if severity == "error":
            self.errored = True
        self.sink(Diagnostic(severity, urn, message))

    def fail(self, urn: str, message: str) -> StepFailed:
        """Tell of an error and return the exception to raise."""
        self.tell("error", urn, message)
        return StepFailed(message)

    def on_stop(self, hook: Callable[[], None]) -> None:
        """Have `hook` called once when nothing new may begin."""
        self._failure_hooks.append(hook)

    def stop(self) -> None:
        """Let nothing new begin; what is under way ends in its own time."""
        if not self.stopping.is_set():
            self.stopping.set()
            for hook in self._failure_hooks:
                hook()

    def count(self, step: Step) -> None:
        """Count a step for the summary, as Pulumi counts: logical steps, no default provider."""
        op, counted = step.op, step.logical
        if self.refreshing and op == "refresh":
            op, counted = step.result_op, True
        if op == "read":
            old, new = step.old, step.new
            counted = (
                old is not None and new is not None and not same_value(old.outputs, new.outputs)
            )
        if counted and not is_default_provider(step.urn):
            self.changes[op] += 1

    def ensure_provider(self, reference: str) -> None:
        """Load the provider that an old state refers to, from the state if need be.

        Raises:
            StepFailed: the state does not hold it.
        """
        if not reference or self.registry.get(reference) is not None:
            return
        urn, _, identity = reference.rpartition("::")
        for state in self.previous:
            if state.urn == urn and state.id == identity:
                try:
                    self.registry.same(state, checked=False)
                except EngineError as error:
                    raise self.fail(urn, error.message) from None
                return
        raise self.fail(
            "",
            f"the state refers to the provider {reference}, which it does not hold: run the "
            "program once (`up`) so that it is registered again",
        )

    def provider_of(self, state: ResourceState) -> ProviderClient:
        """Return the provider of a resource, loaded from the state if need be.

        Raises:
            StepFailed: there is none.
        """
        client = self.registry.get(state.provider)
        if client is None:
            self.ensure_provider(state.provider)
            client = self.registry.get(state.provider)
        if client is None:
            raise self.fail(
                state.urn, f"unknown provider '{state.provider}' for resource '{state.urn}'"
            )
        return client

    def informer(self, urn: str) -> Callable[[str], None]:
        """Return what tells the user something about one resource."""

        def inform(message: str) -> None:
            self.tell("info", urn, message)

        return inform


def is_default_provider(urn: str) -> bool:
    """Whether the URN is that of a provider nobody wrote down."""
    return urn_type(urn).startswith(PROVIDER_TYPE_PREFIX) and urn_name(urn).startswith("default")
