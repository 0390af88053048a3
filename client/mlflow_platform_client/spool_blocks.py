"""How records lie in a file: blocks of whole lines, each with its length, checksum and count.

    00000051 9c3f0b12 00000002 LF            27 bytes: payload bytes, CRC-32, records, in hex
    m TAB <run id> TAB {"key":"loss",...} LF
    ...

Owns the frame alone. A block cut short at the end of a file was never promised to anyone (the
writer died before it said so): it is `Torn`. A block that is whole but does not match its checksum
is `Damaged`: something else has written here. Reading never goes past either.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

HEADER_BYTES = 27
LARGEST_BLOCK = 64 * 1024 * 1024


class Torn(Exception):  # noqa: N818
    """The file ends inside a block."""


class Damaged(Exception):  # noqa: N818
    """The bytes are not a block."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a block says about itself."""

    size: int
    checksum: int
    records: int

    @property
    def total(self) -> int:
        """Bytes of the block with its header."""
        return HEADER_BYTES + self.size


def frame(lines: Sequence[str]) -> bytes:
    """One block of these lines; none may contain a line feed."""
    payload = ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace")
    return b"%08x %08x %08x\n" % (len(payload), zlib.crc32(payload), len(lines)) + payload


def read_header(file: BinaryIO) -> Header | None:
    """The block at the file's position; None at the end of the file."""
    raw = file.read(HEADER_BYTES)
    if not raw:
        return None
    if len(raw) < HEADER_BYTES:
        raise Torn
    try:
        size, checksum, records = (int(raw[at : at + 8], 16) for at in (0, 9, 18))
    except ValueError:
        raise Damaged from None
    if raw[26:] != b"\n" or not 0 < size <= LARGEST_BLOCK:
        raise Damaged
    return Header(size, checksum, records)


def read_block(file: BinaryIO) -> tuple[Header, list[bytes]] | None:
    """The block at the file's position, checked; None at the end of the file."""
    header = read_header(file)
    if header is None:
        return None
    payload = file.read(header.size)
    if len(payload) < header.size:
        raise Torn
    if zlib.crc32(payload) != header.checksum:
        raise Damaged
    lines = payload.split(b"\n")
    lines.pop()  # what follows the last line feed
    if len(lines) != header.records:
        raise Damaged
    return header, lines
