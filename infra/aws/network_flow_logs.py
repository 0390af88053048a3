"""Flow logs: who connected to whom, and who was turned away.

Owns the encrypted log group, the flow log and the role it writes with. They answer "was it the
security group?" (docs/runbooks) after the fact, hence rejected and accepted connections alike.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.aws.iam_policies import document, service_trust

AGGREGATION_SECONDS = 600
"""The longer of AWS's two intervals: a tenth of the records of the shorter one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FlowLogsWiring:
    """What is logged, and how it is kept."""

    vpc_id: pulumi.Input[str]
    key_arn: pulumi.Input[str]
    retention_days: int


class FlowLogs(pulumi.ComponentResource):
    """The flow logs of one network."""

    log_group_name: pulumi.Output[str]

    def __init__(
        self, name: str, wiring: FlowLogsWiring, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Declare the log and where it goes."""
        super().__init__("mlflow-platform:aws:FlowLogs", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        group = aws.cloudwatch.LogGroup(
            f"{name}-group",
            name=f"/aws/vpc/{name}",
            kms_key_id=wiring.key_arn,
            retention_in_days=wiring.retention_days,
            opts=child,
        )
        role = aws.iam.Role(
            f"{name}-writer",
            name=f"{name}-writer",
            assume_role_policy=json.dumps(service_trust("vpc-flow-logs.amazonaws.com")),
            opts=child,
        )
        policy = aws.iam.RolePolicy(
            f"{name}-write",
            name="write-flow-logs",
            role=role.name,
            policy=group.arn.apply(_policy),
            opts=child,
        )
        aws.ec2.FlowLog(
            f"{name}-log",
            vpc_id=wiring.vpc_id,
            traffic_type="ALL",
            log_destination=group.arn,
            iam_role_arn=role.arn,
            max_aggregation_interval=AGGREGATION_SECONDS,
            tags={"Name": name},
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy]),
        )
        self.log_group_name = group.name
        self.register_outputs({"log_group_name": self.log_group_name})


def _policy(log_group_arn: str) -> str:
    return json.dumps(
        document(
            [
                {
                    "Sid": "WriteTheFlowLog",
                    "Effect": "Allow",
                    "Action": [
                        "logs:CreateLogStream",
                        "logs:PutLogEvents",
                        "logs:DescribeLogStreams",
                    ],
                    "Resource": [f"{log_group_arn}:*"],
                }
            ]
        )
    )
