"""Whether a snapshot hangs together, by the rules the CLI applies before it uses one.

Everything a resource refers to must stand before it, providers included; otherwise a later step
would delete things in the wrong order. A state that fails is refused as it is: nothing is repaired
here.
"""

from __future__ import annotations

from local_engine.backend import CorruptStateError
from local_engine.checkpoint import magic
from local_engine.resource_state import Snapshot


def check_integrity(snapshot: Snapshot, source: str) -> None:
    """Refuse a snapshot that is not intact.

    Raises:
        CorruptStateError: with what is wrong, and where the state before it can be found.
    """
    problem = find_problem(snapshot)
    if problem:
        raise CorruptStateError(
            f"The state {source} is not intact ({problem}), so nothing was done: copy its .bak "
            "over it, or repair an export and `stack import` it."
        )


def find_problem(snapshot: Snapshot) -> str | None:
    """Return what is wrong with a snapshot, in the CLI's words, or nothing."""
    if snapshot.manifest.magic != magic(snapshot.manifest.version):
        return "magic cookie mismatch; possible tampering/corruption detected"
    before: set[str] = set()
    current: set[str] = set()
    providers: set[str] = set()
    for index, state in enumerate(snapshot.resources):
        if not state.urn:
            return f"resource at index {index} missing required 'urn' field"
        if not state.type:
            return f"resource '{state.urn}' missing required 'type' field"
        if not state.custom and state.id:
            return f"resource '{state.urn}' has 'custom' false but non-empty ID"
        if state.is_provider:
            providers.add(f"{state.urn}::{state.id}")
        if state.provider and state.provider not in providers and not state.pending_replacement:
            return f"resource {state.urn} refers to unknown provider {state.provider}"
        for urn in state.depends_on():
            if urn not in before and not (urn == state.provider_urn and state.pending_replacement):
                return f"resource {state.urn} refers to {urn}, which is missing or comes after it"
        if not state.delete:
            if state.urn in current:
                return f"duplicate resource {state.urn} (not marked for deletion)"
            current.add(state.urn)
        before.add(state.urn)
    return None
