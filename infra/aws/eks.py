"""The EKS cluster: control plane, its logs, who may use it, and the identity of its pods.

Owns what is the cluster's own; nodes stand in `eks_nodes`, add-ons in `eks_addons`. A cluster that
exists is used as it is, by name: nothing of it is changed, so what it must bring is written in
docs/aws.md. The API is private unless the settings name who may reach it from outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import naming
from infra.aws.eks_addons import (
    NETWORK_ADDONS,
    NODE_ADDONS,
    OBSERVABILITY_ADDON,
    AddonsWiring,
    ClusterAddons,
)
from infra.aws.eks_nodes import NodeGroup, NodeGroupWiring
from infra.aws.kubeconfig import kubeconfig
from infra.aws.service_account_role import ClusterIdentity
from infra.aws.service_role import ServiceRole
from infra.settings_model import PlatformSettings
from infra.settings_model_aws import ClusterSettings

CONTROL_PLANE_LOGS = ("api", "audit", "authenticator", "controllerManager", "scheduler")

ADMINISTRATOR = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterWiring:
    """What the cluster stands on."""

    region: str
    subnet_ids: pulumi.Input[Sequence[pulumi.Input[str]]]  # private, in two zones or more
    key_arn: pulumi.Input[str]  # of secrets and logs; its policy admits CloudWatch Logs


class Cluster(pulumi.ComponentResource):
    """A Kubernetes cluster with nodes and add-ons, or one that exists."""

    cluster_name: pulumi.Output[str]
    kubeconfig: pulumi.Output[str]  # secret
    oidc_provider_arn: pulumi.Output[str]
    oidc_issuer_url: pulumi.Output[str]
    node_security_group_id: pulumi.Output[str]
    vpc_id: pulumi.Output[str]
    ready: Sequence[pulumi.Resource]  # what the first pod waits for

    def __init__(
        self,
        name: str,
        settings: PlatformSettings,
        wiring: ClusterWiring,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the cluster, or look up the one that `settings` name."""
        super().__init__("mlflow-platform:aws:Cluster", name, None, opts)
        self._name = name
        self._settings = settings.aws.cluster
        self._log_retention_days = settings.cloud.log_retention_days
        self._is_production = settings.cloud.is_production
        self._node_addons = NODE_ADDONS
        if settings.telemetry.cloudwatch:
            self._node_addons += (OBSERVABILITY_ADDON,)
        self._wiring = wiring
        if self._settings.existing_name:
            self._adopt()
        else:
            self._create(cluster_name(settings.environment))
        self.register_outputs(
            {"cluster_name": self.cluster_name, "oidc_provider_arn": self.oidc_provider_arn}
        )

    @property
    def identity(self) -> ClusterIdentity:
        """What a role needs to believe this cluster's service accounts."""
        return ClusterIdentity(
            oidc_provider_arn=self.oidc_provider_arn, oidc_issuer_url=self.oidc_issuer_url
        )

    def _create(self, cluster_name: str) -> None:
        cluster = self._control_plane(cluster_name)
        self.cluster_name = cluster.name
        self.vpc_id = cluster.vpc_config.apply(lambda config: config.vpc_id or "")
        self.node_security_group_id = cluster.vpc_config.apply(
            lambda config: config.cluster_security_group_id or ""
        )
        self.kubeconfig = _kubeconfig(
            cluster.name,
            cluster.endpoint,
            cluster.certificate_authority.apply(lambda authority: authority.data or ""),
            self._wiring.region,
        )
        self.oidc_issuer_url = cluster.identities.apply(
            lambda identities: (identities[0].oidcs or [])[0].issuer or ""
        )
        self.oidc_provider_arn = aws.iam.OpenIdConnectProvider(
            f"{self._name}-oidc",
            url=self.oidc_issuer_url,
            client_id_lists=["sts.amazonaws.com"],
            opts=self._child(),
        ).arn
        self._administrators(cluster)
        self.ready = self._nodes_and_addons(cluster_name, cluster)

    def _adopt(self) -> None:
        look_up = pulumi.InvokeOptions(parent=self)
        found = aws.eks.get_cluster_output(name=self._settings.existing_name, opts=look_up)
        self.cluster_name = found.name
        self.vpc_id = found.vpc_config.vpc_id
        self.node_security_group_id = found.vpc_config.cluster_security_group_id
        self.kubeconfig = _kubeconfig(
            found.name, found.endpoint, found.certificate_authorities[0].data, self._wiring.region
        )
        self.oidc_issuer_url = found.identities[0].oidcs[0].issuer
        self.oidc_provider_arn = aws.iam.get_open_id_connect_provider_output(
            url=self.oidc_issuer_url, opts=look_up
        ).arn
        self.ready = ()

    def _control_plane(self, cluster_name: str) -> aws.eks.Cluster:
        name, settings, wiring = self._name, self._settings, self._wiring
        logs = aws.cloudwatch.LogGroup(
            f"{name}-control-plane-logs",
            # EKS writes under this name and would make the group itself: unencrypted, for ever.
            name=f"/aws/eks/{cluster_name}/cluster",
            kms_key_id=wiring.key_arn,
            retention_in_days=self._log_retention_days,
            opts=self._child(),
        )
        role = ServiceRole(
            f"{name}-control-plane",
            role_name=f"{cluster_name}-control-plane",
            service="eks.amazonaws.com",
            managed_policies=("AmazonEKSClusterPolicy",),
            opts=self._child(),
        )
        return aws.eks.Cluster(
            f"{name}-cluster",
            name=cluster_name,
            role_arn=role.arn,
            version=settings.kubernetes_version,
            vpc_config=_addresses(settings, wiring),
            access_config=aws.eks.ClusterAccessConfigArgs(
                authentication_mode="API",
                # Who deploys the cluster deploys into it. Never changed: that replaces the cluster.
                bootstrap_cluster_creator_admin_permissions=True,
            ),
            encryption_config=aws.eks.ClusterEncryptionConfigArgs(
                provider=aws.eks.ClusterEncryptionConfigProviderArgs(key_arn=wiring.key_arn),
                resources=["secrets"],
            ),
            enabled_cluster_log_types=list(CONTROL_PLANE_LOGS),
            # At the end of standard support AWS upgrades it, instead of charging six times as much.
            upgrade_policy=aws.eks.ClusterUpgradePolicyArgs(support_type="STANDARD"),
            bootstrap_self_managed_addons=False,  # `eks_addons` installs them, with versions
            deletion_protection=self._is_production,
            opts=self._child(logs, role),
        )

    def _administrators(self, cluster: aws.eks.Cluster) -> None:
        for arn in self._settings.admin_arns:
            # Named after the role: a list in another order changes nothing.
            name = f"{self._name}-administrator-{arn.rpartition('/')[2]}"
            entry = aws.eks.AccessEntry(
                name, cluster_name=cluster.name, principal_arn=arn, opts=self._child()
            )
            aws.eks.AccessPolicyAssociation(
                f"{name}-policy",
                cluster_name=cluster.name,
                principal_arn=entry.principal_arn,
                policy_arn=ADMINISTRATOR,
                access_scope=aws.eks.AccessPolicyAssociationAccessScopeArgs(type="cluster"),
                opts=self._child(),
            )

    def _nodes_and_addons(
        self, cluster_name: str, cluster: aws.eks.Cluster
    ) -> tuple[pulumi.Resource, ...]:
        """Network first, so that nodes become ready; then nodes; then what runs on them."""
        wiring = AddonsWiring(
            cluster_name=cluster.name,
            role_prefix=cluster_name,
            kubernetes_version=self._settings.kubernetes_version,
            identity=self.identity,
        )
        network = ClusterAddons(f"{self._name}-network", NETWORK_ADDONS, wiring, opts=self._child())
        nodes = NodeGroup(
            f"{self._name}-nodes",
            self._settings,
            NodeGroupWiring(
                cluster_name=cluster_name, cluster=cluster, subnet_ids=self._wiring.subnet_ids
            ),
            opts=self._child(network),
        )
        addons = ClusterAddons(
            f"{self._name}-addons", self._node_addons, wiring, opts=self._child(nodes)
        )
        return nodes, addons

    def _child(self, *after: pulumi.Resource) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self, depends_on=list(after))


def cluster_name(environment: str) -> str:
    """Name of an environment's cluster: `mlops-platform-dev`."""
    return f"{naming.PLATFORM}-{environment}"


def _addresses(settings: ClusterSettings, wiring: ClusterWiring) -> aws.eks.ClusterVpcConfigArgs:
    """Where the API answers: inside always, outside only to the networks that are named."""
    return aws.eks.ClusterVpcConfigArgs(
        subnet_ids=wiring.subnet_ids,
        endpoint_private_access=True,
        endpoint_public_access=settings.public_endpoint,
        # Where it is absent beside a public endpoint, AWS takes 0.0.0.0/0.
        public_access_cidrs=list(settings.public_endpoint_cidrs) or None,
    )


def _kubeconfig(
    name: pulumi.Input[str],
    endpoint: pulumi.Input[str],
    certificate_authority: pulumi.Input[str],
    region: str,
) -> pulumi.Output[str]:
    def text(parts: Sequence[str]) -> str:
        cluster, address, authority = parts
        return kubeconfig(
            cluster=cluster, endpoint=address, certificate_authority=authority, region=region
        )

    return pulumi.Output.secret(
        pulumi.Output.all(name, endpoint, certificate_authority).apply(text)
    )
