"""Rules about the database on RDS: limits that PostgreSQL itself does not have.

Owns one small function per rule, each with its own message. Asked of target aws alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from infra.settings_declarations import BY_KEY
from infra.settings_instance_classes import looks_like_a_class, memory_gib, most_connections
from infra.settings_model import PlatformSettings
from infra.settings_parsing import Parsed, Problem, problem

MONITORING_INTERVALS = (0, 1, 5, 10, 15, 30, 60)
"""Seconds between samples of enhanced monitoring that RDS takes."""

_LOWEST_RDS_PORT = 1150
_TAKEN_USERS = ("rdsadmin", "admin", "rdsrepladmin")

_CLOCK = r"(?:[01]\d|2[0-3]):[0-5]\d"
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_BACKUP_WINDOW = re.compile(f"({_CLOCK})-({_CLOCK})")
_DAY = "|".join(_DAYS)
_MAINTENANCE_WINDOW = re.compile(f"({_DAY}):({_CLOCK})-({_DAY}):({_CLOCK})")
_MINUTES_OF_A_DAY = 24 * 60
_SHORTEST_WINDOW_MINUTES = 30


def database_suits_rds(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """Limits of RDS that PostgreSQL itself does not have."""
    if settings.database.backend_store_uri:
        return
    interval = settings.aws.rds.monitoring_interval_seconds
    if interval not in MONITORING_INTERVALS:
        allowed = ", ".join(str(number) for number in MONITORING_INTERVALS)
        yield problem("databaseMonitoringIntervalSeconds", f"is {interval}; RDS takes {allowed}")
    if settings.database.port < _LOWEST_RDS_PORT:
        yield problem(
            "databasePort",
            f"is {settings.database.port}; RDS takes {_LOWEST_RDS_PORT} to 65535: leave it at "
            f"{BY_KEY['databasePort'].default}",
        )
    user = settings.database.user
    if user in _TAKEN_USERS or user.startswith("_"):
        yield problem(
            "databaseUser",
            f"is {user!r}, which RDS does not take as a name: choose another, such as mlflow",
        )
    database = settings.cloud.database
    if database.authentication == "managed" and database.read_replica:
        yield problem(
            "databaseReadReplica",
            "is true and mlflow-platform:databaseAuthentication is managed: RDS makes no replica "
            "of a database whose password it manages; set databaseAuthentication to password or "
            "iam, or leave the replica out",
        )
    from_store = settings.kubernetes.secret_source == "external-secrets"  # noqa: S105 - a source
    if database.authentication == "managed" and not from_store:
        yield problem(
            "databaseAuthentication",
            "is managed and mlflow-platform:secretSource is plain: nobody but Secrets Manager "
            "knows the password, and it changes every week; set secretSource to external-secrets, "
            "or databaseAuthentication to password",
        )
    del parsed


def instance_carries_its_connections(
    settings: PlatformSettings, parsed: Parsed
) -> Iterator[Problem]:
    """A connection costs memory: past RDS's own formula the database swaps or is killed."""
    del parsed
    if settings.database.backend_store_uri:
        return
    instance_class = settings.aws.rds.instance_class
    if not looks_like_a_class(instance_class):
        yield problem(
            "databaseInstanceClass",
            f"is {instance_class!r}; write an instance class of RDS, such as db.t4g.large",
        )
        return
    most, wanted = most_connections(instance_class), settings.database.max_connections
    if most is not None and wanted > most:
        yield problem(
            "databaseInstanceClass",
            f"is {instance_class} with {memory_gib(instance_class)} GiB, enough for {most} "
            f"connections, and databaseMaxConnections is {wanted}: choose a larger class, or lower "
            "databaseMaxConnections, serverReplicas or serverWorkers",
        )


def windows_do_not_meet(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """RDS refuses windows that overlap, last less than half an hour or cannot be read."""
    del parsed
    rds = settings.aws.rds
    backup = _BACKUP_WINDOW.fullmatch(rds.backup_window)
    maintenance = _MAINTENANCE_WINDOW.fullmatch(rds.maintenance_window)
    if backup is None:
        yield problem(
            "databaseBackupWindow",
            f"is {rds.backup_window!r}; write it as hh:mm-hh:mm in UTC, such as 02:00-03:00",
        )
    if maintenance is None:
        yield problem(
            "databaseMaintenanceWindow",
            f"is {rds.maintenance_window!r}; write it as ddd:hh:mm-ddd:hh:mm in UTC, such as "
            "sun:03:30-sun:04:30",
        )
    if backup is None or maintenance is None:
        return
    day = _MINUTES_OF_A_DAY
    opens, closes = _minutes(backup[1]), _minutes(backup[2])
    backup_minutes = (closes - opens) % day
    week = [_DAYS.index(maintenance[1]) * day + _minutes(maintenance[2])]
    length = (_DAYS.index(maintenance[3]) * day + _minutes(maintenance[4]) - week[0]) % (7 * day)
    for key, minutes in (
        ("databaseBackupWindow", backup_minutes),
        ("databaseMaintenanceWindow", length),
    ):
        if minutes < _SHORTEST_WINDOW_MINUTES:
            yield problem(key, f"lasts {minutes} minutes; RDS takes 30 or more")
            return
    # On a circle of a day: a backup window opens every day.
    start = week[0] % day
    if (start - opens) % day < backup_minutes or (opens - start) % day < length:
        yield problem(
            "databaseMaintenanceWindow",
            f"is {rds.maintenance_window} and databaseBackupWindow is {rds.backup_window}, and RDS "
            "takes no windows that overlap: move one of them",
        )


def _minutes(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)


AWS_DATABASE_RULES = (
    database_suits_rds,
    instance_carries_its_connections,
    windows_do_not_meet,
)
