"""Alarms on the backup plan: a backup that failed, and one that was never tried.

Owns both; a backup is silent in either case, and found missing on the day it is needed.
"""

from __future__ import annotations

import pulumi

from infra.aws.alarms import Alarm, Metric

PAGE = "backup.md"
A_DAY = 86_400


def backup_alarms(vault_name: pulumi.Input[str]) -> tuple[Alarm, ...]:
    """The alarms on one vault."""
    return (
        Alarm(
            name="BackupFailed",
            meaning="A backup of the database or of the artifacts has failed.",
            page=PAGE,
            metrics={"m": _jobs("NumberOfBackupJobsFailed", vault_name)},
            comparison="GreaterThanThreshold",
            threshold=0,
            period_seconds=3600,
            periods=1,
            missing_data="notBreaching",
            unit="backups",
        ),
        Alarm(
            name="BackupMissing",
            meaning="No backup has been completed for two days.",
            page=PAGE,
            metrics={"m": _jobs("NumberOfBackupJobsCompleted", vault_name)},
            comparison="LessThanThreshold",
            threshold=1,
            period_seconds=A_DAY,
            periods=2,  # a daily backup that takes an hour longer is not missing
            missing_data="breaching",  # a plan that nobody runs reports nothing
            unit="backups",
        ),
    )


def _jobs(name: str, vault_name: pulumi.Input[str]) -> Metric:
    return Metric(
        namespace="AWS/Backup",
        name=name,
        statistic="Sum",
        dimensions={"BackupVaultName": vault_name},
    )
