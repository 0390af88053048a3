"""The hand-over between the training thread and the background: bounded, in memory, quick.

Owns what a call costs the training thread: one lock, one append, and a wait only when the queue is
full (never longer than the user's bound, and once per incident: while it stays full later calls do
not wait again, or a server that is away would make every step pay). An entry counts as in memory
until it is committed to disk, so the bound covers what the writer holds in its hands as well. What
entries mean is not its business.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import TypeAlias

Entry: TypeAlias = tuple[object, ...]


class QueueClosed(Exception):  # noqa: N818
    """Its writer ends: hand over to the next one."""


class MetricQueue:
    """Entries on their way to the disk; sizes are counted in values, not entries."""

    def __init__(
        self, *, max_items: int, max_block_seconds: float, hurry_items: int = 10_000
    ) -> None:
        """Refuse beyond `max_items`; call for the writer early at `hurry_items`."""
        self._max_items = max_items
        self._max_block_seconds = max_block_seconds
        self._hurry_items = min(hurry_items, max(1, max_items // 2))
        # Re-entrant, and woken through SimpleQueue: a signal handler may log while its own thread
        # is inside `put`.
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._wake: SimpleQueue[bool] = SimpleQueue()
        self._entries: list[Entry] = []
        self._called = False  # the writer has been told there is something
        self._hurried = False
        self._closed = False
        self._gave_up = False  # a wait for room has already failed; do not pay for it again
        self.handed_over = 0
        self.committed = 0
        self.dropped = 0
        self.blocked_seconds = 0.0

    @property
    def depth(self) -> int:
        """Values in memory, not yet on disk."""
        return self.handed_over - self.committed

    def put(self, entry: Entry, size: int = 1) -> bool:
        """Hand over; False when it had to be dropped. Raises `QueueClosed` after `close`."""
        with self._lock:
            made_room = not self._is_full(size) or self._make_room(size)
            if self._closed:
                raise QueueClosed
            if not made_room:
                self.dropped += size
                return False
            self._entries.append(entry)
            self.handed_over += size
            if not self._called:
                self._called = True
                self._wake.put(False)
            elif self.depth >= self._hurry_items and not self._hurried:
                self._hurried = True
                self._wake.put(True)
        return True

    def take(self, delay_seconds: float) -> list[Entry]:
        """Wait for entries, gather more of them for the delay, and take them all.

        An empty list means that somebody hurried with nothing handed over.
        """
        hurried = self._wake.get()
        until = time.monotonic() + delay_seconds
        while not hurried and (left := until - time.monotonic()) > 0:
            try:
                hurried = self._wake.get(timeout=left)
            except Empty:
                break
        with self._lock:
            taken, self._entries = self._entries, []
            self._called = self._hurried = False
        return taken

    def hurry(self) -> None:
        """Have `take` return now."""
        self._wake.put(True)

    def close(self) -> None:
        """Take no more: what came later than the writer's last look would stay for ever."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def commit(self, size: int) -> None:
        """So many of the oldest values are on disk (or set aside): they leave memory."""
        with self._changed:
            self.committed += size
            self._gave_up = False
            self._changed.notify_all()

    def lose(self, size: int) -> None:
        """So many values found no place on disk before the process ended."""
        with self._lock:
            self.dropped += size

    def wait_committed(self, seconds: float, *, extra: Callable[[], bool] = lambda: False) -> bool:
        """Until all handed over so far is on disk; False when time, or `extra`, ends the wait."""
        with self._changed:
            goal = self.handed_over
            if self.committed >= goal:
                return True
            self.hurry()
            self._changed.wait_for(lambda: self.committed >= goal or extra(), seconds)
            return self.committed >= goal

    def _is_full(self, size: int) -> bool:
        # One call with more values than the bound is let in alone rather than never.
        return self.depth + min(size, self._max_items) > self._max_items

    def _make_room(self, size: int) -> bool:
        if self._gave_up or self._closed:
            return False
        self.hurry()
        started = time.monotonic()
        made = self._changed.wait_for(
            lambda: self._closed or not self._is_full(size), self._max_block_seconds
        )
        self.blocked_seconds += time.monotonic() - started
        self._gave_up = not made
        return made
