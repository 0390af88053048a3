"""Runs a component under Pulumi's mocks and hands back what it declared.

Mocks know no provider: outputs are the inputs and what `ANSWERS` adds. They prove exact inputs
and absences; parentage and unknowns are proven on an engine (tests/end_to_end).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi
from pulumi.runtime import mocks
from pulumi.runtime import test as run_test
from pulumi.runtime.rpc import _special_sig_key

ACCOUNT = "123456789012"
REGION = "eu-central-1"
KEY_ARN = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555"

ISSUER = f"https://oidc.eks.{REGION}.amazonaws.com/id/EXAMPLE"

ANSWERS: dict[str, dict[str, Any]] = {
    "aws:eks/cluster:Cluster": {
        "endpoint": "https://EXAMPLE.eks.amazonaws.com",
        "certificateAuthority": {"data": "Y2VydGlmaWNhdGU="},
        "identities": [{"oidcs": [{"issuer": ISSUER}]}],
    },
    "aws:lb/loadBalancer:LoadBalancer": {
        "arnSuffix": "app/mlflow-test/50dc6c495c0c9188",
        "dnsName": "internal-mlflow-test.elb.amazonaws.com",
        "zoneId": "Z215JYRZR1TBD5",
    },
    "aws:lb/targetGroup:TargetGroup": {"arnSuffix": "targetgroup/mlflow-test/73e2d6bc24d8a067"},
    "aws:ec2/launchTemplate:LaunchTemplate": {"latestVersion": 1},
    "aws:rds/instance:Instance": {
        "address": "db.example.rds.amazonaws.com",
        "resourceId": "db-ABC",
        "masterUserSecrets": [{"secretArn": "arn:aws:secretsmanager:::rds!db-ABC"}],
    },
    "random:index/randomPassword:RandomPassword": {"result": "correct-horse-battery"},
    "random:index/randomId:RandomId": {"hex": "0a1b2c3d"},
}
"""What the provider would add to a resource's inputs."""

FUNCTIONS: dict[str, dict[str, Any]] = {
    "aws:index/getCallerIdentity:getCallerIdentity": {"accountId": ACCOUNT},
    "aws:index/getAvailabilityZones:getAvailabilityZones": {
        "names": [f"{REGION}{letter}" for letter in "abc"]
    },
    "aws:ec2/getVpc:getVpc": {"id": "vpc-theirs", "cidrBlock": "10.99.0.0/16"},
    "aws:eks/getAddonVersion:getAddonVersion": {"version": "v1.2.3-eksbuild.1"},
    "aws:eks/getCluster:getCluster": {
        "name": "theirs",
        "endpoint": "https://THEIRS.eks.amazonaws.com",
        "certificateAuthorities": [{"data": "dGhlaXJz"}],
        "identities": [{"oidcs": [{"issuer": ISSUER}]}],
        "vpcConfig": {"clusterSecurityGroupId": "sg-theirs", "vpcId": "vpc-theirs"},
    },
    "aws:iam/getOpenIdConnectProvider:getOpenIdConnectProvider": {
        "arn": f"arn:aws:iam::{ACCOUNT}:oidc-provider/theirs"
    },
}


@dataclass(frozen=True)
class Declared:
    """One resource as it was declared."""

    kind: str  # aws:iam/role:Role
    name: str
    inputs: Mapping[str, Any]
    secrets: frozenset[str] = frozenset()  # names of the inputs that hold a secret

    def policy(self, key: str = "policy") -> dict[str, Any]:
        """A policy document among the inputs."""
        return json.loads(self.inputs[key])


@dataclass
class Deployment(mocks.Mocks):
    """What a program declared, in order."""

    resources: list[Declared] = field(default_factory=list)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        inputs = {key: _opened(value) for key, value in args.inputs.items()}
        secrets = frozenset(key for key, value in args.inputs.items() if inputs[key] != value)
        self.resources.append(Declared(args.typ, args.name, inputs, secrets))
        arn = f"arn:aws:{args.typ.split(':')[1].partition('/')[0]}:::{args.name}"
        outputs = {"arn": arn, "name": args.name, **args.inputs, **ANSWERS.get(args.typ, {})}
        if args.typ == "aws:eks/cluster:Cluster":
            outputs["vpcConfig"] = {
                **args.inputs["vpcConfig"],
                "clusterSecurityGroupId": "sg-nodes",
                "vpcId": "vpc-1",
            }
        return f"{args.name}-id", outputs

    def call(self, args: mocks.MockCallArgs) -> dict[str, Any]:
        self.calls.append((args.token, dict(args.args)))
        return FUNCTIONS[args.token]

    def of(self, kind: str) -> list[Declared]:
        """The resources of a type, such as `iam/role:Role`."""
        return [item for item in self.resources if item.kind == f"aws:{kind}"]

    def one(self, kind: str, ending: str = "") -> Declared:
        """The only resource of a type, or the only one whose name ends like this."""
        found = [item for item in self.of(kind) if item.name.endswith(ending)]
        assert len(found) == 1, [item.name for item in self.of(kind)]
        return found[0]


def _opened(value: Any) -> Any:
    """A value without the envelopes that Pulumi puts around secrets."""
    if isinstance(value, dict):
        if _special_sig_key in value:
            return _opened(value["value"])
        return {key: _opened(item) for key, item in value.items()}
    return [_opened(item) for item in value] if isinstance(value, list) else value


@dataclass(frozen=True)
class Outcome:
    """A component's declarations, with the outputs that a test asked for."""

    deployment: Deployment
    outputs: Mapping[str, Any]


def deploy(program: Callable[[], Mapping[str, pulumi.Input[Any]] | None]) -> Outcome:
    """Run `program` and wait for everything it declared; it returns outputs to look at."""
    deployment = Deployment()
    mocks.set_mocks(deployment, project="mlflow-platform", stack="test")
    outputs: dict[str, Any] = {}

    @run_test
    def run() -> pulumi.Output[Any]:
        asked = program() or {}
        return pulumi.Output.all(**asked).apply(outputs.update)

    run()
    return Outcome(deployment, outputs)
