"""What the cells of a run say together: the median of the repeats, with the least and the most.

Owns the arithmetic between records and everything that is shown of them. A cell in which nothing
was acknowledged has no latency; its rate is 0.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from benchmarks.server_comparison.results import CellRecord, Results, StartRecord

_Record = TypeVar("_Record")


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure over its repeats."""

    median: float
    least: float
    most: float


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseKey:
    """A case, as its records tell it."""

    operation: str
    clients: int
    database_ms: float
    client_ms: float
    seconds: float

    @property
    def is_near(self) -> bool:
        """Without distance."""
        return not self.database_ms and not self.client_ms


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """A case on one variant."""

    key: CaseKey
    variant: str
    repeats: int
    rate: Spread
    p50_ms: Spread | None
    p95_ms: Spread | None
    p99_ms: Spread | None
    server_cpu_ms: Spread | None
    database_cpu_ms: Spread | None
    acknowledged: int
    errors: int
    unanswered: int
    missing: int | None
    error_kinds: tuple[str, ...]
    extra_pss_mib: float | None  # most above idle, over all repeats

    @property
    def failed(self) -> int:
        """Requests that did not end well."""
        return self.errors + self.unanswered


@dataclass(frozen=True, kw_only=True, slots=True)
class Started:
    """The starts of one variant."""

    variant: str
    health_seconds: Spread
    answer_seconds: Spread
    pss_mib: Spread
    worker_pss_mib: Spread
    processes: int
    workers: int
    idle_cpu_percent: Spread


def spread(values: Iterable[float | None]) -> Spread | None:
    """Of what was measured; None where nothing was."""
    found = [value for value in values if value is not None]
    return Spread(statistics.median(found), min(found), max(found)) if found else None


def measured(results: Results) -> list[Measured]:
    """Every case on every variant, in the order of measurement."""
    groups: dict[tuple[CaseKey, str], list[CellRecord]] = {}
    for cell in results.cells:
        groups.setdefault((_key(cell), cell.variant), []).append(cell)
    return [_measured(key, variant, cells) for (key, variant), cells in groups.items()]


def started(results: Results) -> list[Started]:
    """The starts of every variant."""
    groups: dict[str, list[StartRecord]] = {}
    for start in results.starts:
        groups.setdefault(start.variant, []).append(start)
    return [_started(variant, starts) for variant, starts in groups.items()]


def missing_values(results: Results) -> tuple[int, int]:
    """Acknowledged requests whose values were looked for, and those that were not found."""
    looked = [cell for cell in results.cells if cell.missing is not None]
    return sum(cell.acknowledged for cell in looked), sum(cell.missing or 0 for cell in looked)


def busiest_generator_percent(results: Results) -> float:
    """Of one core, in the cell that asked most of the load generator."""
    return max((cell.generator_busy_percent for cell in results.cells), default=0.0)


def _key(cell: CellRecord) -> CaseKey:
    return CaseKey(
        operation=cell.operation,
        clients=cell.clients,
        database_ms=cell.database_ms,
        client_ms=cell.client_ms,
        seconds=cell.seconds,
    )


def _measured(key: CaseKey, variant: str, cells: Sequence[CellRecord]) -> Measured:
    looked = [cell.missing for cell in cells if cell.missing is not None]
    above = [
        cell.peak_pss_mib - cell.idle_pss_mib
        for cell in cells
        if cell.peak_pss_mib is not None and cell.idle_pss_mib is not None
    ]
    kinds = dict.fromkeys(kind for cell in cells for kind in cell.error_kinds)
    return Measured(
        key=key,
        variant=variant,
        repeats=len(cells),
        rate=_of(cells, lambda cell: cell.requests_per_second),
        p50_ms=spread(cell.p50_ms for cell in cells),
        p95_ms=spread(cell.p95_ms for cell in cells),
        p99_ms=spread(cell.p99_ms for cell in cells),
        server_cpu_ms=spread(cell.server_cpu_ms_per_request for cell in cells),
        database_cpu_ms=spread(cell.database_cpu_ms_per_request for cell in cells),
        acknowledged=sum(cell.acknowledged for cell in cells),
        errors=sum(cell.errors for cell in cells),
        unanswered=sum(cell.unanswered for cell in cells),
        missing=sum(looked) if looked else None,
        error_kinds=tuple(kinds),
        extra_pss_mib=max(above) if above else None,
    )


def _started(variant: str, starts: Sequence[StartRecord]) -> Started:
    return Started(
        variant=variant,
        health_seconds=_of(starts, lambda start: start.health_seconds),
        answer_seconds=_of(starts, lambda start: start.answer_seconds),
        pss_mib=_of(starts, lambda start: start.pss_mib),
        worker_pss_mib=_of(starts, lambda start: start.worker_pss_mib),
        processes=max(start.processes for start in starts),
        workers=max(start.workers for start in starts),
        idle_cpu_percent=_of(starts, lambda start: start.idle_cpu_percent),
    )


def _of(records: Sequence[_Record], figure: Callable[[_Record], float]) -> Spread:
    values = [figure(record) for record in records]
    return Spread(statistics.median(values), min(values), max(values))
