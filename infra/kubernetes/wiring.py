"""What a cloud has made for MLflow to use in its cluster.

Owns the shape alone: addresses, passwords and identities that are known once the cloud's resources
are. What is decided before a deployment stands in the settings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi


@dataclass(frozen=True, kw_only=True, slots=True)
class KubernetesWiring:
    """The cloud's side of the server in a cluster."""

    image: pulumi.Input[str]  # of the server, best by digest
    artifact_root: str  # `s3://…` or `gs://…`: plain, so that a preview shows the command
    database_host: pulumi.Input[str]
    database_ssl_mode: str | None = "require"  # libpq's sslmode
    database_password: pulumi.Input[str] | None = None  # for a Secret made here
    database_secret_arn: pulumi.Input[str] | None = None  # for the External Secrets operator
    service_account_annotations: Mapping[str, pulumi.Input[str]] = field(
        default_factory=dict[str, pulumi.Input[str]]
    )
    environment: Mapping[str, pulumi.Input[str]] = field(
        default_factory=dict[str, pulumi.Input[str]]
    )  # what the artifact store's SDK needs, such as AWS_REGION; nothing secret
    admin_password: pulumi.Input[str] | None = None  # with basic authentication; None: made here
    session_key: pulumi.Input[str] | None = None  # likewise
    target_group_arn: pulumi.Input[str] | None = None  # of a load balancer made by the cloud
    load_balancer_cidrs: Sequence[pulumi.Input[str]] = ()  # where its health checks come from
    database_cidrs: Sequence[pulumi.Input[str]] = ()  # empty: any address on the database's port
    client_namespaces: Sequence[str] = ("argo",)  # beside `mlflow` and what the settings add
