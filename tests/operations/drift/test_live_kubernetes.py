"""The live look at a cluster, on a stand-in of kubectl; a real one is in tests/kubernetes."""

from __future__ import annotations

import json
import shlex
import stat
from pathlib import Path
from typing import Any

import pytest

from simulated_cloud.aws.cloud import ACCESS_KEY, SECRET_KEY
from tests.operations.drift.conftest import (
    REGION,
    Live,
    client,
    differences,
)
from tests.operations.engine_stand_in import step

DEPLOYMENT = "kubernetes:apps/v1:Deployment"
AUTOSCALER = "kubernetes:autoscaling/v2:HorizontalPodAutoscaler"


KUBECTL = """#!/bin/sh
told={folder}/deployment.json
[ "$1" = config ] && told={folder}/config.json
if [ ! -f "$told" ]; then
  echo "Unable to connect to the server: dial tcp: lookup cluster: no such host" >&2
  exit 1
fi
cat "$told"
"""


def pod(image: str = "mlflow:1", **env: str) -> dict[str, Any]:
    variables = [{"name": name, "value": value} for name, value in env.items()]
    secret = {"name": "PGPASSWORD", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
    return {"containers": [{"image": image, "env": [*variables, secret]}]}


class TestKubernetes:
    """The pods are as deployed, of the newest version, and as many as agreed."""

    @pytest.fixture
    def cluster(self, live: Live, tmp_path: Path) -> Live:
        folder = tmp_path / "kubectl-answers"
        folder.mkdir()
        program = tmp_path / "kubectl"
        program.write_text(KUBECTL.format(folder=shlex.quote(str(folder))))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        self.folder = folder
        self.tell("config", {"clusters": [{"cluster": {"server": "https://own"}}]})
        self.tell("deployment", self.found())
        return live

    def tell(self, name: str, told: dict[str, Any]) -> None:
        (self.folder / f"{name}.json").write_text(json.dumps(told))

    def found(self, ready: int = 2, updated: int = 2, **more: Any) -> dict[str, Any]:
        status: dict[str, Any] = {"replicas": 2, "readyReplicas": ready, "updatedReplicas": updated}
        spec = {"replicas": 2, "template": {"spec": more.get("pod", pod(POOL="7"))}}
        return {"spec": spec, "status": status}

    def steps(self, endpoint: str = "https://own") -> list[dict[str, Any]]:
        name = {"metadata": {"name": "mlflow", "namespace": "mlflow"}}
        spec = {"template": {"spec": pod(POOL="7")}}
        bounds = {"spec": {"minReplicas": 2.0, "maxReplicas": 4.0}}
        return [
            step("refresh", "aws:eks/cluster:Cluster", "cluster", before={"endpoint": endpoint}),
            step(
                "refresh", DEPLOYMENT, "servers", id="mlflow/mlflow", before={**name, "spec": spec}
            ),
            step("refresh", AUTOSCALER, "autoscaler", before=bounds),
        ]

    def test_untouched(self, cluster: Live) -> None:
        assert cluster.findings(*self.steps()) == []
        looks = cluster.looks(*self.steps())
        assert looks["kubernetes"]["looked_at"] == "2 of 2 servers ready"

    def test_everything_at_once(self, cluster: Live) -> None:
        other = pod("mlflow:2", POOL="99", EXTRA="1")
        told = self.found(ready=1, pod=other)
        stuck = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
        told["status"]["conditions"] = [{"type": "Available", "status": "True"}, stuck]
        self.tell("deployment", told)
        (found,) = cluster.findings(*self.steps())
        assert differences(found) == {
            "image": ("mlflow:1", "mlflow:2"),
            "env POOL": ("7", "99"),
            "env EXTRA": ("nothing", "1"),
            "rollout": ("complete", "ProgressDeadlineExceeded"),
            "servers ready": ("2 to 4", "1"),
        }

    def test_a_password_that_was_set_by_hand(self, cluster: Live) -> None:
        """`kubectl set env PGPASSWORD=…`: that it stands there is told, and not what."""
        self.tell(
            "deployment", self.found(pod=pod(POOL="7", PGPASSWORD="hunter2", A_TOKEN="xyzzy"))
        )
        (found,) = cluster.findings(*self.steps())
        assert differences(found) == {
            "env PGPASSWORD": ("nothing", "[secret]"),
            "env A_TOKEN": ("nothing", "[secret]"),
        }

    def test_a_rollout_under_way(self, cluster: Live) -> None:
        """For a moment there are more servers than agreed, or fewer: that is no drift."""
        told = self.found(ready=5, updated=1)
        self.tell("deployment", told)
        assert cluster.findings(*self.steps()) == []
        looked = cluster.looks(*self.steps())["kubernetes"]["looked_at"]
        assert looked == "5 of 2 servers ready, a rollout is under way"

    def test_who_wrote_it(self, cluster: Live) -> None:
        fields = {"f:spec": {"f:template": {"f:spec": {"f:containers": {"k": {}}}}}}
        told = self.found(pod=pod("mlflow:2", POOL="7"))
        entry = {"operation": "Update", "time": "2026-11-21T18:00:00Z", "fieldsV1": fields}
        told["metadata"] = {
            "managedFields": [
                {**entry, "manager": "kubectl-set"},
                {**entry, "manager": "pulumi-kubernetes-1234"},
                {**entry, "manager": "kube-controller-manager", "fieldsV1": {"f:status": {}}},
            ]
        }
        self.tell("deployment", told)
        (found,) = cluster.findings(*self.steps())
        assert [who["who"] for who in found["suspects"]] == ["kubectl-set"]

    def test_an_adopted_cluster(self, cluster: Live, moto: str) -> None:
        """Its endpoint is in no state; EKS is asked whether the kubeconfig leads there."""
        aws = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
        cluster.environ |= {"AWS_ENDPOINT_URL": moto, **aws}
        steps = [item for item in self.steps() if "eks/cluster" not in item["urn"]]
        problem = cluster.looks(*steps)["kubernetes"]["problem"]
        assert problem.startswith("the stack exports no clusterName")
        eks = client(moto, "eks")
        made = eks.create_cluster(
            name="shared",
            roleArn="arn:aws:iam::123456789012:role/eks",
            resourcesVpcConfig={"subnetIds": []},
        )
        cluster.engine.has(target="aws", region=REGION, cluster_name="shared")
        assert "and the stack's is https://" in cluster.looks(*steps)["kubernetes"]["problem"]
        endpoint = made["cluster"]["endpoint"]
        self.tell("config", {"clusters": [{"cluster": {"server": endpoint}}]})
        assert cluster.looks(*steps)["kubernetes"]["problem"] == ""

    def test_another_cluster(self, cluster: Live) -> None:
        look = cluster.looks(*self.steps("https://other"))["kubernetes"]
        assert look["problem"] == (
            "the kubeconfig's current cluster is https://own and the stack's is https://other: "
            "run `aws eks update-kubeconfig` for the stack's cluster"
        )

    def test_the_cluster_of_a_simulated_stack(self, cluster: Live) -> None:
        """Never the user's own; the one that the attached provider deploys to, if there is one."""
        cluster.environ["PULUMI_DEBUG_PROVIDERS"] = "aws:1"
        problem = cluster.looks(*self.steps("https://other"))["kubernetes"]["problem"]
        assert problem.startswith("the stack's providers are attached ones")
        cluster.environ["SIMULATED_KUBECONFIG"] = "/some/kubeconfig"
        assert cluster.looks(*self.steps("https://other"))["kubernetes"]["problem"] == ""

    def test_no_answer(self, cluster: Live) -> None:
        (self.folder / "config.json").unlink()
        assert cluster.looks(*self.steps())["kubernetes"]["problem"] == (
            "kubectl: Unable to connect to the server: dial tcp: lookup cluster: no such host"
        )

    def test_no_kubectl(self, live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(
            "shutil.which",
            lambda name, path=None: None if name == "kubectl" else f"{path.split(':')[0]}/{name}",
        )
        looks = live.looks(*self.steps())
        assert looks["kubernetes"]["problem"] == "kubectl is not on PATH"
