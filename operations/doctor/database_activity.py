"""What goes on in the database: who waits for whom, what is slow, what falls behind.

Owns the questions to PostgreSQL's statistics. Statements of others are quoted masked and shortened:
they may hold parameters of runs.
"""

from __future__ import annotations

from typing import Any

from operations.doctor.check import Answer, Check, counted, failed, passed
from operations.doctor.patient import Patient

IDLE_IN_TRANSACTION_SECONDS = 60
WAITING_SECONDS = 3
SLOW_MS = 1000
OLD_TRANSACTION_IDS = 1_000_000_000  # half of what PostgreSQL has: it stops at two thousand million
DEAD_SHARE = 0.4
DEAD_ROWS = 10_000

HOLDERS = """
SELECT pid, coalesce(nullif(application_name, ''), 'unnamed'), usename, state,
       extract(epoch FROM now() - state_change)::int, left(query, 120)
FROM pg_stat_activity
WHERE datname = current_database() AND state LIKE 'idle in transaction%%'
  AND now() - state_change > make_interval(secs => %s)
ORDER BY state_change
"""

WAITERS = """
SELECT pid, pg_blocking_pids(pid), extract(epoch FROM now() - query_start)::int, left(query, 120)
FROM pg_stat_activity
WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0
  AND now() - query_start > make_interval(secs => %s)
ORDER BY query_start
"""

RUNNING = """
SELECT pid, coalesce(nullif(application_name, ''), 'unnamed'),
       extract(epoch FROM now() - query_start) * 1000, left(query, 160)
FROM pg_stat_activity
WHERE datname = current_database() AND state = 'active' AND pid <> pg_backend_pid()
  AND backend_type = 'client backend'
  AND now() - query_start > make_interval(secs => %s)
ORDER BY query_start
"""

REMEMBERED = """
SELECT calls, round(mean_exec_time::numeric, 1), left(query, 160)
FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
WHERE d.datname = current_database() AND mean_exec_time > %s AND calls > 5
ORDER BY total_exec_time DESC LIMIT 5
"""

UNTIDY = """
SELECT relname, n_live_tup, n_dead_tup, last_autovacuum, last_autoanalyze
FROM pg_stat_user_tables
WHERE n_dead_tup > %s AND n_dead_tup > %s * (n_live_tup + n_dead_tup)
ORDER BY n_dead_tup DESC LIMIT 5
"""


def waiting(patient: Patient) -> Answer:
    """Does a session hold what others wait for?"""
    with patient.database() as connection:
        holders = connection.execute(HOLDERS, (IDLE_IN_TRANSACTION_SECONDS,)).fetchall()
        waiters = connection.execute(WAITERS, (WAITING_SECONDS,)).fetchall()
    patient.exhibits.add(
        "database/waiting.json",
        {"idle_in_transaction": _plain(holders), "waiting": _plain(waiters)},
    )
    if waiters:
        blockers = sorted({str(pid) for row in waiters for pid in row[1]})
        return failed(
            f"{counted(len(waiters), 'session')} waiting, the longest for {waiters[0][2]} s, for "
            f"a lock of session {', '.join(blockers)}: {patient.foreign(str(waiters[0][3]))}",
            cause="a transaction that does not end holds a lock",
            next_step="Look at that session in pg_stat_activity; when nobody needs it: "
            f"SELECT pg_terminate_backend({blockers[0]});",
        )
    if holders:
        row = holders[0]
        return failed(
            f"{counted(len(holders), 'session')} idle in a transaction, the oldest ({row[1]}, user "
            f"{row[2]}, pid {row[0]}) for {row[4]} s",
            cause="a program began a transaction and does not end it; it holds locks, a connection "
            "and old rows",
            next_step=f"Ask its owner; else SELECT pg_terminate_backend({row[0]});",
        )
    return passed("no session waits for another one, none is idle in a transaction")


