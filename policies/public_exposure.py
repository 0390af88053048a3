"""Nothing answers the whole world that no setting says so of.

A public load balancer on ports 80 and 443 is such a setting's doing (`ingress: public`); everything
behind it stays private.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import cast

from policies.resource_graph import UNKNOWN, Resource, ResourceGraph, mappings
from policies.resource_types import (
    AWS_BUCKET,
    AWS_BUCKET_POLICY,
    AWS_BUCKET_PUBLIC_ACCESS,
    AWS_CLUSTER,
    AWS_DATABASE,
    AWS_LOAD_BALANCER,
    GCP_BUCKET,
    GCP_DATABASE,
    GCP_SERVICE,
)
from policies.rule import Broken, Rule, require, require_given, shown

EVERYWHERE = ("0.0.0.0/0", "::/0")
EVERYBODY = ("allUsers", "allAuthenticatedUsers")
WEB_PORTS = (80, 443)
BLOCKS = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")


def _bucket_blocks(graph: ResourceGraph) -> Broken:
    for bucket in graph.of(*AWS_BUCKET):
        companions = graph.belonging_to(bucket, "bucket", *AWS_BUCKET_PUBLIC_ACCESS)
        if not companions:
            yield (
                bucket,
                (
                    "it has no public access block: one wrong policy opens it; declare one with "
                    "all four settings"
                ),
            )
        for companion in companions:
            for setting in BLOCKS:
                if not companion.may_be(setting, True):
                    yield (
                        companion,
                        (
                            f"`{setting}` is {shown(companion.get(setting))}: one wrong policy "
                            "opens the bucket; set true"
                        ),
                    )


def _bucket_policies(graph: ResourceGraph) -> Broken:
    for policy in graph.of(*AWS_BUCKET_POLICY):
        for statement in statements(policy):
            principal = statement.get("Principal")
            everybody = principal == "*" or (
                isinstance(principal, Mapping)
                and "*" in _words(cast("Mapping[str, object]", principal).get("AWS"))
            )
            if statement.get("Effect") == "Allow" and everybody and not statement.get("Condition"):
                yield (
                    policy,
                    (
                        f"statement {statement.get('Sid', '?')} allows everybody: the bucket is "
                        "public; name who may"
                    ),
                )


def statements(policy: Resource) -> Iterator[Mapping[str, object]]:
    """The statements of a policy document that is known."""
    text = policy.get("policy")
    if not isinstance(text, str):
        return
    try:
        document: object = json.loads(text)
    except json.JSONDecodeError:
        return  # made of values that a preview does not know
    found = Resource(type="", urn="", properties={"it": document})
    yield from mappings(found.each("it.Statement"))


def _words(value: object) -> list[object]:
    return list(cast("list[object]", value)) if isinstance(value, list) else [value]


def _open_ports(graph: ResourceGraph) -> Broken:
    public = any(lb.may_be("internal", False, None) for lb in graph.of(*AWS_LOAD_BALANCER))
    for owner, rule in _aws_rules(graph):
        single = (rule.get("cidrIpv4"), rule.get("cidrIpv6"))
        networks = [*single, *rule.each("cidrBlocks"), *rule.each("ipv6CidrBlocks")]
        ports = (rule.number("fromPort"), rule.number("toPort"))
        is_web = public and ports[0] == ports[1] and ports[0] in WEB_PORTS
        for network in networks:
            if network in EVERYWHERE and not is_web:
                yield (
                    owner,
                    (
                        f"it opens {_ports(ports)} to {network}: everybody on the internet may "
                        "try; name the networks or the security group that need it"
                    ),
                )
    for rule in graph.of("gcp:compute/firewall:Firewall"):
        if rule.may_be("direction", "INGRESS", None) and rule.each("allows"):
            for network in rule.each("sourceRanges"):
                if network in EVERYWHERE:
                    yield (
                        rule,
                        (
                            f"it lets {network} in: everybody on the internet may try; name the "
                            "networks that need it"
                        ),
                    )


def _aws_rules(graph: ResourceGraph) -> Iterator[tuple[Resource, Resource]]:
    """Each rule for what comes in, with the resource that declares it: itself, or its group."""
    for rule in graph.of("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"):
        yield rule, rule
    for group in graph.of("aws:ec2/securityGroup:SecurityGroup"):
        for inner in mappings(group.each("ingress")):
            yield group, Resource(type="", urn="", properties=inner)


def _ports(ports: tuple[float | None, float | None]) -> str:
    first, last = ports
    if first is None or last is None:
        return "every port"
    return f"port {first:g}" if first == last else f"ports {first:g} to {last:g}"


def _cluster_api(graph: ResourceGraph) -> Broken:
    for cluster in graph.of(*AWS_CLUSTER):
        if cluster.may_be("vpcConfig.endpointPublicAccess", False):
            continue
        if cluster.get("vpcConfig.publicAccessCidrs") is UNKNOWN:
            continue
        networks = cluster.each("vpcConfig.publicAccessCidrs") or [EVERYWHERE[0]]
        if any(network in EVERYWHERE for network in networks):
            yield (
                cluster,
                (
                    "`vpcConfig.publicAccessCidrs` lets everybody try the cluster's API: name the "
                    "networks that deploy, in clusterPublicEndpointCidrs"
                ),
            )


def _members(graph: ResourceGraph) -> Broken:
    for resource in graph.resources:
        if not resource.type.startswith("gcp:"):
            continue
        for member in (resource.get("member"), *resource.each("members")):
            if member in EVERYBODY:
                yield (
                    resource,
                    (
                        f"it grants {resource.get('role')} to {member}: anybody who finds the "
                        "address has it; name a group or a service account"
                    ),
                )


RULES = (
    Rule(
        name="aws-database-private",
        subject="public exposure",
        says="No RDS instance has a public address.",
        broken=require(
            "publiclyAccessible",
            False,
            types=AWS_DATABASE,
            because="the database would have an address on the internet",
        ),
    ),
    Rule(
        name="aws-bucket-private",
        subject="public exposure",
        says="Every S3 bucket has a public access block with all four settings.",
        broken=_bucket_blocks,
    ),
    Rule(
        name="aws-bucket-policy",
        subject="public exposure",
        says="No bucket policy allows everybody without a condition.",
        broken=_bucket_policies,
    ),
    Rule(
        name="no-open-port",
        subject="public exposure",
        says="No firewall opens a port to everybody, but 80 and 443 of a public load balancer.",
        broken=_open_ports,
    ),
    Rule(
        name="aws-cluster-api",
        subject="public exposure",
        says="The cluster's API is private or answers named networks.",
        broken=_cluster_api,
    ),
    Rule(
        name="gcp-database-private",
        subject="public exposure",
        says="No Cloud SQL instance has a public address.",
        broken=require(
            "settings.ipConfiguration.ipv4Enabled",
            False,
            types=GCP_DATABASE,
            because="the database would have an address on the internet",
        ),
    ),
    Rule(
        name="gcp-database-network",
        subject="public exposure",
        says="Every Cloud SQL instance is in a private network.",
        broken=require_given(
            "settings.ipConfiguration.privateNetwork",
            types=GCP_DATABASE,
            because="without one it is reached by a public address alone; name the stack's network",
        ),
    ),
    Rule(
        name="gcp-bucket-private",
        subject="public exposure",
        says="Every GCS bucket prevents public access.",
        broken=require(
            "publicAccessPrevention",
            "enforced",
            types=GCP_BUCKET,
            because="one wrong grant opens it",
        ),
    ),
    Rule(
        name="gcp-bucket-uniform",
        subject="public exposure",
        says="Every GCS bucket is opened by IAM alone.",
        broken=require(
            "uniformBucketLevelAccess",
            True,
            types=GCP_BUCKET,
            because="single objects could have access lists of their own",
        ),
    ),
    Rule(
        name="gcp-no-everybody",
        subject="public exposure",
        says="No role is granted to allUsers or allAuthenticatedUsers.",
        broken=_members,
    ),
    Rule(
        name="gcp-service-ingress",
        subject="public exposure",
        says="Cloud Run answers the network or a load balancer, not the internet.",
        broken=require(
            "ingress",
            "INGRESS_TRAFFIC_INTERNAL_ONLY",
            "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER",
            types=GCP_SERVICE,
            because="the service has an address that everybody may try",
        ),
    ),
    Rule(
        name="gcp-service-invokers",
        subject="public exposure",
        says="Cloud Run asks IAM who calls.",
        broken=require(
            "invokerIamDisabled",
            False,
            None,
            types=GCP_SERVICE,
            because="nobody asks who calls",
        ),
    ),
)
