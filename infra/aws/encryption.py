"""The KMS key of everything a stack keeps: database, artifacts, secrets, logs, alarms, backups.

Owns the key, its policy and its alias, or adopts the key the settings name. One key and not one for
each service: what may be read together (a run with its artifacts) is also taken away together, and
each service's use is told apart in CloudTrail by its encryption context.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import naming
from infra.aws.iam_policies import PolicyDocument, Statement, document
from infra.settings_model import PlatformSettings

ALARM_SENDERS = (
    "cloudwatch.amazonaws.com",
    "events.amazonaws.com",
    "events.rds.amazonaws.com",
    "backup.amazonaws.com",
)
"""Services that publish to the encrypted alarm topic: without the key they fail in silence."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EncryptionWiring:
    """Whose key it is, and where."""

    account: str
    region: str


class EncryptionKey(pulumi.ComponentResource):
    """The stack's KMS key."""

    arn: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        settings: PlatformSettings,
        wiring: EncryptionWiring,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the key, or take the one that `settings` name."""
        super().__init__("mlflow-platform:aws:EncryptionKey", name, None, opts)
        existing = settings.aws.encryption.existing_key_arn
        self.arn = (
            pulumi.Output.from_input(existing) if existing else self._made(name, settings, wiring)
        )
        self.register_outputs({"arn": self.arn})

    def _made(
        self, name: str, settings: PlatformSettings, wiring: EncryptionWiring
    ) -> pulumi.Output[str]:
        key = aws.kms.Key(
            f"{name}-key",
            description=f"Everything that {naming.base_name(settings.environment)} keeps.",
            enable_key_rotation=True,
            deletion_window_in_days=settings.aws.encryption.key_deletion_days,
            policy=json.dumps(key_policy(wiring)),
            # Without the key, every backup is noise: its loss is the loss of all data at once.
            opts=pulumi.ResourceOptions(parent=self, protect=settings.cloud.is_production),
        )
        aws.kms.Alias(
            f"{name}-alias",
            name=f"alias/{naming.base_name(settings.environment)}",
            target_key_id=key.key_id,
            opts=pulumi.ResourceOptions(parent=self),
        )
        return key.arn


def account_statement(account: str) -> Statement:
    """Whoever IAM of the account allows."""
    return {
        "Sid": "IamOfTheAccountDecides",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
        "Action": ["kms:*"],
        "Resource": ["*"],  # in a key's policy: this key
    }


def key_policy(wiring: EncryptionWiring) -> PolicyDocument:
    """IAM of the account decides who uses the key; services without a role are named here."""
    account, region = wiring.account, wiring.region
    return document(
        [
            account_statement(account),
            {
                "Sid": "CloudWatchLogsOfTheAccount",
                "Effect": "Allow",
                "Principal": {"Service": f"logs.{region}.amazonaws.com"},
                "Action": [
                    "kms:Encrypt",
                    "kms:Decrypt",
                    "kms:ReEncrypt*",
                    "kms:GenerateDataKey*",
                    "kms:DescribeKey",
                ],
                "Resource": ["*"],
                "Condition": {
                    "ArnLike": {
                        "kms:EncryptionContext:aws:logs:arn": f"arn:aws:logs:{region}:{account}:*"
                    }
                },
            },
            *(
                {
                    "Sid": f"Alarms{number}",
                    "Effect": "Allow",
                    "Principal": {"Service": service},
                    "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
                    "Resource": ["*"],
                    "Condition": {"StringEquals": {"aws:SourceAccount": account}},
                }
                for number, service in enumerate(ALARM_SENDERS, start=1)
            ),
        ]
    )
