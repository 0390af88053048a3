"""Operations that an interrupted run left pending: told of first, settled by a run that succeeds.

Owns what the user hears of them. An operation is saved as pending before its provider is asked
(`steps_executor.py`). A later `up` warns of what it finds and goes on. An interrupted creation
stays on record until the program registers that resource again and its creation has run: providers
of this project adopt what a first attempt left behind, so nothing is orphaned. Other interrupted
operations need no record: their resource is in the state, and is compared and, on request,
refreshed. The record itself is kept in `deployment_snapshot.py`.
"""

from __future__ import annotations

from collections.abc import Container

from local_engine.deployment_context import DeploymentContext


def warn_of_pending(context: DeploymentContext, *, destroying: bool) -> None:
    """Tell what an earlier run left pending, and what becomes of it."""
    pending = context.writer.base.pending_operations
    if not pending or context.preview:
        return
    listed = "".join(f"  * {op.resource.urn}, interrupted while {op.kind}\n" for op in pending)
    advice = (
        "An interrupted creation is run again as soon as the program registers the resource; "
        "what the first attempt left behind is then adopted by a provider that can. "
        "Everything else is compared with the state as usual; `refresh` reads it anew."
    )
    if destroying:
        advice = (
            "Run `up` first where a creation was interrupted: it finishes the creation, so "
            "that `destroy` can then delete what was made."
        )
    context.tell(
        "warning",
        "",
        f"The last deployment was interrupted during {len(pending)} operation"
        f"{'s' if len(pending) > 1 else ''}:\n{listed}{advice}",
    )


def give_up_unregistered(context: DeploymentContext, registered: Container[str]) -> None:
    """Take interrupted creations off the record that the program does not ask for any more."""
    for urn in context.writer.give_up_interrupted(registered):
        context.tell(
            "warning",
            urn,
            "its creation was interrupted earlier and the program does not register it "
            "any more: whatever the first attempt left behind is not tracked, look for "
            "it yourself",
        )
