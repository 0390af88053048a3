"""What logging does, counted where it happens: cheap numbers, read by whoever wants to look.

Owns the counters, the latency histograms and the thresholds that turn a slow operation into a
warning (at most one a minute for each operation). Nothing here is called by the training thread.
How the numbers reach Prometheus is `prometheus_export`'s business: this file needs no library.
Database query time cannot be seen from a client; the server's own telemetry has it.
"""

from __future__ import annotations

import bisect
import contextlib
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field

_logger = logging.getLogger(__name__)

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
BREAKER_STATES: Mapping[str, int] = {"closed": 0, "half-open": 1, "open": 2}
REQUEST = "log_batch"
ARTIFACT = "artifact_upload"
MODEL_LOAD = "model_load"
_WARN_EVERY_SECONDS = 60.0


@dataclass
class Histogram:
    """Seconds of one operation, in buckets; the last counts what is slower than all."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    total: float = 0.0

    def observe(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect.bisect_left(BUCKETS, seconds)] += 1
        self.total += seconds

    @property
    def count(self) -> int:
        """How many were observed."""
        return sum(self.counts)


@dataclass(frozen=True)
class Depth:
    """How much is on its way at this moment."""

    queue_items: int = 0
    spool_records: int = 0
    spool_bytes: int = 0
    handed_over: int = 0
    dropped: int = 0
    blocked_seconds: float = 0.0
    oldest_unsent_seconds: float = 0.0


class Telemetry:
    """Numbers of one logger. Thread-safe."""

    def __init__(self, slow_seconds: Mapping[str, float] | None = None) -> None:
        """`slow_seconds` says per operation what is worth a warning."""
        self._slow = dict(slow_seconds or {})
        self._lock = threading.Lock()
        self._warned: dict[str, float] = {}
        self.histograms: dict[tuple[str, str], Histogram] = {}
        self.counters: Counter[str] = Counter()
        self.breaker_states: dict[str, str] = {}
        self.breaker_transitions: Counter[tuple[str, str]] = Counter()
        self.read_depth: Callable[[], Depth] = Depth

    def observe(self, operation: str, seconds: float, outcome: str = "ok") -> None:
        """One operation took so long."""
        with self._lock:
            self.histograms.setdefault((operation, outcome), Histogram()).observe(seconds)
            limit = self._slow.get(operation)
            if limit is None or seconds <= limit:
                return
            now = time.monotonic()
            if now - self._warned.get(operation, -_WARN_EVERY_SECONDS) < _WARN_EVERY_SECONDS:
                return
            self._warned[operation] = now
        _logger.warning("%s took %.1f s, slower than %g s", operation, seconds, limit)

    @contextlib.contextmanager
    def timed(self, operation: str) -> Generator[None]:
        """Measure a block, such as `model_load` or `model_inference`."""
        started = time.monotonic()
        outcome = "error"
        try:
            yield
            outcome = "ok"
        finally:
            self.observe(operation, time.monotonic() - started, outcome)

    def count(self, name: str, amount: int = 1) -> None:
        """Something happened so often: acknowledged, rejected, …"""
        with self._lock:
            self.counters[name] += amount

    def breaker_changed(self, breaker: str, state: str, *, counted: bool = True) -> None:
        """A breaker is in this state now."""
        with self._lock:
            self.breaker_states[breaker] = state
            if counted:
                self.breaker_transitions[breaker, state] += 1

    def forget(self) -> None:
        """Start at zero: this is a forked child, and the parent reports its own numbers."""
        self._lock = threading.Lock()
        self.histograms, self.counters = {}, Counter()
        self.breaker_transitions = Counter()
        self.read_depth = Depth

    def copy(self) -> tuple[dict[tuple[str, str], Histogram], Counter[str]]:
        """Histograms and counters as they are at one moment."""
        with self._lock:
            histograms = {
                key: Histogram(list(value.counts), value.total)
                for key, value in self.histograms.items()
            }
            return histograms, Counter(self.counters)
