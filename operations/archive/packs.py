"""Artifacts as tar files of about 1 GiB, made and taken apart as streams.

Owns the form: one object for each artifact would make a backup of many small ones slow, one object
for all would have to be read whole for one. A pack is plain tar: it opens without this program. An
artifact that was written to while it was read is filled up with zeros, is not in the manifest, and
follows again later.
"""

from __future__ import annotations

import tarfile
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

from operations.archive.errors import BackupDamaged, ObjectChanged, ObjectGone
from operations.archive.spool import Artifact
from operations.archive.stores import Store, StoredObject
from operations.archive.streams import Hashed, Pieces, Readable, pieces_of

PACK_BYTES = 1 << 30
MOST_TRIES = 5
FOLDER = "artifacts/"
"""Where a tar program puts them."""

_BLOCK = 512


class Packer:
    """Reads artifacts from a store into packs, one after the other."""

    def __init__(
        self,
        store: Store,
        wanted: Iterator[StoredObject],
        keep: Callable[[Artifact], None],
        *,
        pack_bytes: int = PACK_BYTES,
    ) -> None:
        """`keep` is told of each artifact that is whole in a pack."""
        self._store = store
        self._wanted = wanted
        self._again: deque[tuple[StoredObject, int]] = deque()
        self._keep = keep
        self._pack_bytes = pack_bytes
        self._next = self._take()
        self.packs = 0
        self.size_bytes = 0

    @property
    def about_bytes(self) -> int:
        """How much the next pack will hold, roughly."""
        first = self._next[0].size_bytes if self._next else 0
        return max(first, self._pack_bytes)

    def packed(self) -> Iterator[Readable]:
        """The packs; each has to be read to its end before the next one."""
        while self._next is not None:
            yield Pieces(self._pack(self.packs))
            self.packs += 1

    def _take(self) -> tuple[StoredObject, int] | None:
        found = next(self._wanted, None)
        if found is not None:
            return found, 0
        return self._again.popleft() if self._again else None

    def _pack(self, number: int) -> Iterator[bytes]:
        written = entry = 0
        while self._next is not None and written < self._pack_bytes:
            wanted, tries = self._next
            try:
                with self._store.open(wanted.name) as opened:
                    size = opened.size_bytes
                    if written and written + size > self._pack_bytes:
                        break  # a large one begins a pack
                    yield _header(wanted.name, size)
                    hashed = Hashed(opened)
                    problem: ObjectChanged | None = None
                    missing = size
                    try:
                        for piece in _exactly(hashed, size, wanted.name):
                            missing -= len(piece)
                            yield piece
                    except ObjectChanged as changed:
                        problem = changed
                    yield from _zeros(missing + -size % _BLOCK)
                    written += size
            except ObjectGone:
                # Whether a row still names it is looked at when all is read.
                self._next = self._take()
                continue
            if problem is None:
                self.size_bytes += size
                self._keep(
                    Artifact(
                        name=wanted.name,
                        size_bytes=size,
                        sha256=hashed.sha256,
                        pack=number,
                        entry=entry,
                    )
                )
            elif tries + 1 < MOST_TRIES:
                self._again.append((wanted, tries + 1))
            else:
                raise ObjectChanged(
                    f"{problem}, {MOST_TRIES} times: stop what writes it, then make the backup "
                    "again"
                )
            entry += 1
            self._next = self._take()
        yield from _zeros(2 * _BLOCK)


@dataclass(frozen=True, kw_only=True, slots=True)
class Packed:
    """One file of a pack, readable until the next one is asked for."""

    entry: int
    name: str
    size_bytes: int
    content: Readable


def unpacked(pack: Readable, *, name: str) -> Iterator[Packed]:
    """The files of a pack; `name` is what problems call it.

    Raises:
        BackupDamaged: it is no such tar file.
    """
    entry = 0
    try:
        with tarfile.open(fileobj=cast("Any", pack), mode="r|", errors="surrogateescape") as tar:
            for member in tar:
                # The library remembers every file it has seen, for questions nobody asks here.
                cast("Any", tar).members = []
                content = tar.extractfile(member)
                if content is None or not member.name.startswith(FOLDER):
                    raise BackupDamaged(f"{name} is damaged: it holds {member.name!r}, no artifact")
                yield Packed(
                    entry=entry,
                    name=member.name.removeprefix(FOLDER),
                    size_bytes=member.size,
                    content=cast("Readable", content),
                )
                entry += 1
    except tarfile.TarError as error:
        raise BackupDamaged(f"{name} is damaged: it is no whole tar file ({error})") from None
    for _ in pieces_of(pack):
        pass  # the end of the encryption says that nothing is missing


def _header(name: str, size: int) -> bytes:
    information = tarfile.TarInfo(FOLDER + name)
    information.size = size
    information.mode = 0o600
    return information.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def _exactly(source: Readable, size: int, name: str) -> Iterator[bytes]:
    left = size
    for piece in pieces_of(source):
        if len(piece) > left:
            raise ObjectChanged(f"{name} grew while it was being read")
        left -= len(piece)
        yield piece
    if left:
        raise ObjectChanged(f"{name} became shorter while it was being read")


def _zeros(count: int) -> Iterator[bytes]:
    while count > 0:
        piece = min(count, 1 << 16)
        yield bytes(piece)
        count -= piece
