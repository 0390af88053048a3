"""Rules about AWS settings: what AWS would refuse after twenty minutes, or take and regret.

Owns one small function per rule about database, cluster, load balancer and backups; those about
the network stand in `settings_rules_aws_network`. They are asked of target aws alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from infra.settings_declarations import BY_KEY
from infra.settings_instance_classes import looks_like_a_class, memory_gib, most_connections
from infra.settings_model import PlatformSettings
from infra.settings_parsing import Parsed, Problem, problem
from infra.settings_rules_cloud import production_refuses

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

_REGION = re.compile(r"[a-z]{2}(?:-[a-z]+)+-\d")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_ARNS = {
    "existingKmsKeyArn": ("kms", "key/"),
    "certificateArn": ("acm", "certificate/"),
    "wafWebAclArn": ("wafv2", "regional/webacl/"),
    "existingAlarmTopicArn": ("sns", ""),
}


def arns_are_of_their_service(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """An ARN of another service is taken by nothing, and said so late."""
    del settings
    for key, (service, path) in _ARNS.items():
        text = parsed.text(key)
        form = rf"arn:aws[a-z-]*:{service}:[a-z0-9-]+:\d{{12}}:{path}[\w+=,.@/-]+"
        if text and not re.fullmatch(form, text):
            yield problem(
                key,
                f"is {text!r}; write the whole ARN, such as "
                f"arn:aws:{service}:eu-central-1:123456789012:{path}…",
            )
    for text in parsed.names("clusterAdminArns"):
        if not re.fullmatch(r"arn:aws[a-z-]*:iam::\d{12}:(?:role|user)/[\w+=,.@/-]+", text):
            yield problem(
                "clusterAdminArns",
                f"has {text!r}; write ARNs such as arn:aws:iam::123456789012:role/admins",
            )


def regions_are_regions(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """A zone or a place's name is not a region."""
    del settings
    for key in ("artifactReplicationRegion", "backupCopyRegion"):
        text = parsed.text(key)
        if text and not _REGION.fullmatch(text):
            yield problem(key, f"is {text!r}; write a region, such as eu-west-1")


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


