"""Who depends on whom in a stack's last state.

Owns the questions that replacements and deletions ask: what depends on a resource, and in which
order a set of resources may be deleted. A checkpoint lists dependencies before dependents, and
every answer here rests on that order, for during a replacement two states share a URN.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from local_engine.resource_state import ResourceState


class DependencyGraph:
    """The graph over `resources`, which stand in dependency order."""

    def __init__(self, resources: Sequence[ResourceState]) -> None:
        """Index the resources; the sequence is not kept in step with later changes."""
        self._resources = list(resources)
        self._index = {id(state): index for index, state in enumerate(self._resources)}

    def __contains__(self, state: ResourceState) -> bool:
        """Whether this very state (not another with its URN) is in the graph."""
        return id(state) in self._index

    def dependents(self, root: ResourceState, ignore: Collection[str]) -> list[ResourceState]:
        """Return what depends on `root`, directly or not, in dependency order.

        A child does not depend on its parent by being its child alone. URNs in `ignore` are left
        out, and what depends on `root` only through them as well.
        """
        found: list[ResourceState] = []
        urns = {root.urn}
        for state in self._resources[self._index[id(root)] + 1 :]:
            if state.urn not in ignore and not urns.isdisjoint(_ties_but_parent(state)):
                found.append(state)
                urns.add(state.urn)
        return found

    def deletion_waves(self, condemned: Iterable[ResourceState]) -> list[list[ResourceState]]:
        """Group states into waves: all of one may be deleted together, then all of the next.

        A state is deleted when nothing condemned that depends on it, or is its child, is left.
        """
        depth: dict[int, int] = {}
        ordered = sorted(condemned, key=lambda state: self._index[id(state)])
        children = self._children()
        for position, state in enumerate(ordered):
            ties = set(state.depends_on())
            # To depend on a component is to depend on all that stands below it, its own parents
            # apart: there the component waits for the child instead.
            for urn in list(ties):
                if urn != state.parent:
                    ties |= children.get(urn, set())
            before = [depth[id(other)] for other in ordered[:position] if other.urn in ties]
            depth[id(state)] = 1 + max(before, default=0)
        waves: dict[int, list[ResourceState]] = {}
        for state in ordered:
            waves.setdefault(depth[id(state)], []).append(state)
        return [waves[level] for level in sorted(waves, reverse=True)]

    def _children(self) -> dict[str, set[str]]:
        below: dict[str, set[str]] = {}
        for state in reversed(self._resources):
            if state.parent:
                mine = below.get(state.urn, set())
                below.setdefault(state.parent, set()).update({state.urn}, mine)
        components = {state.urn for state in self._resources if not state.custom}
        return {urn: urns for urn, urns in below.items() if urn in components}


def _ties_but_parent(state: ResourceState) -> set[str]:
    # A parent that is also a true dependency is still counted: it is then named twice.
    ties = list(state.depends_on())
    if state.parent:
        ties.remove(state.parent)
    return set(ties)
