"""What Prometheus reads of every server: a ServiceMonitor for the Prometheus operator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra.kubernetes.labels import AUTH_SECRET, NAMESPACE, PORT_NAME, SERVER, labels, selector

if TYPE_CHECKING:
    from infra.settings import PlatformSettings


def service_monitor(
    name: str, settings: PlatformSettings, *, opts: pulumi.ResourceOptions
) -> CustomResource:
    """Declare it.

    With basic authentication `/metrics` asks for a password too (and answers 401 without), so
    Prometheus takes the administrator's from the same Secret as the server.
    """
    endpoint: dict[str, object] = {
        "port": PORT_NAME,
        "path": f"{settings.server.static_prefix}/metrics",
        "interval": f"{settings.telemetry.collection_interval_seconds}s",
    }
    if settings.authentication.kind == "basic":
        endpoint["basicAuth"] = {
            key: {"name": AUTH_SECRET, "key": key} for key in ("username", "password")
        }
    return CustomResource(
        f"{name}-service-monitor",
        api_version="monitoring.coreos.com/v1",
        kind="ServiceMonitor",
        metadata=ObjectMetaArgs(
            name=SERVER, namespace=NAMESPACE, labels=labels(settings.environment)
        ),
        spec={
            "selector": {"matchLabels": selector()},
            "namespaceSelector": {"matchNames": [NAMESPACE]},
            "endpoints": [endpoint],
        },
        opts=opts,
    )
