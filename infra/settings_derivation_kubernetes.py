"""From parsed values to `PlatformSettings.kubernetes`."""

from __future__ import annotations

from typing import cast

from infra.settings_model_kubernetes import (
    KubernetesIngressSettings,
    KubernetesSettings,
    RetentionSettings,
    SecretSource,
)
from infra.settings_parsing import Parsed


def derive_kubernetes(parsed: Parsed) -> KubernetesSettings:
    """What a stack decides about the server in a cluster."""
    return KubernetesSettings(
        replicas_minimum=parsed.number("serverReplicasMinimum"),
        hpa_cpu_percent=parsed.number("hpaCpuPercent"),
        scratch_gib=parsed.number("serverScratchGib"),
        client_namespaces=parsed.names("networkPolicyNamespaces"),
        ingress=KubernetesIngressSettings(
            class_name=parsed.text("ingressClassName"),
            hosts=parsed.names("ingressHosts"),
            tls_secret=parsed.text("ingressTlsSecret"),
            namespace=parsed.text("ingressNamespace"),
        ),
        prometheus_operator=parsed.flag("prometheusOperator"),
        prometheus_namespace=parsed.text("prometheusNamespace"),
        secret_source=cast("SecretSource", parsed.text("secretSource")),
        secret_store_name=parsed.text("secretStoreName"),
        retention=RetentionSettings(
            schedule=parsed.text("retentionSchedule"), days=parsed.number("retentionDays")
        ),
    )
