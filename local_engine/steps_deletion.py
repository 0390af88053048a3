"""What is deleted at the end of a deployment, and in which order.

Owns the choice (what no registration kept, and what replacements left behind) and the waves in
which it happens: dependents and children first.
"""

from __future__ import annotations

from local_engine import steps
from local_engine.deployment_context import DeploymentContext
from local_engine.resource_state import ResourceState
from local_engine.steps import PlannedStep
from local_engine.steps_ledger import Ledger


def plan_deletions(
    context: DeploymentContext, ledger: Ledger, aliased: dict[str, str]
) -> list[list[PlannedStep]]:
    """Return waves of deletions; the steps of one wave may run together.

    Raises:
        StepFailed: a provider that is needed for one of them cannot be had.
    """
    planned: dict[int, PlannedStep] = {}
    condemned: list[ResourceState] = []
    for state in context.previous:
        if state.delete:
            if id(state) in ledger.pending_deletes:
                continue
            step = steps.delete(state, replacing=True)
        elif ledger.kept(aliased.get(state.urn, state.urn)):
            continue
        elif state.pending_replacement:
            step = steps.remove_pending_replace(state)
        else:
            step = steps.delete(state)
        ledger.deletes.add(state.urn)
        context.ensure_provider(state.provider)
        planned[id(state)] = step
        condemned.append(state)
    waves = context.graph.deletion_waves(condemned)
    return [[planned[id(state)] for state in wave] for wave in waves]
