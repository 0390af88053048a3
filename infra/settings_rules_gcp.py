"""Rules about Google Cloud settings: what Google would refuse late, or take and regret.

Owns one small function per rule, asked of target gcp alone.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from infra.settings_model import PlatformSettings
from infra.settings_parsing import Parsed, Problem, problem
from infra.settings_rules_cloud import production_refuses

SMALLEST_SUBNET_PREFIX = 26
"""Direct VPC egress of Cloud Run takes /26 or larger."""

_MEMBER = re.compile(
    r"(user|group|serviceAccount):[^@\s]+@[^@\s]+\.[^@\s]+|domain:[^@\s]+\.[^@\s]+"
    r"|principal(Set)?://\S+"
)
"""IAM members that are somebody. `allUsers` and `allAuthenticatedUsers` are everybody."""

_TIER = re.compile(r"db-(custom-\d+-\d+|f1-micro|g1-small|perf-optimized-N-\d+)")
_CUSTOM_TIER = re.compile(r"db-custom-(\d+)-(\d+)")

MIB_PER_CPU = (922, 6656)
"""Memory per processor that Cloud SQL takes: 0.9 to 6.5 GiB, in steps of 256 MiB."""


MIB_BY_CPUS = {
    1: (128, 4096),
    2: (128, 8192),
    4: (2048, 16384),
    6: (4096, 24576),
    8: (4096, 32768),
}
"""Memory that goes with processors (Cloud Run's documentation, "Memory limits")."""


def subnet_has_room(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """Each instance of Cloud Run takes addresses of its own, twice that during an update."""
    del parsed
    network = settings.gcp.network
    if network.existing_network:
        return
    try:
        subnet = ipaddress.IPv4Network(network.subnet_cidr)
    except ValueError:
        yield problem(
            "subnetCidr", f"is {network.subnet_cidr!r}; write a network such as 10.30.0.0/24"
        )
        return
    if subnet.prefixlen > SMALLEST_SUBNET_PREFIX or not subnet.is_private:
        yield problem(
            "subnetCidr",
            f"is {network.subnet_cidr}; Cloud Run needs a private network of "
            f"/{SMALLEST_SUBNET_PREFIX} or larger, such as 10.30.0.0/24",
        )


def an_adopted_network_is_whole(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """Network and subnet are adopted together or not at all."""
    network = settings.gcp.network
    if bool(network.existing_network) != bool(network.existing_subnetwork):
        missing = "existingNetwork" if network.existing_subnetwork else "existingSubnetwork"
        yield problem(
            missing,
            "is empty while its other half is set: name the network and the subnet in it, or "
            "neither",
        )
    for key in ("subnetCidr", "privateServicesPrefixLength", "subnetFlowLogs"):
        if network.existing_network and key in parsed.given:
            yield problem(
                key,
                "is set and mlflow-platform:existingNetwork names a network that the platform does "
                "not make: remove one of the two",
            )


def members_are_somebody(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """Everybody is nobody's decision: it has a setting of its own."""
    del parsed
    gcp = settings.gcp
    for key, members in (
        ("cloudRunInvokers", gcp.cloud_run.invokers),
        ("iapMembers", gcp.load_balancer.members),
        ("artifactWriters", gcp.artifact_writers),
    ):
        for member in members:
            if not _MEMBER.fullmatch(member):
                yield problem(
                    key,
                    f"has {member!r}; write IAM members such as group:ml-team@example.com or "
                    "serviceAccount:trainer@project.iam.gserviceaccount.com (everybody is "
                    "mlflow-platform:cloudRunAllowUnauthenticated)",
                )


def the_database_has_a_machine(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """Cloud SQL refuses a machine that it does not know after the network has been made."""
    del parsed
    tier = settings.gcp.cloud_sql.tier
    if not _TIER.fullmatch(tier):
        yield problem(
            "databaseTier", f"is {tier!r}; write a Cloud SQL machine such as db-custom-2-7680"
        )
        return
    custom = _CUSTOM_TIER.fullmatch(tier)
    if custom is None:
        return
    cpus, mib = int(custom[1]), int(custom[2])
    least, most = (MIB_PER_CPU[0] * cpus, MIB_PER_CPU[1] * cpus)
    odd = cpus != 1 and cpus % 2 == 1
    if odd or mib % 256 or not max(least, 3840) <= mib <= most:
        yield problem(
            "databaseTier",
            f"is {tier}; Cloud SQL takes 1 or an even number of processors and 0.9 to 6.5 GiB for "
            "each, at least 3840 MiB, in steps of 256 MiB, such as db-custom-2-7680",
        )


def the_server_has_an_instance(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """Cloud Run has instances of some sizes, with memory to each."""
    del parsed
    cpus, mib = settings.server.cpus, settings.server.memory_mib
    if cpus not in MIB_BY_CPUS:
        yield problem(
            "serverCpus",
            f"is {cpus}; Cloud Run's instances have {', '.join(map(str, MIB_BY_CPUS))} processors "
            "(auto is one per worker: mlflow-platform:serverWorkers)",
        )
        return
    least, most = MIB_BY_CPUS[cpus]
    if not least <= mib <= most:
        yield problem(
            "serverMemoryMib",
            f"is {mib} and serverCpus is {cpus}; Cloud Run takes {least} to {most} MiB with them",
        )


def artifacts_pass_the_server_by(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """Cloud Run takes requests of 32 MiB and answers 413 to a larger one."""
    del parsed
    if settings.server.serve_artifacts:
        yield problem(
            "serveArtifacts",
            "is true and mlflow-platform:target is gcp: Cloud Run answers 413 to an upload of more "
            "than 32 MiB; set it to false, and training jobs write to Cloud Storage themselves "
            "(name them in mlflow-platform:artifactWriters)",
        )


def cloud_run_has_the_last_word_on_callers(
    settings: PlatformSettings, parsed: Parsed
) -> Iterator[Problem]:
    """A request has one Authorization header, and IAM takes it."""
    del parsed
    run = settings.gcp.cloud_run
    if settings.authentication.kind == "basic" and not run.allow_unauthenticated:
        yield problem(
            "authentication",
            "is basic and mlflow-platform:cloudRunAllowUnauthenticated is false: Cloud Run takes "
            "the Authorization header for its own identity tokens; set it to off, and name the "
            "callers in mlflow-platform:cloudRunInvokers",
        )
    if settings.authentication.kind == "off" and run.allow_unauthenticated:
        yield problem(
            "cloudRunAllowUnauthenticated",
            "is true and mlflow-platform:authentication is off: whoever reaches the address could "
            "change and delete experiments; set it to false, or authentication to basic",
        )


def ingress_is_one_of_cloud_runs(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """Its own network reaches the service without a load balancer; people come through IAP."""
    del parsed
    ingress, front = settings.cloud.ingress, settings.gcp.load_balancer
    if ingress == "internal":
        yield problem(
            "ingress",
            "is internal and mlflow-platform:target is gcp, where private networks reach the "
            "service without a load balancer: set it to none",
        )
    if ingress == "public" and not (front.domain and front.members):
        missing = "iapMembers" if front.domain else "iapDomain"
        yield problem(
            missing,
            "is empty and mlflow-platform:ingress is public: a certificate needs a name "
            "(iapDomain) and Identity-Aware Proxy needs to know who passes (iapMembers)",
        )
    if ingress == "none" and (front.domain or front.members):
        yield problem(
            "iapDomain" if front.domain else "iapMembers",
            "is set and mlflow-platform:ingress is none, so nothing would use it: set ingress to "
            "public, or remove it",
        )


def instances_are_warm(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """A cold start made the first call of a training job wait until it gave up."""
    del parsed
    least, most = settings.gcp.cloud_run.minimum_instances, settings.server.replicas
    if least > most:
        yield problem(
            "cloudRunMinInstances",
            f"is {least} and mlflow-platform:serverReplicas, the most instances, is {most}: set "
            f"it to {most} or less",
        )
    if least == 0 and settings.cloud.is_production:
        yield production_refuses(
            "cloudRunMinInstances",
            "0",
            "after a quiet hour the first call of a training job waits 10 to 15 s for a cold "
            "start, times out and leaves the run untracked",
        )


GCP_RULES = (
    subnet_has_room,
    an_adopted_network_is_whole,
    members_are_somebody,
    the_database_has_a_machine,
    the_server_has_an_instance,
    artifacts_pass_the_server_by,
    cloud_run_has_the_last_word_on_callers,
    ingress_is_one_of_cloud_runs,
    instances_are_warm,
)
