"""Every target asks a server the same questions, and each question proves what it is about."""

from __future__ import annotations

import pytest

from tests.infra.stacks import server


class TestProbes:
    """Readiness asks the database, liveness does not; both follow the static prefix."""

    @pytest.mark.parametrize("prefix", ["", "/mlflow", "/a/b"])
    def test_paths(self, prefix: str) -> None:
        rendered = server(serverStaticPrefix=prefix)
        assert rendered.startup.path == rendered.liveness.path == f"{prefix}/health"
        assert (
            rendered.readiness.path == f"{prefix}/api/2.0/mlflow/experiments/search?max_results=1"
        )

    def test_a_health_check_answers_within_its_timeout(self) -> None:
        quick, slow = server(), server(healthCheckTimeoutSeconds="7")
        assert (quick.liveness.timeout_seconds, quick.readiness.timeout_seconds) == (2, 5)
        assert (slow.liveness.timeout_seconds, slow.readiness.timeout_seconds) == (7, 7)

    def test_a_start_may_take_longer_than_mlflow_waits_for_its_database(self) -> None:
        assert server().startup.patience_seconds > 105
