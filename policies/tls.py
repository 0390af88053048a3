"""Nothing crosses a network in clear: to the database, the bucket, the server."""

from __future__ import annotations

from policies.public_exposure import statements
from policies.resource_graph import UNKNOWN, Resource, ResourceGraph, mappings
from policies.resource_types import (
    AWS_BUCKET,
    AWS_BUCKET_POLICY,
    AWS_LISTENER,
    AWS_PARAMETER_GROUP,
    GCP_DATABASE,
)
from policies.rule import Broken, Rule, require, shown

AWS_TLS_POLICIES = ("ELBSecurityPolicy-TLS13-1-2", "ELBSecurityPolicy-TLS13-1-3")
"""Beginnings of the names that take TLS 1.2 and later only; `-Ext` takes weak ciphers."""


def _database(graph: ResourceGraph) -> Broken:
    for group in graph.of(*AWS_PARAMETER_GROUP):
        if group.get("parameters") is UNKNOWN:
            continue
        values = {one.get("name"): one.get("value") for one in mappings(group.each("parameters"))}
        forced = values.get("rds.force_ssl")
        if forced is not UNKNOWN and str(forced) != "1":
            yield (
                group,
                f"`rds.force_ssl` is {shown(forced)}: RDS takes connections in clear; set 1",
            )


def _bucket(graph: ResourceGraph) -> Broken:
    for bucket in graph.of(*AWS_BUCKET):
        policies = graph.belonging_to(bucket, "bucket", *AWS_BUCKET_POLICY)
        known = [policy for policy in policies if policy.get("policy") is not UNKNOWN]
        if policies and not known:
            continue
        if not any(_refuses_clear(one) for policy in known for one in statements(policy)):
            yield (
                bucket,
                (
                    "no policy refuses requests without TLS: keys and models may cross the network "
                    "in clear; deny what has aws:SecureTransport false"
                ),
            )


def _refuses_clear(statement: object) -> bool:
    one = Resource(type="", urn="", properties={"it": statement})
    return (
        one.get("it.Effect") == "Deny"
        and str(one.get("it.Condition.Bool.aws:SecureTransport")).lower() == "false"
    )


def _listeners(graph: ResourceGraph) -> Broken:
    for listener in graph.of(*AWS_LISTENER):
        if listener.may_be("protocol", "HTTPS", "TLS"):
            policy = listener.get("sslPolicy")
            if policy is not UNKNOWN and not _strong(policy):
                yield (
                    listener,
                    (
                        f"`sslPolicy` is {shown(policy)}: it takes outdated TLS; set one that "
                        f"begins with {AWS_TLS_POLICIES[0]}"
                    ),
                )
            continue
        for action in mappings(listener.each("defaultActions")):
            if action.get("type") != "redirect":
                yield (
                    listener,
                    (
                        f"it answers on port {shown(listener.get('port'))} in clear: passwords can "
                        "be read on the way; redirect to HTTPS"
                    ),
                )


def _strong(policy: object) -> bool:
    return isinstance(policy, str) and policy.startswith(AWS_TLS_POLICIES) and "Ext" not in policy


def _forwarding(graph: ResourceGraph) -> Broken:
    for rule in graph.of("gcp:compute/globalForwardingRule:GlobalForwardingRule"):
        if not rule.may_be("portRange", "443", "443-443"):
            yield (
                rule,
                (
                    f"`portRange` is {shown(rule.get('portRange'))}: the load balancer answers in "
                    "clear; set '443'"
                ),
            )


def _proxies(graph: ResourceGraph) -> Broken:
    for proxy in graph.of("gcp:compute/targetHttpProxy:TargetHttpProxy"):
        yield proxy, "it answers in clear: declare a TargetHttpsProxy instead"
    for proxy in graph.of("gcp:compute/targetHttpsProxy:TargetHttpsProxy"):
        if not proxy.is_given("sslPolicy"):
            yield proxy, "`sslPolicy` is not set: Google's default takes TLS 1.0; name an SSLPolicy"


def _ingress(graph: ResourceGraph) -> Broken:
    for ingress in graph.of("kubernetes:networking.k8s.io/v1:Ingress"):
        if not ingress.is_given("spec.tls"):
            yield (
                ingress,
                (
                    "`spec.tls` is not set: passwords can be read on the way; name the hosts and "
                    "the Secret with their certificate (ingressTlsSecret)"
                ),
            )


RULES = (
    Rule(
        name="aws-database-tls",
        subject="TLS",
        says="RDS refuses connections in clear.",
        broken=_database,
    ),
    Rule(
        name="aws-bucket-tls",
        subject="TLS",
        says="Every S3 bucket refuses requests in clear.",
        broken=_bucket,
    ),
    Rule(
        name="aws-load-balancer-tls",
        subject="TLS",
        says="The load balancer speaks TLS 1.2 or later, and in clear only to redirect.",
        broken=_listeners,
    ),
    Rule(
        name="gcp-database-tls",
        subject="TLS",
        says="Cloud SQL refuses connections in clear.",
        broken=require(
            "settings.ipConfiguration.sslMode",
            "ENCRYPTED_ONLY",
            "TRUSTED_CLIENT_CERTIFICATE_REQUIRED",
            types=GCP_DATABASE,
            because="it takes connections in clear",
        ),
    ),
    Rule(
        name="gcp-load-balancer-port",
        subject="TLS",
        says="The load balancer on Google Cloud answers on 443 alone.",
        broken=_forwarding,
    ),
    Rule(
        name="gcp-load-balancer-tls",
        subject="TLS",
        says="The load balancer on Google Cloud has a TLS policy.",
        broken=_proxies,
    ),
    Rule(
        name="gcp-tls-policy",
        subject="TLS",
        says="TLS policies on Google Cloud begin at TLS 1.2.",
        broken=require(
            "minTlsVersion",
            "TLS_1_2",
            "TLS_1_3",
            types=("gcp:compute/sSLPolicy:SSLPolicy",),
            because="it takes outdated TLS",
        ),
    ),
    Rule(
        name="kubernetes-ingress-tls",
        subject="TLS",
        says="Every Ingress has a certificate.",
        broken=_ingress,
    ),
)
