"""The kubernetes provider where no control plane runs: what it takes, keeps, finds and refuses."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from simulated_cloud.file_store import FileStore
from simulated_cloud.kubernetes.package import VARIABLE, KubernetesPackage
from simulated_cloud.resource_provider import serve
from tests.infra.kubernetes.manifests import deploy, stack_file
from tests.simulated_cloud.desk import Desk, Refused

NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}}
CONFIG_MAP = "kubernetes:core/v1:ConfigMap"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
RELEASE = "kubernetes:helm.sh/v3:Release"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FileStore:
    monkeypatch.delenv(VARIABLE, raising=False)
    return FileStore(tmp_path / "kubernetes.json")


@pytest.fixture
def desk(store: FileStore) -> Iterator[Desk]:
    with serve(KubernetesPackage(store)) as port:
        made = Desk("kubernetes", port)
        made.create("kubernetes:core/v1:Namespace", "team", metadata={"name": "team"})
        yield made


def in_team(name: str) -> dict[str, Any]:
    return {"name": name, "namespace": "team"}


def a_deployment(**pod: Any) -> dict[str, Any]:
    container = {"name": "web", "image": "web:1"}
    return {
        "metadata": in_team("web"),
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [container], **pod},
            },
        },
    }


class TestEveryObjectOfThePlatform:
    """What a production stack asks for is made, settled and gone again."""

    def test_made_without_a_difference_or_a_drift(self, store: FileStore) -> None:
        with serve(KubernetesPackage(store)) as port:
            desk = Desk("kubernetes", port)
            declared = deploy(stack_file("prod")).declared
            made = [desk.create(item.type, item.name, **item.inputs) for item in declared]
            assert len(made) == 13
            for resource in reversed(made):
                resource.delete()
            assert store.kinds() == {}


class TestNames:
    """A name is made from the resource's where the program gives none."""

    def test_made_and_kept(self, desk: Desk) -> None:
        made = desk.create(CONFIG_MAP, "settings", metadata={"namespace": "team"}, data={"a": "1"})
        name = made["metadata"]["name"]
        assert name.startswith("settings-")
        made.update(metadata={"namespace": "team"}, data={"a": "2"})
        assert made["metadata"]["name"] == name

    def test_the_default_namespace(self, desk: Desk) -> None:
        made = desk.create(CONFIG_MAP, "settings", metadata={"name": "settings"})
        assert made.id == "default/settings"


class TestRefusals:
    """An invalid manifest fails with the field's path, before anything is made."""

    @pytest.mark.parametrize(
        ("pod", "words"),
        [
            (
                {"securityContext": {"runAsNonRoot": "yes"}},
                (
                    "spec.template.spec.securityContext.runAsNonRoot: Invalid value: takes a "
                    "boolean, not a string"
                ),
            ),
            (
                {"securitycontext": {}},
                (
                    "spec.template.spec.securitycontext: field not declared in schema (did you "
                    "mean securityContext?)"
                ),
            ),
            (
                {"containers": [{"image": "web:1"}]},
                "spec.template.spec.containers[0].name: Required value",
            ),
            (
                {"restartPolicy": "Never"},
                (
                    'spec.template.spec.restartPolicy: Unsupported value: "Never": supported '
                    'values: "Always"'
                ),
            ),
            (
                {"containers": [{"name": "web"}, {"name": "web"}]},
                'spec.template.spec.containers[1].name: Duplicate value: "web"',
            ),
            (
                {"containers": [{"name": "w", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}]},
                'spec.template.spec.containers[0].volumeMounts[0].name: Not found: "v"',
            ),
            (
                {"containers": [{"name": "w", "resources": {"limits": {"memory": "lots"}}}]},
                (
                    "spec.template.spec.containers[0].resources.limits"
                    '["memory"]: Invalid value: "lots": quantities must match the regular '
                    "expression"
                ),
            ),
        ],
    )
    def test_in_a_pod(self, desk: Desk, pod: dict[str, Any], words: str) -> None:
        with pytest.raises(Refused) as caught:
            desk.create(DEPLOYMENT, **a_deployment(**pod))
        assert str(caught.value) == words

    def test_more_is_asked_than_allowed(self, desk: Desk) -> None:
        resources = {"requests": {"memory": "2Gi"}, "limits": {"memory": "1Gi"}}
        with pytest.raises(Refused, match=r"must be less than or equal to memory limit of 1Gi"):
            desk.create(
                DEPLOYMENT, **a_deployment(containers=[{"name": "w", "resources": resources}])
            )

    def test_a_selector_that_selects_other_pods(self, desk: Desk) -> None:
        wrong = a_deployment()
        wrong["spec"]["selector"] = {"matchLabels": {"app": "other"}}
        with pytest.raises(Refused, match=r"`selector` does not match template `labels`$"):
            desk.create(DEPLOYMENT, **wrong)

    def test_a_namespace_that_is_not_there(self, desk: Desk) -> None:
        with pytest.raises(Refused, match=r'^namespaces "nowhere" not found$'):
            desk.create(CONFIG_MAP, metadata={"name": "a", "namespace": "nowhere"})

    def test_a_name_with_capitals(self, desk: Desk) -> None:
        with pytest.raises(Refused, match=r"^metadata.name: Invalid value: \"Team\": a lowercase"):
            desk.create("kubernetes:core/v1:Namespace", metadata={"name": "Team"})

    def test_a_custom_resource_too(self, desk: Desk) -> None:
        with pytest.raises(Refused, match=r"^spec.data\[0\].remoteRef.key: Required value$"):
            desk.create(
                "kubernetes:external-secrets.io/v1:ExternalSecret",
                metadata=in_team("a"),
                spec={"data": [{"secretKey": "a", "remoteRef": {"property": "a"}}]},
            )

    def test_a_kind_that_is_not_there(self, desk: Desk) -> None:
        with pytest.raises(
            Refused, match=r"^the simulated Kubernetes has no kind Deploymnt of apps"
        ):
            desk.create("kubernetes:apps/v1:Deploymnt", metadata=in_team("a"))

    def test_a_kubeconfig_without_a_cluster(self, store: FileStore) -> None:
        with (
            serve(KubernetesPackage(store)) as port,
            pytest.raises(Refused, match=r"^kubeconfig is no kubeconfig with a cluster's server$"),
        ):
            Desk("kubernetes", port, kubeconfig="{}")


