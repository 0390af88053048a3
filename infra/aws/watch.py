"""What watches the platform and what brings it back: alarms, dashboard, backup plan.

Owns which alarms a stack has, from the parts it consists of. What each of them watches, and where
they are drawn and mailed, stands in the files it joins.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from infra.aws.alarms import Alarm
from infra.aws.alarms_backup import backup_alarms
from infra.aws.alarms_database import database_alarms
from infra.aws.alarms_server import LoadBalancerDimensions, server_alarms
from infra.aws.artifact_location import ArtifactLocation
from infra.aws.backup import BackupPlan, BackupWiring
from infra.aws.dashboard import Dashboard
from infra.aws.load_balancer import LoadBalancer
from infra.aws.monitoring import Alarms, AlarmsWiring
from infra.aws.rds import Database
from infra.settings_model import PlatformSettings


@dataclass(frozen=True, kw_only=True, slots=True)
class WatchWiring:
    """What is watched and backed up."""

    account: str
    region: str
    key_arn: pulumi.Input[str]
    cluster_name: str
    artifacts: ArtifactLocation
    database: Database | None  # None: it is not ours
    balancer: LoadBalancer | None


class Watch(pulumi.ComponentResource):
    """Alarms, their dashboard, and backups where the settings want them."""

    topic_arn: pulumi.Output[str]
    backup_vault_name: pulumi.Output[str] | None

    def __init__(
        self,
        name: str,
        settings: PlatformSettings,
        wiring: WatchWiring,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare them."""
        super().__init__("mlflow-platform:aws:Watch", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        backup = _backup(f"{name}-backup", settings, wiring, self)
        self.backup_vault_name = backup.vault_name if backup else None
        alarms = watched(settings, wiring, self.backup_vault_name)
        Dashboard(
            f"{name}-dashboard",
            settings.environment,
            region=wiring.region,
            alarms=alarms,
            opts=child,
        )
        self.topic_arn = Alarms(
            f"{name}-alarms",
            settings,
            AlarmsWiring(account=wiring.account, key_arn=wiring.key_arn, alarms=alarms),
            opts=child,
        ).topic_arn
        self.register_outputs({"topic_arn": self.topic_arn})


def watched(
    settings: PlatformSettings, wiring: WatchWiring, vault_name: pulumi.Input[str] | None
) -> list[Alarm]:
    """Every alarm that these parts can raise."""
    balancer, database = wiring.balancer, wiring.database
    dimensions = None
    if balancer is not None:
        dimensions = LoadBalancerDimensions(
            balancer=balancer.arn_suffix, targets=balancer.target_group_arn_suffix
        )
    alarms = list(
        server_alarms(
            settings,
            balancer=dimensions,
            cluster_name=wiring.cluster_name,
            database_identifier=database.identifier if database else None,
        )
    )
    if database is not None:
        alarms += database_alarms(settings, database.identifier, database.replica_identifier)
    if vault_name is not None:
        alarms += backup_alarms(vault_name)
    return alarms


def _backup(
    name: str, settings: PlatformSettings, wiring: WatchWiring, parent: pulumi.Resource
) -> BackupPlan | None:
    if not settings.aws.backup.enabled:
        return None
    artifacts, database = wiring.artifacts, wiring.database
    return BackupPlan(
        name,
        settings,
        BackupWiring(
            key_arn=wiring.key_arn,
            bucket_arn=artifacts.bucket_arn if artifacts.is_ours else None,
            database_arn=database.arn if database else None,
        ),
        opts=pulumi.ResourceOptions(parent=parent, depends_on=list(artifacts.ready)),
    )
