"""Results of a run as a test needs them: every aim met, unless a test changes something."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from benchmarks.server_comparison import cases
from benchmarks.server_comparison.results import CellRecord, Results, StartRecord, VariantRecord

MACHINE = {
    "cores": 2,
    "memory_gib": 23.5,
    "kernel": "6.1",
    "python": "3.11.7",
    "mlflow": "3.17.2",
    "uvicorn": "0.54.0",
    "implementation": "cpython",
    "load_before": 0.1,
    "postgresql": "16.9",
}


def cell(variant: str, operation: str, rate: float, **changes: Any) -> CellRecord:
    record = CellRecord(
        variant=variant,
        operation=operation,
        clients=1,
        database_ms=0.0,
        client_ms=0.0,
        repeat=0,
        seconds=3.0,
        elapsed_seconds=3.0,
        requests_per_second=rate,
        acknowledged=round(rate * 3),
        errors=0,
        error_kinds={},
        unanswered=0,
        missing=0,
        p50_ms=1000 / rate if rate else None,
        p95_ms=2000 / rate if rate else None,
        p99_ms=3000 / rate if rate else None,
        slowest_ms=4000 / rate if rate else None,
        server_cpu_ms_per_request=5.0,
        database_cpu_ms_per_request=1.0,
        generator_busy_percent=4.0,
        idle_pss_mib=None,
        peak_pss_mib=None,
    )
    return replace(record, **changes)


def start(variant: str, seconds: float, pss_mib: float) -> StartRecord:
    return StartRecord(
        variant=variant,
        health_seconds=seconds - 0.5,
        answer_seconds=seconds,
        processes=15,
        workers=4,
        pss_mib=pss_mib,
        worker_pss_mib=pss_mib / 4,
        idle_cpu_percent=1.5,
    )


def recorded() -> Results:
    """A small run in which every aim is met."""
    minute: dict[str, Any] = {"clients": 64, "seconds": 60.0}
    refused = {"HTTP 400: QueuePool limit of size 5 overflow 10 reached": 9}
    file: dict[str, Any] = {"seconds": 120.0, "idle_pss_mib": 400.0, "acknowledged": 1}
    results = Results(
        mode="full",
        options={"selection": [], "seed": 1},
        machine=dict(MACHINE),
        begun="2026-11-21T12:00:00+00:00",
        commit="0000000",
        ceiling={"1_client": 9000.0, "64_clients": 20000.0},
        wall_seconds=2400.0,
        variants=[
            VariantRecord(name="default", meaning="as it comes", command="python -m mlflow server"),
            VariantRecord(name="profile", meaning="ours", command="python -m ours"),
        ],
        starts=[start("default", 12.0, 1500.0), start("profile", 2.5, 500.0)],
    )
    for repeat, by in enumerate((1.0, 1.1, 0.9)):
        for variant, one, many, far in (("default", 19, 145, 0.3), ("profile", 220, 520, 8)):
            results.cells += [
                cell(variant, cases.LOG_METRIC, one * by, repeat=repeat),
                cell(variant, cases.LOG_METRIC, many * by, repeat=repeat, clients=32),
                cell(variant, cases.LOG_BATCH_100, far * by, repeat=repeat, database_ms=25.0),
            ]
    results.cells += [
        cell("default", cases.LOG_BATCH_100, 30, errors=9, error_kinds=refused, **minute),
        cell("profile", cases.LOG_BATCH_100, 60, **minute),
    ]
    for variant in ("default", "profile"):
        for operation in cases.LARGE_FILES:
            results.cells.append(cell(variant, operation, 0.2, peak_pss_mib=450.0, **file))
    return results
