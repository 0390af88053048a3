"""Alarms on the database: room, work, connections, and what runs out slowly.

Owns thresholds and their reasons. The database is RDS's own metrics only: they exist whatever runs
in the cluster.
"""

from __future__ import annotations

import pulumi

from infra.aws.alarms import Alarm, Metric
from infra.settings_instance_classes import memory_gib
from infra.settings_model import PlatformSettings

PAGE = "database.md"
GIB = 1024**3

FIVE_MINUTES = 300

LEAST_FREE_MEMORY_SHARE = 0.05
"""PostgreSQL leaves memory to the page cache and RDS counts that as free: below it, swapping."""

LEAST_CPU_CREDITS = 30
"""Half an hour of one processor at full speed, on classes that save credits up (db.t…)."""

LEAST_DISK_CREDITS_PERCENT = 20

MOST_TRANSACTION_IDS = 1_000_000_000
"""Half of the two thousand million after which PostgreSQL stops taking writes."""


def database_alarms(
    settings: PlatformSettings,
    identifier: pulumi.Input[str],
    replica_identifier: pulumi.Input[str] | None,
) -> tuple[Alarm, ...]:
    """The alarms on a database of ours, and on its replica where there is one."""
    alarms = [
        _storage(settings, identifier),
        _processor(settings, identifier),
        _connections(settings, identifier),
        _memory(settings, identifier),
        _disk_credits(identifier),
        _transaction_ids(identifier),
    ]
    if settings.aws.rds.instance_class.startswith("db.t"):
        alarms.append(_processor_credits(identifier))
    if replica_identifier is not None:
        alarms.append(_replica(settings, replica_identifier))
    return tuple(alarms)


def rds_metric(name: str, statistic: str, identifier: pulumi.Input[str]) -> Metric:
    """A metric of one instance."""
    return Metric(
        namespace="AWS/RDS",
        name=name,
        statistic=statistic,
        dimensions={"DBInstanceIdentifier": identifier},
    )


def _storage(settings: PlatformSettings, identifier: pulumi.Input[str]) -> Alarm:
    percent = settings.cloud.alarms.database_free_storage_percent
    storage_gib = settings.cloud.database.storage_gib
    return Alarm(
        name="DatabaseStorageLow",
        meaning=f"Less than {percent} % of the database's {storage_gib} GiB are free; a full "
        "database stops every run.",
        page=PAGE,
        metrics={"m": rds_metric("FreeStorageSpace", "Minimum", identifier)},
        comparison="LessThanThreshold",
        # Of the storage it started with: RDS adds to it below 10 %, and then this is the earlier.
        threshold=storage_gib * GIB * percent // 100,
        period_seconds=FIVE_MINUTES,
        periods=3,
        missing_data="breaching",  # a database without storage reports nothing
        unit="bytes",
    )


def _processor(settings: PlatformSettings, identifier: pulumi.Input[str]) -> Alarm:
    percent = settings.cloud.alarms.database_cpu_percent
    return Alarm(
        name="DatabaseCpuHigh",
        meaning=f"The database has computed more than {percent} % of the time for 15 minutes.",
        page=PAGE,
        metrics={"m": rds_metric("CPUUtilization", "Average", identifier)},
        comparison="GreaterThanThreshold",
        threshold=percent,
        period_seconds=FIVE_MINUTES,
        periods=3,
        missing_data="ignore",
        unit="%",
    )


def _connections(settings: PlatformSettings, identifier: pulumi.Input[str]) -> Alarm:
    percent = settings.cloud.alarms.database_connections_percent
    most = settings.database.max_connections
    return Alarm(
        name="DatabaseConnectionsHigh",
        meaning=f"More than {percent} % of the database's {most} connections are open; past the "
        "last one PostgreSQL answers 'too many clients already'.",
        page=PAGE,
        metrics={"m": rds_metric("DatabaseConnections", "Maximum", identifier)},
        comparison="GreaterThanThreshold",
        threshold=most * percent // 100,
        periods=5,
        missing_data="ignore",
        unit="connections",
    )


def _memory(settings: PlatformSettings, identifier: pulumi.Input[str]) -> Alarm:
    gib = memory_gib(settings.aws.rds.instance_class) or 2
    return Alarm(
        name="DatabaseMemoryLow",
        meaning="The database's machine is almost out of memory: connections will be refused, or "
        "it restarts.",
        page=PAGE,
        metrics={"m": rds_metric("FreeableMemory", "Average", identifier)},
        comparison="LessThanThreshold",
        threshold=int(gib * GIB * LEAST_FREE_MEMORY_SHARE),
        period_seconds=FIVE_MINUTES,
        periods=3,
        missing_data="ignore",
        unit="bytes",
    )


def _processor_credits(identifier: pulumi.Input[str]) -> Alarm:
    return Alarm(
        name="DatabaseCpuCreditsLow",
        meaning="The database has used up its processor credits: every further one is charged.",
        page=PAGE,
        metrics={"m": rds_metric("CPUCreditBalance", "Minimum", identifier)},
        comparison="LessThanThreshold",
        threshold=LEAST_CPU_CREDITS,
        period_seconds=FIVE_MINUTES,
        periods=3,
        missing_data="ignore",
        unit="credits",
    )


def _disk_credits(identifier: pulumi.Input[str]) -> Alarm:
    return Alarm(
        name="DatabaseDiskCreditsLow",
        meaning="The database has almost used up its disk's burst credits and will become slow.",
        page=PAGE,
        metrics={"m": rds_metric("EBSIOBalance%", "Minimum", identifier)},
        comparison="LessThanThreshold",
        threshold=LEAST_DISK_CREDITS_PERCENT,
        period_seconds=FIVE_MINUTES,
        periods=3,
        missing_data="notBreaching",  # large classes have no credits and report none
        unit="%",
    )


def _transaction_ids(identifier: pulumi.Input[str]) -> Alarm:
    return Alarm(
        name="DatabaseTransactionIdsHigh",
        meaning="Autovacuum does not keep up: transaction ids run out, and then PostgreSQL takes "
        "no more writes.",
        page=PAGE,
        metrics={"m": rds_metric("MaximumUsedTransactionIDs", "Maximum", identifier)},
        comparison="GreaterThanThreshold",
        threshold=MOST_TRANSACTION_IDS,
        period_seconds=FIVE_MINUTES,
        periods=3,
        missing_data="ignore",
        unit="ids",
    )


def _replica(settings: PlatformSettings, identifier: pulumi.Input[str]) -> Alarm:
    seconds = settings.cloud.alarms.replica_lag_seconds
    return Alarm(
        name="DatabaseReplicaBehind",
        meaning=f"The replica is more than {seconds} s behind, or has stopped: reports show the "
        "past.",
        page=PAGE,
        metrics={"m": rds_metric("ReplicaLag", "Maximum", identifier)},
        comparison="GreaterThanThreshold",
        threshold=seconds,
        periods=10,
        missing_data="breaching",  # a replica that has stopped reports nothing
        unit="s",
    )
