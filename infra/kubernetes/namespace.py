"""The namespace `mlflow`, in which Kubernetes itself refuses a pod that asks for rights."""

from __future__ import annotations

import pulumi
from pulumi_kubernetes.core.v1 import Namespace
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra.kubernetes.labels import NAMESPACE, labels

POD_SECURITY = "restricted"


def namespace(
    name: str, environment: str, *, load_balanced: bool, opts: pulumi.ResourceOptions
) -> Namespace:
    """Declare the namespace.

    With `load_balanced`, a pod counts as ready only when the load balancer's target is healthy too:
    otherwise a rollout could remove the last pod that gets traffic.
    """
    own = {key: value for key, value in labels(environment).items() if key != "app"}
    security = {
        f"pod-security.kubernetes.io/{mode}{suffix}": value
        for mode in ("enforce", "audit", "warn")
        for suffix, value in (("", POD_SECURITY), ("-version", "latest"))
    }
    gate = {"elbv2.k8s.aws/pod-readiness-gate-inject": "enabled"} if load_balanced else {}
    return Namespace(
        f"{name}-namespace",
        metadata=ObjectMetaArgs(name=NAMESPACE, labels={**own, **security, **gate}),
        opts=opts,
    )
