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
LARGEST_BLOCK = 256 * 1024 * 1024  # one record of the longest text that settings allow fits


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


def frames(lines: Sequence[str], most_characters: int) -> bytes:
    """These lines in as many blocks as keep each readable; a longer line has one to itself."""
    blocks: list[bytes] = []
    start = size = 0
    for index, line in enumerate(lines):
        if size and size + len(line) > most_characters:
            blocks.append(frame(lines[start:index]))
            start, size = index, 0
        size += len(line)
    blocks.append(frame(lines[start:]))
    return b"".join(blocks)


def read_header(file: BinaryIO) -> Header | None:
    """The block at the file's position; None at the end of the file."""
    raw = _read(file, HEADER_BYTES)
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
    payload = _read(file, header.size)
    if len(payload) < header.size:
        raise Torn
    if zlib.crc32(payload) != header.checksum:
        raise Damaged
    lines = payload.split(b"\n")
    lines.pop()  # what follows the last line feed
    if len(lines) != header.records:
        raise Damaged
    return header, lines


def _read(file: BinaryIO, size: int) -> bytes:
    """So many bytes, fewer only at the end of the file: an unbuffered one may return less."""
    data = file.read(size)
    while 0 < len(data) < size and (more := file.read(size - len(data))):
        data += more
    return data
