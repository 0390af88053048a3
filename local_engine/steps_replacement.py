"""What must be deleted together with a resource that is deleted before it is replaced.

Owns one question: which dependents could not survive. A dependent goes first when a change to the
properties it took from the condemned resource would replace it; its provider is asked, with those
properties unknown. One that merely `depends_on` stays.
"""

from __future__ import annotations

from typing import Protocol

from local_engine import diff as diffs
from local_engine import steps
from local_engine.deployment_context import DeploymentContext
from local_engine.diff import DiffResult
from local_engine.property_values import UNKNOWN, PropertyMap
from local_engine.resource_state import ResourceState
from local_engine.steps import PlannedStep
from local_engine.steps_ledger import Ledger


class Compare(Protocol):
    """Asks a provider for a diff."""

    def __call__(
        self, old: ResourceState, new_inputs: PropertyMap, ignored: list[str], *, preview: bool
    ) -> DiffResult:
        """Say what new inputs would change."""
        ...


class Replacements:
    """Finds the dependents that a deletion takes along."""

    def __init__(self, context: DeploymentContext, ledger: Ledger, compare: Compare) -> None:
        """`compare(old, inputs, ignored, preview=...)` asks a provider for a diff."""
        self._context = context
        self._ledger = ledger
        self._compare = compare
        self.keys: dict[str, tuple[str, ...]] = {}

    def delete_first(self, root: ResourceState, urn: str) -> list[PlannedStep]:
        """Return the deletions that must come before that of `root`, dependents first.

        Raises:
            StepFailed: one of them is protected.
        """
        planned: list[PlannedStep] = []
        for state, keys in reversed(self._doomed(root)):
            if id(state) in self._ledger.pending_deletes:
                continue
            self.keys[state.urn] = keys
            if state.protect and not state.delete:
                raise self._context.fail(
                    state.urn,
                    f'unable to replace resource "{state.urn}" as part of replacing "{urn}" as it '
                    "is currently marked for protection. To unprotect the resource, remove the "
                    "`protect` flag from the resource in your Pulumi program and run `up`",
                )
            if state.delete:
                planned.append(steps.delete(state))
            else:
                planned.append(steps.delete(state, replacing=True, pending_replacement=True))
            self._context.ensure_provider(state.provider)
            self._ledger.deletes.add(state.urn)
            self._ledger.pending_deletes.add(id(state))
        return planned

    def _doomed(self, root: ResourceState) -> list[tuple[ResourceState, tuple[str, ...]]]:
        if root not in self._context.graph:
            return []
        doomed: list[tuple[ResourceState, tuple[str, ...]]] = []
        urns = {root.urn}
        # What was registered already cannot depend on the root any more, whatever it once did.
        for state in self._context.graph.dependents(root, self._ledger.touched()):
            keys = self._reason(state, urns)
            if keys is not None:
                doomed.append((state, keys))
                urns.add(state.urn)
        for state in self._context.olds.values():
            tied = root.urn in state.replace_with or state.deleted_with == root.urn
            if tied and all(state is not other for other, _ in doomed):
                doomed.append((state, ()))
        return doomed

    def _reason(self, state: ResourceState, urns: set[str]) -> tuple[str, ...] | None:
        if not state.custom or state.external:
            return None
        if state.provider and state.provider_urn in urns:
            self._context.ensure_provider(state.provider)
            return ()
        if state.deleted_with in urns:
            return ()
        inputs = dict(state.inputs)
        affected = [
            key for key in inputs if not urns.isdisjoint(state.property_dependencies.get(key, ()))
        ]
        if not affected:
            return None
        inputs.update(dict.fromkeys(affected, UNKNOWN))
        result = self._compare(state, inputs, state.ignore_changes, preview=True)
        result = diffs.apply_replace_on_changes(
            result, state.replace_on_changes, has_init_errors=False
        )
        return result.replace_keys if result.replaces else None
