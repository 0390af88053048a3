"""The pods' logs in CloudWatch, where `cloudwatchEnabled` asks for them.

Owns the log groups that the observability add-on writes to, made before it does (it would keep them
for ever, without our key), and the count of lines that say a connection pool ran out. The groups of
an adopted cluster are its owner's: there only the count is added.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import naming
from infra.aws.alarms_server import POOL_METRIC, metric_namespace
from infra.settings_model import PlatformSettings

APPLICATION_LOGS = "application"
LOG_KINDS = (APPLICATION_LOGS, "dataplane", "host", "performance")
"""What the add-on writes, each under /aws/containerinsights/<cluster>/."""

POOL_PATTERN = (
    f'{{ $.kubernetes.namespace_name = "{naming.SERVICE}" && $.log = "*QueuePool limit of size*" }}'
)
"""SQLAlchemy's words, as MLflow logs them, in the records of our namespace."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ContainerLogsWiring:
    """Whose logs."""

    cluster_name: str
    key_arn: pulumi.Input[str]  # its policy admits CloudWatch Logs


class ContainerLogs(pulumi.ComponentResource):
    """Log groups with our key and retention, and the metric that a log line makes."""

    def __init__(
        self,
        name: str,
        settings: PlatformSettings,
        wiring: ContainerLogsWiring,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare groups and metric."""
        super().__init__("mlflow-platform:aws:ContainerLogs", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        groups: list[pulumi.Resource] = []
        if not settings.aws.cluster.existing_name:
            groups = [
                aws.cloudwatch.LogGroup(
                    f"{name}-{kind}",
                    name=group_name(wiring.cluster_name, kind),
                    kms_key_id=wiring.key_arn,
                    retention_in_days=settings.cloud.log_retention_days,
                    opts=child,
                )
                for kind in LOG_KINDS
            ]
        aws.cloudwatch.LogMetricFilter(
            f"{name}-pool-exhausted",
            name=f"{naming.base_name(settings.environment)}-pool-exhausted",
            log_group_name=group_name(wiring.cluster_name, APPLICATION_LOGS),
            pattern=POOL_PATTERN,
            metric_transformation=aws.cloudwatch.LogMetricFilterMetricTransformationArgs(
                namespace=metric_namespace(settings.environment), name=POOL_METRIC, value="1"
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=groups),
        )
        self.register_outputs({})


def group_name(cluster_name: str, kind: str) -> str:
    """`/aws/containerinsights/mlops-platform-prod/application`."""
    return f"/aws/containerinsights/{cluster_name}/{kind}"
