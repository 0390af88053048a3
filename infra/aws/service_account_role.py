"""An IAM role that one Kubernetes service account assumes (IRSA).

Owns the role, its trust and its inline policies. What the policies say is for `iam_policies`; who
gets which, for `iam` and `eks`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.aws.iam_policies import MANAGED_POLICY, service_account_trust


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterIdentity:
    """The cluster whose service accounts AWS believes."""

    oidc_provider_arn: pulumi.Input[str]
    oidc_issuer_url: pulumi.Input[str]  # https://oidc.eks.<region>.amazonaws.com/id/…


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceAccount:
    """A service account by its place in the cluster."""

    namespace: str
    name: str

    def __str__(self) -> str:
        """As people write it: `mlflow/mlflow`."""
        return f"{self.namespace}/{self.name}"


class ServiceAccountRole(pulumi.ComponentResource):
    """A role for the pods of one service account."""

    arn: pulumi.Output[str]
    role_name: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        role_name: str,
        service_account: ServiceAccount,
        cluster: ClusterIdentity,
        inline_policies: Mapping[str, pulumi.Input[str]] | None = None,
        managed_policies: Sequence[str] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the role.

        Args:
            name: of the component.
            role_name: of the role in IAM, as runbooks spell it.
            service_account: who assumes it.
            cluster: whose service account it is.
            inline_policies: documents as JSON, by the names they have in the role.
            managed_policies: names of AWS's own policies, for AWS's own add-ons.
            opts: of the component.
        """
        super().__init__("mlflow-platform:aws:ServiceAccountRole", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        role = aws.iam.Role(
            f"{name}-role",
            name=role_name,
            description=f"Service account {service_account}",
            assume_role_policy=_trust(cluster, service_account),
            opts=child,
        )
        for policy_name, policy in (inline_policies or {}).items():
            aws.iam.RolePolicy(
                f"{name}-{policy_name}", name=policy_name, role=role.id, policy=policy, opts=child
            )
        for policy_name in managed_policies:
            aws.iam.RolePolicyAttachment(
                f"{name}-{policy_name.rpartition('/')[2]}",
                role=role.name,
                policy_arn=MANAGED_POLICY.format(policy_name),
                opts=child,
            )
        self.arn = role.arn
        self.role_name = role.name
        self.register_outputs({"arn": self.arn})


def _trust(cluster: ClusterIdentity, account: ServiceAccount) -> pulumi.Output[str]:
    def trust(parts: Sequence[str]) -> str:
        provider_arn, issuer_url = parts
        return json.dumps(
            service_account_trust(provider_arn, issuer_url, account.namespace, account.name)
        )

    return pulumi.Output.all(cluster.oidc_provider_arn, cluster.oidc_issuer_url).apply(trust)
