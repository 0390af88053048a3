"""What `latency` found, as a table and as JSON.

Owns the verdict (which measured value is too slow, which request failed) and the words around it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TypeVar

from operations.latency_pool import PoolMeasurement
from operations.report import ExitCode, Line
from operations.timings import Timings, milliseconds


@dataclass(frozen=True, kw_only=True, slots=True)
class LatencyReport:
    """One measurement of one platform."""

    tracking_uri: str
    slow_ms: int  # a p95 above this is found
    requests: tuple[Timings, ...]
    database: tuple[Timings, ...] | str  # measured, or why not
    pool: PoolMeasurement | str  # measured, or why not
    leftovers: str | None = None  # what could not be cleaned up

    @property
    def exit_code(self) -> ExitCode:
        """1 when anything was found."""
        return 1 if self.findings else 0

    @property
    def findings(self) -> tuple[str, ...]:
        """Everything that is not as it should be, a sentence each."""
        return (
            *self._failed(),
            *self._slow(),
            *self._other_pools(),
            *([self.leftovers] if self.leftovers else []),
        )

    def document(self) -> Mapping[str, object]:
        """For a machine."""
        return {
            "tracking_uri": self.tracking_uri,
            "slow_ms": self.slow_ms,
            "requests": [item.document() for item in self.requests],
            "database": _document(self.database, lambda items: [i.document() for i in items]),
            "pool": _document(self.pool, _pool_document),
            "findings": list(self.findings),
        }

    def lines(self) -> Iterable[Line]:
        """For a person."""
        yield Line(f"Latency of {self.tracking_uri}")
        yield Line()
        yield from table(self.requests)
        yield Line()
        if isinstance(self.database, str):
            yield Line(f"- Database not measured: {self.database}", "yellow")
        else:
            yield Line("The database, from here:", "dim")
            yield from table(self.database)
        if isinstance(self.pool, str):
            yield Line(f"- Pool not measured: {self.pool}", "yellow")
        else:
            for server in self.pool.servers:
                yield Line(f"Pool of {server.address}: {server.describe(self.pool.asked)}")
        yield Line()
        for finding in self.findings:
            yield Line(f"! {finding}", "red")
        if not self.findings:
            yield Line(f"Nothing is slower than {self.slow_ms} ms.", "green")

    def _failed(self) -> Iterator[str]:
        for item in self.requests:
            if item.errors:
                tries = item.errors + len(item.seconds)
                yield f"{_named(item)}: {item.errors} of {tries} failed; the first: {item.problem}"

    def _slow(self) -> Iterator[str]:
        for item in self.requests:
            p95 = milliseconds(item.percentile(95))
            if p95 is not None and p95 > self.slow_ms:
                yield f"{_named(item)}: p95 is {p95:g} ms, and slowResponseMs is {self.slow_ms}"

    def _other_pools(self) -> Iterator[str]:
        if isinstance(self.pool, str):
            return
        if self.pool.failed:
            yield (
                f"pool: {self.pool.failed} of {self.pool.requests} requests of the burst failed; "
                f"the first: {self.pool.problem}"
            )
        for server in self.pool.servers:
            if server.verdict(self.pool.asked) == "differs":
                yield (
                    f"pool of {server.address}: {server.describe(self.pool.asked)}; deploy the "
                    "stack again, or look for what sets MLFLOW_SQLALCHEMYSTORE_POOL_SIZE there"
                )


def table(measured: Iterable[Timings]) -> Iterator[Line]:
    """One row for each measured thing, in milliseconds."""
    yield Line(f"{'':<26}{'tries':>6}{'p50 ms':>10}{'p95 ms':>10}{'max ms':>10}{'per s':>9}", "dim")
    for item in measured:
        document = item.document()
        row = f"{_named(item):<26}{document['tries']:>6}"
        for name in ("p50_ms", "p95_ms", "max_ms"):
            value = document[name]
            row += f"{value:>10.1f}" if isinstance(value, float) else f"{'-':>10}"
        rate = item.per_second
        yield Line(row + (f"{rate:>9.1f}" if rate is not None else ""))


def _named(item: Timings) -> str:
    return item.name if item.clients == 1 else f"{item.name}, {item.clients} at once"


_Measured = TypeVar("_Measured")


def _document(
    measured: _Measured | str, document: Callable[[_Measured], object]
) -> dict[str, object]:
    if isinstance(measured, str):
        return {"measured": None, "reason": measured}
    return {"measured": document(measured), "reason": None}


def _pool_document(pool: PoolMeasurement) -> dict[str, object]:
    return {
        "asked": asdict(pool.asked),
        "servers": [
            {**asdict(server), "verdict": server.verdict(pool.asked)} for server in pool.servers
        ],
        "requests": pool.requests,
        "failed": pool.failed,
        "problem": pool.problem,
    }
