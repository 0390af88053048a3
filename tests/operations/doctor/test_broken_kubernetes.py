"""Production's objects on a real control plane, broken through its API, and named.

Pods and nodes are played by kwok: what only a kubelet would say of a container is
written into the status of a pod, as a kubelet would (CrashLoopBackOff).
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from infra.outputs import PlatformOutputs
from simulated_cloud.kubernetes import kubeconfig
from simulated_cloud.kubernetes.api_client import ApiClient
from simulated_cloud.kubernetes.control_plane import ControlPlane
from tests.infra.kubernetes.manifests import WIRING, deploy, stack_file
from tests.kubernetes.conftest import api, control_plane, desk, needs_control_plane
from tests.operations.doctor.conftest import Examine, Pass, outputs_of
from tests.simulated_cloud.desk import Desk, Resource

__all__ = ["api", "control_plane", "desk"]

pytestmark = [pytest.mark.slow, needs_control_plane]

CORE = "/api/v1/namespaces/mlflow"
DEPLOYMENT = "/apis/apps/v1/namespaces/mlflow/deployments/mlflow"
POLICIES = "/apis/networking.k8s.io/v1/namespaces/mlflow/networkpolicies"
AUTOSCALER = "/apis/autoscaling/v2/namespaces/mlflow/horizontalpodautoscalers/mlflow"
SECRET = f"{CORE}/secrets/mlflow-db-credentials"
PASSWORD = str(WIRING["database_password"])
ROLE = WIRING["service_account_annotations"]["eks.amazonaws.com/role-arn"]

ALWAYS = ["kubernetes.autoscaler"]
"""This control plane has no metrics server, and that is found."""


def until(done: Callable[[], bool], seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


def available(api: ApiClient) -> int:
    """How many servers are, once none is on its way out."""
    pods = api.get(f"{CORE}/pods", labelSelector="app=mlflow")["items"]
    found = int(api.get(DEPLOYMENT)["status"].get("availableReplicas", 0))
    return found if len(pods) == found else -1


@pytest.fixture(scope="module")
def production(desk: Desk, api: ApiClient) -> Iterator[dict[str, Resource]]:
    made = {
        f"{item.inputs['kind']}/{item.name}": desk.create(item.type, item.name, **item.inputs)
        for item in deploy(stack_file("prod")).declared
    }
    if api.find(SECRET) is None:  # what the External Secrets operator would make
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "mlflow-db-credentials", "namespace": "mlflow"},
            "data": {"password": base64.b64encode(PASSWORD.encode()).decode()},
        }
        api.create(f"{CORE}/secrets", secret)
    until(lambda: available(api) == 2)
    until(
        lambda: any(
            item["type"] == "ScalingActive"
            for item in api.get(AUTOSCALER).get("status", {}).get("conditions") or []
        )
    )
    yield made
    for resource in reversed(made.values()):
        resource.delete()


@pytest.fixture
def outputs() -> PlatformOutputs:
    return outputs_of(
        target="aws",
        environment="prod",
        tracking_uri="http://mlflow.mlflow.svc.cluster.local:5000",
        kubernetes_namespace="mlflow",
        server_role_arn=ROLE,
        database_password=PASSWORD,
        database_host="mlflow.db.invalid",
    )


@pytest.fixture
def look(
    production: dict[str, Resource],
    control_plane: ControlPlane,
    outputs: PlatformOutputs,
    examine: Examine,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Pass]:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    def run(config: Any = control_plane.kubeconfig, **changed: Any) -> Pass:
        from dataclasses import replace

        return examine(replace(outputs, **changed), stack_file("prod"), "--kubeconfig", str(config))

    return run


Look = Callable[..., Pass]


def failures(found: Pass) -> list[str]:
    """What is broken in the cluster: no AWS account is behind it here."""
    return [name for name in found.failed if name.startswith("kubernetes.") and name not in ALWAYS]


@contextmanager
def patched(api: ApiClient, path: str, change: Any, back: Any) -> Iterator[None]:
    api.patch(path, change)
    try:
        yield
    finally:
        api.patch(path, back)


@contextmanager
def without(api: ApiClient, path: str) -> Iterator[None]:
    """Delete an object, and make it again."""
    kept = api.get(path)
    api.delete(path)
    until(lambda: api.find(path) is None)
    try:
        yield
    finally:
        for key in ("resourceVersion", "uid", "creationTimestamp", "managedFields", "generation"):
            kept["metadata"].pop(key, None)
        kept.pop("status", None)
        api.create(path.rpartition("/")[0], kept)


class TestUntouched:
    """What was deployed has one finding: the metrics server that this cluster lacks."""

    def test_the_autoscaler_gets_no_measurements(self, look: Look) -> None:
        found = look()
        assert failures(found) == []
        assert found.status("kubernetes.autoscaler") == "failed"
        assert "FailedGetResourceMetric" in found.evidence("kubernetes.autoscaler")
        for name, words in {
            "kubernetes.api": "has namespace mlflow",
            "kubernetes.nodes": "3 nodes ready",
            "kubernetes.pods": "2 pods ready, 0 restarts",
            "kubernetes.rollout": "2 of 2 servers ready, 2 of the newest version",
            "kubernetes.migration": "succeeded",
            "kubernetes.service": "leads to 2 ready pods on port 5000",
            "kubernetes.network_policy": "mlflow-default-deny, mlflow-egress, mlflow-ingress",
            "kubernetes.identity": f"names {ROLE}",
            "kubernetes.secret": "holds the stack's password",
        }.items():
            assert found.status(name) == "passed", (name, found.records[name])
            assert words in found.evidence(name)
        assert PASSWORD not in found.ran.out
        assert base64.b64encode(PASSWORD.encode()).decode() not in found.ran.out


class TestWay:
    """Without the API, or the right to ask it, there is one finding and no guess."""

    def test_nobody_answers(self, look: Look, control_plane: ControlPlane, tmp_path: Any) -> None:
        known = kubeconfig.read(control_plane.kubeconfig)
        path = tmp_path / "kubeconfig"
        kubeconfig.write(
            path, kubeconfig.Connection("https://127.0.0.1:1", known.authority, known.token)
        )
        found = look(path)
        assert failures(found) == ["kubernetes.api"]
        assert "Connection refused" in found.evidence("kubernetes.api")
        assert found.status("kubernetes.pods") == "not_run"

    def test_nobody_knows_us(self, look: Look, control_plane: ControlPlane, tmp_path: Any) -> None:
        known = kubeconfig.read(control_plane.kubeconfig)
        path = tmp_path / "kubeconfig"
        kubeconfig.write(
            path, kubeconfig.Connection(known.server, known.authority, "a-wrong-token")
        )
        found = look(path)
        assert failures(found) == ["kubernetes.api"]
        assert "HTTP 401 Unauthorized" in found.evidence("kubernetes.api")
        assert "a-wrong-token" not in found.ran.out

    def test_no_kubeconfig(self, look: Look, tmp_path: Any) -> None:
        path = tmp_path / "kubeconfig"
        assert look(path).evidence("kubernetes.api") == (
            f"--kubeconfig is {str(path)!r}: No such file or directory"
        )
        path.write_text("a: b")
        assert look(path).evidence("kubernetes.api") == (
            f"--kubeconfig is {str(path)!r}: it is no kubeconfig with a current context"
        )

    def test_the_namespace_is_gone(self, look: Look) -> None:
        found = look(kubernetes_namespace="gone")
        assert found.evidence("kubernetes.api") == "the cluster has no namespace gone"
        assert found.follows("kubernetes.secret") == found.follows("kubernetes.identity")
        assert found.follows("kubernetes.secret") is not None


class TestPods:
    """Why pods do not serve is said in Kubernetes' own words."""

    def test_scaled_to_none(self, look: Look, api: ApiClient) -> None:
        change = {"spec": {"replicas": 0}}
        with patched(api, DEPLOYMENT, change, {"spec": {"replicas": 2}}):
            until(lambda: not api.get(f"{CORE}/pods", labelSelector="app=mlflow")["items"])
            found = look()
        until(lambda: available(api) == 2)
        assert found.evidence("kubernetes.rollout") == "the Deployment is scaled to no server"
        assert found.evidence("kubernetes.pods") == "no pod has the label app=mlflow"
        assert found.follows("kubernetes.service") == "kubernetes.pods"

    def test_the_new_version_is_never_ready(self, look: Look, api: ApiClient) -> None:
        fate = "simulated-cloud/fate"
        change = {"spec": {"template": {"metadata": {"annotations": {fate: "never-ready"}}}}}
        back = {"spec": {"template": {"metadata": {"annotations": {fate: None}}}}}
        with patched(api, DEPLOYMENT, change, back):
            until(lambda: api.get(DEPLOYMENT)["status"].get("unavailableReplicas") == 1)
            found = look()
        until(lambda: available(api) == 2)
        assert ": NotReady" in found.evidence("kubernetes.pods")
        assert found.evidence("kubernetes.rollout") == (
            "2 of 2 servers ready, 1 of the newest version"
        )
        assert found.follows("kubernetes.rollout") == "kubernetes.pods"
        assert found.status("kubernetes.service") == "passed"  # the previous version serves

    @pytest.mark.parametrize("reason", ["CrashLoopBackOff", "ImagePullBackOff", "OOMKilled"])
    def test_a_container_that_does_not_stay(self, look: Look, api: ApiClient, reason: str) -> None:
        pod = api.get(f"{CORE}/pods", labelSelector="app=mlflow")["items"][0]
        name = pod["metadata"]["name"]
        (container,) = pod["status"]["containerStatuses"]
        ended = {"terminated": {"exitCode": 137, "reason": reason}}
        state = ended if reason == "OOMKilled" else {"waiting": {"reason": reason}}
        status = {**container, "state": state, "ready": False}
        conditions = [
            {**item, "status": "False"} if item["type"] in ("Ready", "ContainersReady") else item
            for item in pod["status"]["conditions"]
        ]
        change = {"status": {"containerStatuses": [status], "conditions": conditions}}
        api.patch(f"{CORE}/pods/{name}/status", change)
        try:
            found = look()
        finally:
            api.delete(f"{CORE}/pods/{name}")
            until(lambda: available(api) == 2)
        assert found.evidence("kubernetes.pods") == f"pod {name}: {reason}"

    def test_no_node_has_room(self, look: Look, api: ApiClient) -> None:
        nodes = [node["metadata"]["name"] for node in api.get("/api/v1/nodes")["items"]]
        pod = api.get(f"{CORE}/pods", labelSelector="app=mlflow")["items"][0]["metadata"]["name"]
        for node in nodes:
            api.patch(f"/api/v1/nodes/{node}", {"spec": {"unschedulable": True}})
        try:
            api.delete(f"{CORE}/pods/{pod}")
            until(
                lambda: any(
                    condition.get("reason") == "Unschedulable"
                    for item in api.get(f"{CORE}/pods", labelSelector="app=mlflow")["items"]
                    for condition in item["status"].get("conditions", [])
                )
            )
            found = look()
        finally:
            for node in nodes:
                api.patch(f"/api/v1/nodes/{node}", {"spec": {"unschedulable": None}})
            until(lambda: available(api) == 2)
        assert ": Unschedulable (0/3 nodes are available" in found.evidence("kubernetes.pods")

    def test_the_rollout_is_paused(self, look: Look, api: ApiClient) -> None:
        with patched(api, DEPLOYMENT, {"spec": {"paused": True}}, {"spec": {"paused": None}}):
            found = look()
        assert failures(found) == ["kubernetes.rollout"]
        assert found.evidence("kubernetes.rollout").endswith("the rollout is paused")

    def test_a_node_under_pressure(self, look: Look, api: ApiClient) -> None:
        node = api.get("/api/v1/nodes")["items"][0]
        name = node["metadata"]["name"]
        pressure = {"type": "DiskPressure", "status": "True", "reason": "KubeletHasDiskPressure"}
        others = [item for item in node["status"]["conditions"] if item["type"] != "DiskPressure"]
        api.patch(f"/api/v1/nodes/{name}/status", {"status": {"conditions": [*others, pressure]}})
        try:
            found = look()
        finally:
            conditions = {"status": {"conditions": node["status"]["conditions"]}}
            api.patch(f"/api/v1/nodes/{name}/status", conditions)
        assert "kubernetes.nodes" in found.roots
        assert found.evidence("kubernetes.nodes") == (
            f"{name}: DiskPressure is True (KubeletHasDiskPressure)"
        )

    def test_the_migration_failed(self, look: Look, api: ApiClient) -> None:
        jobs = "/apis/batch/v1/namespaces/mlflow/jobs"
        (done,) = api.get(jobs)["items"]
        template = done["spec"]["template"]
        labels = {"app": "mlflow-migration"}
        fate = {"simulated-cloud/fate": "fails"}
        template["metadata"] = {"labels": labels, "annotations": fate}
        job = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": "mlflow-migration-next", "namespace": "mlflow", "labels": labels},
            "spec": {"backoffLimit": 0, "template": template},
        }
        until(lambda: int(time.time()) > _epoch(done))  # the newest one counts
        api.create(jobs, job)
        try:
            until(lambda: bool(api.get(f"{jobs}/mlflow-migration-next")["status"].get("failed")))
            found = look()
        finally:
            api.delete(f"{jobs}/mlflow-migration-next")
            until(lambda: api.find(f"{jobs}/mlflow-migration-next") is None)
        assert failures(found) == ["kubernetes.migration"]
        assert found.evidence("kubernetes.migration").startswith("Job mlflow-migration-next: ")


