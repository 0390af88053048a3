"""The way in from outside the cluster, where no load balancer of the cloud is it.

Owns the Ingress, and the TargetGroupBinding where the cloud made a load balancer itself and its
targets are this Service's pods. The host names are the settings' own, which MLflow's list of
allowed hosts has too: the two cannot differ.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs
from pulumi_kubernetes.networking.v1 import (
    HTTPIngressPathArgs,
    HTTPIngressRuleValueArgs,
    Ingress,
    IngressBackendArgs,
    IngressRuleArgs,
    IngressServiceBackendArgs,
    IngressSpecArgs,
    IngressTLSArgs,
    ServiceBackendPortArgs,
)

from infra.kubernetes.labels import NAMESPACE, PORT_NAME, SERVER, labels

if TYPE_CHECKING:
    from infra.settings import PlatformSettings


def ingress(name: str, settings: PlatformSettings, *, opts: pulumi.ResourceOptions) -> Ingress:
    """Declare the Ingress: TLS for every host, every path to the server."""
    wanted = settings.kubernetes.ingress
    backend = IngressBackendArgs(
        service=IngressServiceBackendArgs(name=SERVER, port=ServiceBackendPortArgs(name=PORT_NAME))
    )
    path = HTTPIngressPathArgs(
        path=settings.server.static_prefix or "/", path_type="Prefix", backend=backend
    )
    return Ingress(
        f"{name}-ingress",
        metadata=ObjectMetaArgs(
            name=SERVER,
            namespace=NAMESPACE,
            labels=labels(settings.environment),
            annotations=_annotations(settings),
        ),
        spec=IngressSpecArgs(
            ingress_class_name=wanted.class_name,
            tls=[IngressTLSArgs(hosts=list(wanted.hosts), secret_name=wanted.tls_secret)],
            rules=[
                IngressRuleArgs(host=host, http=HTTPIngressRuleValueArgs(paths=[path]))
                for host in wanted.hosts
            ],
        ),
        opts=opts,
    )


def target_group_binding(
    name: str,
    environment: str,
    target_group_arn: pulumi.Input[str],
    *,
    opts: pulumi.ResourceOptions,
) -> CustomResource:
    """Declare which pods a target group of AWS has: the AWS load balancer controller adds them."""
    return CustomResource(
        f"{name}-target-group-binding",
        api_version="elbv2.k8s.aws/v1beta1",
        kind="TargetGroupBinding",
        metadata=ObjectMetaArgs(name=SERVER, namespace=NAMESPACE, labels=labels(environment)),
        spec={
            "serviceRef": {"name": SERVER, "port": PORT_NAME},
            "targetGroupARN": target_group_arn,
            "targetType": "ip",
        },
        opts=opts,
    )


def _annotations(settings: PlatformSettings) -> dict[str, str]:
    """What nginx has no field for: it would refuse models above 1 MiB and cut off long answers."""
    if "nginx" not in settings.kubernetes.ingress.class_name:
        return {}
    seconds = str(settings.timeouts.server_request_seconds)
    prefix = "nginx.ingress.kubernetes.io"
    return {
        f"{prefix}/proxy-body-size": "0",
        f"{prefix}/proxy-request-buffering": "off",
        f"{prefix}/proxy-read-timeout": seconds,
        f"{prefix}/proxy-send-timeout": seconds,
        f"{prefix}/force-ssl-redirect": "true",
    }
