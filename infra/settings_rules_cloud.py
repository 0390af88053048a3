"""Rules about settings that every cloud shares: where they are taken, and production's own.

Owns one small function per rule, each with its own message. Production refuses shortcuts that are
welcome elsewhere: whoever wants one says `protection: standard`, and everybody can read it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from infra.settings_declarations import BY_KEY
from infra.settings_declarations_aws import AWS_KEYS
from infra.settings_declarations_cloud import CLOUD_KEYS, LOG_RETENTION_DAYS
from infra.settings_declarations_gcp import GCP_KEYS
from infra.settings_model import PlatformSettings
from infra.settings_parsing import Parsed, Problem, problem

OF_OUR_DATABASE = (
    "databaseMajorVersion",
    "databaseStorageGib",
    "databaseMaxStorageGib",
    "databaseHighAvailability",
    "databaseBackupRetentionDays",
    "databaseDeletionProtection",
    "databaseFinalSnapshot",
    "databaseReadReplica",
    "databaseAuthentication",
    "databaseInstanceClass",
    "databasePerformanceInsights",
    "databaseMonitoringIntervalSeconds",
    "databaseBackupWindow",
    "databaseMaintenanceWindow",
    "databaseApplyImmediately",
    "databaseTier",
    "databaseQueryInsights",
    "databaseMaintenanceDay",
    "databaseMaintenanceHour",
    "alarmDatabaseCpuPercent",
    "alarmDatabaseConnectionsPercent",
    "alarmDatabaseFreeStoragePercent",
    "alarmReplicaLagSeconds",
)
"""What says nothing of a database that `backendStoreUri` names."""

OF_OUR_BUCKET = (
    "artifactNoncurrentVersionDays",
    "artifactForceDestroy",
    "artifactReplicationRegion",
    "artifactSoftDeleteDays",
)
"""What says nothing of a bucket that `artifactStore` names."""

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")


def cloud_settings_are_for_their_cloud(
    settings: PlatformSettings, parsed: Parsed
) -> Iterator[Problem]:
    """A setting that nothing reads is a mistake waiting to be found."""
    for key in (key for key in BY_KEY if key in parsed.given):
        elsewhere = key in CLOUD_KEYS and settings.target == "local"
        of_aws = key in AWS_KEYS and settings.target != "aws"
        of_gcp = key in GCP_KEYS and settings.target != "gcp"
        if elsewhere or of_aws or of_gcp:
            yield problem(key, f"is set and mlflow-platform:target is {settings.target}: remove it")


def adopted_stores_are_left_alone(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """The platform changes no database and no bucket that it did not make."""
    if settings.target == "local":
        return
    for named, keys in (
        ("backendStoreUri", OF_OUR_DATABASE if settings.database.backend_store_uri else ()),
        ("artifactStore", OF_OUR_BUCKET if settings.artifacts.store else ()),
    ):
        for key in keys:
            if key in parsed.given:
                yield problem(
                    key,
                    f"is set and mlflow-platform:{named} names a store that the platform does not "
                    "make: remove one of the two",
                )


def storage_has_room_to_grow(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """RDS refuses a maximum that is not a tenth above the start."""
    del parsed
    database = settings.cloud.database
    least = -(-database.storage_gib * 11 // 10)
    if database.max_storage_gib < least:
        yield problem(
            "databaseMaxStorageGib",
            f"is {database.max_storage_gib} and databaseStorageGib is {database.storage_gib}: a "
            f"full database stops every run, so it must be able to grow; set it to {least} or more",
        )


def log_retention_is_known(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """CloudWatch takes some numbers of days and refuses the others."""
    del parsed
    days = settings.cloud.log_retention_days
    if days not in LOG_RETENTION_DAYS:
        allowed = ", ".join(str(number) for number in LOG_RETENTION_DAYS)
        yield problem("logRetentionDays", f"is {days}; the log service takes {allowed}")


def alarms_have_addresses(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """A misspelt address is an alarm that nobody hears."""
    del parsed
    for email in settings.cloud.alarms.emails:
        if not _EMAIL.fullmatch(email):
            yield problem(
                "alarmEmails", f"has {email!r}; write addresses such as oncall@example.com"
            )


def networks_are_networks(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """A host's address with a wide mask is usually not what was meant."""
    del parsed
    for key, networks in (
        ("ingressAllowedCidrs", settings.cloud.ingress_allowed_cidrs),
        ("clusterPublicEndpointCidrs", settings.aws.cluster.public_endpoint_cidrs),
    ):
        for text in networks:
            try:
                ipaddress.ip_network(text)
            except ValueError:
                yield problem(key, f"has {text!r}; write networks such as 203.0.113.0/24")


