"""What RDS refuses of a PostgreSQL instance before it looks at anything.

Owns the rules: identifiers, storage, retention, windows, passwords, versions, monitoring. Each is a
small function; the instance asks them all, and reports all they find.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from simulated_cloud.errors import InputProblem
from simulated_cloud.property_values import Properties

POSTGRES_VERSIONS: Mapping[str, Sequence[str]] = {
    "13": ("13.20", "13.21", "13.22", "13.23"),
    "14": ("14.17", "14.18", "14.19", "14.20"),
    "15": ("15.12", "15.13", "15.14", "15.15"),
    "16": ("16.8", "16.9", "16.10", "16.11"),
    "17": ("17.4", "17.5", "17.6", "17.7"),
    "18": ("18.1",),
}
"""Versions by major one, oldest first, as of November 2026: new ones are added here."""

STORAGE_TYPES = ("gp2", "gp3", "io1", "io2", "standard")
SMALLEST_STORAGE_GIB = {"gp2": 20, "gp3": 20, "io1": 100, "io2": 100, "standard": 5}
LARGEST_STORAGE_GIB = 65536
GP3_FREE_UNTIL_GIB = 400
LOG_EXPORTS = frozenset({"postgresql", "upgrade", "iam-db-auth-error"})
MONITORING_SECONDS = (0, 1, 5, 10, 15, 30, 60)
INSIGHTS_DAYS = frozenset({7, 731, *(month * 31 for month in range(1, 24))})
RESERVED_USERS = frozenset({"admin", "postgres_admin", "rdsadmin", "rds_superuser", "user", "root"})
_WINDOW = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d-(?:[01]\d|2[0-3]):[0-5]\d")
_DAY = "(?:mon|tue|wed|thu|fri|sat|sun)"
_WEEK_WINDOW = re.compile(rf"{_DAY}:(?:[01]\d|2[0-3]):[0-5]\d-{_DAY}:(?:[01]\d|2[0-3]):[0-5]\d")

Rule = Callable[[Properties], Iterator[InputProblem]]


def full_version(wanted: str) -> str | None:
    """Return the newest version that begins with `wanted`; None where RDS has none."""
    for major, versions in POSTGRES_VERSIONS.items():
        if wanted == major:
            return versions[-1]
        if wanted in versions:
            return wanted
    return None


def check_identifier(inputs: Properties, name: str = "identifier") -> Iterator[InputProblem]:
    """Yield what is wrong with an identifier."""
    text = inputs.get(name)
    if text is None:
        return
    if not re.fullmatch(r"[a-z0-9-]*", text):
        yield InputProblem(
            name, f'only lowercase alphanumeric characters and hyphens allowed in "{name}"'
        )
    if not re.match(r"[a-z]", text):
        yield InputProblem(name, f'first character of "{name}" must be a letter')
    if "--" in text:
        yield InputProblem(name, f'"{name}" cannot contain two consecutive hyphens')
    if text.endswith("-"):
        yield InputProblem(name, f'"{name}" cannot end in a hyphen')
    if len(text) > 63:
        yield InputProblem(name, f'"{name}" cannot be longer than 63 characters')


def _engine(inputs: Properties) -> Iterator[InputProblem]:
    engine, version = inputs.get("engine"), inputs.get("engineVersion")
    if engine is not None and engine != "postgres":
        yield InputProblem(
            "engine", f"the simulated cloud has the engine postgres only, not {engine}"
        )
    elif version is not None and full_version(str(version)) is None:
        yield InputProblem(
            "engineVersion",
            f"InvalidParameterCombination: Cannot find version {version} for postgres",
        )


def _instance_class(inputs: Properties) -> Iterator[InputProblem]:
    name = inputs.get("instanceClass")
    if name is not None and not re.fullmatch(r"db\.[a-z0-9]+(-[a-z]+)?\.[a-z0-9]+", name):
        yield InputProblem(
            "instanceClass", f"InvalidParameterValue: Invalid DB Instance class: {name}"
        )


def _storage(inputs: Properties) -> Iterator[InputProblem]:
    kind = inputs.get("storageType", "gp2")
    if kind not in STORAGE_TYPES:
        yield InputProblem("storageType", f"InvalidParameterValue: Invalid storage type: {kind}")
        return
    size, most = inputs.get("allocatedStorage"), inputs.get("maxAllocatedStorage")
    smallest = SMALLEST_STORAGE_GIB[kind]
    if size is not None and not smallest <= size <= LARGEST_STORAGE_GIB:
        yield InputProblem(
            "allocatedStorage",
            "InvalidParameterValue: Invalid storage size for engine name postgres and storage type "
            f"{kind}: {size} (between {smallest} and {LARGEST_STORAGE_GIB} GiB)",
        )
    if size is not None and most and most <= size:
        yield InputProblem(
            "maxAllocatedStorage",
            f"InvalidParameterCombination: Max storage size must be greater than storage size "
            f"({most} and {size} GiB)",
        )
    if kind == "gp3" and (size or 0) < GP3_FREE_UNTIL_GIB:
        for name in ("iops", "storageThroughput"):
            if inputs.get(name):
                yield InputProblem(
                    name,
                    "InvalidParameterCombination: You can't specify IOPS or storage "
                    "throughput for "
                    f"engine postgres and a storage size less than {GP3_FREE_UNTIL_GIB}.",
                )
    if inputs.get("kmsKeyId") and inputs.get("storageEncrypted") is False:
        yield InputProblem(
            "kmsKeyId", "InvalidParameterCombination: kms_key_id needs storage_encrypted = true"
        )


def _retention(inputs: Properties) -> Iterator[InputProblem]:
    days = inputs.get("backupRetentionPeriod", 0)
    if not 0 <= days <= 35:
        yield InputProblem(
            "backupRetentionPeriod",
            f"InvalidParameterValue: Invalid backup retention period: {days}. Retention period "
            "must be between 0 and 35.",
        )


def _windows(inputs: Properties) -> Iterator[InputProblem]:
    backup, upkeep = inputs.get("backupWindow"), inputs.get("maintenanceWindow")
    if backup and not _WINDOW.fullmatch(backup):
        yield InputProblem(
            "backupWindow", f'"backup_window" ({backup}) must satisfy the format hh24:mi-hh24:mi'
        )
    elif backup and _minutes(backup) < 30:
        yield InputProblem(
            "backupWindow",
            "InvalidParameterValue: The backup window must be at least 30 minutes.",
        )
    if upkeep and not _WEEK_WINDOW.fullmatch(upkeep.lower()):
        yield InputProblem(
            "maintenanceWindow",
            f'"maintenance_window" ({upkeep}) must satisfy the format ddd:hh24:mi-ddd:hh24:mi',
        )


def _credentials(inputs: Properties) -> Iterator[InputProblem]:
    user, password = inputs.get("username"), inputs.get("password")
    if user is not None and not re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_]{0,62}", user):
        yield InputProblem(
            "username", f"InvalidParameterValue: MasterUsername {user} is not a valid identifier"
        )
    if user in RESERVED_USERS:
        yield InputProblem(
            "username",
            f"InvalidParameterValue: MasterUsername {user} cannot be used as it is a reserved word "
            "used by the engine",
        )
    if password is not None and not 8 <= len(password) <= 128:
        yield InputProblem(
            "password",
            "InvalidParameterValue: The parameter MasterUserPassword is not a valid password "
            "because it is shorter than 8 or longer than 128 characters.",
        )
    if password is not None and re.search(r'[/@" ]|[^\x20-\x7e]', password):
        yield InputProblem(
            "password",
            "InvalidParameterValue: The parameter MasterUserPassword is not a valid password. Only "
            "printable ASCII characters besides '/', '@', '\"', ' ' may be used.",
        )
    if password is not None and inputs.get("manageMasterUserPassword"):
        yield InputProblem(
            "password",
            '"password": conflicts with manage_master_user_password',
        )
    name = inputs.get("dbName")
    if name is not None and not re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_]{0,62}", name):
        yield InputProblem(
            "dbName",
            f"InvalidParameterValue: DBName must begin with a letter and contain only alphanumeric "
            f"characters: {name}",
        )


def _port(inputs: Properties) -> Iterator[InputProblem]:
    port = inputs.get("port", 5432)
    if not 1150 <= port <= 65535:
        yield InputProblem(
            "port",
            f"InvalidParameterValue: Invalid endpoint port {port}. Valid values are 1150-65535",
        )


def _monitoring(inputs: Properties) -> Iterator[InputProblem]:
    seconds, role = inputs.get("monitoringInterval", 0), inputs.get("monitoringRoleArn")
    if seconds not in MONITORING_SECONDS:
        yield InputProblem(
            "monitoringInterval",
            "expected monitoring_interval to be one of "
            f"[{' '.join(map(str, MONITORING_SECONDS))}], got {seconds}",
        )
    elif role and not seconds:
        yield InputProblem(
            "monitoringInterval",
            "InvalidParameterCombination: You must specify a MonitoringInterval value other than 0 "
            "when you specify a MonitoringRoleARN value.",
        )
    days = inputs.get("performanceInsightsRetentionPeriod")
    if days is not None and days not in INSIGHTS_DAYS:
        yield InputProblem(
            "performanceInsightsRetentionPeriod",
            f"InvalidParameterValue: Invalid Performance Insights retention period {days}: 7, 731 "
            "or a multiple of 31 days",
        )
    if not inputs.get("performanceInsightsEnabled"):
        for name in ("performanceInsightsKmsKeyId", "performanceInsightsRetentionPeriod"):
            if inputs.get(name):
                yield InputProblem(
                    name,
                    "InvalidParameterCombination: To use Performance Insights' arguments, "
                    "performance_insights_enabled must be true",
                )
    unknown = sorted(set(inputs.get("enabledCloudwatchLogsExports") or []) - LOG_EXPORTS)
    if unknown:
        yield InputProblem(
            "enabledCloudwatchLogsExports",
            "InvalidParameterCombination: You cannot use the log types "
            f"'{', '.join(unknown)}' with engine version postgres.",
        )


def _final_snapshot(inputs: Properties) -> Iterator[InputProblem]:
    text = inputs.get("finalSnapshotIdentifier")
    if text is None:
        return
    if not re.fullmatch(r"[A-Za-z](?:[0-9A-Za-z]|-(?!-))*(?<!-)", text):
        yield InputProblem(
            "finalSnapshotIdentifier",
            "must begin with a letter; only alphanumeric characters and hyphens allowed in "
            f'"final_snapshot_identifier", no two hyphens together and none at the end: {text}',
        )


RULES: Sequence[Rule] = (
    check_identifier,
    _engine,
    _instance_class,
    _storage,
    _retention,
    _windows,
    _credentials,
    _port,
    _monitoring,
    _final_snapshot,
)


def _minutes(window: str) -> int:
    start, end = (int(clock[:2]) * 60 + int(clock[3:]) for clock in window.split("-"))
    return (end - start) % (24 * 60)
