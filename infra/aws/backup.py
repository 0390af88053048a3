"""The backup plan of AWS Backup: copies of database and bucket that the platform cannot delete.

Owns vault, plans and what they select. It stands beside RDS's own point-in-time recovery and S3's
versions, which go with the instance and the bucket. Continuous backup is the bucket's alone: for
an RDS instance AWS Backup would take over retention and window of the instance's own backups, and
every preview would show them as changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import naming
from infra.aws.service_role import ServiceRole
from infra.settings_model import PlatformSettings
from infra.settings_model_aws import BackupSettings

BACKUP_POLICIES = (
    "service-role/AWSBackupServiceRolePolicyForBackup",
    "service-role/AWSBackupServiceRolePolicyForRestores",
    "AWSBackupServiceRolePolicyForS3Backup",
    "AWSBackupServiceRolePolicyForS3Restore",
)

LONGEST_CONTINUOUS_DAYS = 35

LOCK_GRACE_DAYS = 3
"""The shortest that AWS takes: until then a lock can be taken back, and after that by nobody."""

START_WITHIN_MINUTES = 60
COMPLETE_WITHIN_MINUTES = 12 * 60  # the first backup of a full bucket copies all of it


@dataclass(frozen=True, kw_only=True, slots=True)
class BackupWiring:
    """What is backed up, and under which key."""

    key_arn: pulumi.Input[str]
    bucket_arn: pulumi.Input[str] | None  # None: the artifact store is not ours
    database_arn: pulumi.Input[str] | None  # None: the database is not ours


class BackupPlan(pulumi.ComponentResource):
    """A vault, and what goes into it every day."""

    vault_name: pulumi.Output[str]
    vault_arn: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        settings: PlatformSettings,
        wiring: BackupWiring,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare vault and plans."""
        super().__init__("mlflow-platform:aws:BackupPlan", name, None, opts)
        self._name = name
        self._full_name = naming.base_name(settings.environment)
        self._child = pulumi.ResourceOptions(parent=self)
        backup = settings.aws.backup
        vault = aws.backup.Vault(
            f"{name}-vault",
            name=self._full_name,
            kms_key_arn=wiring.key_arn,
            force_destroy=False,  # a vault that still holds backups is not deleted with its stack
            opts=self._child,
        )
        self._lock(backup, vault)
        self._role_arn = ServiceRole(
            f"{name}-role",
            role_name=f"{self._full_name}-backup",
            service="backup.amazonaws.com",
            managed_policies=BACKUP_POLICIES,
            opts=self._child,
        ).arn
        both = [arn for arn in (wiring.database_arn, wiring.bucket_arn) if arn is not None]
        self._plan("daily", self._daily(settings, vault), both)
        if wiring.bucket_arn is not None:
            self._plan("continuous", _continuous(backup, vault), [wiring.bucket_arn])

        self.vault_name = vault.name
        self.vault_arn = vault.arn
        self.register_outputs({"vault_name": self.vault_name})

    def _lock(self, backup: BackupSettings, vault: aws.backup.Vault) -> None:
        if backup.vault_lock:
            aws.backup.VaultLockConfiguration(
                f"{self._name}-lock",
                backup_vault_name=vault.name,
                min_retention_days=_continuous_days(backup),
                max_retention_days=max(backup.retention_days, _continuous_days(backup)),
                changeable_for_days=LOCK_GRACE_DAYS,
                opts=self._child,
            )

    def _daily(
        self, settings: PlatformSettings, vault: aws.backup.Vault
    ) -> aws.backup.PlanRuleArgs:
        backup = settings.aws.backup
        lifecycle = aws.backup.PlanRuleLifecycleArgs(delete_after=backup.retention_days)
        copies = None
        if backup.copy_region:
            copies = [
                aws.backup.PlanRuleCopyActionArgs(
                    destination_vault_arn=self._copy_vault(settings).arn,
                    lifecycle=aws.backup.PlanRuleCopyActionLifecycleArgs(
                        delete_after=backup.retention_days
                    ),
                )
            ]
        return aws.backup.PlanRuleArgs(
            rule_name="daily",
            target_vault_name=vault.name,
            schedule=backup.schedule,
            start_window=START_WITHIN_MINUTES,
            completion_window=COMPLETE_WITHIN_MINUTES,
            lifecycle=lifecycle,
            copy_actions=copies,
        )

    def _copy_vault(self, settings: PlatformSettings) -> aws.backup.Vault:
        """A vault in another region, under a key there: a key does not leave its region."""
        region = settings.aws.backup.copy_region
        key = aws.kms.Key(
            f"{self._name}-copy-key",
            region=region,
            description=f"Backups of {self._full_name}, copied here",
            enable_key_rotation=True,
            deletion_window_in_days=settings.aws.encryption.key_deletion_days,
            opts=self._child,
        )
        return aws.backup.Vault(
            f"{self._name}-copy-vault",
            region=region,
            name=self._full_name,
            kms_key_arn=key.arn,
            opts=self._child,
        )

    def _plan(
        self,
        kind: str,
        rule: aws.backup.PlanRuleArgs,
        resources: Sequence[pulumi.Input[str]],
    ) -> None:
        plan = aws.backup.Plan(
            f"{self._name}-{kind}",
            name=f"{self._full_name}-{kind}",
            rules=[rule],
            opts=self._child,
        )
        aws.backup.Selection(
            f"{self._name}-{kind}-selection",
            name=f"{self._full_name}-{kind}",
            plan_id=plan.id,
            iam_role_arn=self._role_arn,
            # By ARN: a forgotten tag is a backup that nobody misses until it is needed.
            resources=list(resources),
            opts=self._child,
        )


def _continuous(backup: BackupSettings, vault: aws.backup.Vault) -> aws.backup.PlanRuleArgs:
    return aws.backup.PlanRuleArgs(
        rule_name="continuous",
        target_vault_name=vault.name,
        schedule=backup.schedule,
        enable_continuous_backup=True,
        start_window=START_WITHIN_MINUTES,
        completion_window=COMPLETE_WITHIN_MINUTES,
        lifecycle=aws.backup.PlanRuleLifecycleArgs(delete_after=_continuous_days(backup)),
    )


def _continuous_days(backup: BackupSettings) -> int:
    return min(backup.retention_days, LONGEST_CONTINUOUS_DAYS)