class TestChanges:
    """What can change in place does, what cannot is replaced, and order counts."""

    def test_a_command_in_another_order_is_another_command(self, desk: Desk) -> None:
        def with_command(*words: str) -> dict[str, Any]:
            return a_deployment(containers=[{"name": "web", "command": list(words)}])

        made = desk.create(DEPLOYMENT, **with_command("run", "--fast", "--far"))
        plan = made.plan(**with_command("run", "--far", "--fast"))
        assert sorted(plan.detailed) == [
            "spec.template.spec.containers[0].command[1]",
            "spec.template.spec.containers[0].command[2]",
        ]
        assert made.replaced_by(**with_command("run", "--far", "--fast")) == set()

    def test_a_selector_needs_a_new_deployment(self, desk: Desk) -> None:
        made = desk.create(DEPLOYMENT, **a_deployment())
        other = a_deployment()
        other["spec"]["selector"]["matchLabels"]["app"] = "new"
        other["spec"]["template"]["metadata"]["labels"]["app"] = "new"
        assert made.replaced_by(**other) == {"spec"}

    def test_a_job_is_never_changed(self, desk: Desk) -> None:
        def job(image: str) -> dict[str, Any]:
            pod = {"restartPolicy": "Never", "containers": [{"name": "a", "image": image}]}
            return {"metadata": in_team("job"), "spec": {"template": {"spec": pod}}}

        made = desk.create("kubernetes:batch/v1:Job", **job("a:1"))
        assert made.replaced_by(**job("a:2")) == {"spec"}

    def test_a_quantity_in_other_words_is_the_same(self, desk: Desk) -> None:
        def memory(text: str) -> dict[str, Any]:
            container = {"name": "web", "resources": {"limits": {"memory": text}}}
            return a_deployment(containers=[container])

        made = desk.create(DEPLOYMENT, **memory("1024Mi"))
        assert made.plan(**memory("1Gi")).changes == "none"
        assert made.plan(**memory("2Gi")).changes == "some"


