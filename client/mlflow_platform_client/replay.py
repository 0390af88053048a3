"""Sends what dead processes left in the spool: at the next start, or by command.

Owns taking a session over and emptying it. Whoever replays holds the session's lock, so two never
do; whoever is interrupted leaves it as it is for the next. A session is removed when both its lanes
are empty. Sessions are taken oldest first, so that a tag set by an earlier process does not
overwrite what a later one set.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mlflow_platform_client.batch_delivery import BatchDelivery
from mlflow_platform_client.batch_sender import BatchSender
from mlflow_platform_client.circuit_breaker import Breaker
from mlflow_platform_client.dead_letters import DeadLetters
from mlflow_platform_client.delivery import Delivery, Stopped, Urgency
from mlflow_platform_client.errors import TrackingError
from mlflow_platform_client.logging_settings import LoggingSettings
from mlflow_platform_client.spool import Session, Spool
from mlflow_platform_client.spool_lane import Lane
from mlflow_platform_client.telemetry import Telemetry
from mlflow_platform_client.text_delivery import TextDelivery
from mlflow_platform_client.tracking_server import TrackingServer

_logger = logging.getLogger(__name__)

GivesUp = Callable[[TrackingError, int], bool]


@dataclass(frozen=True)
class Courier:
    """Makes deliveries for lanes: everything they need but the lane."""

    server: TrackingServer
    settings: LoggingSettings
    telemetry: Telemetry
    urgency: Urgency

    def dead_letters(self, spool: Spool, session: Session) -> DeadLetters:
        """Where what is refused of this session goes."""
        path = spool.rejected / f"{session.folder.name}.jsonl"
        return DeadLetters(path, session.facts.tracking_uri)

    def for_batches(self, lane: Lane, dead_letters: DeadLetters, name: str) -> BatchDelivery:
        """A delivery of metrics, parameters and tags."""
        sender = BatchSender(
            self.server,
            dead_letters,
            self.telemetry,
            timeout_seconds=self.settings.breaker_timeout_seconds,
        )
        return BatchDelivery(
            lane,
            self._breaker(name),
            self.urgency,
            self.telemetry,
            sender,
            most_metrics=self.settings.batch_metrics,
        )

    def for_texts(self, lane: Lane, dead_letters: DeadLetters, name: str) -> TextDelivery:
        """A delivery of texts."""
        return TextDelivery(
            lane, self._breaker(name), self.urgency, self.telemetry, self.server, dead_letters
        )

    def _breaker(self, name: str) -> Breaker:
        return Breaker(
            name,
            failures=self.settings.breaker_failures,
            reset_seconds=self.settings.breaker_reset_seconds,
            telemetry=self.telemetry,
        )


@dataclass(frozen=True)
class Replayed:
    """What became of one session."""

    folder: Path
    sent: int
    left: int
    rejected: int
    reason: str = ""


def replay_batches(courier: Courier, spool: Spool, session: Session, gives_up: GivesUp) -> Replayed:
    """Metrics, parameters and tags of a claimed session; then remove it if nothing else is left."""
    dead_letters = courier.dead_letters(spool, session)
    delivery = courier.for_batches(session.batches, dead_letters, "replay")
    return _replay(delivery, session, dead_letters, gives_up)


def replay_texts(courier: Courier, spool: Spool, session: Session, gives_up: GivesUp) -> Replayed:
    """Texts of a claimed session; then remove it if nothing else is left."""
    dead_letters = courier.dead_letters(spool, session)
    delivery = courier.for_texts(session.texts, dead_letters, "replay_artifacts")
    return _replay(delivery, session, dead_letters, gives_up)


def _replay(
    delivery: Delivery, session: Session, dead_letters: DeadLetters, gives_up: GivesUp
) -> Replayed:
    before, reason = delivery.lane.pending, ""
    delivery.gives_up = gives_up
    try:
        delivery.drain()
    except (TrackingError, Stopped) as error:
        reason = str(error) or "stopped"
    except BaseException:
        session.close()
        raise
    left = delivery.lane.pending
    sent = before - left - dead_letters.count
    if sent > 0:
        _logger.info("replayed %d values of %s", sent, session.folder)
    if not session.pending:
        session.remove()
    elif left:
        session.close()
    return Replayed(session.folder, sent, left, dead_letters.count, reason)