def _epoch(item: Any) -> int:
    import calendar

    moment = time.strptime(item["metadata"]["creationTimestamp"], "%Y-%m-%dT%H:%M:%SZ")
    return calendar.timegm(moment)


class TestNetwork:
    """Service and policies that were changed or deleted are named."""

    def test_the_service_is_gone(self, look: Look, api: ApiClient) -> None:
        with without(api, f"{CORE}/services/mlflow"):
            found = look()
        assert failures(found) == ["kubernetes.service"]
        assert found.evidence("kubernetes.service") == "there is no Service mlflow"

    def test_the_service_leads_elsewhere(self, look: Look, api: ApiClient) -> None:
        change, back = ({"spec": {"selector": {"app": app}}} for app in ("other", "mlflow"))
        with patched(api, f"{CORE}/services/mlflow", change, back):
            found = look()
        assert failures(found) == ["kubernetes.service"]
        assert found.evidence("kubernetes.service") == "Service mlflow selects {'app': 'other'}"

    def test_clients_are_not_let_in(self, look: Look, api: ApiClient) -> None:
        with without(api, f"{POLICIES}/mlflow-ingress"):
            found = look()
        assert failures(found) == ["kubernetes.network_policy"]
        assert found.evidence("kubernetes.network_policy").startswith(
            "nobody in namespace mlflow is let in"
        )

    def test_nothing_is_let_out(self, look: Look, api: ApiClient) -> None:
        with without(api, f"{POLICIES}/mlflow-egress"):
            found = look()
        assert failures(found) == ["kubernetes.network_policy"]
        assert found.evidence("kubernetes.network_policy") == (
            "nothing is let out to DNS (port 53); nothing is let out to the object store "
            "(port 443); nothing is let out to the database (port 5432)"
        )

    def test_the_policy_forgets_the_database(self, look: Look, api: ApiClient) -> None:
        kept = api.get(f"{POLICIES}/mlflow-egress")["spec"]["egress"]
        rest = [
            rule for rule in kept if {"protocol": "TCP", "port": 5432} not in rule.get("ports", [])
        ]
        assert len(rest) == len(kept) - 1
        change, back = ({"spec": {"egress": rules}} for rules in (rest, kept))
        with patched(api, f"{POLICIES}/mlflow-egress", change, back):
            found = look()
        assert failures(found) == ["kubernetes.network_policy"]
        assert found.evidence("kubernetes.network_policy") == (
            "nothing is let out to the database (port 5432)"
        )

    def test_the_clusters_dns(self, look: Look, api: ApiClient) -> None:
        assert look().status("kubernetes.dns") == "not_run"
        pods = "/api/v1/namespaces/kube-system/pods"
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": "coredns",
                "labels": {"k8s-app": "kube-dns"},
                "annotations": {"simulated-cloud/fate": "never-ready"},
            },
            "spec": {"containers": [{"name": "coredns", "image": "coredns"}]},
        }
        api.create(pods, pod)
        try:
            until(lambda: api.get(f"{pods}/coredns")["status"]["phase"] == "Running")
            found = look()
        finally:
            api.delete(f"{pods}/coredns")
        assert failures(found) == ["kubernetes.dns"]
        assert found.evidence("kubernetes.dns") == "1 pod of the cluster's DNS, none ready"


