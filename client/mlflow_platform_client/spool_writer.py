"""The writer thread: takes what the training thread handed over and makes it durable.

    MetricQueue -> SpoolWriter -> Session on disk

Owns when to take (half of `spool_delay_ms` to gather), how many values stand in one block, what a
full disk or a full spool means (insist, and say so once; values wait in memory), and that values
leave memory only when they are on disk. What nobody can encode is set aside and costs only itself.
Sending is `delivery`'s business; the thread itself is started and ended by `pipeline`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import cast

from mlflow_platform_client.dead_letters import DeadLetters
from mlflow_platform_client.delivery import Urgency
from mlflow_platform_client.logging_settings import LoggingSettings
from mlflow_platform_client.metric_queue import MetricQueue
from mlflow_platform_client.record_encoding import (
    Encoded,
    HandedOver,
    RecordEncoder,
    Refused,
    size_of,
)
from mlflow_platform_client.spool import Session, Spool
from mlflow_platform_client.spool_lane import Lane
from mlflow_platform_client.telemetry import Telemetry

_logger = logging.getLogger(__name__)

_ENTRIES_AT_ONCE = 200  # encoded before the interpreter is offered to the training thread
_YIELD_SECONDS = 0.0001
_TOO_DEEP_TO_YIELD = 10_000
_RECORDS_IN_BLOCK = 4000
_DISK_PAUSE_SECONDS = 0.5


class SpoolWriter:
    """Writes one queue into one session."""

    def __init__(
        self,
        settings: LoggingSettings,
        queue: MetricQueue,
        spool: Spool,
        session: Session,
        dead_letters: DeadLetters,
        telemetry: Telemetry,
        urgency: Urgency,
    ) -> None:
        """Nothing is taken before `run`."""
        self._settings = settings
        self._queue = queue
        self._spool = spool
        self._session = session
        self._dead_letters = dead_letters
        self._telemetry = telemetry
        self._urgency = urgency
        self._encoder = RecordEncoder()
        self._stopping = False
        self._disk_says = ""  # why the spool takes nothing, once said

    def stop(self) -> None:
        """End when memory is empty; what finds no room on disk any more is lost and counted."""
        self._stopping = True
        self._queue.hurry()

    def run(self) -> None:
        """Until `stop`, and until nothing is left in memory."""
        # Half of the delay to gather, half to encode, write and sync: then the promise holds.
        delay = 0.0 if self._settings.durable else self._settings.spool_delay_ms / 2000
        while not (self._stopping and self._queue.depth == 0):
            taken = cast("list[HandedOver]", self._queue.take(delay))
            encoded, size = Encoded(), 0
            for start in range(0, len(taken), _ENTRIES_AT_ONCE):
                part = taken[start : start + _ENTRIES_AT_ONCE]
                self._encode(part, encoded)
                size += sum(map(size_of, part))
                if start + _ENTRIES_AT_ONCE < len(taken):
                    if len(encoded.batches) + len(encoded.texts) < _RECORDS_IN_BLOCK:
                        if self._queue.depth < _TOO_DEEP_TO_YIELD:
                            time.sleep(_YIELD_SECONDS)
                        continue
                    self._put_away(encoded, size)
                    encoded, size = Encoded(), 0
            self._put_away(encoded, size)

    def _encode(self, entries: list[HandedOver], into: Encoded) -> None:
        """Encode; an entry that nobody foresaw costs itself, not this thread."""
        try:
            into.add(self._encoder.encode(entries))
        except Exception as error:
            if len(entries) == 1:
                into.refused.append(Refused("entry", "", "", repr(entries[0])[:200], repr(error)))
                return
            for entry in entries:
                self._encode([entry], into)

    def _put_away(self, encoded: Encoded, size: int) -> None:
        """Make values durable; only then do they leave memory."""
        for refused in encoded.refused:
            self._dead_letters.add_refused(refused)
        self._telemetry.count("rejected", len(encoded.refused))
        for lane, lines in (
            (self._session.batches, encoded.batches),
            (self._session.texts, encoded.texts),
        ):
            if lines and not self._append(lane, lines):
                self._queue.lose(len(lines))
        self._queue.commit(size)
        self._urgency.news()

    def _append(self, lane: Lane, lines: Sequence[str]) -> bool:
        """Insist until there is room; False when the process ends before there is."""
        size = sum(map(len, lines))
        while True:
            problem = self._problem_with_disk(size)
            if not problem:
                try:
                    lane.append(lines)
                except OSError as error:
                    problem = error.strerror or str(error)
                else:
                    if self._disk_says:
                        _logger.warning("the spool %s takes values again", self._spool.folder)
                    self._disk_says = ""
                    return True
            if problem != self._disk_says:
                self._disk_says = problem
                _logger.error(
                    "the spool %s takes no more values (%s): new ones wait in memory, at most %d, "
                    "then they are dropped and counted",
                    self._spool.folder, problem, self._settings.queue_max_items,
                )  # fmt: skip
            if self._stopping:
                return False
            with self._urgency.condition:
                self._urgency.condition.wait(_DISK_PAUSE_SECONDS)

    def _problem_with_disk(self, size: int) -> str:
        own = self._session.batches.bytes + self._session.texts.bytes
        if self._spool.has_room_for(size, own):
            return ""
        return f"its bound of {self._settings.spool_max_mib} MiB is reached"
