"""Runs the platform of a stack on Google Cloud under Pulumi's mocks and hands back its parts.

Mocks know no provider: outputs are the inputs and what `ANSWERS` adds. They prove exact inputs and
absences; parentage, unknowns and order are proven on an engine (tests/end_to_end).
"""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi.runtime import mocks
from pulumi.runtime import test as run_test

from infra.gcp.gcp_platform import GcpPlatform
from infra.settings import PlatformSettings
from tests.infra.aws.declared import Declared, Deployment, Outcome
from tests.infra.stacks import stack

PROJECT = "mlops-platform-test"
NUMBER = "210987654321"
REGION = "europe-west3"
HOST = f"mlops-platform-test-mlflow-{NUMBER}.{REGION}.run.app"

ANSWERS: dict[str, dict[str, Any]] = {
    "gcp:sql/databaseInstance:DatabaseInstance": {"privateIpAddress": "10.64.0.3"},
    "gcp:cloudrunv2/service:Service": {"uri": "https://old-style.a.run.app"},
    "gcp:secretmanager/secretVersion:SecretVersion": {"version": "1"},
    "gcp:monitoring/uptimeCheckConfig:UptimeCheckConfig": {"uptimeCheckId": "mlflow-up"},
    "random:index/randomPassword:RandomPassword": {"result": "correct-horse-battery-staple"},
}
"""What the provider would add to a resource's inputs."""

PUBLIC = {
    "ingress": "public",
    "iapDomain": "mlflow.example.com",
    "iapMembers": '["group:ml-team@example.com"]',
}
PRODUCTION = {
    "protection": "production",
    "serverReplicas": "2",
    "serverWorkers": "1",
    "alarmEmails": '["oncall@example.com"]',
}


class GcpDeployment(Deployment):
    """What a program declared on Google Cloud."""

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        _, outputs = super().new_resource(args)
        outputs |= ANSWERS.get(args.typ, {})
        if args.typ == "gcp:serviceaccount/account:Account":
            email = f"{args.inputs['accountId']}@{PROJECT}.iam.gserviceaccount.com"
            outputs |= {"email": email, "member": f"serviceAccount:{email}"}
        return f"{args.name}-id", outputs

    def call(self, args: mocks.MockCallArgs) -> dict[str, Any]:
        self.calls.append((args.token, dict(args.args)))
        if args.token == "gcp:organizations/getProject:getProject":
            return {"number": NUMBER, "projectId": PROJECT}
        return {"id": f"adopted/{args.args['name']}"}

    def of(self, kind: str) -> list[Declared]:
        """The resources of a type, such as `storage/bucket:Bucket`."""
        return [item for item in self.resources if item.kind == f"gcp:{kind}"]


def gcp_stack(values: dict[str, str] | None = None, /, **more: str) -> PlatformSettings:
    """A stack on Google Cloud that sets these keys."""
    return stack({"target": "gcp", "serverHost": "0.0.0.0", **(values or {}), **more})


def deployed(settings: PlatformSettings) -> Outcome:
    """The whole platform of these settings."""
    deployment = GcpDeployment()
    mocks.set_mocks(deployment, project="mlflow-platform", stack="test")
    pulumi.runtime.set_all_config({"gcp:project": PROJECT, "gcp:region": REGION})
    outputs: dict[str, Any] = {}

    @run_test
    def run() -> pulumi.Output[Any]:
        platform = GcpPlatform("mlops-platform-test-mlflow", settings)
        asked = {
            "tracking_uri": platform.tracking_uri,
            "artifact_root": platform.artifact_root,
            "backend_store": platform.backend_store,
            **platform.more_outputs,
        }
        return pulumi.Output.all(**asked).apply(outputs.update)

    run()
    return Outcome(deployment, outputs)
