"""The connection pool in force, measured as `latency` does.

Owns the step from that measurement to a finding. It writes one metric to a run of its own, which it
deletes afterwards; `--no-pool` leaves it out.
"""

from __future__ import annotations

from operations.database_login import DatabaseLogin, NotReachable
from operations.drift_findings import Difference
from operations.drift_sight import NotVisible, Seen, Sight, finding
from operations.latency_pool import measure_pool
from operations.latency_requests import create_run, sandbox
from operations.pool_verdict import PoolAskedFor
from smoke_tests.mlflow_api import MlflowApi
from smoke_tests.retrying import Patience
from smoke_tests.tracking_server import CallFailed

LOOK = "pool"
SECONDS = 60


def look(sight: Sight) -> Seen | None:
    """Measure it.

    Raises:
        NotVisible: the database cannot be reached from here, or shows no connection of the server.
    """
    settings = sight.settings
    if settings.database.engine != "postgresql":
        return None
    sight.must_be_real()
    asked = PoolAskedFor(
        workers=settings.server.workers,
        size=settings.pool.size,
        overflow=settings.pool.max_overflow,
    )
    try:
        login = DatabaseLogin.from_outputs(sight.outputs, sight.place.masker)
        login.connect().close()
    except NotReachable as reason:
        raise NotVisible(str(reason)) from None
    door = sight.place.door(
        Patience(waits=(), health_timeout_seconds=SECONDS, request_timeout_seconds=SECONDS)
    )
    with sandbox(door) as box:
        server, connection = door.connect()
        try:
            run_id = create_run(MlflowApi(server), box, door.clock)
            measured = measure_pool(door, login, run_id, asked)
        except CallFailed as failure:
            raise NotVisible(failure.problem) from None
        except NotReachable as reason:
            raise NotVisible(str(reason)) from None
        finally:
            connection.close()
    if measured.failed or not measured.servers:
        raise NotVisible(
            measured.problem
            or "the database shows no connection of the server: a pool of its own stands between"
        )
    differing = [server for server in measured.servers if server.verdict(asked) == "differs"]
    differences = [
        Difference(
            property=f"connections of {server.address}",
            expected=f"{asked.workers} × ({asked.size} + {asked.overflow})",
            found=f"{server.busy} in use at once, {server.kept} kept open",
        )
        for server in differing
    ]
    return Seen(
        looked_at="; ".join(server.describe(asked) for server in measured.servers),
        findings=tuple(finding(LOOK, "connection pool", differences)),
    )
