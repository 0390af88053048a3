"""Secrets of the server, kept in Secret Manager.

Owns one secret with its current version and the right of named accounts to read it, and of nobody
else. The server's environment names the version, so that a new value is a new revision of the
service and never a surprise at the next start of an instance.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp


@dataclass(frozen=True, kw_only=True, slots=True)
class SecretWiring:
    """Name, value and readers of a secret."""

    secret_id: str
    value: pulumi.Input[str]  # a secret of the stack
    region: str
    labels: dict[str, str]
    readers: dict[str, pulumi.Input[str]]  # IAM members, by a short name
    key_id: pulumi.Input[str] | None  # None: Google's own keys
    key_grants: list[pulumi.Resource]


class Secret(pulumi.ComponentResource):
    """A value that only its readers can get."""

    secret_id: pulumi.Output[str]
    version: pulumi.Output[str]  # number of the current version
    grants: list[pulumi.Resource]

    def __init__(
        self, name: str, wiring: SecretWiring, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Make the secret with its value."""
        super().__init__("mlflow-platform:gcp:Secret", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        secret = gcp.secretmanager.Secret(
            f"{name}-secret",
            secret_id=wiring.secret_id,
            replication=replication(wiring.region, wiring.key_id),
            labels=wiring.labels,
            opts=pulumi.ResourceOptions(parent=self, depends_on=wiring.key_grants),
        )
        version = gcp.secretmanager.SecretVersion(
            f"{name}-version",
            secret=secret.id,
            secret_data=pulumi.Output.secret(wiring.value),
            # An old revision that still runs reads the version it names until it is gone.
            opts=child,
        )
        self.grants = [
            gcp.secretmanager.SecretIamMember(
                f"{name}-{who}",
                secret_id=secret.id,
                role="roles/secretmanager.secretAccessor",
                member=member,
                opts=child,
            )
            for who, member in wiring.readers.items()
        ]
        self.secret_id = secret.secret_id
        self.version = version.version
        self.register_outputs({"secret_id": self.secret_id})


def replication(
    region: str, key_id: pulumi.Input[str] | None
) -> gcp.secretmanager.SecretReplicationArgs:
    """In the platform's own region alone: where the data is, the secret is."""
    key = (
        None
        if key_id is None
        else gcp.secretmanager.SecretReplicationUserManagedReplicaCustomerManagedEncryptionArgs(
            kms_key_name=key_id
        )
    )
    return gcp.secretmanager.SecretReplicationArgs(
        user_managed=gcp.secretmanager.SecretReplicationUserManagedArgs(
            replicas=[
                gcp.secretmanager.SecretReplicationUserManagedReplicaArgs(
                    location=region, customer_managed_encryption=key
                )
            ]
        )
    )
