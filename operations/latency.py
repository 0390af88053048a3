"""`latency`: how fast the platform answers, and which connection pool is in force.

Owns the order of the measurement and what counts as found: an answer slower than the settings
allow, a request that failed, a pool that is not the one the settings ask for. It measures a server
as a client sees it (`latency_requests`), and where the database can be reached from here, the way
to it (`latency_database`) and the pool (`latency_pool`).
"""

from __future__ import annotations

import argparse

from operations.database_login import DatabaseLogin, NotReachable
from operations.latency_database import measure_database
from operations.latency_pool import PoolMeasurement, measure_pool
from operations.latency_report import LatencyReport
from operations.latency_requests import Sandbox, measure_requests, sandbox
from operations.place import Place
from operations.pool_verdict import PoolAskedFor
from operations.report import Report
from operations.timings import Timings
from smoke_tests.connecting import Door
from smoke_tests.errors import CouldNotLook
from smoke_tests.retrying import Patience

SLOW_MS = 5000
"""`slowResponseMs` where no stack says otherwise."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what can be chosen."""
    add = parser.add_argument
    add("--tries", metavar="N", default="20", help="tries of each measurement (default: 20)")
    add("--clients", metavar="N", default="1", help="also measure N clients at once (default: 1)")
    add("--timeout", metavar="SECONDS", default="60", help="longest request (default: 60)")
    add(
        "--no-pool",
        dest="pool",
        action="store_false",
        help="leave out the burst that shows the connection pool in force",
    )
    add("--slow-ms", metavar="MS", help="what counts as slow (default: the stack's slowResponseMs)")


def run(arguments: argparse.Namespace, place: Place) -> Report:
    """Measure, clean up, and say what is slow.

    Raises:
        CouldNotLook: an argument is not allowed, or the server cannot be reached.
    """
    tries = _whole("--tries", arguments.tries, largest=10_000)
    clients = _whole("--clients", arguments.clients, largest=256)
    timeout = _whole("--timeout", arguments.timeout, largest=86_400)
    slow_ms = (
        _whole("--slow-ms", arguments.slow_ms, largest=3_600_000)
        if arguments.slow_ms is not None
        else _slow_ms(place)
    )
    door = place.door(
        Patience(waits=(), health_timeout_seconds=timeout, request_timeout_seconds=timeout)
    )
    with sandbox(door) as box:
        place.progress(f"measuring {place.target.uri}")
        requests = measure_requests(door, box, tries, clients)
        place.progress("measuring the database")
        database = _database(place, tries)
        place.progress("measuring the pool in force")
        pool = (
            _pool(place, door, box)
            if arguments.pool and not isinstance(database, str)
            else "not asked for (--no-pool)"
            if not arguments.pool
            else str(database)
        )
    return LatencyReport(
        tracking_uri=place.target.uri,
        slow_ms=slow_ms,
        requests=tuple(requests),
        database=database,
        pool=pool,
        leftovers=box.leftovers,
    )


def _database(place: Place, tries: int) -> tuple[Timings, ...] | str:
    """What was measured, or why nothing was."""
    if place.outputs is None:
        return "only a stack says where its database is: name one with --stack"
    try:
        login = DatabaseLogin.from_outputs(place.outputs, place.masker)
        return tuple(measure_database(login, place.clock, tries))
    except NotReachable as reason:
        return str(reason)


def _pool(place: Place, door: Door, box: Sandbox) -> PoolMeasurement | str:
    """What was measured, or why nothing was."""
    if not box.runs:
        return "no run could be made to measure it with"
    try:
        settings = place.settings
    except CouldNotLook as reason:
        return f"nothing to compare with: {reason}"
    if settings is None or place.outputs is None:
        return "only a stack says what its pool should be: name one with --stack"
    asked = PoolAskedFor(
        workers=settings.server.workers,
        size=settings.pool.size,
        overflow=settings.pool.max_overflow,
    )
    try:
        login = DatabaseLogin.from_outputs(place.outputs, place.masker)
        measured = measure_pool(door, login, box.runs[0], asked)
    except NotReachable as reason:
        return str(reason)
    if not measured.servers and not measured.failed:
        return (
            "no connection of the server's was seen in the database: something stands between them "
            "that has a pool of its own, such as PgBouncer or RDS Proxy"
        )
    return measured


def _slow_ms(place: Place) -> int:
    """The threshold that the deployed stack hands to its clients."""
    if place.outputs is None:
        return SLOW_MS
    text = place.outputs.client_environment.get("MLFLOW_PLATFORM_SLOW_REQUEST_MS", "")
    return int(text) if text.isdigit() else SLOW_MS


def _whole(name: str, text: str, *, largest: int) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= largest:
        raise CouldNotLook(f"{name} is {text!r}: it must be a whole number from 1 to {largest}")
    return int(text)
