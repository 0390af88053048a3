"""The background threads that empty lanes into the server, in order, however long it takes.

Owns when to send (a full batch at once, a partial one when it has waited `flush_seconds` or
somebody asked), what to do when it fails (again, with growing pauses; not at all while the breaker
is open) and when to acknowledge (never before the server has). It never gives up by itself: only
`stop` ends it, and what is left stays in the lane. What one sending consists of is left to
`batch_delivery` and `text_delivery`.
"""

from __future__ import annotations

import logging
import random
import threading
import time
import traceback
from collections.abc import Callable

from mlflow_platform_client.circuit_breaker import Breaker
from mlflow_platform_client.errors import CircuitOpen, TrackingError
from mlflow_platform_client.masking import mask
from mlflow_platform_client.spool_lane import Lane
from mlflow_platform_client.telemetry import Telemetry

_logger = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0


class Stopped(Exception):  # noqa: N818
    """Told to stop; what is left stays in the lane."""


class Urgency:
    """What delivery threads wait on: news, wishes to hurry, and the order to stop."""

    def __init__(self) -> None:
        """Nothing is wanted yet."""
        self.condition = threading.Condition()
        self.stopping = False
        self.flushing = 0  # callers who want partial batches sent now
        self.last_error = ""

    def news(self) -> None:
        """Something was appended, acknowledged or given up."""
        with self.condition:
            self.condition.notify_all()

    def stop(self) -> None:
        """End all delivery at the next opportunity."""
        with self.condition:
            self.stopping = True
            self.condition.notify_all()


class Delivery:
    """Sends one lane. `deliver_one` is one window or one text; subclasses say which."""

    def __init__(
        self, lane: Lane, breaker: Breaker, urgency: Urgency, telemetry: Telemetry
    ) -> None:
        """Nothing is sent before `run` or `drain`."""
        self.lane = lane
        self.gives_up: Callable[[TrackingError, int], bool] = lambda _error, _failures: False
        self.acknowledged_at = time.monotonic()
        self._breaker = breaker
        self._urgency = urgency
        self._telemetry = telemetry

    def run(self, flush_seconds: float, full: int) -> None:
        """Deliver what comes until stopped."""
        try:
            while True:
                self._wait_until_due(flush_seconds, full)
                try:
                    self.deliver_one()
                except (Stopped, TrackingError):
                    raise
                except Exception:
                    # Nobody foresaw it: say it, and try again rather than end in silence.
                    said = "delivery from %s stumbled:\n%s"
                    trace = mask(traceback.format_exc())  # what `exception` adds is not masked
                    _logger.error(said, self.lane.folder, trace)  # noqa: TRY400
                    self._pause(LONGEST_PAUSE_SECONDS)
        except Stopped:
            pass

    def drain(self) -> None:
        """Deliver what is there; raises what keeps it from being delivered."""
        while self.lane.pending:
            self.deliver_one()

    def deliver_one(self) -> None:
        """Take the next records, have them accepted, acknowledge them."""
        raise NotImplementedError

    def _acknowledge(self, records: int) -> None:
        if records:
            self.lane.acknowledge(self.lane.cursor, records)
            self._telemetry.count("acknowledged", records)
        else:
            self.lane.settle()
        self.acknowledged_at = time.monotonic()
        self._urgency.news()

    def _wait_until_due(self, flush_seconds: float, full: int) -> None:
        urgency = self._urgency
        with urgency.condition:
            while not urgency.stopping and not self.lane.pending:
                urgency.condition.wait()
            self.acknowledged_at = waiting_since = time.monotonic()
            while not urgency.stopping and not urgency.flushing and self.lane.pending < full:
                left = waiting_since + flush_seconds - time.monotonic()
                if left <= 0:
                    return
                urgency.condition.wait(left)
            if urgency.stopping:
                raise Stopped

    def _insist(self, attempt: Callable[[int], None]) -> None:
        """Call until it returns; `attempt` gets the number of failures so far."""
        failures = 0
        while True:
            try:
                self._breaker.call(lambda: attempt(failures))  # noqa: B023  # called at once
            except CircuitOpen:
                self._pause(self._breaker.seconds_until_trial or FIRST_PAUSE_SECONDS)
            except TrackingError as error:
                failures += 1
                self._failed(error)
                if self.gives_up(error, failures):
                    raise
                pause = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(failures, 10))
                self._pause(pause * random.uniform(0.5, 1.0))  # noqa: S311  # no secret
            else:
                return

    def _failed(self, error: TrackingError) -> None:
        self._telemetry.count("failed_attempts")
        text = str(error)
        urgency = self._urgency
        with urgency.condition:
            is_news = text != urgency.last_error
            urgency.last_error = text
            urgency.condition.notify_all()
        level = logging.WARNING if is_news else logging.DEBUG
        _logger.log(level, "not delivered, kept in %s: %s", self.lane.folder.parent, text)

    def _pause(self, seconds: float) -> None:
        """Wait; while somebody waits for us (flush, close), not even an open breaker for long."""
        urgency = self._urgency
        started = time.monotonic()
        with urgency.condition:
            flushing = urgency.flushing
            while not urgency.stopping:
                limit = min(seconds, LONGEST_PAUSE_SECONDS) if urgency.flushing else seconds
                left = started + limit - time.monotonic()
                if left <= 0 or urgency.flushing > flushing:
                    break
                urgency.condition.wait(left)
            if urgency.stopping:
                raise Stopped
            if urgency.flushing:
                self._breaker.allow_trial()
