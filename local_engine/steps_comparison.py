"""What differs between a resource as it is on record and as the program wants it.

Owns the reasons for a change, in Pulumi's order: a taint, a resource that it is replaced or deleted
with, another provider, the provider's own answer, and the comparison of inputs where a provider
has none. What follows from a difference is chosen in `steps_generator.py`; values are compared in
`diff.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace as changed

from local_engine import diff as diffs
from local_engine.deployment_context import DeploymentContext
from local_engine.diff import DiffResult
from local_engine.property_values import PropertyMap, contains_unknown, strip_secrets
from local_engine.providers_client import ProviderClient
from local_engine.resource_state import ResourceState
from local_engine.steps_identity import Identities
from local_engine.steps_ledger import Ledger


class Comparison:
    """Compares resources of one deployment."""

    def __init__(self, context: DeploymentContext, ledger: Ledger, identities: Identities) -> None:
        """Compare with the old states in `context`; `ledger` says what happened to others."""
        self._context = context
        self._ledger = ledger
        self._identities = identities
        self._providers: dict[str, ResourceState] = {}

    def know_provider(self, new: ResourceState, alias: str) -> None:
        """Take note of a provider that the program registers, and of the URN it had."""
        self._providers[new.urn] = new
        if alias:
            self._providers[alias] = new

    def compare(
        self, old: ResourceState, new_inputs: PropertyMap, ignored: list[str], *, preview: bool
    ) -> DiffResult:
        """Ask the provider of `old` what new inputs would change."""
        if old.is_provider:
            return self._context.registry.diff(old, old.urn, new_inputs)
        return compare_with(
            self._context.provider_of(old),
            old,
            new_inputs,
            ignored,
            self._context.informer(old.urn),
            preview=preview,
        )

    def diff(self, old: ResourceState, new: ResourceState) -> DiffResult:
        """Say what a registration changes.

        Raises:
            DiffUnavailable: its provider cannot be asked yet.
        """
        if old.taint:
            return DiffResult(changes="some", replace_keys=("id",))
        if not self._ledger.replaces.isdisjoint(new.replace_with):
            return DiffResult(changes="some", replace_keys=("replaceWith",))
        if new.deleted_with and new.deleted_with in self._ledger.replaces:
            return DiffResult(changes="some", replace_keys=("deletedWith",))
        if self._provider_changed(old, new):
            return DiffResult(changes="some", replace_keys=("provider",))
        if not new.custom:
            same = diffs.same_value(old.inputs, new.inputs)
            return DiffResult(changes="none" if same else "some")
        if new.is_provider:
            return self._context.registry.diff(old, new.urn, new.inputs)
        return compare_with(
            self._context.provider_of(new),
            old.copy(urn=new.urn),
            new.inputs,
            new.ignore_changes,
            self._context.informer(new.urn),
            preview=self._context.preview,
        )

    def triggered(self, old: ResourceState, new: ResourceState) -> bool:
        """Whether the program asks for a replacement though nothing else may have changed.

        Raises:
            StepFailed: that is not known in an update.
        """
        if contains_unknown(new.replacement_trigger) or contains_unknown(old.replacement_trigger):
            if not self._context.preview:
                raise self._context.fail(
                    new.urn, f"replacement trigger contains unknowns for {new.urn}"
                )
            return True
        if old.replacement_trigger is None or new.replacement_trigger is None:
            return False
        return not diffs.same_value(
            strip_secrets(old.replacement_trigger), strip_secrets(new.replacement_trigger)
        )

    def _provider_changed(self, old: ResourceState, new: ResourceState) -> bool:
        if old.provider == new.provider:
            return False
        if not old.provider or not new.provider:
            return True
        if self._identities.aliased.get(old.provider_urn) == new.provider_urn:
            return False
        before = self._context.olds.get(old.provider_urn)
        after = self._providers.get(new.provider_urn)
        if before is None or after is None:
            return True
        return self._context.registry.config_diff(new.provider, before, after).replaces


def compare_with(
    client: ProviderClient,
    old: ResourceState,
    new_inputs: PropertyMap,
    ignored: list[str],
    inform: Callable[[str], None] | None,
    *,
    preview: bool,
) -> DiffResult:
    """Ask a provider for a diff, comparing inputs where it does not know."""
    result = client.diff(old, new_inputs, ignored, preview=preview)
    if result.changes != "unknown":
        return result
    kept = diffs.ignore_changes(new_inputs, old.inputs, ignored, inform)
    compared = diffs.compare_inputs(old.inputs, kept)
    return changed(
        result,
        changes=compared.changes,
        changed_keys=compared.changed_keys,
        detailed=compared.detailed if compared.changes == "some" else result.detailed,
    )
