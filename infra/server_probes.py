"""The questions a running server is asked: has it started, is it ready, is it alive.

Owns path, patience and meaning of each probe in Kubernetes' terms; every target asks the same
ones. Who acts on an answer, and how, is the target's business.

Facts the probes rest on (MLflow 3.17): `/health` answers 200 while the database is down, so it
proves liveness only; readiness asks for one experiment, which is a real query. `--static-prefix`
moves health and the API under the prefix, and the probes with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from infra.settings import PlatformSettings

READINESS_PATH = "/api/2.0/mlflow/experiments/search?max_results=1"


@dataclass(frozen=True, kw_only=True, slots=True)
class Probe:
    """One question asked of a running server, in Kubernetes' terms and seconds."""

    path: str
    period_seconds: int
    timeout_seconds: int
    failure_threshold: int

    @property
    def patience_seconds(self) -> int:
        """How long the answer may be missing before the target acts on it."""
        return self.period_seconds * self.failure_threshold


def probes(settings: PlatformSettings) -> dict[Literal["startup", "readiness", "liveness"], Probe]:
    """The probes of the server that `settings` ask for, under their names in a pod."""
    prefix = settings.server.static_prefix
    timeout = settings.timeouts.health_check_seconds
    return {
        # MLflow retries an unreachable database for 105 s before it exits with the reason; a
        # shorter patience would kill it before it can say so.
        "startup": Probe(
            path=f"{prefix}/health",
            period_seconds=2,
            timeout_seconds=timeout,
            failure_threshold=60,
        ),
        "readiness": Probe(
            path=f"{prefix}{READINESS_PATH}",
            period_seconds=10,
            # A real query on a busy server takes longer than a liveness answer.
            timeout_seconds=max(5, timeout),
            failure_threshold=3,
        ),
        "liveness": Probe(
            path=f"{prefix}/health",
            period_seconds=10,
            timeout_seconds=timeout,
            failure_threshold=6,
        ),
    }
