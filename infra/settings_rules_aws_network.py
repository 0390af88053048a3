"""Rules about AWS's network: made by the platform, or adopted by id.

Owns one small function per rule, each with its own message. A network is made or adopted, never
half of each.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from infra.settings_model import PlatformSettings
from infra.settings_parsing import Parsed, Problem, problem

LARGEST_PREFIX, SMALLEST_PREFIX = 16, 20
"""Every pod takes an address of its subnet: below a /20 a cluster runs out of them."""

_OF_A_MADE_NETWORK = (
    "vpcCidr",
    "availabilityZoneCount",
    "availabilityZones",
    "natGateways",
    "vpcInterfaceEndpoints",
    "vpcFlowLogs",
)
_ZONE = re.compile(r"[a-z]{2}(?:-[a-z]+)+-\d[a-z]")


def network_has_private_addresses(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """AWS takes /16 to /28; ours hold subnets for three zones, with an address for every pod."""
    del parsed
    text = settings.aws.network.vpc_cidr
    try:
        network = ipaddress.IPv4Network(text)
    except ValueError:
        network = None
    if network is None or not LARGEST_PREFIX <= network.prefixlen <= SMALLEST_PREFIX:
        yield problem(
            "vpcCidr",
            f"is {text!r}; write a network of /{LARGEST_PREFIX} to /{SMALLEST_PREFIX}, such as "
            "10.20.0.0/16",
        )
    elif not network.is_private:
        yield problem(
            "vpcCidr",
            f"is {text}, addresses of the internet that would be out of reach: take them from "
            "10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16",
        )


def zones_are_two_or_three(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """EKS, RDS and load balancers want two zones; the CIDRs are laid out for three."""
    zones = settings.aws.network.availability_zones
    if not zones:
        return
    if "availabilityZoneCount" in parsed.given:
        yield problem(
            "availabilityZoneCount",
            "is set and mlflow-platform:availabilityZones names the zones already: remove one of "
            "the two",
        )
    if not 2 <= len(zones) <= 3 or len(set(zones)) != len(zones):
        yield problem(
            "availabilityZones",
            f"is {', '.join(zones)}; name two or three different zones of the region",
        )
    for zone in zones:
        if not _ZONE.fullmatch(zone):
            yield problem("availabilityZones", f"has {zone!r}; write zones such as eu-central-1a")


def images_can_be_pulled(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """Without a way out, AWS's services must be inside."""
    del parsed
    network = settings.aws.network
    if network.nat_gateways == "none" and not network.interface_endpoints:
        yield problem(
            "natGateways",
            "is none and mlflow-platform:vpcInterfaceEndpoints is false: nodes could neither join "
            "the cluster nor pull an image; set vpcInterfaceEndpoints to true, or natGateways to "
            "one or per-zone",
        )


def network_is_made_or_adopted(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """The platform changes no network that it did not make, and guesses no subnet."""
    network = settings.aws.network
    subnets = {
        "existingPrivateSubnetIds": network.existing_private_subnet_ids,
        "existingIsolatedSubnetIds": network.existing_isolated_subnet_ids,
        "existingPublicSubnetIds": network.existing_public_subnet_ids,
    }
    for key, ids in subnets.items():
        for subnet in ids:
            if not re.fullmatch(r"subnet-[0-9a-f]{8,17}", subnet):
                yield problem(key, f"has {subnet!r}; write ids such as subnet-0123456789abcdef0")
    if not network.existing_vpc_id:
        for key, ids in subnets.items():
            if ids:
                yield problem(
                    key,
                    "is set and mlflow-platform:existingVpcId is empty: name the network that the "
                    "subnets belong to, or remove it",
                )
        return
    if not re.fullmatch(r"vpc-[0-9a-f]{8,17}", network.existing_vpc_id):
        yield problem(
            "existingVpcId",
            f"is {network.existing_vpc_id!r}; write an id such as vpc-0123456789abcdef0",
        )
    for key in _OF_A_MADE_NETWORK:
        if key in parsed.given:
            yield problem(
                key,
                "is set and mlflow-platform:existingVpcId names a network that the platform does "
                "not make: remove one of the two",
            )
    needed = {
        "existingPrivateSubnetIds": True,
        "existingIsolatedSubnetIds": not settings.database.backend_store_uri,
        "existingPublicSubnetIds": settings.cloud.ingress == "public",
    }
    for key, ids in subnets.items():
        if needed[key] and len(set(ids)) < 2:
            yield problem(
                key,
                f"has {len(set(ids))} and mlflow-platform:existingVpcId is set: name two or more, "
                "in different zones",
            )


AWS_NETWORK_RULES = (
    network_has_private_addresses,
    zones_are_two_or_three,
    images_can_be_pulled,
    network_is_made_or_adopted,
)
