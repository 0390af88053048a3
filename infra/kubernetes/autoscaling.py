"""How many servers there are: a HorizontalPodAutoscaler between the settings' bounds.

The most is the connection budget's: with one server more the database could refuse connections.
Growing is quick, for a queue of requests grows by the second; shrinking is slow, since each pod
that goes takes its warm pool with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi
from pulumi_kubernetes.autoscaling.v2 import (
    CrossVersionObjectReferenceArgs,
    HorizontalPodAutoscaler,
    HorizontalPodAutoscalerBehaviorArgs,
    HorizontalPodAutoscalerSpecArgs,
    HPAScalingPolicyArgs,
    HPAScalingRulesArgs,
    MetricSpecArgs,
    MetricTargetArgs,
    ResourceMetricSourceArgs,
)
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra.kubernetes.labels import NAMESPACE, SERVER, labels

if TYPE_CHECKING:
    from infra.settings import PlatformSettings


def autoscaler(
    name: str, settings: PlatformSettings, *, opts: pulumi.ResourceOptions
) -> HorizontalPodAutoscaler:
    """Declare the autoscaler."""
    return HorizontalPodAutoscaler(
        f"{name}-autoscaler",
        metadata=ObjectMetaArgs(
            name=SERVER, namespace=NAMESPACE, labels=labels(settings.environment)
        ),
        spec=HorizontalPodAutoscalerSpecArgs(
            scale_target_ref=CrossVersionObjectReferenceArgs(
                api_version="apps/v1", kind="Deployment", name=SERVER
            ),
            min_replicas=settings.kubernetes.replicas_minimum,
            max_replicas=settings.server.replicas,
            metrics=[
                MetricSpecArgs(
                    type="Resource",
                    resource=ResourceMetricSourceArgs(
                        name="cpu",
                        target=MetricTargetArgs(
                            type="Utilization",
                            average_utilization=settings.kubernetes.hpa_cpu_percent,
                        ),
                    ),
                )
            ],
            behavior=HorizontalPodAutoscalerBehaviorArgs(
                scale_up=HPAScalingRulesArgs(
                    # A pod that starts computes much and serves nothing; half a minute tells.
                    stabilization_window_seconds=30,
                    select_policy="Max",
                    policies=[
                        HPAScalingPolicyArgs(type="Pods", value=2, period_seconds=60),
                        HPAScalingPolicyArgs(type="Percent", value=100, period_seconds=60),
                    ],
                ),
                scale_down=HPAScalingRulesArgs(
                    stabilization_window_seconds=300,
                    select_policy="Min",
                    policies=[HPAScalingPolicyArgs(type="Pods", value=1, period_seconds=120)],
                ),
            ),
        ),
        opts=opts,
    )
