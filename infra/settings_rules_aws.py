"""Rules about AWS settings: what AWS would refuse after twenty minutes, or take and regret.

Owns one small function per rule about names, load balancer, backups and production, and the list of
all of AWS's rules; those about network, database and cluster stand in files beside it. They are
asked of target aws alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from infra.settings_declarations import BY_KEY
from infra.settings_model import PlatformSettings
from infra.settings_parsing import Parsed, Problem, problem
from infra.settings_rules_aws_cluster import AWS_CLUSTER_RULES
from infra.settings_rules_aws_database import AWS_DATABASE_RULES
from infra.settings_rules_aws_network import AWS_NETWORK_RULES
from infra.settings_rules_cloud import production_refuses
from infra.settings_server_size import balancer_idle_seconds

_REGION = re.compile(r"[a-z]{2}(?:-[a-z]+)+-\d")
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


def load_balancer_hangs_up_first(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """It keeps connections to the server for the next request, which must not find them closed."""
    del parsed
    idle = balancer_idle_seconds(settings.timeouts.server_request_seconds)
    if settings.target != "aws" or settings.cloud.ingress == "none":
        return
    if settings.server.keep_alive_seconds <= idle:
        yield problem(
            "serverKeepAliveSeconds",
            f"is {settings.server.keep_alive_seconds} and the load balancer keeps an idle "
            f"connection for {idle} s (serverRequestTimeoutSeconds): it would send requests on "
            "connections that the server has closed, and answer 502; leave it at auto, or make it "
            "the longer one",
        )


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
    *AWS_NETWORK_RULES,
    arns_are_of_their_service,
    regions_are_regions,
    *AWS_DATABASE_RULES,
    *AWS_CLUSTER_RULES,
    load_balancer_has_what_it_needs,
    load_balancer_hangs_up_first,
    nothing_is_said_of_a_plan_that_is_off,
    production_is_spread_and_private,
)