def an_address_is_told_to_clients(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """The load balancer's certificate, the allow-list and the clients must agree on one name."""
    cloud = settings.cloud
    if cloud.ingress == "none":
        if "ingressAllowedCidrs" in parsed.given:
            yield problem(
                "ingressAllowedCidrs",
                "is set and mlflow-platform:ingress is none, so nothing would use it: set ingress "
                "to internal or public, or remove it",
            )
        return
    if settings.target == "aws" and urlsplit(settings.server.tracking_uri).scheme != "https":
        yield problem(
            "trackingUri",
            f"is {settings.server.tracking_uri!r} and mlflow-platform:ingress is {cloud.ingress}: "
            "write the address that clients will use, such as https://mlflow.example.com; its name "
            "must lead to the load balancer",
        )


def the_internet_meets_authentication(
    settings: PlatformSettings, parsed: Parsed
) -> Iterator[Problem]:
    """Everybody who can connect can delete. (Google's load balancer has IAP in front of it.)"""
    del parsed
    if settings.target == "gcp":
        return
    if settings.cloud.ingress == "public" and settings.authentication.kind == "off":
        yield problem(
            "ingress",
            "is public and mlflow-platform:authentication is off: everybody on the internet could "
            "change and delete experiments; set authentication to basic or oidc, or ingress to "
            "internal",
        )


def managed_passwords_are_of_aws(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """RDS keeps a password in Secrets Manager and rotates it; other clouds do not."""
    del parsed
    if settings.target == "gcp" and settings.cloud.database.authentication == "managed":
        yield problem(
            "databaseAuthentication",
            "is managed and mlflow-platform:target is gcp, where no password is managed: set it to "
            "iam or password",
        )


def sign_in_is_of_aws(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """MLflow itself signs nobody in: AWS's load balancer does."""
    del parsed
    if settings.authentication.kind == "oidc" and settings.target != "aws":
        yield problem(
            "authentication",
            f"is oidc and mlflow-platform:target is {settings.target}, where no load balancer of "
            "the platform signs people in: set it to basic or off",
        )


def production_takes_no_shortcut(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """What is cheap or handy in a trial and costs data or a night's sleep in production."""
    del parsed
    cloud, database = settings.cloud, settings.cloud.database
    if settings.target == "local" or not cloud.is_production:
        return
    ours = not settings.database.backend_store_uri
    shortcuts = {
        "artifactForceDestroy": (
            cloud.artifact_force_destroy,
            "destroying the stack would delete every artifact",
        ),
        "databaseHighAvailability": (
            ours and not database.high_availability,
            "the database would be gone as long as its zone is",
        ),
        "databaseDeletionProtection": (
            ours and not database.deletion_protection,
            "one call would delete the database",
        ),
        "databaseFinalSnapshot": (
            ours and not database.final_snapshot,
            "a deleted database could not be brought back",
        ),
    }
    for key, (taken, consequence) in shortcuts.items():
        if taken:
            yield production_refuses(key, str(not BY_KEY[key].default).lower(), consequence)
    if settings.server.replicas < 2:
        yield production_refuses(
            "serverReplicas",
            str(settings.server.replicas),
            "every update and every lost node would interrupt training jobs; set it to 2 or more",
        )
    others = settings.aws.existing_alarm_topic_arn or settings.gcp.existing_notification_channels
    if not cloud.alarms.emails and not others:
        yield production_refuses("alarmEmails", "empty", "nobody would hear an alarm")


def production_refuses(key: str, value: str, consequence: str) -> Problem:
    """The sentence of a shortcut that production does not take."""
    return problem(
        key,
        f"is {value} and this stack is production: {consequence}. Change it, or set "
        "mlflow-platform:protection to standard",
    )


CLOUD_RULES = (
    cloud_settings_are_for_their_cloud,
    adopted_stores_are_left_alone,
    storage_has_room_to_grow,
    log_retention_is_known,
    alarms_have_addresses,
    networks_are_networks,
    an_address_is_told_to_clients,
    the_internet_meets_authentication,
    managed_passwords_are_of_aws,
    sign_in_is_of_aws,
    production_takes_no_shortcut,
)
