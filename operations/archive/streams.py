"""Streams of bytes that are only ever read forward, a piece at a time.

Owns the one shape in which data goes through a backup, so that memory stays flat whatever the size
of the data: whoever needs bytes pulls them from whoever has them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Protocol

PIECE_BYTES = 1 << 18


class Readable(Protocol):
    """What bytes are pulled from; an empty answer is the end."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, and fewer only at the end."""
        ...


class Hashed:
    """Counts and hashes what is read through it."""

    def __init__(self, source: Readable) -> None:
        """Nothing is read yet."""
        self._source = source
        self._hash = hashlib.sha256()
        self.size_bytes = 0

    @property
    def sha256(self) -> str:
        """Of what was read so far."""
        return self._hash.hexdigest()

    def read(self, size: int, /) -> bytes:
        """Read on."""
        piece = self._source.read(size)
        self._hash.update(piece)
        self.size_bytes += len(piece)
        return piece


class Watched:
    """Tells how many bytes went through, every 32 MiB."""

    def __init__(self, source: Readable, tell: Callable[[int], None]) -> None:
        """`tell` is given the number of bytes so far."""
        self._source = source
        self._tell = tell
        self._size_bytes = 0

    def read(self, size: int, /) -> bytes:
        """Read on."""
        piece = self._source.read(size)
        before = self._size_bytes >> 25
        self._size_bytes += len(piece)
        if self._size_bytes >> 25 != before:
            self._tell(self._size_bytes)
        return piece


class Checked:
    """Hands bytes through and refuses the end of them unless they are the promised ones.

    Whoever writes them somewhere therefore fails before what was written counts as whole.
    """

    def __init__(
        self, source: Readable, *, size_bytes: int, sha256: str, problem: Callable[[], Exception]
    ) -> None:
        """`problem` makes the exception for other bytes than promised."""
        self._source = Hashed(source)
        self._size_bytes = size_bytes
        self._sha256 = sha256
        self._problem = problem

    def read(self, size: int, /) -> bytes:
        """Read on, or fail at the end."""
        piece = self._source.read(size)
        seen = self._source.size_bytes
        if seen > self._size_bytes or (
            (not piece or seen == self._size_bytes)
            and (seen, self._source.sha256) != (self._size_bytes, self._sha256)
        ):
            raise self._problem()
        return piece


class Pieces:
    """Makes an iterator of pieces of any length readable."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        """Nothing is asked for yet."""
        self._pieces = pieces
        self._rest = memoryview(b"")

    def read(self, size: int, /) -> bytes:
        """Read on."""
        found: list[bytes] = []
        wanted = size
        while wanted > 0:
            if not self._rest:
                piece = next(self._pieces, None)
                if piece is None:
                    break
                self._rest = memoryview(piece)
            found.append(bytes(self._rest[:wanted]))
            self._rest = self._rest[wanted:]
            wanted -= len(found[-1])
        return b"".join(found)


def read_whole(source: Readable, size: int) -> bytes:
    """`size` bytes, or what is left: libraries take fewer for the end."""
    found: list[bytes] = []
    left = size
    while left > 0 and (piece := source.read(left)):
        found.append(piece)
        left -= len(piece)
    return found[0] if len(found) == 1 else b"".join(found)


def pieces_of(source: Readable) -> Iterator[bytes]:
    """Everything that is left to read."""
    while piece := source.read(PIECE_BYTES):
        yield piece


def drain(source: Readable) -> None:
    """Read to the end, for what reading checks."""
    for _ in pieces_of(source):
        pass
