"""From what a program asks for to the steps that bring it about.

Owns the choice: create, update, replace (in which order), read, or nothing. It asks providers to
check inputs, changes nothing itself, and is called by one thread at a time. Semantics are those of
Pulumi's step generator; what differs between old and new is in `steps_comparison.py`, what is
deleted at the end of a deployment in `steps_deletion.py`, what must go with a resource that is
deleted first in `steps_replacement.py`.
"""

from __future__ import annotations

import os

from local_engine import diff as diffs
from local_engine import steps
from local_engine.deployment_context import DeploymentContext, StepFailed
from local_engine.diff import DiffResult
from local_engine.errors import EngineError
from local_engine.goal import Goal
from local_engine.property_values import PropertyMap
from local_engine.providers_answers import CheckFailure, refuse_check
from local_engine.providers_errors import DiffUnavailable
from local_engine.resource_state import PROVIDER_TYPE_PREFIX, ResourceState
from local_engine.steps import PlannedStep
from local_engine.steps_comparison import Comparison
from local_engine.steps_identity import Identities
from local_engine.steps_ledger import Ledger
from local_engine.steps_replacement import Replacements


class StepGenerator:
    """Chooses steps for the registrations of one deployment."""

    def __init__(self, context: DeploymentContext) -> None:
        """Choose steps against the old states in `context`."""
        self._context = context
        self.ledger = Ledger()
        self.identities = Identities(
            context.stack, context.project, context.olds, self._report_identity
        )
        self._comparison = Comparison(context, self.ledger, self.identities)
        self._replacements = Replacements(context, self.ledger, self._comparison.compare)

    def register(self, goal: Goal) -> list[PlannedStep]:
        """Choose the steps for one resource.

        Raises:
            StepFailed: it cannot be brought about; the user has been told.
            EngineError, ProviderError: likewise, and the user has not been told yet.
        """
        urn = self._claim(goal.parent, goal.type, goal.name)
        old, alias, valid = self.identities.find_old(
            urn, goal.name, goal.type, goal.parent, goal.aliases
        )
        if not valid:
            raise StepFailed(urn)
        new = _new_state(urn, goal, old, alias)
        is_provider = goal.type.startswith(PROVIDER_TYPE_PREFIX)
        if is_provider:
            self._comparison.know_provider(new, alias)
            if alias:
                self._context.registry.alias(urn, alias)
        recreating = urn in self.ledger.deletes
        if alias and alias in self.ledger.deletes:
            recreating = True
            self.ledger.deletes.discard(alias)
        if old is not None:
            new.inputs = diffs.ignore_changes(
                new.inputs, old.inputs, goal.ignore_changes, self._context.informer(urn)
            )
        fresh = recreating or old is None or old.external or old.taint
        if goal.custom:
            given = goal.properties if fresh else new.inputs
            new.inputs = self._check(new, None if fresh or old is None else old.inputs, given)
        if recreating and old is not None:
            self.ledger.deletes.discard(urn)
            self.ledger.replaces.add(urn)
            return steps.recreate(old, new, self._replacements.keys.get(old.urn, ()))
        if old is not None and old.external:
            self.ledger.creates.add(urn)
            return steps.replace(old, new, DiffResult(), pending_delete=True)
        if old is not None:
            return self._change(goal, old, new)
        self.ledger.creates.add(urn)
        return [steps.create(new)]

    def read(self, new: ResourceState, name: str) -> list[PlannedStep]:
        """Choose the steps for a resource that the program only looks at; its URN is set here."""
        new.urn = self._claim(new.parent, new.type, name)
        old, alias, valid = self.identities.find_old(new.urn, name, new.type, new.parent, [])
        if not valid:
            raise StepFailed(new.urn)
        new.aliases = [alias] if alias else []
        if not new.id:
            raise EngineError(f"Expected an ID for {new.urn}", urn=new.urn)
        if old is not None and not old.external and old.id != new.id:
            self.ledger.replaces.add(new.urn)
            return steps.read_replacement(old, new)
        self.ledger.reads.add(new.urn)
        return [steps.read(old, new)]

    def _change(self, goal: Goal, old: ResourceState, new: ResourceState) -> list[PlannedStep]:
        context, urn = self._context, new.urn
        trigger = self._comparison.triggered(old, new)
        if trigger:
            result = DiffResult(changes="some")
        else:
            try:
                result = self._comparison.diff(old, new)
            except DiffUnavailable as unavailable:
                context.tell("warning", urn, unavailable.message)
                result = DiffResult(changes="some")
        result = diffs.apply_replace_on_changes(
            result, goal.replace_on_changes, has_init_errors=bool(old.init_errors)
        )
        if result.changes == "some" or old.pending_replacement:
            if result.replaces or trigger or old.pending_replacement:
                return self._replace(goal, old, new, result)
            self.ledger.updates.add(urn)
            return [steps.update(old, new, result, goal.ignore_changes)]
        if old.init_errors:
            # It exists but never got ready: an update without changes waits for it once more.
            self.ledger.updates.add(urn)
            return [steps.update(old, new, result, goal.ignore_changes)]
        self.ledger.sames.add(urn)
        return [steps.same(old, new)]

    def _replace(
        self, goal: Goal, old: ResourceState, new: ResourceState, result: DiffResult
    ) -> list[PlannedStep]:
        context, urn = self._context, new.urn
        if new.protect and old.protect:
            failure = context.fail(
                urn,
                f'unable to replace resource "{urn}"\n'
                "as it is currently marked for protection. To unprotect the resource, remove the "
                "`protect` flag from the resource in your Pulumi program and run `up`",
            )
            if not context.preview:
                raise failure
        self.ledger.replaces.add(urn)
        if goal.custom and not old.taint:
            # Defaults carried over from the old inputs are not those of a new resource.
            new.inputs = self._check(new, None, goal.properties)
        before = result.delete_before_replace
        if goal.delete_before_replace is not None:
            before = goal.delete_before_replace
        if not before:
            return steps.replace(old, new, result, pending_delete=True)
        planned = self._replacements.delete_first(old, urn)
        context.ensure_provider(old.provider)
        if not old.pending_replacement:
            # Marked so that what is `deleted_with` it knows; it is unmarked when it is made anew.
            self.ledger.deletes.add(old.urn)
            planned.append(steps.delete(old, replacing=True, pending_replacement=True))
            self.ledger.pending_deletes.add(id(old))
        return [*planned, *steps.replace(old, new, result, pending_delete=False)]

    def _check(
        self, new: ResourceState, old_inputs: PropertyMap | None, given: PropertyMap
    ) -> PropertyMap:
        failures: list[CheckFailure]
        if new.is_provider:
            inputs, failures = self._context.registry.check(new.urn, old_inputs, given)
        else:
            inputs, failures = self._context.provider_of(new).check(
                new.urn, old_inputs, given, os.urandom(32), preview=self._context.preview
            )
        if failures:
            for sentence in refuse_check(failures, new):
                self._context.tell("error", new.urn, sentence)
            raise StepFailed(new.urn)
        return inputs

    def _claim(self, parent: str, type_: str, name: str) -> str:
        if parent and parent not in self.identities.urns:
            raise EngineError(f"could not find parent resource {parent}")
        urn = self.identities.urn(parent, type_, name)
        if not self.identities.claim(urn):
            raise StepFailed(urn)
        return urn

    def _report_identity(self, urn: str, message: str) -> None:
        self._context.tell("error", urn, message)


def _new_state(urn: str, goal: Goal, old: ResourceState | None, alias: str) -> ResourceState:
    return ResourceState(
        urn=urn,
        type=goal.type,
        custom=goal.custom,
        inputs=goal.properties,
        parent=goal.parent,
        protect=bool(goal.protect),
        dependencies=goal.dependencies,
        provider=goal.provider,
        property_dependencies=goal.property_dependencies,
        additional_secret_outputs=goal.additional_secret_outputs,
        aliases=[alias] if alias else [],
        custom_timeouts=goal.custom_timeouts,
        retain_on_delete=bool(goal.retain_on_delete),
        deleted_with=goal.deleted_with,
        replace_with=goal.replace_with,
        created=old.created if old else None,
        modified=old.modified if old else None,
        source_position=goal.source_position,
        ignore_changes=goal.ignore_changes,
        hide_diff=goal.hide_diff,
        replace_on_changes=goal.replace_on_changes,
        replacement_trigger=goal.replacement_trigger,
        refresh_before_update=old.refresh_before_update if old else False,
    )
