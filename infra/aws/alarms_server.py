"""Alarms on the server as its users meet it: gone, slow, failing, out of connections.

Owns thresholds and their reasons. Where there is a load balancer, it is the witness: it sees what
clients see. Without one, Container Insights counts pods where `cloudwatchEnabled` asks for it, and
latency is for the Prometheus rules of the same names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from infra import naming
from infra.aws.alarms import Alarm, Metric
from infra.settings_model import PlatformSettings

PAGE = "mlflow-connection.md"

FEWEST_REQUESTS_A_MINUTE = 20
"""Below it one failed request would be a percentage that wakes somebody."""

_ALL = "FILL(requests, 0) + FILL(balancer, 0)"

POOL_SHARE_PERCENT = 90

POOL_METRIC = "DatabasePoolExhausted"
"""Counted from the server's log by `container_logs`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadBalancerDimensions:
    """The load balancer and its targets, as CloudWatch names them."""

    balancer: pulumi.Input[str]  # app/mlflow-prod/50dc6c495c0c9188
    targets: pulumi.Input[str]  # targetgroup/mlflow-prod/73e2d6bc24d8a067


def server_alarms(
    settings: PlatformSettings,
    *,
    balancer: LoadBalancerDimensions | None,
    cluster_name: pulumi.Input[str],
    database_identifier: pulumi.Input[str] | None,
) -> tuple[Alarm, ...]:
    """The alarms on the server, as far as there is a witness for each."""
    insights = settings.telemetry.cloudwatch
    alarms: list[Alarm] = []
    if balancer is not None:
        alarms += [
            _no_healthy_target(balancer),
            _unhealthy_target(balancer),
            _slow(settings, balancer),
            _failing(settings, balancer),
        ]
        if settings.authentication.kind == "oidc":
            alarms.append(_sign_in(balancer))
    elif insights:
        alarms.append(_no_running_pod(cluster_name))
    if insights:
        alarms += [_pool_in_the_log(settings), _failed_node(cluster_name)]
    elif database_identifier is not None and settings.connection_budget is not None:
        alarms.append(_pool_by_connections(settings.connection_budget.wanted, database_identifier))
    return tuple(alarms)


def metric_namespace(environment: str) -> str:
    """Of the metrics that the platform counts itself: `mlops-platform/dev`."""
    return f"{naming.PLATFORM}/{environment}"


def balancer_metric(
    name: str, statistic: str, dimensions: Mapping[str, pulumi.Input[str]]
) -> Metric:
    """A metric of the load balancer or of its targets."""
    return Metric(
        namespace="AWS/ApplicationELB", name=name, statistic=statistic, dimensions=dimensions
    )


def of_targets(balancer: LoadBalancerDimensions) -> dict[str, pulumi.Input[str]]:
    """Dimensions of what the targets do."""
    return {"LoadBalancer": balancer.balancer, "TargetGroup": balancer.targets}


def _no_healthy_target(balancer: LoadBalancerDimensions) -> Alarm:
    return Alarm(
        name="MLflowDown",
        meaning="No MLflow server answers: every run that logs now fails or waits.",
        page=PAGE,
        # The most that any part of the load balancer sees: its parts come and go.
        metrics={"m": balancer_metric("HealthyHostCount", "Maximum", of_targets(balancer))},
        comparison="LessThanThreshold",
        threshold=1,
        periods=2,
        missing_data="breaching",  # an empty target group reports nothing
        unit="servers",
    )


def _no_running_pod(cluster_name: pulumi.Input[str]) -> Alarm:
    return Alarm(
        name="MLflowDown",
        meaning="No MLflow server runs: every run that logs now fails or waits.",
        page=PAGE,
        metrics={
            "m": Metric(
                namespace="ContainerInsights",
                name="service_number_of_running_pods",
                statistic="Maximum",
                dimensions={
                    "ClusterName": cluster_name,
                    "Namespace": naming.SERVICE,
                    "Service": naming.SERVICE,
                },
            )
        },
        comparison="LessThanThreshold",
        threshold=1,
        periods=3,
        missing_data="breaching",
        unit="servers",
    )


def _unhealthy_target(balancer: LoadBalancerDimensions) -> Alarm:
    return Alarm(
        name="MLflowServerUnhealthy",
        meaning="A server has not answered for ten minutes; the others carry its load.",
        page=PAGE,
        metrics={"m": balancer_metric("UnHealthyHostCount", "Minimum", of_targets(balancer))},
        comparison="GreaterThanThreshold",
        threshold=0,
        periods=10,
        missing_data="notBreaching",  # then MLflowDown rings
        unit="servers",
    )