def slow(patient: Patient) -> Answer:
    """Do statements take longer than slowQueryMs?"""
    limit_ms = patient.settings.telemetry.slow_query_ms or SLOW_MS
    with patient.database() as connection:
        running = connection.execute(RUNNING, (limit_ms / 1000,)).fetchall()
        remembered: list[Any] = []
        has_history = _has_history(connection)
        if has_history:
            remembered = connection.execute(REMEMBERED, (limit_ms,)).fetchall()
    patient.exhibits.add(
        "database/slow_statements.json",
        {"running": _plain(running), "remembered": _plain(remembered)},
    )
    advice = (
        "EXPLAIN (ANALYZE, BUFFERS) the statement; see database.indexes, and docs/database.md for "
        "what each of MLflow's questions should cost."
    )
    if running:
        row = running[0]
        return failed(
            f"{counted(len(running), 'statement')} running longer than {limit_ms} ms, the longest "
            f"for {float(row[2]):.0f} ms ({row[1]}, pid {row[0]}): {patient.foreign(str(row[3]))}",
            cause="a missing index, old statistics, a lock, or a report on the live database",
            next_step=advice,
        )
    if remembered:
        calls, mean, text = remembered[0]
        return failed(
            f"{counted(len(remembered), 'statement')} above {limit_ms} ms on average, the first: "
            f"{mean} ms in {calls} calls: {patient.foreign(str(text))}",
            cause="a missing index, old statistics, or a search over a whole experiment",
            next_step=advice,
        )
    history = "and none did on average" if has_history else "(pg_stat_statements is not installed)"
    return passed(f"no statement runs longer than {limit_ms} ms now {history}")


def housekeeping(patient: Patient) -> Answer:
    """Does autovacuum keep up?"""
    with patient.database() as connection:
        age = int(
            connection.execute(
                "SELECT age(datfrozenxid) FROM pg_database WHERE datname = current_database()"
            ).fetchone()[0]
        )
        untidy = connection.execute(UNTIDY, (DEAD_ROWS, DEAD_SHARE)).fetchall()
        slots = connection.execute(
            "SELECT slot_name FROM pg_replication_slots WHERE NOT active"
        ).fetchall()
        size = connection.execute(
            "SELECT pg_size_pretty(pg_database_size(current_database()))"
        ).fetchone()[0]
    if age > OLD_TRANSACTION_IDS:
        return failed(
            f"the oldest transaction id is {age} transactions old",
            cause="autovacuum does not keep up: a session idle in transaction for days, or an "
            "abandoned replication slot",
            next_step="End it, then VACUUM the tables with the highest age(relfrozenxid).",
        )
    if slots:
        names = ", ".join(str(row[0]) for row in slots)
        return failed(
            f"replication slot {names} has no reader",
            cause="an abandoned replica or export: PostgreSQL keeps its log for it until the disk "
            "is full",
            next_step="If nobody reads it any more: SELECT pg_drop_replication_slot('…');",
        )
    if untidy:
        tables = ", ".join(f"{row[0]} ({row[2]} dead of {row[1] + row[2]})" for row in untidy)
        return failed(
            f"tables full of dead rows: {tables}",
            cause="autovacuum is off or is kept from its work by an old transaction",
            next_step="SHOW autovacuum; see database.waiting; then VACUUM (ANALYZE) these tables.",
        )
    return passed(f"database of {size}, oldest transaction id {age}, autovacuum keeps up")


def _has_history(connection: Any) -> bool:
    """Whether pg_stat_statements is there and may be read."""
    found = connection.execute(
        "SELECT 1 FROM pg_extension WHERE extname = 'pg_stat_statements'"
    ).fetchone()
    return found is not None


def _plain(rows: list[Any]) -> list[list[str]]:
    return [[str(value) for value in row] for row in rows]


CHECKS = (
    Check(
        name="database.waiting",
        question="Does a session hold what others wait for?",
        ask=waiting,
    ),
    Check(
        name="database.slow",
        question="Do statements take longer than slowQueryMs?",
        ask=slow,
        explained_by=("database.waiting", "database.indexes"),
    ),
    Check(
        name="database.housekeeping",
        question="Does autovacuum keep up, and does nothing hold it back?",
        ask=housekeeping,
        explained_by=("database.waiting",),
    ),
)