def cluster_is_made_or_adopted(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """The platform changes no cluster that it did not make."""
    cluster = settings.aws.cluster
    if not cluster.existing_name:
        return
    made = ("kubernetesVersion", "clusterPublicEndpoint", "clusterPublicEndpointCidrs")
    made += ("clusterAdminArns", "nodeInstanceTypes", "nodeMinimum", "nodeMaximum", "nodeDiskGib")
    for key in (*made, "nodeSpot"):
        if key in parsed.given:
            yield problem(
                key,
                "is set and mlflow-platform:existingClusterName names a cluster that the platform "
                "does not make: remove one of the two",
            )
    if not settings.aws.network.existing_vpc_id:
        yield problem(
            "existingClusterName",
            f"is {cluster.existing_name!r} and mlflow-platform:existingVpcId is empty: a database "
            "in a new network is out of an existing cluster's reach; name the cluster's VPC",
        )


def controllers_of_an_adopted_cluster_are_chosen(
    settings: PlatformSettings, parsed: Parsed
) -> Iterator[Problem]:
    """Two load balancer controllers in one cluster undo each other's work; none serves nobody."""
    needed = settings.cloud.ingress != "none" or settings.kubernetes.external_secrets
    if (
        settings.target == "aws"
        and settings.aws.cluster.existing_name
        and needed
        and "clusterControllers" not in parsed.given
    ):
        yield problem(
            "clusterControllers",
            "is not set and mlflow-platform:existingClusterName names a cluster that may have its "
            "own: set it to expect where the cluster has the controllers, or to install",
        )


def cluster_can_be_made(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """What EKS refuses, or takes and opens to the world."""
    del parsed
    cluster = settings.aws.cluster
    if not re.fullmatch(r"1\.\d{2}", cluster.kubernetes_version):
        yield problem(
            "kubernetesVersion",
            f"is {cluster.kubernetes_version!r}; write a minor version in quotes, such as "
            f'"{BY_KEY["kubernetesVersion"].default}"',
        )
    if cluster.node_minimum > cluster.node_maximum:
        yield problem(
            "nodeMinimum",
            f"is {cluster.node_minimum} and nodeMaximum is {cluster.node_maximum}: lower the one "
            "or raise the other",
        )
    cidrs = cluster.public_endpoint_cidrs
    everywhere = [text for text in cidrs if text.endswith("/0")]
    if cluster.public_endpoint and (not cidrs or everywhere):
        yield problem(
            "clusterPublicEndpointCidrs",
            f"is {'empty' if not cidrs else everywhere[0]} and mlflow-platform:"
            "clusterPublicEndpoint is true: the cluster's API would answer the whole internet; "
            "name your networks, such as 203.0.113.0/24",
        )
    if cidrs and not cluster.public_endpoint:
        yield problem(
            "clusterPublicEndpointCidrs",
            "is set and mlflow-platform:clusterPublicEndpoint is false, so nothing would use it: "
            "remove it",
        )
    for key, name in (
        ("trainingNamespace", cluster.training_namespace),
        ("trainingServiceAccount", cluster.training_service_account),
    ):
        if not _LABEL.fullmatch(name):
            yield problem(
                key,
                f"is {name!r}; Kubernetes takes up to 63 lower-case letters, digits and hyphens",
            )


def load_balancer_has_what_it_needs(
    settings: PlatformSettings, parsed: Parsed
) -> Iterator[Problem]:
    """TLS wherever there is a load balancer, and all of a sign-in or nothing of it."""
    exposed = settings.cloud.ingress != "none"
    oidc = [key for key in BY_KEY if key.startswith("oidc")]
    if exposed and not settings.aws.load_balancer.certificate_arn:
        yield problem(
            "certificateArn",
            f"is empty and mlflow-platform:ingress is {settings.cloud.ingress}: passwords and data "
            "would travel in clear; name the certificate of the host in trackingUri",
        )
    for key in ("certificateArn", "wafWebAclArn"):
        if key in parsed.given and not exposed:
            yield problem(
                key,
                "is set and mlflow-platform:ingress is none, so there is no load balancer: set "
                "ingress to internal or public, or remove it",
            )
    if settings.authentication.kind != "oidc":
        for key in oidc:
            if key in parsed.given:
                yield problem(
                    key,
                    f"is set and mlflow-platform:authentication is {settings.authentication.kind}, "
                    "so nothing would use it: set authentication to oidc, or remove it",
                )
        return
    if not exposed:
        yield problem(
            "authentication",
            "is oidc and mlflow-platform:ingress is none: people sign in at the load balancer, and "
            "there is none; set ingress to internal or public, or authentication to basic",
        )
        return
    for key in oidc:
        text = parsed.text(key)
        address = key not in ("oidcClientId", "oidcClientSecret")
        if not text:
            yield problem(key, "is empty and mlflow-platform:authentication is oidc: set it")
        elif address and not text.startswith("https://"):
            yield problem(key, f"is {text!r}; write an address that begins with https://")


def nothing_is_said_of_a_plan_that_is_off(
    settings: PlatformSettings, parsed: Parsed
) -> Iterator[Problem]:
    """Somebody who sets a retention believes that there are backups."""
    backup = settings.aws.backup
    if not backup.enabled:
        for key in ("backupSchedule", "backupRetentionDays", "backupVaultLock", "backupCopyRegion"):
            if key in parsed.given:
                yield problem(
                    key,
                    "is set and mlflow-platform:backupPlan is false, so nothing would use it: set "
                    "backupPlan to true, or remove it",
                )
    elif not re.fullmatch(r"cron\(\S+(?: \S+){5}\)", backup.schedule):
        yield problem(
            "backupSchedule",
            f"is {backup.schedule!r}; write it as AWS does, with six fields: cron(0 5 * * ? *)",
        )


def production_is_spread_and_private(
    settings: PlatformSettings, parsed: Parsed
) -> Iterator[Problem]:
    """AWS's own shortcuts that production does not take."""
    del parsed
    if not settings.cloud.is_production:
        return
    cluster, network = settings.aws.cluster, settings.aws.network
    if not network.existing_vpc_id and network.nat_gateways == "one":
        yield production_refuses(
            "natGateways", "one", "every zone would lose its way out with one of them"
        )
    if cluster.existing_name:
        return
    if cluster.public_endpoint:
        yield production_refuses(
            "clusterPublicEndpoint", "true", "the cluster's API would answer on the internet"
        )
    if cluster.node_minimum < 2:
        yield production_refuses(
            "nodeMinimum", str(cluster.node_minimum), "one lost node would be an outage"
        )
    if cluster.node_spot:
        yield production_refuses(
            "nodeSpot", "true", "AWS may take all nodes away within two minutes"
        )


AWS_RULES = (
    arns_are_of_their_service,
    regions_are_regions,
    database_suits_rds,
    instance_carries_its_connections,
    windows_do_not_meet,
    cluster_is_made_or_adopted,
    controllers_of_an_adopted_cluster_are_chosen,
    cluster_can_be_made,
    load_balancer_has_what_it_needs,
    nothing_is_said_of_a_plan_that_is_off,
    production_is_spread_and_private,
)
