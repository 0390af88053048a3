"""Drift of pods on a real control plane: seen by the engine and by a look, with who wrote it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import simulated_cloud
from simulated_cloud import SimulatedCloud
from simulated_cloud.kubernetes.control_plane import ControlPlane
from simulated_cloud.kubernetes.package import VARIABLE
from tests.end_to_end.stack_on_cloud import StackOnCloud
from tests.kubernetes.conftest import needs_control_plane

pytestmark = [pytest.mark.slow, needs_control_plane]

POOL = "spec.template.spec.containers[0].env[MLFLOW_SQLALCHEMYSTORE_POOL_SIZE]"


@pytest.fixture
def cloud(
    control_plane: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SimulatedCloud]:
    """A simulated AWS whose clusters are the control plane."""
    monkeypatch.setenv(VARIABLE, str(control_plane.kubeconfig))
    with simulated_cloud.running(tmp_path / "cloud") as running:
        yield running


def kubectl(plane: ControlPlane, *words: str) -> None:
    environ = {**os.environ, "KUBECONFIG": str(plane.kubeconfig)}
    subprocess.run(["kubectl", *words], env=environ, check=True, capture_output=True)


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on PATH")
class TestPods:
    """The stack dev: untouched, then changed with kubectl."""

    def test_life(self, control_plane: ControlPlane, cloud: SimulatedCloud, tmp_path: Path) -> None:
        stack = StackOnCloud("dev", cloud, tmp_path / "state")
        stack.up()
        code, document = stack.operate("drift", "--no-pool")
        assert (code, document["findings"]) == (0, [])
        looks = {look["name"]: look for look in document["looks"]}
        assert looks["kubernetes"]["looked_at"] == "1 of 1 servers ready"

        variable = "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE=99"
        kubectl(control_plane, "set", "env", "deployment/mlflow", "-n", "mlflow", variable)
        most = '{"spec": {"maxReplicas": 9}}'
        kubectl(control_plane, "patch", "hpa", "mlflow", "-n", "mlflow", "-p", most)
        code, document = stack.operate("drift", "--no-pool")
        found: dict[str, dict[str, Any]] = {f["kind"]: f for f in document["findings"]}
        deployment = found.pop("kubernetes:apps/v1:Deployment")
        autoscaler = found.pop("kubernetes:autoscaling/v2:HorizontalPodAutoscaler")
        assert (code, found) == (1, {})
        assert POOL in [d["property"] for d in deployment["differences"]]
        assert "kubectl-set" in [who["who"] for who in deployment["suspects"]]
        assert [d["property"] for d in autoscaler["differences"]] == ["spec.maxReplicas"]

        stack.up()
        assert stack.operate("drift", "--no-pool")[1]["findings"] == []
        stack.destroy()
