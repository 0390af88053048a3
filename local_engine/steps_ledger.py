"""What has been decided so far in one deployment, resource by resource."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Ledger:
    """URNs by what was decided for them; `pending_deletes` holds states (by identity)."""

    creates: set[str] = field(default_factory=set[str])
    updates: set[str] = field(default_factory=set[str])
    replaces: set[str] = field(default_factory=set[str])
    reads: set[str] = field(default_factory=set[str])
    sames: set[str] = field(default_factory=set[str])
    deletes: set[str] = field(default_factory=set[str])
    pending_deletes: set[int] = field(default_factory=set[int])

    def touched(self) -> set[str]:
        """Every URN that anything was decided for."""
        return self.creates | self.updates | self.replaces | self.reads | self.sames | self.deletes

    def kept(self, urn: str) -> bool:
        """Whether the old state with this URN lives on in some form."""
        return urn in self.updates | self.replaces | self.reads | self.sames
