"""Production's objects on a real control plane: taken, rolled out, updated, guarded, removed."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from infra.settings import PlatformSettings
from simulated_cloud.kubernetes.api_client import ApiClient, ApiError
from simulated_cloud.kubernetes.object_comparison import sent
from simulated_cloud.kubernetes.object_kinds import kind_of
from tests.infra.kubernetes.manifests import deploy, stack_file
from tests.infra.stacks import stack
from tests.kubernetes.conftest import needs_control_plane
from tests.simulated_cloud.desk import Desk, Refused, Resource

pytestmark = [pytest.mark.slow, needs_control_plane]

DEPLOYMENTS = "/apis/apps/v1/namespaces/mlflow/deployments"
PODS = "/api/v1/namespaces/mlflow/pods"
EVERYTHING = {
    "target": "aws",
    "authentication": "basic",
    "databaseInstanceClass": "db.m7g.xlarge",
    "ingressClassName": "nginx",
    "ingressHosts": '["mlflow.example.com"]',
    "ingressTlsSecret": "mlflow-tls",
    "prometheusOperator": "true",
    "retentionSchedule": "0 3 * * 0",
}
TARGET_GROUP = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/mlflow/0123456789ab"


def until(done: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


def settings_with_everything() -> PlatformSettings:
    return stack(EVERYTHING)


@pytest.fixture(scope="module")
def production(desk: Desk, api: ApiClient) -> Iterator[dict[str, Resource]]:
    """Production's objects, as the provider made them; afterwards nothing is left of them."""
    made = {
        f"{item.inputs['kind']}/{item.name}": desk.create(item.type, item.name, **item.inputs)
        for item in deploy(stack_file("prod")).declared
    }
    until(lambda: api.get(f"{DEPLOYMENTS}/mlflow")["status"].get("availableReplicas") == 2)
    yield made
    for resource in reversed(made.values()):
        resource.delete()
    assert api.find("/api/v1/namespaces/mlflow") is None


class TestProduction:
    """Every object is applied on the server's side, and the rollout is done."""

    def test_the_autoscaler_brings_the_fewest_servers(
        self, production: dict[str, Resource], api: ApiClient
    ) -> None:
        deployment = api.get(f"{DEPLOYMENTS}/mlflow")
        assert deployment["spec"]["replicas"] == 2
        assert deployment["status"]["readyReplicas"] == 2

    def test_the_schema_was_migrated_first(
        self, production: dict[str, Resource], api: ApiClient
    ) -> None:
        (job,) = api.get("/apis/batch/v1/namespaces/mlflow/jobs")["items"]
        assert job["status"]["succeeded"] == 1
        servers = api.get(PODS, labelSelector="app=mlflow")["items"]
        done = job["status"]["completionTime"]
        assert len(servers) == 2
        assert all(done <= server["metadata"]["creationTimestamp"] for server in servers)

    def test_servers_stand_on_nodes_of_their_own(
        self, production: dict[str, Resource], api: ApiClient
    ) -> None:
        pods = api.get(PODS, labelSelector="app=mlflow")["items"]
        nodes = [pod["spec"]["nodeName"] for pod in pods]
        assert len(nodes) == len(set(nodes)) == 2

    def test_the_service_reaches_them_and_no_job(
        self, production: dict[str, Resource], api: ApiClient
    ) -> None:
        path = "/apis/discovery.k8s.io/v1/namespaces/mlflow/endpointslices"
        (found,) = api.get(path)["items"]
        ready = [item for item in found["endpoints"] if item["conditions"]["ready"]]
        assert len(ready) == 2
        assert found["ports"] == [{"name": "http", "port": 5000, "protocol": "TCP"}]

    def test_a_rolling_update_never_falls_below_the_fewest(
        self, production: dict[str, Resource], api: ApiClient
    ) -> None:
        since = api.get(DEPLOYMENTS)["metadata"]["resourceVersion"]
        deployment = next(r for key, r in production.items() if key.startswith("Deployment/"))
        changed = deploy(stack_file("prod"), image="registry.example/mlflow:next")
        deployment.update(**changed.one("Deployment"))
        states = list(api.changes(DEPLOYMENTS, since))
        available = [state["status"].get("availableReplicas", 0) for state in states]
        running = [state["status"].get("replicas", 0) for state in states]
        assert min(available) >= 2, available
        assert max(running) == 3, running  # one more while one goes, which the budget counts
        images = {
            pod["spec"]["containers"][0]["image"]
            for pod in api.get(PODS, labelSelector="app=mlflow")["items"]
            if "deletionTimestamp" not in pod["metadata"]
        }
        assert images == {"registry.example/mlflow:next"}

    def test_drift_is_found_and_repaired_and_scaling_is_none(
        self, production: dict[str, Resource], api: ApiClient
    ) -> None:
        deployment = next(r for key, r in production.items() if key.startswith("Deployment/"))
        wanted = deployment.state.inputs
        api.patch(f"{DEPLOYMENTS}/mlflow", {"spec": {"replicas": 3}})
        assert deployment.drift() == {}
        api.patch(f"{DEPLOYMENTS}/mlflow", {"spec": {"revisionHistoryLimit": 1}})
        assert deployment.drift()["spec"]["revisionHistoryLimit"] == 1
        deployment.repair(**wanted)

    def test_an_eviction_beyond_the_budget_is_refused(
        self, production: dict[str, Resource], api: ApiClient
    ) -> None:
        budget = "/apis/policy/v1/namespaces/mlflow/poddisruptionbudgets/mlflow"
        until(lambda: api.get(budget)["status"]["disruptionsAllowed"] == 1)
        nodes = [node["metadata"]["name"] for node in api.get("/api/v1/nodes")["items"]]
        for node in nodes:  # nobody can take the place of an evicted pod
            api.patch(f"/api/v1/nodes/{node}", {"spec": {"unschedulable": True}})
        try:
            pods = api.get(PODS, labelSelector="app=mlflow")["items"]
            names = [
                pod["metadata"]["name"]
                for pod in pods
                if "deletionTimestamp" not in pod["metadata"] and pod["spec"].get("nodeName")
            ]
            self.evict(api, names[0])
            with pytest.raises(ApiError) as caught:
                self.evict(api, names[1])
        finally:
            for node in nodes:
                api.patch(f"/api/v1/nodes/{node}", {"spec": {"unschedulable": None}})
        assert caught.value.code == 429
        assert "would violate the pod's disruption budget" in str(caught.value)

    @staticmethod
    def evict(api: ApiClient, name: str) -> None:
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
        api.create(f"{PODS}/{name}/eviction", eviction)

    def test_a_pod_that_asks_for_rights_is_refused(
        self, production: dict[str, Resource], api: ApiClient
    ) -> None:
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "intruder"},
            "spec": {
                "containers": [{"name": "a", "image": "a", "securityContext": {"privileged": True}}]
            },
        }
        with pytest.raises(ApiError, match=r'violates PodSecurity "restricted:latest"') as caught:
            api.create(PODS, pod)
        assert caught.value.code == 403

    def test_every_object_there_can_be_is_taken_strictly_and_without_a_warning(
        self, production: dict[str, Resource], api: ApiClient
    ) -> None:
        """Server-side dry-run; warnings are those of PodSecurity and of deprecated versions."""
        # An image of its own: the Job of the one that runs is there already.
        image = "registry.example/mlflow:strict"
        settings = settings_with_everything()
        deployed = deploy(settings, target_group_arn=TARGET_GROUP, image=image)
        external = deploy(
            stack({**EVERYTHING, "secretSource": "external-secrets"}),
            database_secret_arn="arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds",
            image=image,
        )
        everything = [*deployed.declared, *external.declared]
        kinds = {item.inputs["kind"] for item in everything}
        assert len(kinds) == 16, sorted(kinds)
        for item in everything:
            kind = kind_of(item.inputs["apiVersion"], item.inputs["kind"])
            path = kind.path("mlflow", item.inputs["metadata"]["name"])
            answer = api.apply(path, sent(item.inputs), manager="pulumi-kubernetes", dry_run=True)
            assert answer.warnings == (), item.name


