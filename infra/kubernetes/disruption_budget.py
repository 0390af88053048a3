"""How many servers may be taken away at once by a drained node or an upgraded cluster: one."""

from __future__ import annotations

import pulumi
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs
from pulumi_kubernetes.policy.v1 import PodDisruptionBudget, PodDisruptionBudgetSpecArgs

from infra.kubernetes.labels import NAMESPACE, SERVER, labels, selector


def disruption_budget(
    name: str, environment: str, *, opts: pulumi.ResourceOptions
) -> PodDisruptionBudget:
    """Declare the budget.

    Counted in unavailable pods: with the autoscaler's number unknown, a minimum of available ones
    either blocks every drain (one server) or permits too many (ten). A pod that is broken anyway
    may always be evicted, or a node could never be drained of it.
    """
    return PodDisruptionBudget(
        f"{name}-disruption-budget",
        metadata=ObjectMetaArgs(name=SERVER, namespace=NAMESPACE, labels=labels(environment)),
        spec=PodDisruptionBudgetSpecArgs(
            max_unavailable=1,
            selector=LabelSelectorArgs(match_labels=selector()),
            unhealthy_pod_eviction_policy="AlwaysAllow",
        ),
        opts=opts,
    )
