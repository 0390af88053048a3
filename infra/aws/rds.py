"""The backend store on RDS: PostgreSQL, its replica, its password and who may connect.

Owns the instance and what belongs to it alone (subnet group, security group, parameter group,
monitoring role, log groups). The parameters' values stand in `rds_parameters`. Only the security
groups in the wiring reach it, and only by TLS. Which restart-requiring change happens when is the
setting `databaseApplyImmediately`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NotRequired, TypedDict

import pulumi
import pulumi_aws as aws
from pulumi_random import RandomId, RandomPassword

from infra import naming
from infra.aws.rds_parameters import parameter_args
from infra.aws.secrets import SecretWiring, StoredSecret
from infra.aws.security_group import closed_group, from_group
from infra.aws.service_role import ServiceRole
from infra.settings_model import PlatformSettings

CERTIFICATE_AUTHORITY = "rds-ca-rsa2048-g1"
"""Valid until 2061, so no server certificate outlives it."""

LOG_EXPORTS = ("postgresql", "upgrade")

PASSWORD_LENGTH = 40
"""Letters and digits only: it is pasted into shells and URLs by people in a hurry."""

FREE_INSIGHTS_DAYS = 7


@dataclass(frozen=True, kw_only=True, slots=True)
class DatabaseWiring:
    """Where the database stands, what encrypts it and who may connect."""

    vpc_id: pulumi.Input[str]
    subnet_ids: Sequence[pulumi.Input[str]]  # isolated ones, in two zones or more
    key_arn: pulumi.Input[str]
    client_security_group_ids: Mapping[str, pulumi.Input[str]]  # by who they are: `server`


class _Insight(TypedDict):
    performance_insights_enabled: bool
    performance_insights_kms_key_id: NotRequired[pulumi.Input[str]]
    performance_insights_retention_period: NotRequired[int]
    monitoring_interval: int
    monitoring_role_arn: NotRequired[pulumi.Input[str]]


class Database(pulumi.ComponentResource):
    """A PostgreSQL instance, and its read replica where the settings want one."""

    address: pulumi.Output[str]
    arn: pulumi.Output[str]
    identifier: str
    resource_id: pulumi.Output[str]  # db-ABC…: what IAM policies name it by
    replica_identifier: str | None
    security_group_id: pulumi.Output[str]
    password: pulumi.Output[str] | None  # None: RDS keeps it, or the server's identity counts
    password_secret_arn: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        settings: PlatformSettings,
        wiring: DatabaseWiring,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the database."""
        super().__init__("mlflow-platform:aws:Database", name, None, opts)
        self._name = name
        self._settings = settings
        self._wiring = wiring
        self._child = pulumi.ResourceOptions(parent=self)
        self.identifier = naming.base_name(settings.environment)
        self.password = self._password()
        self.security_group_id = self._security_group()
        self._parameters = self._parameter_group()
        self._monitoring = self._monitoring_role()
        primary = self._primary()
        self.replica_identifier = self._replica(primary)

        self.address = primary.address
        self.arn = primary.arn
        self.resource_id = primary.resource_id
        self.password_secret_arn = self._password_secret(primary)
        self.register_outputs({"address": self.address, "identifier": self.identifier})

    def _password(self) -> pulumi.Output[str] | None:
        if self._settings.cloud.database.authentication != "password":
            return None
        made = RandomPassword(
            f"{self._name}-password", length=PASSWORD_LENGTH, special=False, opts=self._child
        )
        return pulumi.Output.secret(made.result)

    def _security_group(self) -> pulumi.Output[str]:
        """No rule for the way out: the database calls nobody."""
        clients, port = self._wiring.client_security_group_ids, self._settings.database.port
        return closed_group(
            f"{self._name}-clients",
            f"{self.identifier}-database",
            "PostgreSQL for the MLflow server.",
            vpc_id=self._wiring.vpc_id,
            ingress=[
                from_group(group_id, port, f"PostgreSQL from the {client}.")
                for client, group_id in clients.items()
            ],
            opts=self._child,
        ).id

    def _parameter_group(self) -> aws.rds.ParameterGroup:
        major = self._settings.cloud.database.major_version
        return aws.rds.ParameterGroup(
            f"{self._name}-parameters",
            # The version is part of the name: an upgrade makes the new group beside the old one.
            name=f"{self.identifier}-postgres{major}",
            family=f"postgres{major}",
            description="TLS only, connections as budgeted, slow statements logged.",
            parameters=parameter_args(self._settings),
            opts=self._child,
        )

    def _monitoring_role(self) -> ServiceRole | None:
        if self._settings.aws.rds.monitoring_interval_seconds == 0:
            return None
        return ServiceRole(
            f"{self._name}-monitoring",
            role_name=f"{self.identifier}-rds-monitoring",
            service="monitoring.rds.amazonaws.com",
            managed_policies=["service-role/AmazonRDSEnhancedMonitoringRole"],
            opts=self._child,
        )

    def _primary(self) -> aws.rds.Instance:
        settings, database = self._settings, self._settings.cloud.database
        managed = self.password is None
        subnets = aws.rds.SubnetGroup(
            f"{self._name}-subnets",
            name=self.identifier,
            description="Isolated subnets of the MLflow database.",
            subnet_ids=list(self._wiring.subnet_ids),
            opts=self._child,
        )
        snapshot = None
        if database.final_snapshot:
            # A name of its own: a second stack of this name could not leave its snapshot.
            suffix = RandomId(f"{self._name}-final-snapshot", byte_length=4, opts=self._child)
            snapshot = pulumi.Output.format("{0}-final-{1}", self.identifier, suffix.hex)
        return aws.rds.Instance(
            f"{self._name}-instance",
            identifier=self.identifier,
            engine="postgres",
            engine_version=str(database.major_version),
            auto_minor_version_upgrade=True,
            allow_major_version_upgrade=True,  # only a changed databaseMajorVersion asks for one
            instance_class=settings.aws.rds.instance_class,
            storage_type="gp3",
            allocated_storage=database.storage_gib,
            max_allocated_storage=database.max_storage_gib,
            storage_encrypted=True,
            kms_key_id=self._wiring.key_arn,
            db_name=settings.database.name,
            username=settings.database.user,
            password=self.password,
            manage_master_user_password=True if managed else None,
            master_user_secret_kms_key_id=self._wiring.key_arn if managed else None,
            iam_database_authentication_enabled=database.authentication == "iam",
            port=settings.database.port,
            db_subnet_group_name=subnets.name,
            vpc_security_group_ids=[self.security_group_id],
            publicly_accessible=False,
            ca_cert_identifier=CERTIFICATE_AUTHORITY,
            multi_az=database.high_availability,
            parameter_group_name=self._parameters.name,
            backup_retention_period=database.backup_retention_days,
            backup_window=settings.aws.rds.backup_window,
            maintenance_window=settings.aws.rds.maintenance_window,
            copy_tags_to_snapshot=True,
            delete_automated_backups=not settings.cloud.is_production,
            deletion_protection=database.deletion_protection,
            skip_final_snapshot=not database.final_snapshot,
            final_snapshot_identifier=snapshot,
            apply_immediately=settings.aws.rds.apply_immediately,
            enabled_cloudwatch_logs_exports=list(LOG_EXPORTS),
            **self._insight(),
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=settings.cloud.is_production,
                depends_on=self._log_groups(self.identifier),
            ),
        )

    def _replica(self, primary: aws.rds.Instance) -> str | None:
        settings = self._settings
        if not settings.cloud.database.read_replica:
            return None
        identifier = f"{self.identifier}-replica"
        aws.rds.Instance(
            f"{self._name}-replica",
            identifier=identifier,
            replicate_source_db=primary.identifier,  # engine, key, user and subnets are its own
            instance_class=settings.aws.rds.instance_class,
            storage_type="gp3",
            max_allocated_storage=settings.cloud.database.max_storage_gib,
            storage_encrypted=True,
            port=settings.database.port,
            vpc_security_group_ids=[self.security_group_id],
            publicly_accessible=False,
            ca_cert_identifier=CERTIFICATE_AUTHORITY,
            parameter_group_name=self._parameters.name,
            auto_minor_version_upgrade=True,
            maintenance_window=settings.aws.rds.maintenance_window,
            copy_tags_to_snapshot=True,
            skip_final_snapshot=True,  # of a copy there is nothing to keep
            apply_immediately=settings.aws.rds.apply_immediately,
            enabled_cloudwatch_logs_exports=list(LOG_EXPORTS),
            **self._insight(),
            opts=pulumi.ResourceOptions(parent=self, depends_on=self._log_groups(identifier)),
        )
        return identifier

    def _insight(self) -> _Insight:
        """Performance Insights and enhanced monitoring, as the settings have them."""
        rds = self._settings.aws.rds
        insight: _Insight = {
            "performance_insights_enabled": rds.performance_insights,
            "monitoring_interval": rds.monitoring_interval_seconds,
        }
        if rds.performance_insights:
            insight["performance_insights_kms_key_id"] = self._wiring.key_arn
            insight["performance_insights_retention_period"] = FREE_INSIGHTS_DAYS
        if self._monitoring is not None:
            insight["monitoring_role_arn"] = self._monitoring.arn
        return insight

    def _log_groups(self, identifier: str) -> list[pulumi.Resource]:
        """RDS would make them itself: unencrypted, for ever."""
        return [
            aws.cloudwatch.LogGroup(
                f"{self._name}-{identifier.removeprefix(self.identifier).lstrip('-') or 'instance'}"
                f"-{log}-log",
                name=f"/aws/rds/instance/{identifier}/{log}",
                kms_key_id=self._wiring.key_arn,
                retention_in_days=self._settings.cloud.log_retention_days,
                opts=self._child,
            )
            for log in LOG_EXPORTS
        ]

    def _password_secret(self, primary: aws.rds.Instance) -> pulumi.Output[str]:
        database = self._settings.database
        if self.password is None:
            return primary.master_user_secrets.apply(lambda secrets: secrets[0].secret_arn or "")
        return StoredSecret(
            f"{self._name}-credentials",
            SecretWiring(
                secret_name=f"{self.identifier}/database",
                description="Database of the MLflow server: where it is, and who the server is.",
                key_arn=self._wiring.key_arn,
                content={
                    "host": primary.address,
                    "port": str(database.port),
                    "dbname": database.name,
                    "username": database.user,
                    "password": self.password,
                },
                is_production=self._settings.cloud.is_production,
            ),
            opts=self._child,
        ).arn
