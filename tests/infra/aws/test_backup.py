"""Database and bucket are copied every day into a vault that the platform cannot empty."""

from __future__ import annotations

from typing import Any

import pytest

from infra.aws.backup import BackupPlan, BackupWiring
from infra.settings import PlatformSettings
from tests.infra.aws.declared import KEY_ARN, Deployment, deploy
from tests.infra.aws.stacks import aws_stack

BUCKET, DATABASE = "arn:aws:s3:::artifacts", "arn:aws:rds:::db:mlflow"


def planned(settings: PlatformSettings, **wiring: Any) -> Deployment:
    parts = {"key_arn": KEY_ARN, "bucket_arn": BUCKET, "database_arn": DATABASE, **wiring}

    def program() -> None:
        BackupPlan("backup", settings, BackupWiring(**parts))

    return deploy(program).deployment


@pytest.fixture(scope="module")
def plan() -> Deployment:
    return planned(aws_stack(backupPlan="true"))


class TestVault:
    """What is in it stays in it."""

    def test_inputs(self, plan: Deployment) -> None:
        assert plan.one("backup/vault:Vault").inputs == {
            "name": "mlops-platform-test-mlflow",
            "kmsKeyArn": KEY_ARN,
            "forceDestroy": False,
        }

    def test_no_lock_unless_asked_for(self, plan: Deployment) -> None:
        assert plan.of("backup/vaultLockConfiguration:VaultLockConfiguration") == []

    def test_lock(self) -> None:
        settings = aws_stack(backupPlan="true", backupVaultLock="true", backupRetentionDays="90")
        lock = planned(settings).one("backup/vaultLockConfiguration:VaultLockConfiguration")
        assert lock.inputs == {
            "backupVaultName": "mlops-platform-test-mlflow",
            "minRetentionDays": 35,
            "maxRetentionDays": 90,
            "changeableForDays": 3,
        }


class TestPlans:
    """Every day both; the bucket continuously beside."""

    def test_daily(self, plan: Deployment) -> None:
        daily = plan.one("backup/plan:Plan", "-daily")
        assert daily.inputs == {
            "name": "mlops-platform-test-mlflow-daily",
            "rules": [
                {
                    "ruleName": "daily",
                    "targetVaultName": "mlops-platform-test-mlflow",
                    "schedule": "cron(0 5 * * ? *)",
                    "startWindow": 60,
                    "completionWindow": 720,
                    "lifecycle": {"deleteAfter": 35},
                }
            ],
        }

    def test_what_is_selected(self, plan: Deployment) -> None:
        daily = plan.one("backup/selection:Selection", "daily-selection")
        assert daily.inputs["resources"] == [DATABASE, BUCKET]
        assert "selectionTags" not in daily.inputs
        continuous = plan.one("backup/selection:Selection", "continuous-selection")
        assert continuous.inputs["resources"] == [BUCKET]

    @pytest.mark.parametrize(("kept", "continuous"), [("7", 7), ("35", 35), ("365", 35)])
    def test_continuous_within_awss_limit(self, kept: str, continuous: int) -> None:
        deployment = planned(aws_stack(backupPlan="true", backupRetentionDays=kept))
        (rule,) = deployment.one("backup/plan:Plan", "-continuous").inputs["rules"]
        assert rule["enableContinuousBackup"] is True
        assert rule["lifecycle"] == {"deleteAfter": continuous}

    def test_a_bucket_of_somebody_elses_is_left_out(self) -> None:
        deployment = planned(aws_stack(backupPlan="true"), bucket_arn=None)
        assert len(deployment.of("backup/plan:Plan")) == 1
        selection = deployment.one("backup/selection:Selection")
        assert selection.inputs["resources"] == [DATABASE]

    def test_role(self, plan: Deployment) -> None:
        attached = {
            item.inputs["policyArn"].removeprefix("arn:aws:iam::aws:policy/")
            for item in plan.of("iam/rolePolicyAttachment:RolePolicyAttachment")
        }
        assert attached == {
            "service-role/AWSBackupServiceRolePolicyForBackup",
            "service-role/AWSBackupServiceRolePolicyForRestores",
            "AWSBackupServiceRolePolicyForS3Backup",
            "AWSBackupServiceRolePolicyForS3Restore",
        }


class TestCopies:
    """A region can be lost as a whole."""

    def test_into_another_region_under_a_key_there(self) -> None:
        deployment = planned(aws_stack(backupPlan="true", backupCopyRegion="eu-west-1"))
        key = deployment.one("kms/key:Key")
        vault = deployment.one("backup/vault:Vault", "copy-vault")
        assert (key.inputs["region"], vault.inputs["region"]) == ("eu-west-1", "eu-west-1")
        assert vault.inputs["kmsKeyArn"] == "arn:aws:kms:::backup-copy-key"
        (rule,) = deployment.one("backup/plan:Plan", "-daily").inputs["rules"]
        assert rule["copyActions"] == [
            {
                "destinationVaultArn": "arn:aws:backup:::backup-copy-vault",
                "lifecycle": {"deleteAfter": 35},
            }
        ]
