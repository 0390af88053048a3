"""`latency`: how fast the platform answers, and which connection pool is in force.

Owns the order of the measurement and what counts as found: an answer slower than the settings
allow, a request that failed, a pool that is not the one the settings ask for. It measures a server
as a client sees it (`latency_requests`).
"""

from __future__ import annotations

import argparse

from operations.latency_report import LatencyReport
from operations.latency_requests import measure_requests, sandbox
from operations.place import Place
from operations.report import Report
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
    place.progress(f"measuring {place.target.uri}")
    with sandbox(door) as box:
        requests = measure_requests(door, box, tries, clients)
    return LatencyReport(
        tracking_uri=place.target.uri,
        slow_ms=slow_ms,
        requests=tuple(requests),
        leftovers=box.leftovers,
    )


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
