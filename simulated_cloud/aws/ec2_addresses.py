"""Elastic IPs and NAT gateways: the way out of a private subnet.

Owns their dependencies: a NAT gateway needs an address that nothing else has, and an address in use
is not released.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from simulated_cloud.aws.aws_type import from_key_value
from simulated_cloud.aws.cloud import AwsCloud
from simulated_cloud.aws.ec2_type import Ec2Type
from simulated_cloud.errors import InputProblem, Refusal
from simulated_cloud.property_values import Properties
from simulated_cloud.resource_type import Call


class Eip(Ec2Type):
    """aws.ec2.Eip."""

    token = "aws:ec2/eip:Eip"
    title = "EC2 EIP"
    kind = "elastic-ip"
    missing = frozenset({"InvalidAllocationID.NotFound", "InvalidAddress.NotFound"})
    defaults: ClassVar = {"domain": "vpc"}
    replace_on = frozenset({"domain", "address", "publicIpv4Pool", "networkBorderGroup"})
    unsupported = frozenset({"instance", "networkInterface", "ipamPoolId", "customerOwnedIpv4Pool"})

    def check(self, call: Call[AwsCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield a domain that is none."""
        if inputs.get("domain", "vpc") != "vpc":
            yield InputProblem("domain", f"expected domain to be vpc, got {inputs['domain']}")

    def make(self, aws: AwsCloud, inputs: Properties) -> str:
        """Allocate an address."""
        answer = aws.client("ec2").allocate_address(Domain="vpc", **self.tags(inputs))
        return answer["AllocationId"]

    def find(self, aws: AwsCloud, identity: str, known: Properties) -> Properties | None:
        """Return the address; whom it serves is the gateway's to say."""
        address = aws.client("ec2").describe_addresses(AllocationIds=[identity])["Addresses"][0]
        return {
            "allocationId": identity,
            "arn": aws.arn("ec2", f"elastic-ip/{identity}"),
            "publicIp": address["PublicIp"],
            "publicDns": f"ec2-{address['PublicIp'].replace('.', '-')}.compute.amazonaws.com",
            "domain": address["Domain"],
            "tagsAll": from_key_value(address.get("Tags")),
        }

    def remove(self, aws: AwsCloud, identity: str, state: Properties) -> None:
        """Release the address."""
        for gateway in _gateways(aws):
            if any(a.get("AllocationId") == identity for a in gateway["NatGatewayAddresses"]):
                raise Refusal(
                    f"AuthFailure: the address {identity} is in use by {gateway['NatGatewayId']} "
                    "and cannot be released"
                )
        aws.client("ec2").release_address(AllocationId=identity)


class NatGateway(Ec2Type):
    """aws.ec2.NatGateway."""

    token = "aws:ec2/natGateway:NatGateway"
    title = "EC2 NAT Gateway"
    kind = "natgateway"
    missing = frozenset({"NatGatewayNotFound"})
    defaults: ClassVar = {"connectivityType": "public"}
    replace_on = frozenset({"allocationId", "connectivityType", "privateIp", "subnetId"})
    unsupported = frozenset({"secondaryAllocationIds", "secondaryPrivateIpAddresses"})

    def check(self, call: Call[AwsCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield an address that a private gateway cannot have."""
        if inputs.get("connectivityType") == "private" and inputs.get("allocationId"):
            yield InputProblem(
                "allocationId",
                '"allocation_id" is not supported with connectivity_type = "private"',
            )

    def make(self, aws: AwsCloud, inputs: Properties) -> str:
        """Create the gateway with an address that is free."""
        ec2 = aws.client("ec2")
        arguments: dict[str, Any] = {"SubnetId": inputs["subnetId"]}
        ec2.describe_subnets(SubnetIds=[inputs["subnetId"]])
        if inputs["connectivityType"] == "public":
            if not inputs.get("allocationId"):
                raise Refusal("MissingParameter: The request must include AllocationId parameter.")
            ec2.describe_addresses(AllocationIds=[inputs["allocationId"]])
            for other in _gateways(aws):
                for address in other["NatGatewayAddresses"]:
                    if address.get("AllocationId") == inputs["allocationId"]:
                        raise Refusal(
                            f"Resource.AlreadyAssociated: Elastic IP address "
                            f"[{inputs['allocationId']}] is already associated"
                        )
            arguments["AllocationId"] = inputs["allocationId"]
        answer = ec2.create_nat_gateway(
            ConnectivityType=inputs["connectivityType"], **arguments, **self.tags(inputs)
        )
        return answer["NatGateway"]["NatGatewayId"]

    def find(self, aws: AwsCloud, identity: str, known: Properties) -> Properties | None:
        """Return the gateway; AWS lists a deleted one for an hour."""
        found = aws.client("ec2").describe_nat_gateways(NatGatewayIds=[identity])["NatGateways"]
        if not found or found[0]["State"] in ("deleted", "deleting"):
            return None
        gateway = found[0]
        address = (gateway.get("NatGatewayAddresses") or [{}])[0]
        return {
            "allocationId": address.get("AllocationId"),
            "publicIp": address.get("PublicIp"),
            "privateIp": address.get("PrivateIp"),
            "networkInterfaceId": address.get("NetworkInterfaceId"),
            "connectivityType": gateway.get("ConnectivityType", "public"),
            "subnetId": gateway["SubnetId"],
            "tagsAll": from_key_value(gateway.get("Tags")),
        }

    def remove(self, aws: AwsCloud, identity: str, state: Properties) -> None:
        """Delete the gateway."""
        aws.client("ec2").delete_nat_gateway(NatGatewayId=identity)


def _gateways(aws: AwsCloud) -> list[Any]:
    every = aws.client("ec2").describe_nat_gateways()["NatGateways"]
    return [gateway for gateway in every if gateway["State"] not in ("deleted", "deleting")]


TYPES = (Eip, NatGateway)
