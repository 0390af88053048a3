"""The whole production stack: AWS on moto, its objects on a real API server, in one deployment."""

from __future__ import annotations

from pathlib import Path

import pytest

import simulated_cloud
from simulated_cloud.kubernetes.api_client import ApiClient
from simulated_cloud.kubernetes.clusters import ALWAYS_THERE
from simulated_cloud.kubernetes.control_plane import ControlPlane
from simulated_cloud.kubernetes.package import VARIABLE
from tests.end_to_end.stack_on_cloud import StackOnCloud
from tests.end_to_end.test_aws import lift_protection
from tests.kubernetes.conftest import needs_control_plane
from tests.kubernetes.test_platform import until

pytestmark = [pytest.mark.slow, needs_control_plane]

BASE = "mlops-platform-prod-mlflow"
DEPLOYMENT = "/apis/apps/v1/namespaces/mlflow/deployments/mlflow"
BUDGET = "/apis/policy/v1/namespaces/mlflow/poddisruptionbudgets/mlflow"


class TestProduction:
    """Deployed and rolled out; what somebody takes out of the cluster is found and brought back."""

    def test_life(
        self,
        control_plane: ControlPlane,
        api: ApiClient,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv(VARIABLE, str(control_plane.kubeconfig))
        with simulated_cloud.running(tmp_path / "cloud") as cloud:
            stack = StackOnCloud("prod", cloud, tmp_path / "state")
            with stack.timed("up on a control plane"):
                stack.up()
            # The rollout is done with the one replica that a Deployment begins with; the second is
            # the autoscaler's, a moment later.
            until(lambda: api.get(DEPLOYMENT)["status"].get("readyReplicas") == 2)
            deployment = api.get(DEPLOYMENT)
            assert deployment["spec"]["replicas"] == 2
            applied = {
                field["operation"]
                for field in deployment["metadata"]["managedFields"]
                if field["manager"] == "pulumi-kubernetes"
            }
            assert applied == {"Apply"}
            with stack.timed("preview of no change"):
                assert stack.changed("--refresh") == {}

            api.delete(BUDGET)
            assert stack.changed("--refresh") == {f"{BASE}-server-mlflow-disruption-budget": []}
            stack.up()
            assert api.find(BUDGET) is not None

            lift_protection(stack, BASE)
            with stack.timed("destroy"):
                stack.destroy()
            assert cloud.store("kubernetes").kinds() == {}
        left = {item["metadata"]["name"] for item in api.get("/api/v1/namespaces")["items"]}
        assert left == ALWAYS_THERE