class TestDrift:
    """A refresh finds what was changed of the program's own, and nothing that others added."""

    @staticmethod
    def change(store: FileStore, section: str, identity: str, change: Any) -> None:
        key = next(kind for kind in store.kinds() if kind.endswith(section))
        live = store.get(key, identity)
        assert live is not None
        change(live)
        store.put(key, identity, live)

    def test_a_changed_field(self, desk: Desk, store: FileStore) -> None:
        made = desk.create(CONFIG_MAP, metadata=in_team("a"), data={"a": "1", "b": "2"})
        self.change(store, "ConfigMap", "team/a", lambda live: live["data"].update(a="9"))
        assert made.drift() == {"data": {"a": "9", "b": "2"}}
        made.repair(metadata=in_team("a"), data={"a": "1", "b": "2"})

    def test_what_others_add_is_theirs(self, desk: Desk, store: FileStore) -> None:
        made = desk.create(DEPLOYMENT, **a_deployment())

        def others(live: dict[str, Any]) -> None:
            live["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": "7"}
            live["spec"]["replicas"] = 3

        self.change(store, "Deployment", "team/web", others)
        assert made.drift() == {}

    def test_a_container_more_is_drift(self, desk: Desk, store: FileStore) -> None:
        made = desk.create(DEPLOYMENT, **a_deployment())

        def intrude(live: dict[str, Any]) -> None:
            live["spec"]["template"]["spec"]["containers"].append({"name": "miner"})

        self.change(store, "Deployment", "team/web", intrude)
        assert list(made.drift()) == ["spec"]

    def test_a_secret_is_compared_and_never_shown(self, desk: Desk, store: FileStore) -> None:
        made = desk.create(
            "kubernetes:core/v1:Secret", metadata=in_team("a"), stringData={"password": "hush"}
        )
        kept = json.loads(store.path.read_text(encoding="utf-8"))
        assert "stringData" not in json.dumps(kept)
        changed = base64.b64encode(b"other").decode()
        self.change(store, "Secret", "team/a", lambda live: live["data"].update(password=changed))
        assert made.drift()["stringData"] == {"password": "other"}

    def test_a_namespace_takes_its_objects_with_it(self, desk: Desk, store: FileStore) -> None:
        made = desk.create(CONFIG_MAP, metadata=in_team("a"))
        desk.adopt("kubernetes:core/v1:Namespace", "team").delete()
        assert made.drift() == {"": "gone"}
        assert store.kinds() == {}


class TestClustersAreApart:
    """Two providers with two kubeconfigs see two clusters."""

    @staticmethod
    def kubeconfig(server: str) -> str:
        return json.dumps({"clusters": [{"name": "a", "cluster": {"server": server}}]})

    def test_the_same_name_twice(self, store: FileStore) -> None:
        with serve(KubernetesPackage(store)) as port:
            one, other = (
                Desk("kubernetes", port, kubeconfig=self.kubeconfig(f"https://{name}.example"))
                for name in ("one", "other")
            )
            made = [
                desk.create(CONFIG_MAP, metadata={"name": "a"}, data={"who": who})
                for desk, who in ((one, "one"), (other, "other"))
            ]
            assert [item["data"]["who"] for item in made] == ["one", "other"]
            made[0].delete()
            assert made[1].drift() == {}


class TestHelmRelease:
    """A release is noted in its namespace; no chart is fetched."""

    INPUTS: ClassVar[dict[str, Any]] = {
        "chart": "aws-load-balancer-controller",
        "version": "1.17.1",
        "namespace": "team",
        "repositoryOpts": {"repo": "https://aws.github.io/eks-charts"},
        "values": {"clusterName": "mlops", "enableWaf": False, "serviceAccount": {"name": "x"}},
        "atomic": True,
        "timeout": 300,
    }

    def test_life(self, desk: Desk, store: FileStore) -> None:
        inputs = {**self.INPUTS, "name": "controller"}
        release = desk.make(RELEASE, "it", inputs)
        assert release.id == "team/controller"
        assert release["status"]["status"] == "deployed"
        assert release["status"]["revision"] == 1
        values = {**self.INPUTS["values"], "enableWaf": True}
        checked = {**inputs, "values": values}
        assert release.plan(**checked).changes == "some"
        assert release.replaced_by(**{**inputs, "name": "other"}) == {"name"}
        with pytest.raises(Refused, match="cannot re-use a name that is still in use"):
            desk.make(RELEASE, "again", inputs)
        (section,) = [name for name in store.kinds() if name.endswith("/Secret")]
        store.remove(section, "team/sh.helm.release.v1.controller.v1")
        assert release.drift() == {"": "gone"}

    def test_uninstalled(self, desk: Desk, store: FileStore) -> None:
        before = store.kinds()
        desk.make(RELEASE, "it", {**self.INPUTS, "name": "controller"}).delete()
        assert store.kinds() == before

    def test_a_namespace_of_its_own(self, desk: Desk, store: FileStore) -> None:
        inputs = {**self.INPUTS, "name": "operator", "namespace": "external-secrets"}
        with pytest.raises(Refused, match='namespaces "external-secrets" not found'):
            desk.make(RELEASE, "it", inputs)
        desk.make(RELEASE, "it", {**inputs, "createNamespace": True})
        (section,) = [name for name in store.kinds() if name.endswith("/Namespace")]
        assert "external-secrets" in store.list(section)

    @pytest.mark.parametrize(
        ("inputs", "words"),
        [
            ({"name": "Upper"}, "invalid release name"),
            ({"name": "n" * 54}, "must not be longer than 53"),
            ({"version": "latest"}, "improper constraint: latest"),
            ({"repositoryOpts": {"repo": "eks"}}, "could not find protocol handler for: eks"),
            ({"chrt": "x"}, "chrt"),
        ],
    )
    def test_refusals(self, desk: Desk, inputs: dict[str, Any], words: str) -> None:
        with pytest.raises(Refused, match=words):
            desk.make(RELEASE, "it", {**self.INPUTS, **inputs})
