"""Names of artifacts, on disk instead of in memory.

Owns the lists that are as long as there are artifacts: what a store held before the snapshot, what
is in the backup with hash and place, and which rows name a folder of artifacts. They live in a
SQLite file in a temporary folder, so that five million artifacts take disk and not memory. Names
are bytes there: file systems allow what Unicode does not.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

_TABLES = """
CREATE TABLE listed (name BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE artifact (
    name BLOB PRIMARY KEY, size INTEGER, sha256 TEXT, pack INTEGER, entry INTEGER
) WITHOUT ROWID;
CREATE TABLE location (uri TEXT PRIMARY KEY, owner TEXT) WITHOUT ROWID;
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Artifact:
    """One artifact of a backup."""

    name: str  # below the platform's artifact root
    size_bytes: int
    sha256: str
    pack: int
    entry: int  # which file of the pack, from 0


class Spool:
    """A SQLite file that is gone afterwards."""

    def __init__(self, folder: Path) -> None:
        """Make it in `folder`."""
        # Filled by the thread that encrypts while nobody else works with it.
        self._rows = sqlite3.connect(folder / "spool.sqlite", check_same_thread=False)
        self._rows.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + _TABLES)

    def __enter__(self) -> Spool:
        """Close it at the end."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it; its folder is somebody else's to remove."""
        self._rows.close()

    def add_listed(self, names: Iterable[str]) -> None:
        """Remember that these were there before the snapshot."""
        self._rows.executemany(
            "INSERT OR IGNORE INTO listed VALUES (?)", ((os.fsencode(name),) for name in names)
        )

    def add_locations(self, locations: Iterable[tuple[str, str]]) -> None:
        """Remember addresses that rows name, and which row."""
        self._rows.executemany("INSERT OR IGNORE INTO location VALUES (?, ?)", locations)

    def add(self, artifact: Artifact) -> None:
        """Remember an artifact of the backup; a later one of the same name takes its place."""
        self._rows.execute(
            "INSERT OR REPLACE INTO artifact VALUES (?, ?, ?, ?, ?)",
            (
                os.fsencode(artifact.name),
                artifact.size_bytes,
                artifact.sha256,
                artifact.pack,
                artifact.entry,
            ),
        )

    def artifacts(self) -> Iterator[Artifact]:
        """All of them, by name."""
        yield from map(_artifact, self._rows.execute("SELECT * FROM artifact ORDER BY name"))

    def find(self, name: str) -> Artifact | None:
        """One by its name."""
        row = self._rows.execute(
            "SELECT * FROM artifact WHERE name = ?", (os.fsencode(name),)
        ).fetchone()
        return _artifact(row) if row else None

    def totals(self) -> tuple[int, int, int]:
        """How many artifacts, their bytes, and in how many packs."""
        count, size, packs = self._rows.execute(
            "SELECT count(*), coalesce(sum(size), 0), count(DISTINCT pack) FROM artifact"
        ).fetchone()
        return int(count), int(size), int(packs)

    def listed(self) -> int:
        """How many were there before the snapshot."""
        return int(self._rows.execute("SELECT count(*) FROM listed").fetchone()[0])

    def gone(self) -> Iterator[str]:
        """Names that were listed and that no artifact of the backup has."""
        for (name,) in self._rows.execute(
            "SELECT name FROM listed WHERE name NOT IN (SELECT name FROM artifact) ORDER BY name"
        ):
            yield os.fsdecode(name)

    def owner_of(self, uri: str) -> str | None:
        """The row whose folder an address lies in."""
        while uri:
            row = self._rows.execute("SELECT owner FROM location WHERE uri = ?", (uri,)).fetchone()
            if row:
                return str(row[0])
            uri = uri.rpartition("/")[0]
        return None

    def locations(self) -> Iterator[tuple[str, str]]:
        """Addresses that rows name, with the row."""
        for uri, owner in self._rows.execute("SELECT uri, owner FROM location ORDER BY uri"):
            yield str(uri), str(owner)

    def holds_below(self, folder: str) -> bool:
        """Whether an artifact of the backup is this one or lies in this folder."""
        low = os.fsencode(folder.rstrip("/"))
        row = self._rows.execute(
            "SELECT 1 FROM artifact WHERE name = ? OR (name >= ? AND name < ?) LIMIT 1",
            (low, low + b"/", low + b"0"),  # "0" follows "/"
        ).fetchone()
        return row is not None


def _artifact(row: tuple[bytes, int, str, int, int]) -> Artifact:
    name, size, sha256, pack, entry = row
    return Artifact(name=os.fsdecode(name), size_bytes=size, sha256=sha256, pack=pack, entry=entry)
