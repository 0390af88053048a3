"""The key: rotated, never gone at once, and used by whom its policy names."""

from __future__ import annotations

from typing import Any

import pulumi

from infra.aws.encryption import EncryptionKey, EncryptionWiring
from tests.infra.aws.declared import ACCOUNT, KEY_ARN, REGION, Outcome, deploy
from tests.infra.aws.stacks import aws_stack


def key(**values: str) -> Outcome:
    def program() -> dict[str, pulumi.Input[Any]]:
        wiring = EncryptionWiring(account=ACCOUNT, region=REGION)
        return {"arn": EncryptionKey("it", aws_stack(values), wiring).arn}

    return deploy(program)


class TestKey:
    """One key of the stack's own."""

    def test_inputs(self) -> None:
        made = key(kmsKeyDeletionDays="7").deployment.one("kms/key:Key").inputs
        assert made["enableKeyRotation"] is True
        assert made["deletionWindowInDays"] == 7
        assert set(made) == {"description", "enableKeyRotation", "deletionWindowInDays", "policy"}

    def test_alias(self) -> None:
        alias = key().deployment.one("kms/alias:Alias").inputs
        assert alias["name"] == "alias/mlops-platform-test-mlflow"

    def test_adopted(self) -> None:
        outcome = key(existingKmsKeyArn=KEY_ARN)
        assert outcome.outputs["arn"] == KEY_ARN
        assert outcome.deployment.of("kms/key:Key") == []
        assert outcome.deployment.of("kms/alias:Alias") == []


class TestPolicy:
    """IAM of the account decides; services without a role are let in for this account alone."""

    def test_who_is_named(self) -> None:
        policy = key().deployment.one("kms/key:Key").policy()
        principals = [next(iter(item["Principal"].values())) for item in policy["Statement"]]
        assert principals == [
            "arn:aws:iam::123456789012:root",
            "logs.eu-central-1.amazonaws.com",
            "cloudwatch.amazonaws.com",
            "events.amazonaws.com",
            "events.rds.amazonaws.com",
            "backup.amazonaws.com",
        ]

    def test_no_service_without_a_condition(self) -> None:
        _, logs, *senders = key().deployment.one("kms/key:Key").policy()["Statement"]
        assert logs["Condition"] == {
            "ArnLike": {
                "kms:EncryptionContext:aws:logs:arn": "arn:aws:logs:eu-central-1:123456789012:*"
            }
        }
        for sender in senders:
            assert sender["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
            assert sender["Action"] == ["kms:Decrypt", "kms:GenerateDataKey*"]

    def test_statements_have_different_names(self) -> None:
        names = [item["Sid"] for item in key().deployment.one("kms/key:Key").policy()["Statement"]]
        assert len(set(names)) == len(names)
        assert all(name.isalnum() for name in names)
