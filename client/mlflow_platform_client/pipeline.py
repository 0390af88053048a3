"""From a full queue to an empty spool: the moving parts of one logger in one process.

    training thread -> MetricQueue -> writer thread -> Session on disk -> two delivery threads

Owns the threads, their start and their end, the session they share, and the replay of what earlier
processes left. Each thread has one job: the writer makes values durable (`spool_writer`), `batches`
sends metrics, parameters and tags (`batch_delivery`), `texts` uploads (`text_delivery`).
The threads are daemons: a training job that ends must not hang on them; `close` is what waits, for
as long as the user said. After a fork the parent's pipeline is only abandoned, never used.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
import traceback
from collections.abc import Generator

from mlflow_platform_client.delivery import Urgency
from mlflow_platform_client.errors import AuthenticationFailed, TrackingError
from mlflow_platform_client.logging_settings import LoggingSettings
from mlflow_platform_client.masking import mask
from mlflow_platform_client.metric_queue import MetricQueue
from mlflow_platform_client.replay import Courier, replay_batches, replay_texts
from mlflow_platform_client.spool import Session, Spool
from mlflow_platform_client.spool_writer import SpoolWriter
from mlflow_platform_client.telemetry import Depth, Telemetry
from mlflow_platform_client.tracking_server import TrackingServer

_logger = logging.getLogger(__name__)


class Pipeline:
    """Running from its construction to `close`."""

    def __init__(
        self,
        settings: LoggingSettings,
        tracking_uri: str,
        server: TrackingServer,
        telemetry: Telemetry,
    ) -> None:
        """Raises `SpoolError` when the spool cannot be written: before training, not in it."""
        self._settings = settings
        self._telemetry = telemetry
        self.queue = MetricQueue(
            max_items=settings.queue_max_items,
            max_block_seconds=settings.max_block_ms / 1000,
        )
        self.spool = Spool(
            settings.spool_directory,
            max_bytes=settings.spool_max_mib * 1024 * 1024,
            fsync=settings.spool_fsync,
        )
        self.session = self.spool.create(tracking_uri)
        self._urgency = Urgency()
        self._closing = False
        self._ending = threading.Lock()
        self._writer_ended = False
        self._left_to_writer = False  # to close the session
        self._replaying = settings.replay_on_start
        self._courier = Courier(server, settings, telemetry, self._urgency)
        self.dead_letters = self._courier.dead_letters(self.spool, self.session)
        self._batches = self._courier.for_batches(
            self.session.batches, self.dead_letters, "log_batch"
        )
        self._texts = self._courier.for_texts(self.session.texts, self.dead_letters, "artifacts")
        self._writer = SpoolWriter(
            settings,
            self.queue,
            self.spool,
            self.session,
            self.dead_letters,
            telemetry,
            self._urgency,
        )
        telemetry.read_depth = self.depth
        self._threads = [
            threading.Thread(target=work, name=f"mlflow-platform-{name}", daemon=True)
            for name, work in (
                ("writer", self._write),
                ("batches", self._deliver_batches),
                ("texts", self._deliver_texts),
            )
        ]
        for thread in self._threads:
            thread.start()

    # --- asked by the logger -----------------------------------------------------------------

    def depth(self) -> Depth:
        """How much is on its way."""
        session, queue = self.session, self.queue
        waiting = session.pending > 0
        since = min(self._batches.acknowledged_at, self._texts.acknowledged_at)
        return Depth(
            queue_items=queue.depth,
            spool_records=session.pending,
            spool_bytes=session.batches.bytes + session.texts.bytes,
            handed_over=queue.handed_over,
            dropped=queue.dropped,
            blocked_seconds=queue.blocked_seconds,
            oldest_unsent_seconds=time.monotonic() - since if waiting else 0.0,
        )

    def commit(self, seconds: float) -> bool:
        """Until everything handed over is on disk."""
        return self.queue.wait_committed(seconds, extra=lambda: self._closing)

    def flush(self, seconds: float) -> bool:
        """Until everything handed over is with the server, or set aside.

        What earlier processes left is waited for as well, but decides nothing.
        """
        until = time.monotonic() + seconds
        urgency = self._urgency
        with self._hurrying():
            if not self.queue.wait_committed(seconds):
                return False
            with urgency.condition:
                while self.session.pending or self._replaying:
                    left = until - time.monotonic()
                    if left <= 0 or urgency.stopping:
                        break
                    urgency.condition.wait(left)
        return not self.session.pending

    def close(self, seconds: float) -> bool:
        """Flush, stop, and remove the session if nothing is left in it."""
        flushed = False
        try:
            flushed = self.flush(seconds)
        finally:
            self._closing = True
            self.queue.close()
            self._writer.stop()
            self._urgency.stop()  # after the writer's: it wakes a writer that waits for room
            for thread in self._threads:
                # A thread inside a request is left behind: it is a daemon, and what it sends is
                # kept once.
                thread.join(1.0)
            with self._ending:
                self._left_to_writer = not self._writer_ended
            if self._left_to_writer:
                # The disk holds it up. Its file's number must not become another file's under its
                # hands, and nobody may take over a session that is still written.
                pass
            elif self.queue.depth == 0 and not self.session.pending:
                self.session.remove()
            else:
                self.session.close()
        return flushed

    def abandon(self) -> None:
        """In a forked child: let go of the parent's files without touching what they hold."""
        self.session.close()

    @contextlib.contextmanager
    def _hurrying(self) -> Generator[None]:
        urgency = self._urgency
        with urgency.condition:
            urgency.flushing += 1
            urgency.condition.notify_all()
        try:
            yield
        finally:
            with urgency.condition:
                urgency.flushing -= 1

    # --- writer thread -----------------------------------------------------------------------

    def _write(self) -> None:
        try:
            self._writer.run()
        finally:
            with self._ending:
                self._writer_ended = True
            if self._left_to_writer:
                self.session.close()

    # --- delivery threads --------------------------------------------------------------------

    def _deliver_batches(self) -> None:
        if self._settings.replay_on_start:
            self._replay()
        self._batches.run(self._settings.flush_seconds, self._settings.batch_metrics)

    def _deliver_texts(self) -> None:
        self._texts.run(0.0, 1)

    def _replay(self) -> None:
        """What earlier processes left for this server goes first, so that order is kept."""
        with_texts: list[Session] = []
        try:
            for session in self.spool.orphans(self.session.facts.tracking_uri):
                try:
                    done = replay_batches(self._courier, self.spool, session, _is_about_us)
                except Exception:  # another version's records, say: ours must still be sent
                    _say_not_replayed(session)
                    continue
                self._telemetry.count("replayed", max(0, done.sent))
                if done.left:
                    return
                if session.pending:
                    with_texts.append(session)
        except TrackingError as error:
            _logger.warning("nothing more is replayed: %s", error)
        finally:
            if with_texts:
                self._start_replaying_texts(with_texts)
            else:
                self._end_replay()

    def _start_replaying_texts(self, sessions: list[Session]) -> None:
        def work() -> None:
            try:
                for session in sessions:
                    try:
                        replay_texts(self._courier, self.spool, session, lambda _, count: count > 1)
                    except Exception:  # as above
                        _say_not_replayed(session)
            finally:
                self._end_replay()

        name = "mlflow-platform-replay-texts"
        try:
            threading.Thread(target=work, name=name, daemon=True).start()
        except RuntimeError:  # the interpreter is ending
            for session in sessions:
                session.close()
            self._end_replay()

    def _end_replay(self) -> None:
        with self._urgency.condition:
            self._replaying = False
            self._urgency.condition.notify_all()


def _say_not_replayed(session: Session) -> None:
    _logger.error("%s cannot be replayed:\n%s", session.folder, mask(traceback.format_exc()))


def _is_about_us(error: TrackingError, _failures: int) -> bool:
    """A replay must not hold up this process's own values for want of a permission."""
    return isinstance(error, AuthenticationFailed)
