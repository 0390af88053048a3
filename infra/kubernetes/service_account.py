"""Who the server is towards the cloud: a service account that the cloud gives a role.

The server never calls Kubernetes, so no pod gets a token for its API. The cloud's own token (IRSA,
Pod Identity, Workload Identity) is added to the pod by the cloud's webhook, beside this.
"""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
from pulumi_kubernetes.core.v1 import ServiceAccount
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra.kubernetes.labels import NAMESPACE, SERVER, labels


def service_account(
    name: str,
    environment: str,
    annotations: Mapping[str, pulumi.Input[str]],
    *,
    opts: pulumi.ResourceOptions,
) -> ServiceAccount:
    """Declare the service account with the annotations that name its role."""
    return ServiceAccount(
        f"{name}-service-account",
        metadata=ObjectMetaArgs(
            name=SERVER,
            namespace=NAMESPACE,
            labels=labels(environment),
            annotations=dict(annotations),
        ),
        automount_service_account_token=False,
        opts=opts,
    )
