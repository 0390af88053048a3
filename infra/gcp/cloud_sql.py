"""The database: Cloud SQL for PostgreSQL, with a private address only.

Owns the instance, the server's database and user, and the optional read replica. Connections must
be encrypted (`ENCRYPTED_ONLY`). PostgreSQL's parameters are `cloud_sql_flags`'s; the password is
made elsewhere and handed in, and with IAM authentication there is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from infra.settings import PlatformSettings

MOST_LOG_RETENTION_DAYS = 7
"""Write-ahead logs kept for point-in-time recovery; Cloud SQL's Enterprise edition keeps 7 days."""

OWNERS = "cloudsqlsuperuser"
"""Who owns a database that is made through the API, and so may make tables in it."""

GCP_IAM_SUFFIX = ".gserviceaccount.com"
"""Left out of the database user of a service account (PostgreSQL's names have 63 characters)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DatabaseWiring:
    """Where the database stands and who it is for."""

    identifier: str
    region: str
    labels: dict[str, str]
    network_id: pulumi.Input[str]
    private_services: pulumi.Resource | None
    password: pulumi.Input[str] | None  # None: IAM authentication
    server_email: pulumi.Input[str]
    flags: Mapping[str, str]
    key_id: pulumi.Input[str] | None
    key_grants: list[pulumi.Resource]


class Database(pulumi.ComponentResource):
    """A PostgreSQL instance that keeps MLflow's experiments, runs and models."""

    address: pulumi.Output[str]
    identifier: pulumi.Output[str]
    user: pulumi.Output[str]
    ready: list[pulumi.Resource]  # the migration waits for them

    def __init__(
        self,
        name: str,
        settings: PlatformSettings,
        wiring: DatabaseWiring,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Make the instance with its database and user."""
        super().__init__("mlflow-platform:gcp:Database", name, None, opts)
        production = settings.cloud.is_production
        waits = [*wiring.key_grants]
        if wiring.private_services is not None:
            waits.append(wiring.private_services)
        instance = gcp.sql.DatabaseInstance(
            f"{name}-instance",
            name=wiring.identifier,
            region=wiring.region,
            database_version=f"POSTGRES_{settings.cloud.database.major_version}",
            settings=instance_settings(settings, wiring),
            encryption_key_name=wiring.key_id,
            deletion_protection=settings.cloud.database.deletion_protection,
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=waits,
                protect=production,
                custom_timeouts=pulumi.CustomTimeouts(create="45m", update="60m"),
                # Storage that grew by itself is not to be shrunk: Cloud SQL would refuse.
                ignore_changes=["settings.diskSize"],
            ),
        )
        child = pulumi.ResourceOptions(parent=self)
        database = gcp.sql.Database(
            f"{name}-database",
            name=settings.database.name,
            instance=instance.name,
            charset="UTF8",
            collation="en_US.UTF8",
            # A database with tables of its user cannot be dropped before them; the instance can.
            deletion_policy="ABANDON",
            opts=pulumi.ResourceOptions(parent=self, protect=production),
        )
        user = self._user(name, settings, wiring, instance, child)
        self.ready = [instance, database, user]
        if settings.cloud.database.read_replica:
            self._replica(name, settings, wiring, instance)
        self.address = instance.private_ip_address
        self.identifier = instance.name
        self.user = user.name
        self.register_outputs({"address": self.address, "identifier": self.identifier})

    def _user(
        self,
        name: str,
        settings: PlatformSettings,
        wiring: DatabaseWiring,
        instance: gcp.sql.DatabaseInstance,
        child: pulumi.ResourceOptions,
    ) -> gcp.sql.User:
        if wiring.password is None:
            email = pulumi.Output.from_input(wiring.server_email)
            return gcp.sql.User(
                f"{name}-user",
                name=email.apply(lambda address: address.removesuffix(GCP_IAM_SUFFIX)),
                type="CLOUD_IAM_SERVICE_ACCOUNT",
                # A user with a password is made one by Cloud SQL; an identity may only log in.
                database_roles=[OWNERS],
                instance=instance.name,
                deletion_policy="ABANDON",
                opts=child,
            )
        return gcp.sql.User(
            f"{name}-user",
            name=settings.database.user,
            password=wiring.password,
            instance=instance.name,
            deletion_policy="ABANDON",
            opts=child,
        )

    def _replica(
        self,
        name: str,
        settings: PlatformSettings,
        wiring: DatabaseWiring,
        primary: gcp.sql.DatabaseInstance,
    ) -> None:
        gcp.sql.DatabaseInstance(
            f"{name}-replica",
            name=f"{wiring.identifier}-replica",
            region=wiring.region,
            database_version=f"POSTGRES_{settings.cloud.database.major_version}",
            master_instance_name=primary.name,
            settings=gcp.sql.DatabaseInstanceSettingsArgs(
                tier=settings.gcp.cloud_sql.tier,
                edition="ENTERPRISE",
                availability_type="ZONAL",
                ip_configuration=ip_configuration(wiring.network_id),
                database_flags=flags(wiring.flags),
                user_labels=wiring.labels,
            ),
            encryption_key_name=wiring.key_id,
            deletion_protection=settings.cloud.database.deletion_protection,
            opts=pulumi.ResourceOptions(parent=self),
        )


def instance_settings(
    settings: PlatformSettings, wiring: DatabaseWiring
) -> gcp.sql.DatabaseInstanceSettingsArgs:
    """Machine, storage, recovery and what is watched."""
    database, machine = settings.cloud.database, settings.gcp.cloud_sql
    return gcp.sql.DatabaseInstanceSettingsArgs(
        tier=machine.tier,
        edition="ENTERPRISE",
        availability_type="REGIONAL" if database.high_availability else "ZONAL",
        disk_type="PD_SSD",
        disk_size=database.storage_gib,
        disk_autoresize=True,
        disk_autoresize_limit=database.max_storage_gib,
        deletion_protection_enabled=database.deletion_protection,
        retain_backups_on_delete=database.final_snapshot,
        ip_configuration=ip_configuration(wiring.network_id),
        backup_configuration=backups(database.backup_retention_days),
        maintenance_window=gcp.sql.DatabaseInstanceSettingsMaintenanceWindowArgs(
            day=machine.maintenance_day, hour=machine.maintenance_hour, update_track="stable"
        ),
        insights_config=gcp.sql.DatabaseInstanceSettingsInsightsConfigArgs(
            query_insights_enabled=machine.query_insights,
            record_application_tags=False,
            # Who asked is in the server's log; addresses are people's data.
            record_client_address=False,
        ),
        database_flags=flags(wiring.flags),
        user_labels=wiring.labels,
    )


def ip_configuration(
    network_id: pulumi.Input[str],
) -> gcp.sql.DatabaseInstanceSettingsIpConfigurationArgs:
    """A private address and no other, and no connection in clear."""
    return gcp.sql.DatabaseInstanceSettingsIpConfigurationArgs(
        ipv4_enabled=False,
        private_network=network_id,
        ssl_mode="ENCRYPTED_ONLY",
    )


def backups(
    retention_days: int,
) -> gcp.sql.DatabaseInstanceSettingsBackupConfigurationArgs:
    """A backup each night, kept for the days asked, and a week to any second within it."""
    return gcp.sql.DatabaseInstanceSettingsBackupConfigurationArgs(
        enabled=True,
        start_time="02:00",
        point_in_time_recovery_enabled=True,
        transaction_log_retention_days=min(retention_days, MOST_LOG_RETENTION_DAYS),
        backup_retention_settings=gcp.sql.DatabaseInstanceSettingsBackupConfigurationBackupRetentionSettingsArgs(
            retained_backups=retention_days, retention_unit="COUNT"
        ),
    )


def flags(values: Mapping[str, str]) -> list[gcp.sql.DatabaseInstanceSettingsDatabaseFlagArgs]:
    """PostgreSQL's parameters, as Cloud SQL calls them; in one order, so that no preview jumps."""
    return [
        gcp.sql.DatabaseInstanceSettingsDatabaseFlagArgs(name=name, value=value)
        for name, value in sorted(values.items())
    ]
