"""Typed settings that mean the same on every cloud: `PlatformSettings.cloud`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Ingress = Literal["none", "internal", "public"]
DatabaseAuthentication = Literal["password", "managed", "iam"]


@dataclass(frozen=True, kw_only=True, slots=True)
class CloudDatabaseSettings:
    """The database a cloud provisions."""

    major_version: int
    storage_gib: int  # at first
    max_storage_gib: int  # it grows by itself up to here
    high_availability: bool  # standby in another zone
    backup_retention_days: int  # of point-in-time recovery
    deletion_protection: bool
    final_snapshot: bool  # taken when it is deleted
    read_replica: bool
    authentication: DatabaseAuthentication


@dataclass(frozen=True, kw_only=True, slots=True)
class AlarmSettings:
    """Who hears of trouble, and what counts as trouble (latency: `telemetry.slow_response_ms`)."""

    emails: tuple[str, ...]
    database_cpu_percent: int
    database_connections_percent: int  # of database.max_connections
    database_free_storage_percent: int
    replica_lag_seconds: int
    server_errors_percent: int  # 5xx among all answers


@dataclass(frozen=True, kw_only=True, slots=True)
class CloudSettings:
    """What every cloud's platform decides."""

    protection: Literal["standard", "production"]
    log_retention_days: int
    server_image: str  # "" = from the registry made here
    server_image_tag: str  # in the registry made here; "" = MLflow's version
    ingress: Ingress
    ingress_allowed_cidrs: tuple[str, ...]  # empty = all
    database: CloudDatabaseSettings
    artifact_noncurrent_version_days: int
    artifact_force_destroy: bool
    alarms: AlarmSettings

    @property
    def is_production(self) -> bool:
        """Whether data-holding resources are protected and shortcuts refused."""
        return self.protection == "production"
