"""One ordered line of records on disk: written at one end, sent and forgotten at the other.

Owns order, durability and the memory of what was acknowledged. A segment is deleted when its last
record is acknowledged. One thread appends, one reads; they meet in `committed`. The files are
`spool_segments`' business, who may open the lane at all is `spool`'s.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Sequence
from io import FileIO
from pathlib import Path

from mlflow_platform_client.spool_blocks import Damaged, Torn, frames, read_block
from mlflow_platform_client.spool_segments import Position, Segments, sync_folder

_logger = logging.getLogger(__name__)

SEGMENT_BYTES = 8 * 1024 * 1024


class Lane:
    """A folder of segments. `append` and the reading methods may be used by two threads."""

    def __init__(self, folder: Path, *, fsync: bool = True, set_aside: Path | None = None) -> None:
        """Open, or create; what is already there is to be read first."""
        self.folder = folder
        self._fsync = fsync
        self._segments = Segments(folder, set_aside)
        numbers = self._segments.numbers()
        self._first = numbers[0] if numbers else 1
        self._cursor = self._segments.load_position(self._first)
        # Never before the position, even when all segments are acknowledged and gone.
        self._write_segment = max((numbers[-1] if numbers else 0) + 1, self._cursor.segment)
        self._write_fd = -1
        self._write_offset = 0
        # The reader goes up to here within the segment being written; earlier ones are complete.
        self.committed = Position(self._write_segment, 0, 0)
        self._counts = threading.Lock()
        self._file: FileIO | None = None
        self._file_segment = 0
        self._block: list[bytes] = []
        self._block_total = 0
        self.pending, self.bytes = self._segments.survey(self._cursor)

    # --- writing -----------------------------------------------------------------------------

    def append(self, lines: Sequence[str]) -> None:
        """Add records; they are durable when this returns. On an OSError none of them is there."""
        block = frames(lines, SEGMENT_BYTES)
        if self._write_fd < 0 or self._write_offset + len(block) > SEGMENT_BYTES:
            self._next_segment()
        try:
            _write_all(self._write_fd, block)
            if self._fsync:
                os.fsync(self._write_fd)
        except OSError:
            # Half a block must not stay: the next one would follow it and be unreadable.
            try:
                os.ftruncate(self._write_fd, self._write_offset)
            except OSError:
                self._write_offset = SEGMENT_BYTES  # the next one goes to a new segment
            raise
        self._write_offset += len(block)
        with self._counts:
            self.pending += len(lines)
            self.bytes += len(block)
            self.committed = Position(self._write_segment, self._write_offset, 0)

    def _next_segment(self) -> None:
        number = self._write_segment + (1 if self._write_fd >= 0 else 0)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        fd = os.open(self._segments.path(number), flags, 0o600)
        try:
            if self._fsync:
                sync_folder(self.folder)
        except OSError:
            os.close(fd)
            raise
        if self._write_fd >= 0:
            os.close(self._write_fd)
        self._write_fd, self._write_segment, self._write_offset = fd, number, 0

    # --- reading -----------------------------------------------------------------------------

    @property
    def cursor(self) -> Position:
        """The next record to be read."""
        return self._cursor

    def read(self) -> bytes | None:
        """The next record; None when all that is committed has been read."""
        if not self._block and not self._load_block():
            return None
        segment, offset, record = self._cursor
        line = self._block[record]
        record += 1
        if record == len(self._block):
            self._cursor = Position(segment, offset + self._block_total, 0)
            self._block = []
        else:
            self._cursor = Position(segment, offset, record)
        return line

    def seek(self, position: Position) -> None:
        """Read on from here."""
        if position[:2] != self._cursor[:2]:
            self._block = []
        self._cursor = position

    def acknowledge(self, position: Position, records: int) -> None:
        """Everything before this is with the server: remember it, and free the disk."""
        if records == 0:
            return
        self._segments.save_position(position)
        freed = 0
        for number in range(self._first, position.segment):
            with contextlib.suppress(FileNotFoundError):
                freed += self._segments.path(number).stat().st_size
                self._segments.path(number).unlink()
        self._first = max(self._first, position.segment)
        with self._counts:
            self.pending -= records
            self.bytes -= freed

    def settle(self) -> None:
        """All there is has been read and acknowledged: what was unreadable no longer counts."""
        with self._counts:
            if not self._block and self._cursor[:2] >= self.committed[:2]:
                self.pending = 0

    def _load_block(self) -> bool:
        while True:
            segment, offset, _ = self._cursor
            if (segment, offset) >= self.committed[:2]:
                return False
            try:
                file = self._open(segment)
                file.seek(offset)
                block = read_block(file)
            except FileNotFoundError:
                block = None
            except Torn:
                _logger.debug(
                    "%s ends in a block that was never promised", self._segments.path(segment)
                )
                block = None
            except Damaged:
                self._segments.keep_damaged(segment, offset)
                if segment == self.committed.segment:
                    # Still being written: what comes from now on is whole.
                    self._cursor = self.committed
                    continue
                block = None
            if block is None:
                if segment >= self.committed.segment:
                    return False
                self._cursor = Position(segment + 1, 0, 0)
                continue
            header, lines = block
            if self._cursor.record >= len(lines):
                self._cursor = Position(segment, offset + header.total, 0)
                continue
            self._block, self._block_total = lines, header.total
            return True

    def _open(self, segment: int) -> FileIO:
        if self._file is None or self._file_segment != segment:
            if self._file is not None:
                self._file.close()
                self._file = None
            # Unbuffered: a fork would copy the lock of a buffered file, held if this thread is just
            # reading, and the child would wait for it for ever in `close`.
            self._file = self._segments.path(segment).open("rb", buffering=0)
            self._file_segment = segment
        return self._file

    # --- end ---------------------------------------------------------------------------------

    def close(self) -> None:
        """Let go of the files; nothing is deleted."""
        if self._write_fd >= 0:
            with contextlib.suppress(OSError):
                os.close(self._write_fd)
            self._write_fd = -1
        if self._file is not None:
            self._file.close()
            self._file = None


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
