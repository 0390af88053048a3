"""Controllers that the server's objects need in its cluster: pods as targets, secrets from AWS.

Owns the AWS Load Balancer Controller, where a load balancer of ours sends requests to pods, and
External Secrets, where pods get passwords from Secrets Manager. Each is installed from its own
project's Helm chart, of a fixed version, with a role that can do this one thing. Where the
cluster's owner brings them (`clusterControllers: expect`), neither chart nor role is made.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.helm.v3 import Release, RepositoryOptsArgs
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra import naming
from infra.aws.iam_policies import secret_read, target_registration
from infra.aws.service_account_role import ClusterIdentity, ServiceAccount, ServiceAccountRole
from infra.settings_model import PlatformSettings


@dataclass(frozen=True, kw_only=True, slots=True)
class Chart:
    """A Helm chart of one version, and who its pods are."""

    name: str
    version: str
    repository: str
    service_account: ServiceAccount


LOAD_BALANCER_CONTROLLER = Chart(
    name="aws-load-balancer-controller",
    version="3.5.0",
    repository="https://aws.github.io/eks-charts",
    service_account=ServiceAccount(namespace="kube-system", name="aws-load-balancer-controller"),
)

EXTERNAL_SECRETS = Chart(
    name="external-secrets",
    version="2.9.0",
    repository="https://charts.external-secrets.io",
    service_account=ServiceAccount(namespace="external-secrets", name="external-secrets"),
)

INSTALL_SECONDS = 600


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterControllersWiring:
    """The cluster, and what its controllers may touch."""

    region: str
    cluster_name: str
    identity: ClusterIdentity
    vpc_id: pulumi.Input[str]
    target_group_arn: pulumi.Input[str] | None  # None: there is no load balancer
    secret_arns: Sequence[pulumi.Input[str]]  # that External Secrets reads
    key_arn: pulumi.Input[str]  # of those secrets


class ClusterControllers(pulumi.ComponentResource):
    """The controllers that this stack needs; none where it needs none."""

    ready: Sequence[pulumi.Resource]  # their objects are known to the cluster after these

    def __init__(
        self,
        name: str,
        settings: PlatformSettings,
        wiring: ClusterControllersWiring,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare what is needed and not expected of the cluster's owner."""
        super().__init__("mlflow-platform:aws:ClusterControllers", name, None, opts)
        self._name = name
        self._wiring = wiring
        # Not the cluster's name: an adopted one may be longer than a role's may be.
        self._role_prefix = f"{naming.PLATFORM}-{settings.environment}"
        ready: list[pulumi.Resource] = []
        if settings.aws.cluster.controllers == "install":
            if wiring.target_group_arn is not None:
                ready.append(self._load_balancer_controller(wiring.target_group_arn))
            if settings.kubernetes.external_secrets:
                ready.append(self._external_secrets(settings.kubernetes.secret_store_name))
        self.ready = ready
        self.register_outputs({})

    def _load_balancer_controller(self, target_group_arn: pulumi.Input[str]) -> Release:
        policy = pulumi.Output.from_input(target_group_arn).apply(
            lambda arn: json.dumps(target_registration(arn))
        )
        return self._release(
            LOAD_BALANCER_CONTROLLER,
            {"targets": policy},
            {
                "clusterName": self._wiring.cluster_name,
                # A pod cannot ask the node where it is: the metadata service ends at the node.
                "region": self._wiring.region,
                "vpcId": self._wiring.vpc_id,
                # It serves TargetGroupBindings alone. Left on, it would take every Service of type
                # LoadBalancer and every Ingress of the cluster, without the rights to serve them.
                "enableServiceMutatorWebhook": False,
                "createIngressClassResource": False,
                "enableShield": False,
                "enableWaf": False,
                "enableWafv2": False,
            },
        )

    def _external_secrets(self, store_name: str) -> pulumi.Resource:
        """The operator, and the store through which it reads this stack's secrets."""
        region = self._wiring.region

        def policy(parts: Sequence[str]) -> str:
            key_arn, *secret_arns = parts
            return json.dumps(secret_read(secret_arns, key_arn=key_arn, region=region))

        parts = pulumi.Output.all(self._wiring.key_arn, *self._wiring.secret_arns)
        release = self._release(
            EXTERNAL_SECRETS,
            {"secrets": parts.apply(policy)},
            {"installCRDs": True, "replicaCount": 2, "leaderElect": True},
        )
        return CustomResource(
            f"{self._name}-secret-store",
            api_version="external-secrets.io/v1",
            kind="ClusterSecretStore",
            metadata=ObjectMetaArgs(name=store_name),
            # No credentials: the operator's own role is the one that may read.
            spec={"provider": {"aws": {"service": "SecretsManager", "region": region}}},
            opts=pulumi.ResourceOptions(parent=self, depends_on=[release]),
        )

    def _release(
        self,
        chart: Chart,
        policies: Mapping[str, pulumi.Input[str]],
        values: Mapping[str, pulumi.Input[object]],
    ) -> Release:
        role = ServiceAccountRole(
            f"{self._name}-{chart.name}",
            role_name=f"{self._role_prefix}-{chart.service_account.name}",
            service_account=chart.service_account,
            cluster=self._wiring.identity,
            inline_policies=policies,
            opts=pulumi.ResourceOptions(parent=self),
        )
        account = {
            "create": True,
            "name": chart.service_account.name,
            "annotations": {"eks.amazonaws.com/role-arn": role.arn},
        }
        return Release(
            f"{self._name}-{chart.name}-release",
            name=chart.name,
            chart=chart.name,
            version=chart.version,
            repository_opts=RepositoryOptsArgs(repo=chart.repository),
            namespace=chart.service_account.namespace,
            create_namespace=True,
            values={**values, "serviceAccount": account},
            atomic=True,  # a controller that does not start is taken back
            timeout=INSTALL_SECONDS,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[role]),
        )
