"""What is measured: operations, by clients and distances, and how often.

Owns the plans behind `--quick`, `--full` and `--ablation` as data. A case that an aim needs is in
every plan. The full cross product of operations, clients and distances would take hours and show
nothing more: clients vary with everything near, distances vary with one client.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

LOG_METRIC, LOG_BATCH_100, LOG_BATCH_1000 = "log-metric", "log-batch-100", "log-batch-1000"
CREATE_RUN, SEARCH_RUNS, SEARCH_FILTERED = "create-run", "search-runs", "search-runs-filtered"
UPLOAD_1_MIB, DOWNLOAD_1_MIB = "upload-1MiB", "download-1MiB"
UPLOAD_1_GIB, DOWNLOAD_1_GIB = "upload-1GiB", "download-1GiB"

CALLS = (LOG_METRIC, LOG_BATCH_100, LOG_BATCH_1000, CREATE_RUN, SEARCH_RUNS)
SMALL_FILES = (UPLOAD_1_MIB, DOWNLOAD_1_MIB)
LARGE_FILES = (UPLOAD_1_GIB, DOWNLOAD_1_GIB)
OPERATIONS = (*CALLS, SEARCH_FILTERED, *SMALL_FILES, *LARGE_FILES)

COLD_START = "cold start"
"""What a selection calls the starts, which are no case."""

CLIENTS = (1, 8, 32, 64)
DISTANCES_MS = (3.0, 25.0, 75.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One cell of the comparison, measured on every variant."""

    operation: str
    clients: int = 1
    database_ms: float = 0.0  # round trip between server and database
    client_ms: float = 0.0  # round trip between client and server
    seconds: float
    repeats: int
    patience_seconds: float = 40.0  # longer than the 30 s that a full pool makes a request wait
    requests_per_client: int | None = None  # an end before the window's

    @property
    def title(self) -> str:
        """How a person calls it."""
        clients = "1 client" if self.clients == 1 else f"{self.clients} clients"
        parts = [self.operation, clients]
        if self.database_ms:
            parts.append(f"{self.database_ms:g} ms to the database")
        if self.client_ms:
            parts.append(f"{self.client_ms:g} ms to the client")
        return ", ".join(parts)

    @property
    def is_endurance(self) -> bool:
        """Whether it is the minute that many clients log in at once."""
        return self.requests_per_client is None and self.seconds >= 30


ENDURANCE = Case(operation=LOG_BATCH_100, clients=64, seconds=60.0, repeats=1)
"""64 clients that log batches for a minute: does everyone get an answer?"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What one call of the benchmark does."""

    name: str
    cases: tuple[Case, ...]
    cold_starts: int  # of each variant, beside the start its measurements need
    search_runs: int = 100_000  # runs that search-runs has to look through


def quick() -> Plan:
    """All aims, and every operation once, in minutes."""
    near = _each(CALLS, (1, 8), seconds=2.5, repeats=2)
    cases = [
        *_each((LOG_METRIC,), CLIENTS, seconds=3, repeats=3),
        *(case for case in near if case.operation != LOG_METRIC),
        *_each((SEARCH_FILTERED,), (1,), seconds=2.5, repeats=2),
        *_each(SMALL_FILES, (1,), seconds=2, repeats=2),
        *_large_files(repeats=1),
        *_far((LOG_METRIC,), (25.0,), seconds=3, repeats=2),
        *_far((LOG_BATCH_100,), (25.0,), seconds=6, repeats=3),
        *_away((LOG_METRIC,), (25.0,), seconds=2, repeats=1),
        ENDURANCE,
    ]
    return Plan(name="quick", cases=tuple(cases), cold_starts=3)


def full() -> Plan:
    """Everything the documents show."""
    cases = [
        *_each(CALLS, CLIENTS, seconds=5, repeats=3),
        *_each((SEARCH_FILTERED,), (1, 8), seconds=4, repeats=3),
        *_each(SMALL_FILES, (1, 8), seconds=3, repeats=3),
        *_large_files(repeats=2),
        *_far(CALLS, DISTANCES_MS, seconds=4, repeats=2),
        *_far((LOG_METRIC, LOG_BATCH_100), (25.0,), seconds=5, repeats=2, clients=32),
        *_away((LOG_METRIC, LOG_BATCH_100), DISTANCES_MS, seconds=3, repeats=2),
        *_away(SMALL_FILES, (25.0,), seconds=3, repeats=2),
        ENDURANCE,
    ]
    return Plan(name="full", cases=tuple(cases), cold_starts=5)


def ablation() -> Plan:
    """What shows a single cause: few cases, many variants."""
    cases = [
        *_each((LOG_METRIC,), (1, 32), seconds=3, repeats=2),
        *_each((LOG_BATCH_100,), (64,), seconds=10, repeats=1),
        *_far((LOG_BATCH_100,), (25.0,), seconds=4, repeats=2),
    ]
    return Plan(name="ablation", cases=tuple(cases), cold_starts=2, search_runs=0)


def scaled(plan: Plan, *, seconds: float | None, repeats: int | None) -> Plan:
    """The plan with other seconds a cell and repeats; the minute of many clients stays one."""

    def change(case: Case) -> Case:
        if seconds is not None and not case.is_endurance:
            case = replace(case, seconds=seconds)
        return replace(case, repeats=repeats) if repeats is not None else case

    starts = plan.cold_starts if repeats is None else min(plan.cold_starts, repeats)
    return replace(plan, cases=tuple(map(change, plan.cases)), cold_starts=starts)


def sized(plan: Plan, *, search_runs: int) -> Plan:
    """The plan with so many runs to search through."""
    return replace(plan, search_runs=search_runs)


def selected(plan: Plan, wanted: Iterable[str]) -> Plan:
    """The cases whose title contains one of the texts, starts being one; without texts, all."""
    texts = tuple(wanted)
    if not texts:
        return plan
    kept = tuple(case for case in plan.cases if any(text in case.title for text in texts))
    starts = plan.cold_starts if any(text in COLD_START for text in texts) else 0
    return replace(plan, cases=kept, cold_starts=starts)


def _each(
    operations: Iterable[str], clients: Iterable[int], *, seconds: float, repeats: int
) -> list[Case]:
    counts = tuple(clients)
    return [
        Case(operation=operation, clients=count, seconds=seconds, repeats=repeats)
        for operation in operations
        for count in counts
    ]


def _far(
    operations: Iterable[str],
    distances: Iterable[float],
    *,
    seconds: float,
    repeats: int,
    clients: int = 1,
) -> list[Case]:
    milliseconds = tuple(distances)
    # psycopg2 takes 76 s for one batch of 1,000 at 75 ms: it is waited for.
    return [
        Case(
            operation=operation,
            clients=clients,
            database_ms=distance,
            seconds=seconds,
            repeats=repeats,
            patience_seconds=120.0,
        )
        for operation in operations
        for distance in milliseconds
    ]


def _away(
    operations: Iterable[str], distances: Iterable[float], *, seconds: float, repeats: int
) -> list[Case]:
    milliseconds = tuple(distances)
    return [
        Case(operation=operation, client_ms=distance, seconds=seconds, repeats=repeats)
        for operation in operations
        for distance in milliseconds
    ]


def _large_files(*, repeats: int) -> list[Case]:
    return [
        Case(
            operation=operation,
            seconds=120.0,
            repeats=repeats,
            patience_seconds=120.0,
            requests_per_client=1,
        )
        for operation in LARGE_FILES
    ]
