"""Rules about the EKS cluster: made by the platform, or adopted by name.

Owns one small function per rule, each with its own message. Asked of target aws alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from infra.settings_declarations import BY_KEY
from infra.settings_model import PlatformSettings
from infra.settings_parsing import Parsed, Problem, problem

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


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


AWS_CLUSTER_RULES = (
    cluster_is_made_or_adopted,
    controllers_of_an_adopted_cluster_are_chosen,
    cluster_can_be_made,
)