class TestIdentity:
    """A role or a password that is not the stack's is named, and shown nowhere."""

    def test_the_role_is_gone(self, look: Look, api: ApiClient) -> None:
        key = "eks.amazonaws.com/role-arn"
        change, back = ({"metadata": {"annotations": {key: role}}} for role in (None, ROLE))
        with patched(api, f"{CORE}/serviceaccounts/mlflow", change, back):
            found = look()
        assert failures(found) == ["kubernetes.identity"]
        assert found.evidence("kubernetes.identity") == (
            f"ServiceAccount mlflow names the role (none), the stack's is {ROLE}"
        )

    def test_another_password(self, look: Look, api: ApiClient) -> None:
        other, own = (
            {"data": {"password": base64.b64encode(text.encode()).decode()}}
            for text in ("rotated-without-the-cluster", PASSWORD)
        )
        with patched(api, SECRET, other, own):
            found = look()
        assert failures(found) == ["kubernetes.secret"]
        assert found.evidence("kubernetes.secret") == (
            "Secret mlflow-db-credentials holds another password than the stack's"
        )
        assert "rotated-without-the-cluster" not in found.ran.out

    def test_no_secret(self, look: Look, api: ApiClient) -> None:
        with without(api, SECRET):
            found = look()
        assert failures(found) == ["kubernetes.secret"]
        assert found.evidence("kubernetes.secret") == "there is no Secret mlflow-db-credentials"
