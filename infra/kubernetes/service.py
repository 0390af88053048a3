"""The name by which pods call the servers: `mlflow.mlflow.svc.cluster.local`, on their port."""

from __future__ import annotations

import pulumi
from pulumi_kubernetes.core.v1 import Service, ServicePortArgs, ServiceSpecArgs
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra.kubernetes.labels import NAMESPACE, PORT_NAME, SERVER, labels, selector


def service(name: str, environment: str, port: int, *, opts: pulumi.ResourceOptions) -> Service:
    """Declare the Service, which is reached inside the cluster only.

    Pulumi would wait for its first ready pod. But with a load balancer a pod is ready when its
    target is healthy, the target comes with the binding, and the binding comes after the Service:
    each would wait for the next one.
    """
    return Service(
        f"{name}-service",
        metadata=ObjectMetaArgs(
            name=SERVER,
            namespace=NAMESPACE,
            labels=labels(environment),
            annotations={"pulumi.com/skipAwait": "true"},
        ),
        spec=ServiceSpecArgs(
            type="ClusterIP",
            selector=selector(),
            ports=[ServicePortArgs(name=PORT_NAME, port=port, target_port=PORT_NAME)],
        ),
        opts=opts,
    )
