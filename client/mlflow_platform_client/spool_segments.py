"""The files of one lane: which segments there are, what they hold, how far they are acknowledged.

    batches/00000001.log  00000002.log …   segments of blocks, appended to, never changed
    batches/position                       how far the server has acknowledged

Owns names, the position file, the survey of what an earlier process left, and the copy of a damaged
segment. The position is replaced without fsync: if a power cut loses it, records are sent again,
and the server keeps each once (see docs/decisions/0005). Appending, reading and deleting are
`spool_lane`'s business; how a block lies in a file is `spool_blocks`'.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from mlflow_platform_client.spool_blocks import Damaged, Torn, read_header

_logger = logging.getLogger(__name__)


class Position(NamedTuple):
    """A record's place: its segment, its block's offset, its number within the block."""

    segment: int
    offset: int
    record: int


class Segments:
    """A lane's folder. Keeps nothing in memory."""

    def __init__(self, folder: Path, set_aside: Path | None) -> None:
        """The folder is made; copies of damaged segments go to `set_aside`."""
        self.folder = folder
        self._set_aside = set_aside
        folder.mkdir(mode=0o700, exist_ok=True)

    def load_position(self, first: int) -> Position:
        """How far the server has acknowledged; the start of the first segment if nobody knows."""
        start = Position(first, 0, 0)
        with contextlib.suppress(OSError, ValueError, TypeError):
            found = Position(*map(int, json.loads((self.folder / "position").read_bytes())))
            return max(start, found)
        return start

    def save_position(self, position: Position) -> None:
        """Replace it, without fsync: lost, it only makes records go twice."""
        temporary = self.folder / "position.new"
        try:
            temporary.write_bytes(json.dumps(position).encode())
            temporary.replace(self.folder / "position")
        except OSError as error:
            # A full disk: sending again later is harmless, stopping here would not be.
            _logger.debug("position of %s not saved: %s", self.folder, error)

    def survey(self, cursor: Position) -> tuple[int, int]:
        """Records not yet acknowledged and bytes on disk, from block headers alone."""
        records = total = 0
        for number in self.numbers():
            path = self.path(number)
            with contextlib.suppress(OSError):
                total += path.stat().st_size
                records += _count(path, lambda at, n=number: (n, at) >= cursor[:2])
        return max(0, records - cursor.record), total

    def numbers(self) -> list[int]:
        """The segments there are, oldest first."""
        return sorted(int(path.stem) for path in self.folder.glob("*.log") if path.stem.isdigit())

    def path(self, segment: int) -> Path:
        """A segment's file."""
        return self.folder / f"{segment:08d}.log"

    def keep_damaged(self, segment: int, offset: int) -> None:
        """Somebody else's bytes in our file: keep a copy for a person, and go on behind it."""
        source = self.path(segment)
        kept: Path | None = None
        if self._set_aside is not None:
            name = f"{self.folder.parent.name}-{self.folder.name}-{source.stem}.damaged"
            kept = self._set_aside / name
            with contextlib.suppress(OSError):
                self._set_aside.mkdir(mode=0o700, exist_ok=True)
                shutil.copyfile(source, kept)
        _logger.error(
            "%s is damaged at byte %d: what follows there cannot be sent; a copy is kept as %s",
            source,
            offset,
            kept,
        )


def sync_folder(folder: Path) -> None:
    """Make a new name in a folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _count(path: Path, counts: Callable[[int], bool]) -> int:
    """Records of the blocks whose offset counts."""
    records = offset = 0
    size = path.stat().st_size
    with path.open("rb") as file, contextlib.suppress(Torn, Damaged):
        while (header := read_header(file)) is not None:
            if offset + header.total > size:
                break
            if counts(offset):
                records += header.records
            offset += header.total
            file.seek(offset)
    return records
