"""Reading every resource of a stack anew, and the state that follows from what was found.

Owns the refresh that comes before an update or stands alone: all reads run together, a resource
that is gone is taken out, and references to it go with it.
"""

from __future__ import annotations

from local_engine import steps
from local_engine.deployment_context import DeploymentContext
from local_engine.resource_state import ResourceState
from local_engine.steps import PlannedStep
from local_engine.steps_executor import StepExecutor, run_together


def refresh(context: DeploymentContext, executor: StepExecutor) -> None:
    """Read all resources and rebuild the state from what the providers answer.

    Raises:
        StepFailed: a resource could not be read; what was read is kept all the same.
    """
    planned: dict[int, PlannedStep] = {}
    for state in context.previous:
        context.ensure_provider(state.provider)
        planned[id(state)] = steps.refresh(state)
    failures = run_together(context, executor, list(planned.values()))
    found: list[ResourceState] = []
    for state in context.previous:
        new = planned[id(state)].step.new
        if new is not None:
            found.append(new)
    _forget_missing(found)
    context.use(found)
    context.writer.rebase(found)
    if failures:
        # What was found stays found, though the deployment ends here.
        context.writer.write()
        raise failures[0]


def _forget_missing(resources: list[ResourceState]) -> None:
    """Drop references to what is not there (any more); the list is in dependency order."""
    present: set[str] = set()
    parents = {state.urn: state.parent for state in resources}
    for state in resources:
        state.dependencies = [urn for urn in state.dependencies if urn in present]
        state.property_dependencies = {
            key: kept
            for key, urns in state.property_dependencies.items()
            if (kept := [urn for urn in urns if urn in present])
        }
        state.replace_with = [urn for urn in state.replace_with if urn in present]
        if state.deleted_with not in present:
            state.deleted_with = ""
        while state.parent and state.parent not in present:
            state.parent = parents.get(state.parent, "")
        present.add(state.urn)
