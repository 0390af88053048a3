"""The cluster's add-ons, installed and versioned by EKS.

Owns which add-ons there are, how they are configured and which role their pods have. The version is
EKS's default for the cluster's Kubernetes version, looked up at each preview: an upgrade is a line
in a diff, and never a surprise. What is no EKS add-on stands in `cluster_controllers`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

from infra.aws.service_account_role import ClusterIdentity, ServiceAccount, ServiceAccountRole


@dataclass(frozen=True, kw_only=True, slots=True)
class Addon:
    """One add-on, as EKS names and configures it."""

    name: str
    configuration: Mapping[str, object] = field(default_factory=dict[str, object])
    service_account: ServiceAccount | None = None  # None: its pods call no AWS service
    managed_policy: str = ""  # what that service account may do


NETWORK_ADDONS = (
    Addon(
        name="vpc-cni",
        # Without it a NetworkPolicy is accepted, stored and enforced by nobody.
        configuration={"enableNetworkPolicy": "true"},
        service_account=ServiceAccount(namespace="kube-system", name="aws-node"),
        managed_policy="AmazonEKS_CNI_Policy",
    ),
    Addon(name="kube-proxy"),
)
"""Before the nodes: none becomes ready without them."""

NODE_ADDONS = (
    Addon(name="coredns"),
    Addon(name="eks-pod-identity-agent"),
    Addon(
        name="aws-ebs-csi-driver",
        service_account=ServiceAccount(namespace="kube-system", name="ebs-csi-controller-sa"),
        managed_policy="service-role/AmazonEBSCSIDriverPolicy",
    ),
    Addon(name="metrics-server"),  # what the HorizontalPodAutoscaler reads
)
"""After the nodes: EKS waits for their pods to run."""

OBSERVABILITY_ADDON = Addon(
    name="amazon-cloudwatch-observability",
    service_account=ServiceAccount(namespace="amazon-cloudwatch", name="cloudwatch-agent"),
    managed_policy="CloudWatchAgentServerPolicy",
)
"""Container logs and Container Insights, where `cloudwatchEnabled` asks for them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AddonsWiring:
    """The cluster that gets the add-ons."""

    cluster_name: pulumi.Input[str]
    role_prefix: str  # of the roles' names
    kubernetes_version: str
    identity: ClusterIdentity


class ClusterAddons(pulumi.ComponentResource):
    """Some of a cluster's add-ons, each with the role its pods need."""

    def __init__(
        self,
        name: str,
        addons: Sequence[Addon],
        wiring: AddonsWiring,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the add-ons."""
        super().__init__("mlflow-platform:aws:ClusterAddons", name, None, opts)
        for addon in addons:
            role = self._role(f"{name}-{addon.name}", addon, wiring)
            aws.eks.Addon(
                f"{name}-{addon.name}",
                addon_name=addon.name,
                cluster_name=wiring.cluster_name,
                addon_version=self._addon_version(addon, wiring),
                configuration_values=json.dumps(addon.configuration)
                if addon.configuration
                else None,
                service_account_role_arn=role and role.arn,
                # At first ours, as nobody has changed anything yet; later what was changed in the
                # cluster by hand stays, and shows in the update's result.
                resolve_conflicts_on_create="OVERWRITE",
                resolve_conflicts_on_update="PRESERVE",
                # A network add-on whose role has no policy yet gives no pod an address.
                opts=pulumi.ResourceOptions(parent=self, depends_on=[role] if role else None),
            )
        self.register_outputs({})

    def _addon_version(self, addon: Addon, wiring: AddonsWiring) -> pulumi.Output[str]:
        return aws.eks.get_addon_version_output(
            addon_name=addon.name,
            kubernetes_version=wiring.kubernetes_version,
            opts=pulumi.InvokeOptions(parent=self),
        ).version

    def _role(self, name: str, addon: Addon, wiring: AddonsWiring) -> ServiceAccountRole | None:
        if addon.service_account is None:
            return None
        return ServiceAccountRole(
            name,
            role_name=f"{wiring.role_prefix}-{addon.service_account.name}",
            service_account=addon.service_account,
            cluster=wiring.identity,
            managed_policies=(addon.managed_policy,),
            opts=pulumi.ResourceOptions(parent=self),
        )
