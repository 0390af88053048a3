"""Compute Engine: networks, subnets, addresses and the parts of a load balancer.

Owns their ids and links, and what Compute Engine refuses: overlapping subnets, ranges that are no
networks, names outside RFC 1035.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from typing import ClassVar

from simulated_cloud.errors import InputProblem
from simulated_cloud.gcp.cloud import GcpCloud
from simulated_cloud.gcp.gcp_type import COMPUTE_LINK, GcpType, keeps
from simulated_cloud.property_values import Properties
from simulated_cloud.resource_type import Call

NETWORK = "gcp:compute/network:Network"
SUBNETWORK = "gcp:compute/subnetwork:Subnetwork"
BACKEND = "gcp:compute/backendService:BackendService"
URL_MAP = "gcp:compute/uRLMap:URLMap"
PROXY = "gcp:compute/targetHttpsProxy:TargetHttpsProxy"
CERTIFICATE = "gcp:compute/managedSslCertificate:ManagedSslCertificate"
SSL_POLICY = "gcp:compute/sSLPolicy:SSLPolicy"
ENDPOINTS = "gcp:compute/regionNetworkEndpointGroup:RegionNetworkEndpointGroup"
SERVICE = "gcp:cloudrunv2/service:Service"

_NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")


class ComputeType(GcpType):
    """A resource of Compute Engine: a name by RFC 1035, and a link."""

    name_property = "name"
    name_length = 63
    replace_on: ClassVar[frozenset[str]] = frozenset({"name", "project", "region"})

    def check(self, call: Call[GcpCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield a name that Compute Engine does not take."""
        name = inputs.get("name")
        if name is not None and not _NAME.fullmatch(str(name)):
            yield InputProblem(
                "name",
                f'"name" ("{name}") doesn\'t match regexp '
                '"^(?:[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?)$"',
            )

    def computed(self, cloud: GcpCloud, identity: str, values: Properties) -> Properties:
        """Add the link."""
        return {"selfLink": f"{COMPUTE_LINK}{identity}"}


class Network(ComputeType):
    """compute.Network."""

    token = NETWORK
    title = "Network"
    identity = "projects/{project}/global/networks/{name}"
    defaults = {"routingMode": "REGIONAL", "autoCreateSubnetworks": True}  # noqa: RUF012


@keeps
class Subnetwork(ComputeType):
    """compute.Subnetwork: an own range in a network."""

    token = SUBNETWORK
    title = "Subnetwork"
    identity = "projects/{project}/regions/{region}/subnetworks/{name}"
    refers_to = {"network": NETWORK}  # noqa: RUF012
    replace_on = ComputeType.replace_on | {"network"}

    def refuse(self, cloud: GcpCloud, values: Properties) -> Iterator[str]:
        """Yield a range that is none, or that another subnet has."""
        text = str(values["ipCidrRange"])
        try:
            wanted = ipaddress.IPv4Network(text)
        except ValueError:
            yield (
                f"Invalid value for field 'resource.ipCidrRange': '{text}'. Must be a CIDR address "
                "range with its host bits zero"
            )
            return
        for identity, other in cloud.store.list(self.token).items():
            beside = other.get("network") == values.get("network")
            beside = beside and other.get("name") != values.get("name")
            if beside and wanted.overlaps(ipaddress.IPv4Network(other["ipCidrRange"])):
                yield (
                    f"Invalid IPCidrRange: {text} conflicts with existing subnetwork "
                    f"'{identity.rpartition('/')[2]}' in region '{values['region']}'"
                )

    def computed(self, cloud: GcpCloud, identity: str, values: Properties) -> Properties:
        """Add the gateway's address."""
        first = next(iter(ipaddress.IPv4Network(values["ipCidrRange"]).hosts()))
        return {**super().computed(cloud, identity, values), "gatewayAddress": str(first)}


@keeps
class GlobalAddress(ComputeType):
    """compute.GlobalAddress: an address, or a range for peering."""

    token = "gcp:compute/globalAddress:GlobalAddress"
    title = "GlobalAddress"
    identity = "projects/{project}/global/addresses/{name}"
    refers_to = {"network": NETWORK}  # noqa: RUF012
    replace_on = frozenset({"*"})

    def computed(self, cloud: GcpCloud, identity: str, values: Properties) -> Properties:
        """Add the address that Google gives out."""
        given = values.get("address")
        drawn = "10.64.0.0" if values.get("purpose") == "VPC_PEERING" else "203.0.113.10"
        return {**super().computed(cloud, identity, values), "address": given or drawn}


@keeps
class RegionNetworkEndpointGroup(ComputeType):
    """compute.RegionNetworkEndpointGroup: a Cloud Run service as a backend."""

    token = ENDPOINTS
    title = "RegionNetworkEndpointGroup"
    identity = "projects/{project}/regions/{region}/networkEndpointGroups/{name}"
    refers_to = {"cloudRun.service": SERVICE}  # noqa: RUF012
    replace_on = frozenset({"*"})


@keeps
class BackendService(ComputeType):
    """compute.BackendService."""

    token = BACKEND
    title = "BackendService"
    identity = "projects/{project}/global/backendServices/{name}"
    refers_to = {"backends.group": ENDPOINTS}  # noqa: RUF012
    replace_on = ComputeType.replace_on | {"loadBalancingScheme"}

    def computed(self, cloud: GcpCloud, identity: str, values: Properties) -> Properties:
        """Add the number that IAP's audience is made of."""
        return {**super().computed(cloud, identity, values), "generatedId": 4711}


@keeps
class UrlMap(ComputeType):
    """compute.URLMap."""

    token = URL_MAP
    title = "UrlMap"
    identity = "projects/{project}/global/urlMaps/{name}"
    refers_to = {"defaultService": BACKEND}  # noqa: RUF012


class ManagedSslCertificate(ComputeType):
    """compute.ManagedSslCertificate."""

    token = CERTIFICATE
    title = "ManagedSslCertificate"
    identity = "projects/{project}/global/sslCertificates/{name}"
    replace_on = frozenset({"*"})


class SslPolicy(ComputeType):
    """compute.SSLPolicy."""

    token = SSL_POLICY
    title = "SslPolicy"
    identity = "projects/{project}/global/sslPolicies/{name}"


@keeps
class TargetHttpsProxy(ComputeType):
    """compute.TargetHttpsProxy."""

    token = PROXY
    title = "TargetHttpsProxy"
    identity = "projects/{project}/global/targetHttpsProxies/{name}"
    refers_to = {  # noqa: RUF012
        "urlMap": URL_MAP,
        "sslCertificates": CERTIFICATE,
        "sslPolicy": SSL_POLICY,
    }


@keeps
class GlobalForwardingRule(ComputeType):
    """compute.GlobalForwardingRule."""

    token = "gcp:compute/globalForwardingRule:GlobalForwardingRule"
    title = "GlobalForwardingRule"
    identity = "projects/{project}/global/forwardingRules/{name}"
    refers_to = {"target": PROXY}  # noqa: RUF012
    replace_on = ComputeType.replace_on | {"ipAddress", "portRange", "loadBalancingScheme"}


TYPES = (
    Network,
    Subnetwork,
    GlobalAddress,
    RegionNetworkEndpointGroup,
    BackendService,
    UrlMap,
    ManagedSslCertificate,
    SslPolicy,
    TargetHttpsProxy,
    GlobalForwardingRule,
)
