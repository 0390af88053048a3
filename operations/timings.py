"""How long something took, tried several times.

Owns the numbers of one measured thing: percentiles by nearest rank (a value that was really
measured, not one between two), and how many tries failed and why.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Timings:
    """One measured thing."""

    name: str  # in words: `log-batch of 100`
    seconds: tuple[float, ...]  # of the tries that succeeded, in their order
    errors: int = 0
    problem: str | None = None  # what the first error said
    clients: int = 1  # that asked at once
    wall_seconds: float | None = None  # of all clients together, where more than one asked

    def percentile(self, percent: float) -> float | None:
        """The smallest measured value that `percent` of the tries did not exceed."""
        if not self.seconds:
            return None
        ordered = sorted(self.seconds)
        return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]

    @property
    def per_second(self) -> float | None:
        """How many succeeded in a second, of all clients together."""
        if self.wall_seconds is None or self.wall_seconds <= 0:
            return None
        return len(self.seconds) / self.wall_seconds

    def document(self) -> dict[str, object]:
        """For a machine, in milliseconds."""
        return {
            "name": self.name,
            "clients": self.clients,
            "tries": len(self.seconds) + self.errors,
            "errors": self.errors,
            "problem": self.problem,
            "min_ms": milliseconds(min(self.seconds, default=None)),
            "p50_ms": milliseconds(self.percentile(50)),
            "p95_ms": milliseconds(self.percentile(95)),
            "max_ms": milliseconds(max(self.seconds, default=None)),
            "per_second": None if self.per_second is None else round(self.per_second, 1),
        }


def milliseconds(seconds: float | None) -> float | None:
    """Rounded as far as a clock is worth it."""
    return None if seconds is None else round(seconds * 1000, 2)
