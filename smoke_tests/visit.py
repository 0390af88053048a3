"""One pass of the check over one server: what the stages know and hand on.

Owns the names under which a pass writes. They are unique to the pass, so that any number of checks
run beside one another on one server: each finds its own run by its token and no other's.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from smoke_tests.mlflow_api import Metric, MlflowApi
from smoke_tests.retrying import Clock
from smoke_tests.tracking_server import TrackingServer

DEFAULT_EXPERIMENT = "integration-test"


@dataclass(kw_only=True, slots=True)
class Visit:
    """What is known before the first stage, and what each stage adds."""

    server: TrackingServer
    api: MlflowApi
    clock: Clock
    experiment_name: str
    token: str  # on everything this pass writes
    run_name: str
    metric: Metric
    experiment_id: str | None = None
    experiment_is_ours: bool = False  # created in this very pass
    run_id: str | None = None


def begin_visit(server: TrackingServer, *, clock: Clock, experiment_name: str) -> Visit:
    """Choose this pass's names and its metric, in the integration guide's words."""
    token = os.urandom(8).hex()
    now = clock.epoch_milliseconds()
    return Visit(
        server=server,
        api=MlflowApi(server),
        clock=clock,
        experiment_name=experiment_name,
        token=token,
        run_name=f"test-run-{now // 1000}-{token}",
        metric=Metric(key="test_metric", value=0.95, timestamp=now, step=0),
    )
