"""Which artifacts rows name, and whether a backup has them.

Owns the addresses MLflow writes down (`mlflow-artifacts:/1/…` where the server hands artifacts out,
the store's own address where it does not) and what they mean below the platform's artifact root.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from operations.archive.snapshot import LOCATIONS, Snapshot
from operations.archive.spool import Spool

SHOWN = 3


@dataclass(slots=True)
class Named:
    """Some of many, by name."""

    count: int = 0
    first: list[str] = field(default_factory=list[str])

    def add(self, text: str) -> None:
        """One more."""
        self.count += 1
        if len(self.first) < SHOWN:
            self.first.append(text)

    def __str__(self) -> str:
        """`run a, run b, … (12 in all)`."""
        more = f", … ({self.count:,} in all)" if self.count > len(self.first) else ""
        return ", ".join(self.first) + more


def name_below(root: str, uri: str) -> str | None:
    """An address as a name below the artifact root; None where it lies elsewhere."""
    parts = urlsplit(uri)
    if parts.scheme == "mlflow-artifacts":
        return unquote(parts.path).strip("/")
    place = root.rstrip("/")
    if parts.scheme == "file" and not parts.netloc:
        uri = unquote(parts.path)
    if uri.rstrip("/") == place:
        return ""
    return uri.removeprefix(f"{place}/").strip("/") if uri.startswith(f"{place}/") else None


@dataclass(slots=True)
class Locations:
    """What rows name."""

    rooted: int = 0  # by the root's own address: another root would need other rows
    outside: Named = field(default_factory=Named)  # elsewhere than in the root


def read_locations(snapshot: Snapshot, root: str, spool: Spool) -> Locations:
    """Put the folders that rows name into the spool, and count how they name them."""
    found = Locations()
    for table in LOCATIONS:
        for uri, owner in snapshot.locations(table):
            if uri.startswith(("models:", "runs:")):
                continue  # another row's, and that one is read too
            name = name_below(root, uri)
            if name is None:
                found.outside.add(f"{owner} ({uri})")
                continue
            found.rooted += not uri.startswith("mlflow-artifacts:")
            if table != "experiments" and name:
                # An experiment's folder holds those of runs that may be gone for good.
                spool.add_locations([(name, owner)])
    return found


def lost(spool: Spool) -> Named:
    """Artifacts that a row of the snapshot names and that went while the backup was made."""
    found = Named()
    for name in spool.gone():
        owner = spool.owner_of(name)
        if owner is not None:
            found.add(f"{name} of {owner}")
    return found


def dangling(spool: Spool) -> Named:
    """Models whose folder the artifact store does not have: nothing to load, backup or not."""
    found = Named()
    for name, owner in spool.locations():
        if owner.startswith(("version ", "model ")) and not spool.holds_below(name):
            found.add(owner)
    return found
