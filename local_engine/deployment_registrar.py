"""What a running program asks of its deployment: resources, readings, outputs, function calls.

Owns the answers to the monitor (`monitor.py`, which owns their form on the wire): one registration
at a time is turned into steps, and the caller waits until those have run. Components are kept
between their registration and their outputs, the stack's own until everything else is done. What
comes before and after the program is in `deployment.py`.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

from local_engine.deployment_context import DeploymentContext, StepFailed
from local_engine.errors import EngineError
from local_engine.events import ResourceOutputs
from local_engine.goal import Goal
from local_engine.property_values import PropertyMap
from local_engine.providers_registry import DefaultProviders, ProviderRequest
from local_engine.resource_state import STACK_TYPE, ResourceState, urn_qualified_type
from local_engine.steps import PlannedStep
from local_engine.steps_deletion import plan_deletions
from local_engine.steps_executor import StepExecutor
from local_engine.steps_generator import StepGenerator


@dataclass
class _Pending:
    """A component between its registration and its outputs."""

    planned: PlannedStep
    before: PropertyMap = field(default_factory=dict)


class Registrar:
    """Brings about what one program registers."""

    def __init__(
        self,
        context: DeploymentContext,
        generator: StepGenerator,
        executor: StepExecutor,
        config: dict[str, str],
        secret_keys: list[str],
    ) -> None:
        """`config` and its `secret_keys` are what default providers are configured from."""
        self._context = context
        self._generating = threading.Lock()
        self._generator = generator
        self._executor = executor
        self._defaults = DefaultProviders(config, secret_keys, self._register_default)
        self._components: dict[str, _Pending] = {}
        self._stack_outputs: tuple[_Pending, PropertyMap] | None = None

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
        return client.invoke(token, arguments, preview=self._context.preview)

    def refuse(self, urn: str, message: str) -> None:
        """Tell the user and let nothing new begin."""
        self._context.tell("error", urn, message)
        self._context.stop()

    def leftovers(self) -> list[list[PlannedStep]]:
        """Choose what is deleted once the program has registered all it wants, in waves."""
        generator = self._generator
        with self._generating:
            return plan_deletions(self._context, generator.ledger, generator.identities.aliased)

    def settle_stack_outputs(self) -> PropertyMap | None:
        """Put the stack's outputs on record once all is done; `None` if it registered none."""
        if self._stack_outputs is None:
            return None
        pending, outputs = self._stack_outputs
        if self._context.errored or self._context.stopping.is_set():
            # An output that is missing after a failure has not been removed from the program.
            outputs = {**pending.before, **outputs}
        self._complete(pending, outputs)
        return outputs

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
        if not unchanged and not self._context.preview:
            context.writer.write()
        context.emit(ResourceOutputs(step, outputs, pending.before))
