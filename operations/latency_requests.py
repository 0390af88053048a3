"""How long the tracking server takes to answer what a training job asks.

Owns the requests that are measured and their order: health, the first read over a new connection, a
warm read, create-run, log-metric and log-batch of 100, by one client and, when asked, by many at
once. They go into an experiment made for this measurement, whose runs are deleted again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Barrier, BrokenBarrierError

from operations.timings import Timings
from smoke_tests.connecting import Door
from smoke_tests.errors import CouldNotLook
from smoke_tests.mlflow_api import Metric, MlflowApi
from smoke_tests.retrying import Clock
from smoke_tests.tracking_server import CallFailed, TrackingServer

BATCH = 100  # metrics of one log-batch
_MAY_MEET_SECONDS = 60  # a client that cannot connect must not keep the others waiting


@dataclass(kw_only=True)
class Sandbox:
    """The experiment this measurement writes to, and the runs in it."""

    experiment_id: str
    name: str
    token: str
    runs: list[str] = field(default_factory=list[str])
    leftovers: str | None = None  # what could not be removed, in words


@contextmanager
def sandbox(door: Door) -> Generator[Sandbox]:
    """Make an experiment of our own, and delete it with its runs afterwards.

    Raises:
        CouldNotLook: the server does not answer, or lets us write nothing.
    """
    token = os.urandom(8).hex()
    name = f"latency-{token}"
    server, connection = door.connect()
    try:
        try:
            server.health()
            experiment_id = MlflowApi(server).create_experiment(name, token)
        except CallFailed as failure:
            raise CouldNotLook(f"{failure.problem}: {failure.remedy}") from None
    finally:
        connection.close()
    if experiment_id is None:
        raise CouldNotLook(f"the experiment {name!r} exists already: measure again")
    box = Sandbox(experiment_id=experiment_id, name=name, token=token)
    try:
        yield box
    finally:
        _remove(door, box)


def measure_requests(door: Door, box: Sandbox, tries: int, clients: int) -> list[Timings]:
    """Measure everything, one client first and then, where asked, `clients` at once."""
    measured = [*_reads(door, tries), _create_runs(door, box, tries)]
    if not box.runs:
        return measured
    counts = (1,) if clients == 1 else (1, clients)
    for count in counts:
        measured += [
            _many(door, box, count, tries, "log-metric", _log_metric),
            _many(door, box, count, tries, f"log-batch of {BATCH}", _log_batch),
        ]
    return measured


def create_run(api: MlflowApi, box: Sandbox, clock: Clock) -> str:
    """A run in our experiment; it is deleted with it."""
    run_id = api.create_run(
        box.experiment_id,
        name=f"{box.name}-{len(box.runs)}",
        token=box.token,
        start_time=clock.epoch_milliseconds(),
    )
    box.runs.append(run_id)
    return run_id


def _reads(door: Door, tries: int) -> list[Timings]:
    def read(server: TrackingServer) -> None:
        server.search("experiments/search", {"max_results": 1})

    first: list[Timings] = []
    for _ in range(min(tries, 3)):
        server, connection = door.connect()
        try:
            first.append(_timed("first read", door.clock, 1, lambda s=server: read(s)))
        finally:
            connection.close()
    server, connection = door.connect()
    try:
        return [
            _timed("health", door.clock, tries, lambda: server.health()),
            _joined("first read", first),
            _timed("warm read", door.clock, tries, lambda: read(server)),
        ]
    finally:
        connection.close()


def _create_runs(door: Door, box: Sandbox, tries: int) -> Timings:
    server, connection = door.connect()
    api = MlflowApi(server)
    try:
        return _timed("create-run", door.clock, tries, lambda: create_run(api, box, door.clock))
    finally:
        connection.close()


def _log_metric(server: TrackingServer, run_id: str, step: int, clock: Clock) -> None:
    metric = Metric(
        key="loss", value=1 / (step + 1), timestamp=clock.epoch_milliseconds(), step=step
    )
    MlflowApi(server).log_metric(run_id, metric)


def _log_batch(server: TrackingServer, run_id: str, step: int, clock: Clock) -> None:
    now = clock.epoch_milliseconds()
    metrics = [
        {"key": f"metric_{index}", "value": 0.5, "timestamp": now, "step": step}
        for index in range(BATCH)
    ]
    content = {"run_id": run_id, "metrics": metrics}
    server.post("runs/log-batch", content, subject="Log batch")


def _many(
    door: Door,
    box: Sandbox,
    clients: int,
    tries: int,
    name: str,
    write: Callable[[TrackingServer, str, int, Clock], None],
) -> Timings:
    """`clients` at once, each with a connection of its own; runs are shared where they are few."""
    together = Barrier(clients)

    def client(number: int) -> tuple[Timings, float, float]:
        run_id = box.runs[number % len(box.runs)]
        server, connection = door.connect()
        try:
            _try(lambda: server.health())  # the connection is there when the clock starts
            with suppress(BrokenBarrierError):
                together.wait(_MAY_MEET_SECONDS)
            began = door.clock.monotonic()
            steps = iter(range(number * tries, (number + 1) * tries))
            timed = _timed(
                name, door.clock, tries, lambda: write(server, run_id, next(steps), door.clock)
            )
            return timed, began, door.clock.monotonic()
        finally:
            connection.close()

    if clients == 1:
        return client(0)[0]
    with ThreadPoolExecutor(clients, thread_name_prefix="latency") as pool:
        answers = list(pool.map(client, range(clients)))
    began, ended = min(answer[1] for answer in answers), max(answer[2] for answer in answers)
    joined = _joined(name, [answer[0] for answer in answers])
    return Timings(
        name=name,
        seconds=joined.seconds,
        errors=joined.errors,
        problem=joined.problem,
        clients=clients,
        wall_seconds=ended - began,
    )


def _timed(name: str, clock: Clock, tries: int, do: Callable[[], object]) -> Timings:
    seconds: list[float] = []
    problems: list[str] = []
    for _ in range(tries):
        began = clock.monotonic()
        problem = _try(do)
        if problem is None:
            seconds.append(clock.monotonic() - began)
        else:
            problems.append(problem)
    return Timings(
        name=name,
        seconds=tuple(seconds),
        errors=len(problems),
        problem=problems[0] if problems else None,
    )


def _try(do: Callable[[], object]) -> str | None:
    """What went wrong, in words; None when nothing did."""
    try:
        do()
    except CallFailed as failure:
        return failure.problem
    return None


def _joined(name: str, parts: Sequence[Timings]) -> Timings:
    return Timings(
        name=name,
        seconds=tuple(second for part in parts for second in part.seconds),
        errors=sum(part.errors for part in parts),
        problem=next((part.problem for part in parts if part.problem), None),
    )


def _remove(door: Door, box: Sandbox) -> None:
    """Delete the runs and the experiment; what stays is said, and is no reason to fail."""
    server, connection = door.connect()
    api = MlflowApi(server)
    try:
        for run_id in box.runs:
            api.delete_run(run_id)
        api.delete_experiment(box.experiment_id)
    except CallFailed as failure:
        box.leftovers = (
            f"the experiment {box.name!r} could not be removed ({failure.problem}): delete it by "
            "hand"
        )
    finally:
        connection.close()
