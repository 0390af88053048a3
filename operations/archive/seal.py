"""The seal: what says that a backup is complete, and what rotation goes by.

Owns the one file of a backup that is not encrypted and that is written last: names, sizes and
SHA-256 of the encrypted files, so that whoever has no key (the job that makes backups needs none)
can tell a whole backup from a broken one. A backup without a seal does not count, and is not
listed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any, cast

from operations.archive.errors import BackupDamaged, ObjectGone
from operations.archive.stores import Store

SEAL = "seal.json"
MANIFEST = "manifest.jsonl.age"
DUMP = "database.dump.age"
FORMAT = "mlflow-platform backup seal"
VERSION = 1

_LARGEST_SEAL_BYTES = 64 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class SealedFile:
    """One encrypted file of a backup."""

    name: str  # within the backup's folder
    size_bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Seal:
    """One complete backup."""

    backup: str
    stack: str
    created: str  # UTC; sorts as it is
    files: tuple[SealedFile, ...]

    @property
    def size_bytes(self) -> int:
        """Of all files."""
        return sum(file.size_bytes for file in self.files)

    def file(self, name: str) -> SealedFile:
        """One file by its name.

        Raises:
            BackupDamaged: the seal does not know it.
        """
        for file in self.files:
            if file.name == name:
                return file
        raise BackupDamaged(f"{self.backup} is damaged: its seal does not name {name}")


def pack_name(number: int) -> str:
    """Of a pack of artifacts."""
    return f"artifacts-{number:05d}.tar.age"


def write_seal(store: Store, seal: Seal) -> None:
    """Make a backup complete."""
    document = _document(seal)
    text = json.dumps({**document, "sha256": _digest(document)}, indent=1).encode() + b"\n"
    store.write(f"{seal.backup}/{SEAL}", BytesIO(text), about_bytes=len(text))


def read_seal(store: Store, backup: str) -> Seal:
    """The seal of one backup.

    Raises:
        BackupDamaged: there is none, or it was changed.
    """
    where = f"{store.uri}/{backup}"
    try:
        with store.open(f"{backup}/{SEAL}") as opened:
            text = opened.read(_LARGEST_SEAL_BYTES)
        return _parsed(text, backup)
    except ObjectGone:
        raise BackupDamaged(
            f"{where} has no {SEAL}: it is no backup, or one that was interrupted before it was "
            "complete; choose another one (`python -m operations backups` lists them)"
        ) from None
    except (ValueError, TypeError, KeyError, AttributeError):
        raise BackupDamaged(f"{where}/{SEAL} is damaged: it was changed or is cut short") from None


def _parsed(text: bytes, backup: str) -> Seal:
    document = cast("dict[str, Any]", json.loads(text))
    promised = document.pop("sha256")
    if promised != _digest(document) or document["backup"] != backup:
        raise ValueError("changed")
    if (document["format"], document["version"]) != (FORMAT, VERSION):
        raise ValueError("of another program")
    return Seal(
        backup=backup,
        stack=str(document["stack"]),
        created=str(document["created"]),
        files=tuple(
            SealedFile(
                name=str(file["name"]), size_bytes=int(file["bytes"]), sha256=str(file["sha256"])
            )
            for file in document["files"]
        ),
    )


def missing_files(store: Store, seal: Seal) -> Iterator[str]:
    """What is plainly wrong with a backup's files, without reading them."""
    found = {
        item.name.removeprefix(f"{seal.backup}/"): item.size_bytes
        for item in store.list(f"{seal.backup}/")
    }
    for file in seal.files:
        if file.name not in found:
            yield f"{seal.backup} is incomplete: {file.name} is missing"
        elif found[file.name] != file.size_bytes:
            yield (
                f"{seal.backup} is damaged: {file.name} has {found[file.name]:,} bytes instead of "
                f"{file.size_bytes:,}"
            )


def _document(seal: Seal) -> dict[str, object]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "backup": seal.backup,
        "stack": seal.stack,
        "created": seal.created,
        "files": [
            {"name": file.name, "bytes": file.size_bytes, "sha256": file.sha256}
            for file in seal.files
        ],
    }


def _digest(document: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
