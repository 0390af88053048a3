"""Which old state a registered resource continues: its URN, or one of its aliases.

Owns the making of URNs, the refusal of duplicates, and the working out of aliases, inherited ones
included: a resource whose parent was renamed is found under the name it had below that parent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from local_engine.goal import Alias
from local_engine.resource_state import (
    STACK_TYPE,
    ResourceState,
    make_urn,
    urn_name,
    urn_qualified_type,
    urn_type,
)


class Identities:
    """The URNs seen in one deployment and the old ones they stand for."""

    def __init__(
        self,
        stack: str,
        project: str,
        olds: Mapping[str, ResourceState],
        report: Callable[[str, str], None],
    ) -> None:
        """`report(urn, message)` tells the user of an error."""
        self._stack = stack
        self._project = project
        self._olds = olds
        self._report = report
        self.urns: set[str] = set()
        # Old URN -> the new one that took it over, and the other way round.
        self.aliased: dict[str, str] = {}
        self.aliases: dict[str, str] = {}

    def use(self, olds: Mapping[str, ResourceState]) -> None:
        """Look in `olds` from now on."""
        self._olds = olds

    def urn(self, parent: str, type_: str, name: str) -> str:
        """Return the URN of a resource."""
        return make_urn(self._stack, self._project, parent, type_, name)

    def claim(self, urn: str) -> bool:
        """Take a URN; false (and reported) where another resource has it already."""
        if urn in self.urns:
            self._report(urn, f"Duplicate resource URN '{urn}'; try giving it a unique name")
            return False
        self.urns.add(urn)
        return True

    def find_old(
        self, urn: str, name: str, type_: str, parent: str, aliases: Sequence[Alias]
    ) -> tuple[ResourceState | None, str, bool]:
        """Return the old state, the alias it was found under, and whether all is in order."""
        valid = True
        if urn in self.aliased:
            other = self.aliased[urn]
            self._report(
                urn,
                f"Duplicate resource URN '{urn}' conflicting with alias on resource with URN "
                f"'{other}'",
            )
            valid = False
        if urn in self._olds:
            return self._olds[urn], "", valid
        for candidate in self._candidates(name, type_, parent, aliases):
            if candidate not in self._olds or candidate == urn:
                continue
            for other in (urn if candidate in self.urns else "", self.aliased.get(candidate, "")):
                if other:
                    self._report(
                        urn,
                        f"Duplicate resource alias '{candidate}' applied to resource with URN "
                        f"'{urn}' conflicting with resource with URN '{other}'",
                    )
                    valid = False
            self.aliased[candidate] = urn
            self.aliases[urn] = candidate
            return self._olds[candidate], candidate, valid
        return None, "", valid

    def _candidates(
        self, name: str, type_: str, parent: str, aliases: Sequence[Alias]
    ) -> list[str]:
        own = [self._resolve(name, type_, parent, alias) for alias in aliases]
        found = list(own)
        earlier = self.aliases.get(parent, "") if parent else ""
        if earlier:
            found.append(self._below(type_, name, urn_name(parent), earlier))
            found += [
                self._below(urn_type(urn), urn_name(urn), urn_name(parent), earlier) for urn in own
            ]
        return list(dict.fromkeys(found))

    def _resolve(self, name: str, type_: str, parent: str, alias: Alias) -> str:
        if alias.urn:
            return alias.urn
        below = parent
        if alias.parent:
            below = self.aliases.get(alias.parent, alias.parent)
        if alias.no_parent or urn_qualified_type(below) == STACK_TYPE:
            below = ""
        return make_urn(
            alias.stack or self._stack,
            alias.project or self._project,
            below,
            alias.type or type_,
            alias.name or name,
        )

    def _below(self, type_: str, name: str, parent_name: str, earlier_parent: str) -> str:
        # A child named after its parent (`db-subnet` below `db`) was named after it before, too.
        if name.startswith(parent_name):
            name = urn_name(earlier_parent) + name.removeprefix(parent_name)
        return make_urn(self._stack, self._project, earlier_parent, type_, name)
