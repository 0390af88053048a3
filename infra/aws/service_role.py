"""An IAM role that an AWS service assumes, with AWS's own policies for it.

Owns the role and its attachments, as one thing to depend on: a cluster that is made before its
role's policies are attached fails halfway. Roles of pods stand in `service_account_role`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import pulumi
import pulumi_aws as aws

from infra.aws.iam_policies import MANAGED_POLICY, service_trust


class ServiceRole(pulumi.ComponentResource):
    """A role for an AWS service."""

    arn: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        role_name: str,
        service: str,
        managed_policies: Sequence[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the role.

        Args:
            name: of the component.
            role_name: of the role in IAM.
            service: who assumes it, such as `ec2.amazonaws.com`.
            managed_policies: AWS's own policies, by name.
            opts: of the component.
        """
        super().__init__("mlflow-platform:aws:ServiceRole", name, None, opts)
        role = aws.iam.Role(
            f"{name}-role",
            name=role_name,
            assume_role_policy=json.dumps(service_trust(service)),
            opts=pulumi.ResourceOptions(parent=self),
        )
        for policy in managed_policies:
            aws.iam.RolePolicyAttachment(
                f"{name}-{policy.rpartition('/')[2]}",
                role=role.name,
                policy_arn=MANAGED_POLICY.format(policy),
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.arn = role.arn
        self.register_outputs({"arn": self.arn})
