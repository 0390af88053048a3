"""Passwords as pods get them: the database's, and those of basic authentication.

Owns the Secret `mlflow-db-credentials`: made here from a password that the platform knows, or kept
by the External Secrets operator from the cloud's secret store, so that neither the program nor its
state ever holds it. Whoever reads the password names `DATABASE_PASSWORD`; how it came there is
nobody else's business.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core.v1 import (
    EnvVarArgs,
    EnvVarSourceArgs,
    Secret,
    SecretKeySelectorArgs,
)
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs
from pulumi_random import RandomPassword

from infra.kubernetes.labels import AUTH_SECRET, DATABASE_SECRET, NAMESPACE, labels
from infra.kubernetes.wiring import KubernetesWiring

if TYPE_CHECKING:
    from infra.settings import PlatformSettings

PASSWORD_LENGTH = 32
"""Above the 12 characters that MLflow asks of an administrator's password."""

REFRESH_INTERVAL = "1h0m0s"
"""How often the operator reads the store; a rotated password is in the Secret within this time."""


def from_secret(variable: str, secret: str, key: str) -> EnvVarArgs:
    """An environment variable whose value stands in a Secret."""
    return EnvVarArgs(
        name=variable,
        value_from=EnvVarSourceArgs(secret_key_ref=SecretKeySelectorArgs(name=secret, key=key)),
    )


DATABASE_PASSWORD = from_secret("PGPASSWORD", DATABASE_SECRET, "password")

AUTHENTICATION = {
    "MLFLOW_AUTH_ADMIN_PASSWORD": from_secret(
        "MLFLOW_AUTH_ADMIN_PASSWORD", AUTH_SECRET, "password"
    ),
    "MLFLOW_FLASK_SERVER_SECRET_KEY": from_secret(
        "MLFLOW_FLASK_SERVER_SECRET_KEY", AUTH_SECRET, "session-key"
    ),
}
"""What `MlflowServer.secret_environment` asks for with basic authentication."""


def database_credentials(
    name: str,
    settings: PlatformSettings,
    wiring: KubernetesWiring,
    *,
    opts: pulumi.ResourceOptions,
) -> pulumi.Resource | None:
    """Declare `mlflow-db-credentials`; None where the server needs no password.

    Raises:
        ValueError: the settings want one source and the wiring has the other.
    """
    metadata = ObjectMetaArgs(
        name=DATABASE_SECRET, namespace=NAMESPACE, labels=labels(settings.environment)
    )
    if settings.kubernetes.external_secrets:
        if wiring.database_secret_arn is None:
            raise ValueError("external-secrets needs the ARN of the database's secret")
        return CustomResource(
            f"{name}-database-credentials",
            api_version="external-secrets.io/v1",
            kind="ExternalSecret",
            metadata=metadata,
            spec=_external_secret(settings, wiring.database_secret_arn),
            opts=opts,
        )
    if wiring.database_password is None:
        return None
    return Secret(
        f"{name}-database-credentials",
        metadata=metadata,
        type="Opaque",
        string_data={
            "username": settings.database.user,
            "password": pulumi.Output.secret(wiring.database_password),
        },
        opts=opts,
    )


def _external_secret(
    settings: PlatformSettings, arn: pulumi.Input[str]
) -> dict[str, pulumi.Input[object]]:
    return {
        "refreshInterval": REFRESH_INTERVAL,
        "secretStoreRef": {
            "kind": "ClusterSecretStore",
            "name": settings.kubernetes.secret_store_name,
        },
        "target": {"name": DATABASE_SECRET, "creationPolicy": "Owner"},
        "data": [
            {"secretKey": key, "remoteRef": {"key": arn, "property": key}}
            for key in ("username", "password")
        ],
    }


class Authentication:
    """Passwords of basic authentication: those handed in, or made here; and the Secret of them."""

    admin_password: pulumi.Output[str]
    secret: Secret
    checksum: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        settings: PlatformSettings,
        wiring: KubernetesWiring,
        *,
        made_under: pulumi.ResourceOptions,
        opts: pulumi.ResourceOptions,
    ) -> None:
        """Declare them: random ones as `made_under` says, the Secret as `opts` does."""
        self.admin_password = _secret(
            wiring.admin_password or settings.authentication.admin_password,
            f"{name}-admin-password",
            made_under,
        )
        session_key = _secret(wiring.session_key, f"{name}-session-key", made_under)
        self.secret = Secret(
            f"{name}-authentication",
            metadata=ObjectMetaArgs(
                name=AUTH_SECRET, namespace=NAMESPACE, labels=labels(settings.environment)
            ),
            type="Opaque",
            string_data={
                "username": settings.authentication.admin_username,
                "password": self.admin_password,
                "session-key": session_key,
            },
            opts=opts,
        )
        self.checksum = checksum(self.admin_password, session_key)


def checksum(*secrets: pulumi.Input[str]) -> pulumi.Output[str]:
    """A text that changes with the passwords and tells nothing of them.

    It stands in an annotation of the pods, so that changed passwords roll them. Whoever may read a
    Deployment may not guess a weak password from it, hence a slow hash and not a fast one.
    """

    def digest(values: list[str]) -> str:
        joined = "\0".join(values).encode()
        return hashlib.scrypt(joined, salt=NAMESPACE.encode(), n=2**14, r=8, p=1, dklen=8).hex()

    return pulumi.Output.unsecret(pulumi.Output.all(*secrets).apply(digest))


def _secret(
    given: pulumi.Input[str] | None, name: str, opts: pulumi.ResourceOptions
) -> pulumi.Output[str]:
    if given is not None:
        return pulumi.Output.secret(given)
    # Letters and digits: people paste it into shells and URLs.
    made = RandomPassword(name, length=PASSWORD_LENGTH, special=False, opts=opts)
    return pulumi.Output.secret(made.result)
