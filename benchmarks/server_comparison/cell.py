"""One measurement: a case on a running server.

Owns what happens around the load generator: the case made ready, the distance to the client, memory
and processor time before and after, and the look for what was acknowledged.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from benchmarks.delaying_proxy import Distance
from benchmarks.server_comparison import load_generator, traffic
from benchmarks.server_comparison.cases import Case
from benchmarks.server_comparison.load_generator import Job, LoadResult, Question
from benchmarks.server_comparison.processes import cpu_seconds, tree, watched_memory
from benchmarks.server_comparison.results import CellRecord
from benchmarks.server_comparison.server import QUESTION, RunningServer
from benchmarks.throwaway_postgres import ThrowawayPostgres


def measure(
    case: Case, server: RunningServer, repeat: int, cluster: ThrowawayPostgres
) -> CellRecord:
    """Ask the server what the case asks, and say what came of it."""
    ready = traffic.prepare(case, cluster, server.place.database, server.artifacts)
    try:
        with contextlib.ExitStack() as stack:
            port = server.place.port
            if case.client_ms:
                away = stack.enter_context(Distance("127.0.0.1", port))
                away.set_round_trip_ms(case.client_ms)
                port = away.port
            memory: list[float] | None = None
            if case.operation in traffic.FILE_BYTES:
                memory = stack.enter_context(watched_memory(server.pid))
            server_cpu, database_cpu = (
                server.cpu_seconds(),
                cpu_seconds(tree(cluster.postmaster_pid)),
            )
            result = load_generator.run(job(case, server, ready.questions, port))
            server_cpu = server.cpu_seconds() - server_cpu
            database_cpu = cpu_seconds(tree(cluster.postmaster_pid)) - database_cpu
        missing = _missing(result, ready.stored)
    finally:
        ready.clean_up()
    return _record(case, server, repeat, result, missing, server_cpu, database_cpu, memory)


def job(case: Case, server: RunningServer, questions: tuple[Question, ...], port: int) -> Job:
    """What the load generator is to do."""
    return Job(
        host="127.0.0.1",
        port=port,
        authority=f"127.0.0.1:{server.place.port}",  # the server's name, however far it is
        questions=questions,
        seconds=case.seconds,
        patience_seconds=case.patience_seconds,
        requests_per_client=case.requests_per_client,
        warm_up=Question(method="POST", path=QUESTION[0], body=QUESTION[1]),
    )


def _missing(result: LoadResult, stored: Callable[[], list[int]] | None) -> int | None:
    """Requests that were acknowledged and are not in the store."""
    if stored is None:
        return None
    pairs = zip(result.acknowledged_by_client, stored(), strict=True)
    return sum(max(0, acknowledged - found) for acknowledged, found in pairs)


def _record(
    case: Case,
    server: RunningServer,
    repeat: int,
    result: LoadResult,
    missing: int | None,
    server_cpu: float,
    database_cpu: float,
    memory: list[float] | None,
) -> CellRecord:
    def each(seconds: float) -> float | None:
        return round(1000 * seconds / result.acknowledged, 3) if result.acknowledged else None

    return CellRecord(
        variant=server.variant.name,
        operation=case.operation,
        clients=case.clients,
        database_ms=case.database_ms,
        client_ms=case.client_ms,
        repeat=repeat,
        seconds=case.seconds,
        elapsed_seconds=round(result.elapsed_seconds, 3),
        requests_per_second=round(result.requests_per_second, 3),
        acknowledged=result.acknowledged,
        errors=result.errors,
        error_kinds=result.error_kinds,
        unanswered=result.unanswered,
        missing=missing,
        p50_ms=result.p50_ms,
        p95_ms=result.p95_ms,
        p99_ms=result.p99_ms,
        slowest_ms=result.slowest_ms,
        server_cpu_ms_per_request=each(server_cpu),
        database_cpu_ms_per_request=each(database_cpu),
        generator_busy_percent=round(
            100 * result.generator_cpu_seconds / max(result.elapsed_seconds, 1e-9), 1
        ),
        idle_pss_mib=round(memory[0], 1) if memory else None,
        peak_pss_mib=round(max(memory), 1) if memory else None,
    )


def words(record: CellRecord) -> str:
    """The record in a line."""
    median = "–" if record.p50_ms is None else f"{record.p50_ms:.1f} ms"
    text = f"{record.requests_per_second:.1f}/s, p50 {median}"
    if record.failed:
        text += f", {record.errors} errors, {record.unanswered} unanswered"
    if record.missing:
        text += f", {record.missing} MISSING"
    return text
