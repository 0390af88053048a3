"""Cloud SQL: instances, databases and users.

Owns what Cloud SQL refuses: machines and versions it does not have, storage that would shrink,
a private address in a network without private services access, flags and retention out of range,
and the deletion of a protected instance. The private address is made up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from simulated_cloud.errors import InputProblem, Refusal
from simulated_cloud.gcp.cloud import GcpCloud
from simulated_cloud.gcp.gcp_type import GcpType, at, keeps
from simulated_cloud.gcp.network_services import CONNECTION
from simulated_cloud.property_values import UNKNOWN, Properties
from simulated_cloud.resource_type import Call

INSTANCE = "gcp:sql/databaseInstance:DatabaseInstance"

VERSIONS = ("POSTGRES_16", "POSTGRES_17", "POSTGRES_18")
_TIER = re.compile(r"db-(f1-micro|g1-small|custom-(\d+)-(\d+)|perf-optimized-N-\d+)")
_NAME = re.compile(r"[a-z][a-z0-9-]*[a-z0-9]")
LONGEST_NAME = 98
"""Project id and instance name together (Cloud SQL's documentation, "Instance settings")."""

MOST_CONNECTIONS = 262_143
ADDRESS = "10.64.0.3"


@keeps
class DatabaseInstance(GcpType):
    """sql.DatabaseInstance."""

    token = INSTANCE
    title = "DatabaseInstance"
    identity = "{name}"
    name_property = "name"
    replace_on = frozenset({"name", "region", "project", "encryptionKeyName", "masterInstanceName"})
    defaults = {"deletionProtection": True}  # noqa: RUF012
    refers_to = {"masterInstanceName": INSTANCE}  # noqa: RUF012
    protected_by = ("deletionProtection", "settings.deletionProtectionEnabled")

    def check(self, call: Call[GcpCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield what no Cloud SQL instance can be."""
        name, version = str(inputs.get("name") or ""), inputs.get("databaseVersion")
        if name and not _NAME.fullmatch(name):
            yield InputProblem("name", f'invalid instance name ("{name}")')
        if len(name) + len(call.cloud.project) > LONGEST_NAME:
            yield InputProblem(
                "name", f"project id and instance name together exceed {LONGEST_NAME} characters"
            )
        if version is not None and version not in VERSIONS:
            yield InputProblem(
                "databaseVersion", f"expected one of {', '.join(VERSIONS)}, got {version}"
            )
        tier = at(inputs, "settings.tier")
        if tier is not None and not _TIER.fullmatch(str(tier)):
            yield InputProblem("settings.tier", f"Invalid Tier ({tier}) for (POSTGRES)")
        yield from _settings_problems(inputs)

    def refuse(self, cloud: GcpCloud, values: Properties) -> Iterator[str]:
        """Yield a private address that the network cannot give."""
        network = at(values, "settings.ipConfiguration.privateNetwork")
        if network is None:
            return
        peered = [item.get("network") for item in cloud.store.list(CONNECTION).values()]
        if network not in peered:
            yield (
                "Invalid request: Failed to create subnetwork. Couldn't find free blocks in "
                f"allocated IP ranges: private services access is not enabled on {network}"
            )

    def changing(self, cloud: GcpCloud, current: Properties, values: Properties) -> None:
        """Refuse to shrink storage."""
        old, new = at(current, "settings.diskSize"), at(values, "settings.diskSize")
        if old and new and new < old:
            raise Refusal(
                "Error updating DatabaseInstance: googleapi: Error 400: The disk size cannot "
                f"decrease (from {old} to {new}), badRequest"
            )

    def planned_update(self, olds: Properties, inputs: Properties) -> Properties:
        """A public address may come or go."""
        return {**super().planned_update(olds, inputs), "publicIpAddress": UNKNOWN}

    def computed(self, cloud: GcpCloud, identity: str, values: Properties) -> Properties:
        """Add address and connection name."""
        public = at(values, "settings.ipConfiguration.ipv4Enabled") is not False
        return {
            "connectionName": f"{values['project']}:{values['region']}:{values['name']}",
            "privateIpAddress": ADDRESS,
            "publicIpAddress": "203.0.113.20" if public else "",
            "firstIpAddress": ADDRESS,
            "instanceType": "READ_REPLICA_INSTANCE"
            if values.get("masterInstanceName")
            else "CLOUD_SQL_INSTANCE",
            "serviceAccountEmailAddress": f"p-{identity}@gcp-sa-cloud-sql.iam.gserviceaccount.com",
        }


def _settings_problems(inputs: Properties) -> Iterator[InputProblem]:
    size, limit = at(inputs, "settings.diskSize"), at(inputs, "settings.diskAutoresizeLimit")
    if size is not None and size < 10:
        yield InputProblem("settings.diskSize", f"must be at least 10 GB, got {size}")
    if size and limit and limit < size:
        yield InputProblem(
            "settings.diskAutoresizeLimit", f"must be at least diskSize ({size}), got {limit}"
        )
    backups = "settings.backupConfiguration"
    logs = at(inputs, f"{backups}.transactionLogRetentionDays")
    enterprise = at(inputs, "settings.edition") != "ENTERPRISE_PLUS"
    if logs is not None and not 1 <= logs <= (7 if enterprise else 35):
        yield InputProblem(
            f"{backups}.transactionLogRetentionDays",
            f"must be between 1 and {7 if enterprise else 35}, got {logs}",
        )
    kept = at(inputs, f"{backups}.backupRetentionSettings.retainedBackups")
    if kept is not None and not 1 <= kept <= 365:
        yield InputProblem(
            f"{backups}.backupRetentionSettings.retainedBackups",
            f"must be between 1 and 365, got {kept}",
        )
    flags = (inputs.get("settings") or {}).get("databaseFlags") or []
    for flag in flags:
        if flag.get("name") == "max_connections" and not (
            14 <= int(flag["value"]) <= MOST_CONNECTIONS
        ):
            yield InputProblem(
                "settings.databaseFlags",
                f"flag value {flag['value']} is out of range for max_connections "
                f"(14 to {MOST_CONNECTIONS})",
            )


@keeps
class Database(GcpType):
    """sql.Database."""

    token = "gcp:sql/database:Database"
    title = "Database"
    identity = "projects/{project}/instances/{instance}/databases/{name}"
    replace_on = frozenset({"name", "instance", "project"})
    refers_to = {"instance": INSTANCE}  # noqa: RUF012


class User(GcpType):
    """sql.User."""

    token = "gcp:sql/user:User"
    title = "User"
    identity = "{name}//{instance}"
    replace_on = frozenset({"name", "instance", "project", "type"})
    refers_to = {"instance": INSTANCE}  # noqa: RUF012
    secret_outputs = frozenset({"password"})

    def check(self, call: Call[GcpCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield a service account that is written with its whole address."""
        name = str(inputs.get("name") or "")
        iam = inputs.get("type") == "CLOUD_IAM_SERVICE_ACCOUNT"
        if iam and name.endswith(".gserviceaccount.com"):
            yield InputProblem(
                "name",
                f'Database username "{name}" must not end with ".gserviceaccount.com" for '
                "CLOUD_IAM_SERVICE_ACCOUNT on PostgreSQL",
            )


TYPES = (DatabaseInstance, Database, User)
