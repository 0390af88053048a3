"""The manifest: what a backup holds, in one document that notices its own change.

Owns its form: a line of JSON that says what was backed up, a line for each artifact, and a last
line with the SHA-256 of everything before it. It is written and read as a stream, so its length is
nobody's memory. It is encrypted like the rest of a backup: names of experiments and artifacts are
in it. Nothing secret is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, cast

from operations.archive.errors import BackupDamaged
from operations.archive.spool import Artifact, Spool
from operations.archive.streams import Readable, pieces_of

FORMAT = "mlflow-platform backup"
VERSION = 1
LONGEST_LINE_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class TableContent:
    """What a table holds, in two numbers that do not depend on the order of its rows."""

    name: str
    rows: int
    digest: str  # sum of the rows' SHA-256, cut to 64 bits


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """What was backed up, without the list of artifacts."""

    backup: str  # its name
    stack: str
    created: str  # the snapshot's moment, UTC
    mlflow_version: str
    schema_revision: str
    postgresql: str  # version of the server
    database_schema: str
    artifact_root: str
    dump_bytes: int  # before encryption
    dump_sha256: str
    tables: tuple[TableContent, ...]
    artifacts: int
    artifact_bytes: int
    packs: int
    rooted: int  # rows that name artifacts by the root's own address, not by the server's
    outside: int  # rows that keep artifacts elsewhere than in the artifact root

    @property
    def rows(self) -> int:
        """Of all tables."""
        return sum(table.rows for table in self.tables)

    def count(self, table: str) -> int:
        """Rows of one table; 0 where there is no such table."""
        return next((one.rows for one in self.tables if one.name == table), 0)


def manifest_lines(manifest: Manifest, spool: Spool) -> Iterator[bytes]:
    """The document, a line at a time."""
    hashed = hashlib.sha256()

    def line(document: Mapping[str, object]) -> bytes:
        text = json.dumps(document, separators=(",", ":")).encode() + b"\n"
        hashed.update(text)
        return text

    yield line({"format": FORMAT, "version": VERSION, **asdict(manifest)})
    for artifact in spool.artifacts():
        yield line(
            {
                "artifact": artifact.name,
                "bytes": artifact.size_bytes,
                "sha256": artifact.sha256,
                "pack": artifact.pack,
                "entry": artifact.entry,
            }
        )
    yield json.dumps({"end": hashed.hexdigest()}).encode() + b"\n"


def read_manifest(source: Readable, spool: Spool, *, name: str) -> Manifest:
    """Read the document, its artifacts into the spool; `name` is what problems call it.

    Raises:
        BackupDamaged: it is not whole, was changed, or is of another version.
    """
    try:
        return _parsed(source, spool)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BackupDamaged(f"{name} is damaged: {error}") from None


def _parsed(source: Readable, spool: Spool) -> Manifest:
    manifest: Manifest | None = None
    hashed = hashlib.sha256()
    ended = False
    for text in _lines(source):
        if ended:
            raise ValueError("something follows its end")
        document = cast("dict[str, Any]", json.loads(text))
        if "end" in document:
            if document["end"] != hashed.hexdigest():
                raise ValueError("it was changed")
            ended = True
            continue
        hashed.update(text)
        if manifest is None:
            manifest = _manifest(document)
        else:
            spool.add(_artifact(document))
    if manifest is None or not ended:
        raise ValueError("it is cut short")
    count, size, _ = spool.totals()
    if (count, size) != (manifest.artifacts, manifest.artifact_bytes):
        raise ValueError("it does not list what it counts")
    return manifest


def _artifact(document: Mapping[str, Any]) -> Artifact:
    return Artifact(
        name=str(document["artifact"]),
        size_bytes=int(document["bytes"]),
        sha256=str(document["sha256"]),
        pack=int(document["pack"]),
        entry=int(document["entry"]),
    )


def _manifest(document: dict[str, Any]) -> Manifest:
    if document.pop("format", None) != FORMAT:
        raise ValueError("it is no manifest of a backup")
    version = document.pop("version", None)
    if version != VERSION:
        raise ValueError(f"it is of version {version}, and this program reads {VERSION}")
    tables = tuple(TableContent(**table) for table in document.pop("tables"))
    return Manifest(**document, tables=tables)


def _lines(source: Readable) -> Iterator[bytes]:
    rest = b""
    for piece in pieces_of(source):
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line + b"\n"
        if len(rest) > LONGEST_LINE_BYTES:
            raise ValueError("it has no lines")
    if rest:
        raise ValueError("it is cut short")
