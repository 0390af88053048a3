"""Objects that are files below a folder.

Owns that a file is there whole or not at all (written under another name, made durable, renamed),
that a file which is written to while it is read is noticed, and that nothing outside the folder is
read or written: links are not followed.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from operations.archive.errors import ObjectChanged, ObjectGone, StoreProblem
from operations.archive.stores import StoredObject
from operations.archive.streams import Readable, pieces_of

UNFINISHED = ".unfinished-"
"""What the name of a file begins with while it is being written."""


class FolderStore:
    """A folder, made when something is written to it."""

    def __init__(
        self, folder: str, *, is_durable: bool = True, unfinished_too: bool = False
    ) -> None:
        """Nothing is touched yet; what is not durable need not survive a power failure."""
        self._unfinished_too = unfinished_too
        self._is_durable = is_durable
        self._root = Path(folder).expanduser().absolute()
        self.uri = str(self._root)

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """Every regular file whose name begins so."""
        inside = prefix.rpartition("/")[0]
        start = self._root / inside if inside else self._root
        for path, details in _walk(start):
            if path.name.startswith(UNFINISHED) and not self._unfinished_too:
                continue
            name = path.relative_to(self._root).as_posix()
            if name.startswith(prefix):
                yield StoredObject(name=name, size_bytes=details.st_size, modified=details.st_mtime)

    @contextlib.contextmanager
    def open(self, name: str) -> Generator[_OpenFile]:
        """Read a file as it is now."""
        path = self._path(name)
        try:
            file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb")
        except FileNotFoundError:
            raise ObjectGone(f"{path} is not there any more") from None
        except OSError as error:
            raise StoreProblem(f"{path} cannot be read ({error.strerror})") from None
        with file:
            yield _OpenFile(path, file)

    def write(self, name: str, source: Readable, *, about_bytes: int = 0) -> None:
        """Write beside, then rename."""
        del about_bytes
        path = self._path(name)
        scratch = path.with_name(f"{UNFINISHED}{uuid4().hex}")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with scratch.open("xb") as file:
                for piece in pieces_of(source):
                    file.write(piece)
                if self._is_durable:
                    file.flush()
                    os.fsync(file.fileno())
            scratch.replace(path)
            if self._is_durable:
                _make_durable(path.parent)
        except OSError as error:
            raise StoreProblem(f"{path} cannot be written ({error.strerror or error})") from None
        finally:
            with contextlib.suppress(OSError):
                scratch.unlink(missing_ok=True)

    def delete(self, name: str) -> None:
        """Remove a file, and the folders that are empty then."""
        path = self._path(name)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise StoreProblem(f"{path} cannot be deleted ({error.strerror})") from None
        for folder in path.parents:
            if folder == self._root:
                break
            try:
                folder.rmdir()
            except OSError:
                break

    def _path(self, name: str) -> Path:
        parts = name.split("/")
        if not name or any(part in ("", ".", "..") for part in parts):
            raise StoreProblem(f"{name!r} is no name of a file below {self.uri}")
        path = self._root.joinpath(*parts)
        for folder in path.parents:
            if folder == self._root:
                break
            if folder.is_symlink():
                raise StoreProblem(
                    f"{folder} is a link, and what it leads to is not below {self.uri}"
                )
        return path


class _OpenFile:
    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path = path
        self._file = file
        self._opened = _version(file)
        self.size_bytes = os.fstat(file.fileno()).st_size

    def read(self, size: int, /) -> bytes:
        piece = self._file.read(size)
        if len(piece) < size and _version(self._file) != self._opened:
            raise ObjectChanged(f"{self._path} was written to while it was being read")
        return piece


def _version(file: BinaryIO) -> tuple[int, int]:
    details = os.fstat(file.fileno())
    return details.st_size, details.st_mtime_ns


def _walk(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: os.fsencode(entry.name))
    except FileNotFoundError:
        return  # not made yet, or removed meanwhile
    except OSError as error:
        raise StoreProblem(f"{folder} cannot be listed ({error.strerror})") from None
    for entry in found:
        path = Path(entry.path)
        try:
            details = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        if stat.S_ISLNK(details.st_mode):
            # Left out in silence, what it leads to would be missed when it is needed.
            raise StoreProblem(
                f"{path} is a link, and what it leads to is not below the folder: put the data "
                "itself there, or remove the link"
            )
        if stat.S_ISDIR(details.st_mode):
            yield from _walk(path)
        elif stat.S_ISREG(details.st_mode):
            yield path, details


def _make_durable(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
