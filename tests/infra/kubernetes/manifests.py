"""The objects a stack asks Kubernetes for, as plain manifests, on Pulumi's mocks.

Owns the way from settings and wiring to what the API server would be sent: secrets unwrapped, whole
numbers whole. `python -m tests.infra.kubernetes.manifests prod` prints the production stack's
objects as YAML, for checkers that read files.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import yaml
from pulumi.runtime import mocks

from infra.kubernetes.mlflow_on_kubernetes import KubernetesMlflow
from infra.kubernetes.wiring import KubernetesWiring
from infra.settings import PlatformSettings, load_settings

ROOT = Path(__file__).resolve().parents[3]
SIGNATURE = "4dabf18193072939515e22adb298388d"

WIRING: dict[str, Any] = {
    "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/mlflow@sha256:" + "ab" * 32,
    "artifact_root": "s3://mlops-platform-prod-mlflow-artifacts-123456789012",
    "database_host": "mlflow.db.internal",
    "database_password": "a-database-password",
    "service_account_annotations": {
        "eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/mlops-platform-prod-mlflow"
    },
    "environment": {"AWS_REGION": "eu-west-1"},
}
"""What a cloud typically hands over."""

ATTRIBUTES = ("tracking_uri", "namespace", "auth_admin_password")


@dataclass(frozen=True)
class Declared:
    """One resource as the program declared it."""

    type: str
    name: str  # in Pulumi
    inputs: dict[str, Any]


@dataclass
class Deployed:
    """What a component declared, and its attributes once everything resolved."""

    resources: list[Declared] = field(default_factory=list[Declared])
    attributes: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def declared(self) -> list[Declared]:
        """Kubernetes objects as Pulumi's resources, in the order of declaration."""
        return [item for item in self.resources if "kind" in item.inputs]

    @property
    def objects(self) -> list[dict[str, Any]]:
        """Kubernetes objects, in the order of declaration."""
        return [item.inputs for item in self.declared]

    def one(self, kind: str, name: str | None = None) -> dict[str, Any]:
        """The only object of a kind (and a name)."""
        found = [
            item
            for item in self.objects
            if item["kind"] == kind and name in (None, item["metadata"]["name"])
        ]
        assert len(found) == 1, (kind, name, [item["metadata"]["name"] for item in found])
        return found[0]

    @property
    def kinds(self) -> list[str]:
        """Kind and name of every object, sorted."""
        return sorted(f"{item['kind']}/{item['metadata']['name']}" for item in self.objects)

    @property
    def pod(self) -> dict[str, Any]:
        """The server's pod."""
        return self.one("Deployment")["spec"]["template"]["spec"]

    @property
    def container(self) -> dict[str, Any]:
        """The server's container."""
        (container,) = self.pod["containers"]
        return container

    def pods(self) -> list[dict[str, Any]]:
        """The pod of every workload."""
        return [
            _template(item)["spec"]
            for item in self.objects
            if item["kind"] in ("Deployment", "Job", "CronJob")
        ]


class _Recorder(pulumi.runtime.Mocks):
    def __init__(self) -> None:
        self.resources: list[Declared] = []

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        inputs = plain(args.inputs)
        self.resources.append(Declared(args.typ, args.name, inputs))
        state = {**args.inputs}
        if args.typ == "random:index/randomPassword:RandomPassword":
            state["result"] = f"made-for-{args.name}".ljust(32, "x")
        return f"{args.name}-id", state

    def call(self, args: mocks.MockCallArgs) -> dict[str, Any]:
        raise AssertionError(f"nothing is asked of a cloud here: {args.token}")


def deploy(settings: PlatformSettings, **wiring: Any) -> Deployed:
    """Declare MLflow on Kubernetes and return what was asked for."""
    recorder = _Recorder()
    mocks.set_mocks(recorder, project="mlflow-platform", stack="test")
    deployed = Deployed(resources=recorder.resources)

    @pulumi.runtime.test
    def program() -> pulumi.Output[Any]:
        component = KubernetesMlflow("mlflow", settings, KubernetesWiring(**{**WIRING, **wiring}))
        found = {name: getattr(component, name) for name in ATTRIBUTES}
        return pulumi.Output.all(**found).apply(deployed.attributes.update)

    program()
    return deployed


def stack_file(name: str, environ: Mapping[str, str] | None = None) -> PlatformSettings:
    """The settings of a stack file of this checkout."""
    config = yaml.safe_load((ROOT / f"Pulumi.{name}.yaml").read_text(encoding="utf-8"))["config"]
    values = {
        key.partition(":")[2]: value if isinstance(value, str) else json.dumps(value)
        for key, value in config.items()
        if key.startswith("mlflow-platform:")
    }
    return load_settings(values, stack=name, environ=environ or {}, cores=4)


def plain(value: Any) -> Any:
    """Properties as a manifest has them."""
    if isinstance(value, Mapping):
        if SIGNATURE in value:
            return plain(value["value"])
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _template(item: dict[str, Any]) -> dict[str, Any]:
    spec = item["spec"]
    return spec["jobTemplate"]["spec"]["template"] if "jobTemplate" in spec else spec["template"]


if __name__ == "__main__":
    sys.stdout.write(yaml.safe_dump_all(deploy(stack_file(sys.argv[1])).objects, sort_keys=False))
