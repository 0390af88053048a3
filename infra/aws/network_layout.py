"""Which addresses each subnet of a network gets.

Owns the arithmetic: computed from the network and the zone's place in the list alone, so that a
zone added later takes addresses that were free and moves no subnet. It knows no AWS.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass

MOST_ZONES = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class ZoneSubnets:
    """The addresses of one zone."""

    private: str  # nodes and pods: a quarter of the network for each zone
    public: str  # NAT gateway, public load balancer
    isolated: str  # the database: no way out, no way in but from the network


def zone_subnets(vpc_cidr: str, zone: int) -> ZoneSubnets:
    """Addresses of the zone with this index.

    Three quarters of the network are the zones' private subnets, since every pod takes an address.
    The last quarter is cut in sixteenths: four for public subnets, four for isolated ones (the
    fourth of each unused), eight free for what comes.

    Raises:
        ValueError: the network is laid out for three zones.
    """
    if not 0 <= zone < MOST_ZONES:
        raise ValueError(f"a network is laid out for {MOST_ZONES} zones, and this is number {zone}")
    *quarters, rest = _split(vpc_cidr, 2)
    small = list(_split(rest, 4))
    return ZoneSubnets(private=quarters[zone], public=small[zone], isolated=small[4 + zone])


def _split(cidr: str, bits: int) -> Iterator[str]:
    return (str(part) for part in ipaddress.IPv4Network(cidr).subnets(prefixlen_diff=bits))
