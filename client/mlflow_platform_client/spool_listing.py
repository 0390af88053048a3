"""What lies in the spool at one moment, as data: sessions, their owners, refused items, bytes.

Owns `list_spool` and its records. A session is claimed only to count it, and let go at once; one
that a living process owns is listed without a count. Nothing is sent (`spool_replay`), nothing is
printed (`spool_commands`), and MLflow is not loaded: looking into a spool must be quick and must
work where MLflow does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlflow_platform_client.spool import Spool, bytes_in, is_owned, read_facts


@dataclass(frozen=True)
class Listed:
    """One session of the spool."""

    folder: str
    tracking_uri: str
    host: str
    pid: int
    created: str
    owned: bool
    records: int | None
    """Values not acknowledged; None while a process owns the session."""
    bytes: int


@dataclass(frozen=True)
class Listing:
    """The spool at one moment."""

    directory: str
    sessions: tuple[Listed, ...]
    rejected: Mapping[str, int]
    """Refused items by file."""
    bytes: int


def list_spool(directory: Path) -> Listing:
    """What lies in the spool; claims a session only to count it."""
    spool = Spool(directory)
    sessions: list[Listed] = []
    for folder in spool.sessions():
        facts = read_facts(folder)
        if facts is None:
            continue
        owned, records = is_owned(folder), None
        if not owned and (session := spool.claim(folder)) is not None:
            records = session.pending
            session.close()
        sessions.append(
            Listed(
                folder=str(folder),
                owned=owned or records is None,
                records=records,
                bytes=bytes_in(folder),
                **facts._asdict(),
            )
        )
    rejected: dict[str, int] = {}
    for path in sorted(spool.rejected.glob("*.jsonl")):
        with path.open("rb") as file:
            rejected[str(path)] = sum(1 for _ in file)
    return Listing(str(directory), tuple(sessions), rejected, bytes_in(directory))
