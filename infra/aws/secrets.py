"""Passwords in Secrets Manager, where people and the External Secrets operator find them.

Owns one secret with its content. RDS keeps a password that it manages itself in a secret of its
own, with the same two keys (`username`, `password`): whoever reads one reads the other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

RECOVERY_DAYS = 30
"""As long as AWS can keep a deleted secret, in production."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SecretWiring:
    """What is kept, and under which key."""

    secret_name: str
    description: str
    key_arn: pulumi.Input[str]
    content: Mapping[str, pulumi.Input[str]]
    is_production: bool


class StoredSecret(pulumi.ComponentResource):
    """A secret and its current value."""

    arn: pulumi.Output[str]

    def __init__(
        self, name: str, wiring: SecretWiring, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Declare the secret."""
        super().__init__("mlflow-platform:aws:StoredSecret", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        secret = aws.secretsmanager.Secret(
            f"{name}-secret",
            name=wiring.secret_name,
            description=wiring.description,
            kms_key_id=wiring.key_arn,
            # Elsewhere at once: a stack that is destroyed and made again needs the name.
            recovery_window_in_days=RECOVERY_DAYS if wiring.is_production else 0,
            opts=child,
        )
        content = pulumi.Output.all(**wiring.content).apply(_json)
        aws.secretsmanager.SecretVersion(
            f"{name}-value",
            secret_id=secret.id,
            secret_string=pulumi.Output.secret(content),
            opts=child,
        )
        self.arn = secret.arn
        self.register_outputs({"arn": self.arn})


def _json(content: Mapping[str, object]) -> str:
    return json.dumps(content, sort_keys=True)
