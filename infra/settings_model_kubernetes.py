"""Typed settings of MLflow on Kubernetes: `PlatformSettings.kubernetes`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SecretSource = Literal["plain", "external-secrets"]


@dataclass(frozen=True, kw_only=True, slots=True)
class KubernetesIngressSettings:
    """An Ingress in front of the server; a load balancer of the cloud is the cloud's setting."""

    class_name: str  # "" = no Ingress
    hosts: tuple[str, ...]
    tls_secret: str
    namespace: str  # of the controller, which the network policy lets in


@dataclass(frozen=True, kw_only=True, slots=True)
class RetentionSettings:
    """When runs that users deleted are removed for good."""

    schedule: str  # cron, UTC; "" = never
    days: int  # a deleted run can be restored for this long


@dataclass(frozen=True, kw_only=True, slots=True)
class KubernetesSettings:
    """What a stack decides about the server in a cluster."""

    replicas_minimum: int  # the most is `server.replicas`
    hpa_cpu_percent: int  # of the processors that a pod requests
    scratch_gib: int  # artifacts on their way through one server
    client_namespaces: tuple[str, ...]  # beside `mlflow` and the training jobs'
    ingress: KubernetesIngressSettings
    prometheus_operator: bool
    prometheus_namespace: str
    secret_source: SecretSource
    secret_store_name: str
    retention: RetentionSettings

    @property
    def external_secrets(self) -> bool:
        """Whether an operator in the cluster makes the Secrets, from the cloud's secret store."""
        return self.secret_source == "external-secrets"  # noqa: S105 - a place, no password
