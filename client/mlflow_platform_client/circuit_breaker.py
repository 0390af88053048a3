"""Leaves a failing server alone for a while: closed, open, half-open, as seed values ask (5, 60 s).

The states are pybreaker's (chosen over purgatory, which is made for asyncio, and circuitbreaker,
which has no listeners and no types). Owns the numbers, what a change of state means here (one log
line, one count, one gauge) and the two questions a sender asks: may I call, and when. The third
number, 5 s without an answer, is the timeout of the call itself.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

import pybreaker

from mlflow_platform_client.errors import CircuitOpen
from mlflow_platform_client.telemetry import Telemetry

_logger = logging.getLogger(__name__)
_Result = TypeVar("_Result")


class _StateChanges(pybreaker.CircuitBreakerListener):
    """Says and counts every change."""

    def __init__(self, name: str, telemetry: Telemetry) -> None:
        self._name = name
        self._telemetry = telemetry

    def state_change(
        self,
        cb: pybreaker.CircuitBreaker,
        old_state: pybreaker.CircuitBreakerState | None,
        new_state: pybreaker.CircuitBreakerState,
    ) -> None:
        before, after = old_state.name if old_state else "closed", new_state.name
        self._telemetry.breaker_changed(self._name, after)
        if after == pybreaker.STATE_OPEN:
            _logger.warning(
                "circuit breaker %s: %s -> open; the server is left alone for %g s, values are "
                "kept in the spool",
                self._name, before, cb.reset_timeout,
            )  # fmt: skip
        else:
            _logger.info("circuit breaker %s: %s -> %s", self._name, before, after)


class Breaker:
    """One breaker, used by one sending thread."""

    def __init__(
        self, name: str, *, failures: int, reset_seconds: float, telemetry: Telemetry
    ) -> None:
        """Closed at first."""
        self._opened = 0.0
        self._reset_seconds = reset_seconds
        self._breaker = pybreaker.CircuitBreaker(
            fail_max=failures,
            reset_timeout=reset_seconds,
            listeners=[_StateChanges(name, telemetry)],
            name=name,
            throw_new_error_on_trip=False,
        )
        telemetry.breaker_changed(name, "closed", counted=False)

    @property
    def state(self) -> str:
        """`closed`, `open` or `half-open`."""
        return self._breaker.current_state

    @property
    def seconds_until_trial(self) -> float:
        """How long a call would still be refused; 0 when it would not."""
        if self.state != pybreaker.STATE_OPEN:
            return 0.0
        return max(0.0, self._opened + self._reset_seconds - time.monotonic())

    def call(self, function: Callable[[], _Result]) -> _Result:
        """Make the call, or raise `CircuitOpen` without making it."""
        try:
            return self._breaker.call(function)
        except pybreaker.CircuitBreakerError as error:
            raise CircuitOpen(
                f"the circuit breaker is open; next trial in {self.seconds_until_trial:.0f} s"
            ) from error
        except Exception:
            if self.state == pybreaker.STATE_OPEN:
                self._opened = time.monotonic()
            raise

    def allow_trial(self) -> None:
        """Let the next call through now: somebody is waiting (flush, close)."""
        if self.state == pybreaker.STATE_OPEN:
            self._breaker.half_open()