def _slow(settings: PlatformSettings, balancer: LoadBalancerDimensions) -> Alarm:
    seconds = settings.telemetry.slow_response_ms / 1000
    return Alarm(
        name="MLflowHighLatency",
        meaning=f"One request in twenty has taken longer than {seconds:g} s for five minutes.",
        page=PAGE,
        metrics={"m": balancer_metric("TargetResponseTime", "p95", of_targets(balancer))},
        comparison="GreaterThanThreshold",
        threshold=seconds,
        periods=5,
        missing_data="notBreaching",  # nobody asks at night
        unit="s",
    )


def _failing(settings: PlatformSettings, balancer: LoadBalancerDimensions) -> Alarm:
    percent = settings.cloud.alarms.server_errors_percent
    whole = {"LoadBalancer": balancer.balancer}
    return Alarm(
        name="MLflowServerErrors",
        meaning=f"More than {percent} % of the answers have been errors of the server for five "
        "minutes.",
        page=PAGE,
        metrics={
            "requests": balancer_metric("RequestCount", "Sum", whole),
            "server": balancer_metric("HTTPCode_Target_5XX_Count", "Sum", whole),
            "balancer": balancer_metric("HTTPCode_ELB_5XX_Count", "Sum", whole),
        },
        # What the load balancer answers itself is in no RequestCount.
        expression=(
            f"IF({_ALL} >= {FEWEST_REQUESTS_A_MINUTE},"
            f" 100 * (FILL(server, 0) + FILL(balancer, 0)) / ({_ALL}), 0)"
        ),
        comparison="GreaterThanThreshold",
        threshold=percent,
        periods=5,
        missing_data="notBreaching",
        unit="%",
    )


def _sign_in(balancer: LoadBalancerDimensions) -> Alarm:
    return Alarm(
        name="MLflowSignInErrors",
        meaning="People cannot sign in: the load balancer gets no proper answer of the identity "
        "provider.",
        page=PAGE,
        metrics={"m": balancer_metric("ELBAuthError", "Sum", {"LoadBalancer": balancer.balancer})},
        comparison="GreaterThanThreshold",
        threshold=3,
        period_seconds=300,
        periods=1,
        missing_data="notBreaching",
        unit="sign-ins",
    )


def _pool_in_the_log(settings: PlatformSettings) -> Alarm:
    return Alarm(
        name="MLflowDatabasePoolExhaustion",
        meaning="A server ran out of pooled database connections: callers waited 30 s and metrics "
        "were refused.",
        page=PAGE,
        metrics={
            "m": Metric(
                namespace=metric_namespace(settings.environment),
                name=POOL_METRIC,
                statistic="Sum",
                dimensions={},
            )
        },
        comparison="GreaterThanThreshold",
        threshold=0,
        period_seconds=300,
        periods=1,
        missing_data="notBreaching",  # nothing is counted when nothing happens
        unit="times",
    )


def _pool_by_connections(wanted: int, identifier: pulumi.Input[str]) -> Alarm:
    return Alarm(
        name="MLflowDatabasePoolExhaustion",
        meaning=f"The servers hold {POOL_SHARE_PERCENT} % of the {wanted} connections that all "
        "their pools may open: callers will soon wait for one.",
        page=PAGE,
        metrics={
            "m": Metric(
                namespace="AWS/RDS",
                name="DatabaseConnections",
                statistic="Maximum",
                dimensions={"DBInstanceIdentifier": identifier},
            )
        },
        comparison="GreaterThanThreshold",
        threshold=wanted * POOL_SHARE_PERCENT // 100,
        periods=3,
        missing_data="ignore",
        unit="connections",
    )


def _failed_node(cluster_name: pulumi.Input[str]) -> Alarm:
    return Alarm(
        name="ClusterNodeFailed",
        meaning="A node of the cluster has failed and was not replaced for ten minutes.",
        page=PAGE,
        metrics={
            "m": Metric(
                namespace="ContainerInsights",
                name="cluster_failed_node_count",
                statistic="Maximum",
                dimensions={"ClusterName": cluster_name},
            )
        },
        comparison="GreaterThanThreshold",
        threshold=0,
        periods=10,
        missing_data="notBreaching",  # the agent's own death shows in MLflowDown
        unit="nodes",
    )
