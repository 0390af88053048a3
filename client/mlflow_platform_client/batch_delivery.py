"""Delivers a lane of metrics, parameters and tags, one window of batches at a time.

Owns how much goes into a request: a batch that is not answered in time is halved, because a server
that needs longer than the breaker allows would get the same batch for ever; after five quiet
minutes batches grow again. Which items of a refused batch are to blame is `batch_sender`'s
question, when and how often to try is `delivery`'s.
"""

from __future__ import annotations

import logging
import time

from mlflow_platform_client.batch_sender import BatchSender
from mlflow_platform_client.batching import Batch, gather
from mlflow_platform_client.circuit_breaker import Breaker
from mlflow_platform_client.delivery import Delivery, Urgency
from mlflow_platform_client.errors import ServerUnreachable
from mlflow_platform_client.spool_lane import Lane
from mlflow_platform_client.telemetry import Telemetry

_logger = logging.getLogger(__name__)

FEWEST_METRICS = 25
GROW_AFTER_SECONDS = 300.0


class BatchDelivery(Delivery):
    """Metrics, parameters and tags."""

    def __init__(
        self,
        lane: Lane,
        breaker: Breaker,
        urgency: Urgency,
        telemetry: Telemetry,
        sender: BatchSender,
        *,
        most_metrics: int,
    ) -> None:
        """`most_metrics` is the size aimed at."""
        super().__init__(lane, breaker, urgency, telemetry)
        self._sender = sender
        self._wanted = self._most_metrics = most_metrics
        self._shrunk_at = 0.0

    def deliver_one(self) -> None:
        """One window: a batch for each run in it."""
        self._grow()
        start = self.lane.cursor
        window = gather(self.lane, self._most_metrics)
        for batch in window.batches:
            try:
                self._insist(lambda failures, batch=batch: self._send(batch, failures))
            except _TooSlow:
                self.lane.seek(start)  # smaller batches from here; what was sent is kept once
                return
            except BaseException:
                self.lane.seek(start)
                raise
        self._acknowledge(window.records)

    def _send(self, batch: Batch, failures: int) -> None:
        try:
            self._sender.send(batch, failures=failures)
        except ServerUnreachable as error:
            # A server that needs longer than the breaker allows would get the same batch for ever.
            said = str(error).lower()
            if "timed out" not in said or "connect timeout" in said:
                raise
            if len(batch.lines) <= FEWEST_METRICS or self._most_metrics <= FEWEST_METRICS:
                self._sender.be_patient()
                raise
            self._most_metrics = max(FEWEST_METRICS, self._most_metrics // 2)
            self._shrunk_at = time.monotonic()
            _logger.warning(
                "a batch of %d was not answered in time; from now on %d metrics at most",
                len(batch.lines), self._most_metrics,
            )  # fmt: skip
            self._failed(error)
            raise _TooSlow(str(error)) from error

    def _grow(self) -> None:
        if (
            self._most_metrics < self._wanted
            and time.monotonic() - self._shrunk_at > GROW_AFTER_SECONDS
        ):
            self._most_metrics = min(self._wanted, self._most_metrics * 2)
            self._shrunk_at = time.monotonic()


class _TooSlow(Exception):  # noqa: N818
    """The batch must be cut smaller."""
