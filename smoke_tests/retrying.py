"""How long to wait for a server that is on its way up.

Owns the schedule (10, 20, 30, 30, 30 seconds, which is what a Cloud Run cold start or a
rolling update needs), the statuses worth another attempt and the clock, which tests replace. What
is wrong for good (a password, an address, a certificate) is never retried: waiting two minutes
for a mistake that time cannot mend hides the mistake.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

RETRIED_STATUSES = frozenset({429, 502, 503, 504})
DEFAULT_WAITS = (10.0, 20.0, 30.0, 30.0, 30.0)


@dataclass(frozen=True, slots=True)
class Clock:
    """Time as the check sees it."""

    monotonic: Callable[[], float] = time.monotonic
    epoch: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep

    def epoch_milliseconds(self) -> int:
        """MLflow's unit of time."""
        return int(self.epoch() * 1000)


@dataclass(frozen=True, kw_only=True, slots=True)
class Patience:
    """How long one request may take, and how often and when it is tried again."""

    waits: tuple[float, ...] = DEFAULT_WAITS  # seconds between attempts, of which there is one more
    health_timeout_seconds: float = 60.0  # a cold start takes 12 to 30 s
    request_timeout_seconds: float = 30.0

    @property
    def attempts(self) -> int:
        """How often a request is made before the check gives up."""
        return len(self.waits) + 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Wait:
    """One pause between two attempts, for whoever shows progress."""

    subject: str  # what was attempted
    attempt: int  # the attempt that failed, from 1
    attempts: int
    seconds: float
    reason: str


WaitListener = Callable[[Wait, float], None]
"""Called with the seconds left: once when a wait begins, then every second, last with 0."""


def pause(wait: Wait, clock: Clock, listener: WaitListener) -> None:
    """Sleep through a wait, telling the listener how much of it is left."""
    remaining = wait.seconds
    while remaining > 0:
        listener(wait, remaining)
        nap = min(1.0, remaining)
        clock.sleep(nap)
        remaining -= nap
    listener(wait, 0.0)
