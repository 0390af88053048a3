"""Is the pool that was seen the pool that was asked for?

Owns the arithmetic, and nothing that looks. A worker of the server keeps `size` connections open
and opens up to `overflow` more for a burst, which it closes again. Seen from the database, the
workers of one server look alike, and a burst may have reached one of them more than another: so a
number of connections that stayed open says something only within bounds, and these are exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["in force", "differs", "not filled"]


@dataclass(frozen=True, kw_only=True, slots=True)
class PoolAskedFor:
    """What the settings say of one server."""

    workers: int
    size: int  # connections a worker keeps open
    overflow: int  # more that it opens for a burst

    @property
    def ceiling(self) -> int:
        """Most connections of one worker."""
        return self.size + self.overflow

    def least_kept(self, busy: int) -> int:
        """The fewest connections that stay open when `busy` were in use at once.

        That is when the burst went to as few workers as could carry it: the full ones closed all
        but `size`, and the last one kept what it had opened.
        """
        full, rest = divmod(busy, self.ceiling)
        if full >= self.workers:
            return self.workers * self.size
        return full * self.size + min(rest, self.size)


@dataclass(frozen=True, kw_only=True, slots=True)
class PoolSeen:
    """What a burst showed of one server, told by its address."""

    address: str
    busy: int  # connections in use at once, at most
    kept: int  # of all that were in use, those still open afterwards

    def verdict(self, asked: PoolAskedFor) -> Verdict:
        """Whether this is what such a pool looks like."""
        most_kept = asked.workers * asked.size
        too_many = self.busy > asked.workers * asked.ceiling or self.kept > most_kept
        if too_many or self.kept < asked.least_kept(self.busy):
            return "differs"
        return "in force" if self.kept == most_kept else "not filled"

    def describe(self, asked: PoolAskedFor) -> str:
        """The verdict in a sentence."""
        said = (
            f"{asked.workers} × ({asked.size} + {asked.overflow}): "
            f"{self.busy} in use at once, {self.kept} kept open"
        )
        match self.verdict(asked):
            case "in force":
                return f"{said}: in force"
            case "not filled":
                most = asked.workers * asked.size
                return (
                    f"{said}: not filled ({most} would be kept); nothing contradicts the settings"
                )
            case "differs":
                least, most = asked.least_kept(self.busy), asked.workers * asked.size
                between = str(most) if least == most else f"{least} to {most}"
                return (
                    f"{said}, and the settings' pool would keep {between} and use at most "
                    f"{asked.workers * asked.ceiling}: another pool is in force"
                )
