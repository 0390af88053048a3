"""What the types of EC2 share: how they are tagged, what an address range is.

Owns tag specifications at creation, tags afterwards, and the check of IPv4 networks. The types are
in the `ec2_*` files.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Any, ClassVar

from simulated_cloud.aws.aws_type import AwsType, key_value
from simulated_cloud.aws.cloud import AwsCloud
from simulated_cloud.errors import InputProblem
from simulated_cloud.property_values import Properties

SMALLEST_PREFIX, LARGEST_PREFIX = 16, 28
"""Sizes of a VPC and of a subnet."""


class Ec2Type(AwsType):
    """A type of EC2: tags by create_tags, one tag specification at creation."""

    kind: ClassVar[str] = ""
    """EC2's name of the resource type in tag specifications: `vpc`."""

    def tags(self, inputs: Properties) -> dict[str, Any]:
        """Return the argument that tags what is created."""
        tags = key_value(inputs.get("tagsAll"))
        return {"TagSpecifications": [{"ResourceType": self.kind, "Tags": tags}]} if tags else {}

    def retag(
        self,
        aws: AwsCloud,
        identity: str,
        state: Properties,
        gone: list[str],
        tags: dict[str, str],
    ) -> None:
        """Write tags."""
        ec2 = aws.client("ec2")
        if gone:
            ec2.delete_tags(Resources=[identity], Tags=[{"Key": key} for key in gone])
        if tags:
            ec2.create_tags(Resources=[identity], Tags=key_value(tags))


def check_network(
    inputs: Properties, name: str, smallest: int = SMALLEST_PREFIX, largest: int = LARGEST_PREFIX
) -> Iterable[InputProblem]:
    """Yield what is wrong with an address range."""
    if name not in inputs:
        return
    text = inputs[name]
    try:
        network = ipaddress.IPv4Network(text)
    except ValueError:
        yield InputProblem(
            name,
            f'"{text}" is not a valid IPv4 CIDR block, or one with host bits set',
        )
        return
    if not smallest <= network.prefixlen <= largest:
        yield InputProblem(
            name,
            f"expected {name} to contain a network Value with between {smallest} and {largest} "
            f"significant bits, got: {network.prefixlen}",
        )
