"""Which connection pool is in force, seen from the database during a burst of requests.

Owns the burst. It holds the lock on one metric of its own run, so that requests that log this
metric wait inside the database, each with its connections, until all of them are there to be
counted; then it lets them go and counts what stays open. Nobody else's data is locked. While it
lasts, at most `MOST_SECONDS` each time, the requests take their share of the server's threads.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from operations.database_login import SERVER_APPLICATION_NAME, DatabaseLogin
from operations.pool_verdict import PoolAskedFor, PoolSeen
from smoke_tests.connecting import Door
from smoke_tests.mlflow_api import Metric, MlflowApi
from smoke_tests.tracking_server import CallFailed

METRIC = "pool"
BURSTS = 6  # one may reach a worker more than another; what it opens stays for the next
MOST_SECONDS = 2.0
MOST_REQUESTS = 200  # each is a thread here
LOOK_SECONDS = 0.05
SETTLED_LOOKS = 4  # in a row that show the same

SESSIONS = """
SELECT pid || ' ' || backend_start, coalesce(host(client_addr), 'socket'), state <> 'idle'
FROM pg_stat_activity
WHERE usename = current_user AND datname = current_database() AND application_name = %s
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class PoolMeasurement:
    """What the bursts showed."""

    asked: PoolAskedFor
    servers: tuple[PoolSeen, ...]  # one for each address that the database saw
    requests: int
    failed: int
    problem: str | None  # what the first failure said


@dataclass(frozen=True, slots=True)
class _Session:
    """One connection of the server's."""

    key: str  # process number and start: a number alone is used again
    address: str
    busy: bool


def measure_pool(
    door: Door, login: DatabaseLogin, run_id: str, asked: PoolAskedFor
) -> PoolMeasurement:
    """What bursts of requests to the server show in its database.

    Raises:
        NotReachable: the database does not answer from here.
    """
    at_once = min(asked.workers * asked.size, MOST_REQUESTS)
    problems = [problem for problem in [_log(door, run_id, step=0)] if problem]
    used: set[str] = set()
    busiest: Counter[str] = Counter()
    kept: Counter[str] = Counter()
    bursts = 0
    with login.connect() as watcher, ThreadPoolExecutor(at_once) as threads:
        while bursts < BURSTS and not problems:
            bursts += 1
            with login.connect() as holder, holder.transaction():
                holder.execute(
                    "SELECT 1 FROM latest_metrics WHERE run_uuid = %s AND key = %s FOR UPDATE",
                    (run_id, METRIC),
                )
                answers = [threads.submit(_log, door, run_id, step=bursts) for _ in range(at_once)]
                busy = _settled(watcher, None)
            problems += [problem for answer in answers if (problem := answer.result())]
            used.update(session.key for session in busy)
            busiest |= Counter(session.address for session in busy)
            before = kept
            kept = Counter(session.address for session in _settled(watcher, used))
            full = all(kept[address] >= asked.workers * asked.size for address in busiest)
            if full or (bursts > 2 and kept == before):
                break
    return PoolMeasurement(
        asked=asked,
        servers=tuple(
            PoolSeen(address=address, busy=count, kept=kept[address])
            for address, count in sorted(busiest.items())
        ),
        requests=1 + bursts * at_once,
        failed=len(problems),
        problem=problems[0] if problems else None,
    )


def _settled(watcher: Any, wanted: Set[str] | None) -> list[_Session]:
    """The sessions of `wanted` that are open, or all busy ones, once their number stays."""
    began = time.monotonic()
    looks: list[list[_Session]] = []
    while time.monotonic() - began < MOST_SECONDS:
        rows = watcher.execute(SESSIONS, (SERVER_APPLICATION_NAME,)).fetchall()
        sessions = [_Session(str(row[0]), str(row[1]), bool(row[2])) for row in rows]
        looks.append(
            [item for item in sessions if (item.busy if wanted is None else item.key in wanted)]
        )
        settled = len({len(look) for look in looks[-SETTLED_LOOKS:]}) == 1
        if settled and len(looks) >= SETTLED_LOOKS and looks[-1]:
            break
        time.sleep(LOOK_SECONDS)
    return looks[-1]


def _log(door: Door, run_id: str, *, step: int) -> str | None:
    """Log the metric once, over a connection of its own; what went wrong, None when nothing did."""
    server, connection = door.connect()
    metric = Metric(key=METRIC, value=step, timestamp=door.clock.epoch_milliseconds(), step=step)
    try:
        MlflowApi(server).log_metric(run_id, metric)
    except CallFailed as failure:
        return failure.problem
    finally:
        connection.close()
    return None
