"""Places that hold named objects: a folder, a bucket of S3, a bucket of Cloud Storage.

Owns what artifacts are read from and written to and what backups are kept in, as one shape: list,
read one version of an object, write an object that is there whole or not at all, delete. Which
place it is, its address says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from operations.archive.streams import Readable
from smoke_tests.errors import CouldNotLook


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredObject:
    """One object as a listing shows it."""

    name: str  # below the store's address, with /
    size_bytes: int
    modified: float  # seconds since 1970


class OpenObject(Readable, Protocol):
    """One version of an object, being read.

    Reading raises ObjectChanged where the object did not stay that version.
    """

    @property
    def size_bytes(self) -> int:
        """Of this version, known before it is read."""
        ...


class Store(Protocol):
    """A place with objects."""

    uri: str  # without a slash at its end

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """Every object whose name begins so, in any order."""
        ...

    def open(self, name: str) -> AbstractContextManager[OpenObject]:
        """Read an object.

        Raises:
            ObjectGone: there is none of this name.
        """
        ...

    def write(self, name: str, source: Readable, *, about_bytes: int = 0) -> None:
        """Make or replace an object; when `source` raises, everything is as it was before.

        `about_bytes` is how much is expected, where that is known.
        """
        ...

    def delete(self, name: str) -> None:
        """Take an object away; absent already is fine."""
        ...


def open_store(
    uri: str, environ: Mapping[str, str], *, setting: str, unfinished_too: bool = False
) -> Store:
    """The store at an address; `setting` is where the address was given.

    With `unfinished_too`, files that a killed process left half written are listed as well.

    Raises:
        CouldNotLook: no such kind of store.
    """
    parts = urlsplit(uri)
    if parts.scheme == "s3" and parts.netloc:
        from operations.archive.s3_store import S3Store

        return S3Store(uri, environ)
    if parts.scheme == "gs" and parts.netloc:
        from operations.archive.gcs_store import GcsStore

        return GcsStore(uri, environ)
    if parts.scheme in ("", "file") and parts.path and not parts.netloc:
        from operations.archive.folder_store import FolderStore

        return FolderStore(parts.path if parts.scheme else uri, unfinished_too=unfinished_too)
    raise CouldNotLook(
        f"{setting} is {uri!r}, which is neither a path nor s3://bucket/prefix nor "
        "gs://bucket/prefix: give one of these"
    )


def lies_inside(uri: str, other: str) -> bool:
    """Whether one store's address is another's, or lies below it; links are followed."""
    place, root = (one if "://" in one else str(Path(one).resolve()) for one in (uri, other))
    return f"{place.rstrip('/')}/".startswith(f"{root.rstrip('/')}/")


def prefix_of(uri: str) -> str:
    """What names of objects in the bucket begin with: empty, or `some/prefix/`."""
    path = urlsplit(uri).path.strip("/")
    return f"{path}/" if path else ""