class TestWhatCannotBecomeReady:
    """A rollout or a Job that fails ends the deployment with its reason, not with a timeout."""

    @pytest.fixture
    def space(self, desk: Desk) -> Iterator[str]:
        made = desk.create("kubernetes:core/v1:Namespace", metadata={"name": "trouble"})
        yield "trouble"
        made.delete()

    @staticmethod
    def pod(fate: str, **more: Any) -> dict[str, Any]:
        return {
            "metadata": {"labels": {"app": "a"}, "annotations": {"simulated-cloud/fate": fate}},
            "spec": {"containers": [{"name": "a", "image": "a:1"}], **more},
        }

    def test_a_rollout(self, desk: Desk, space: str) -> None:
        made = desk.create(
            "kubernetes:apps/v1:Deployment",
            metadata={"name": "a", "namespace": space},
            spec={
                "selector": {"matchLabels": {"app": "a"}},
                "progressDeadlineSeconds": 1,
                "template": self.pod("never-ready"),
            },
        )
        (reason,) = made.state.init_errors
        assert re.fullmatch(r'Deployment a: ReplicaSet "a-\w+" has timed out progressing.', reason)

    def test_a_job(self, desk: Desk, space: str) -> None:
        made = desk.create(
            "kubernetes:batch/v1:Job",
            metadata={"name": "a", "namespace": space},
            spec={"backoffLimit": 0, "template": self.pod("fails", restartPolicy="Never")},
        )
        assert made.state.init_errors == [
            "Job a failed: BackoffLimitExceeded: Job has reached the specified backoff limit"
        ]

    def test_what_the_api_server_refuses_fails_in_the_preview(self, desk: Desk, space: str) -> None:
        """A rule that no schema knows, in the API server's own words."""
        with pytest.raises(Refused, match=r"^Service \"a\" is invalid: spec.ports\[1\].name: Dup"):
            desk.create(
                "kubernetes:core/v1:Service",
                metadata={"name": "a", "namespace": space},
                spec={"ports": [{"name": "x", "port": 1}, {"name": "x", "port": 2}]},
            )
