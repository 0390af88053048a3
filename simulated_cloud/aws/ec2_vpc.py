"""VPCs, subnets and internet gateways.

Owns the address rules that AWS has and moto has only in part: sizes between /16 and /28, subnets
inside their VPC that do not overlap, zones of the region, and no deletion of what is in use.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import ClassVar

from simulated_cloud.aws.aws_type import from_key_value
from simulated_cloud.aws.cloud import AwsCloud
from simulated_cloud.aws.ec2_type import Ec2Type, check_network
from simulated_cloud.errors import InputProblem, Refusal
from simulated_cloud.property_values import Properties
from simulated_cloud.resource_type import Call


class Vpc(Ec2Type):
    """aws.ec2.Vpc."""

    token = "aws:ec2/vpc:Vpc"
    title = "EC2 VPC"
    kind = "vpc"
    missing = frozenset({"InvalidVpcID.NotFound"})
    defaults: ClassVar = {
        "enableDnsSupport": True,
        "enableDnsHostnames": False,
        "instanceTenancy": "default",
    }
    replace_on = frozenset({"cidrBlock"})
    unsupported = frozenset(
        {"ipv4IpamPoolId", "ipv4NetmaskLength", "ipv6IpamPoolId", "ipv6NetmaskLength"}
    )

    def check(self, call: Call[AwsCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield an address range that no VPC may have."""
        yield from check_network(inputs, "cidrBlock")

    def make(self, aws: AwsCloud, inputs: Properties) -> str:
        """Create the VPC and switch its DNS."""
        if "cidrBlock" not in inputs:
            raise Refusal("Either 'cidr_block' or 'ipv4_ipam_pool_id' must be provided.")
        answer = aws.client("ec2").create_vpc(
            CidrBlock=inputs["cidrBlock"],
            InstanceTenancy=inputs["instanceTenancy"],
            **self.tags(inputs),
        )
        identity = answer["Vpc"]["VpcId"]
        self.change(aws, identity, {}, inputs, frozenset({"enableDnsSupport"}))
        return identity

    def find(self, aws: AwsCloud, identity: str, known: Properties) -> Properties | None:
        """Return the VPC with the ids of what AWS makes along with it."""
        ec2 = aws.client("ec2")
        vpc = ec2.describe_vpcs(VpcIds=[identity])["Vpcs"][0]
        mine = [{"Name": "vpc-id", "Values": [identity]}]
        group = ec2.describe_security_groups(
            Filters=[*mine, {"Name": "group-name", "Values": ["default"]}]
        )["SecurityGroups"]
        table = ec2.describe_route_tables(
            Filters=[*mine, {"Name": "association.main", "Values": ["true"]}]
        )["RouteTables"]
        acl = ec2.describe_network_acls(Filters=[*mine, {"Name": "default", "Values": ["true"]}])[
            "NetworkAcls"
        ]

        def attribute(name: str) -> bool:
            answer = ec2.describe_vpc_attribute(VpcId=identity, Attribute=name)
            return answer[name[0].upper() + name[1:]]["Value"]

        main = table[0]["RouteTableId"] if table else None
        return {
            "arn": aws.arn("ec2", f"vpc/{identity}"),
            "cidrBlock": vpc["CidrBlock"],
            "instanceTenancy": vpc["InstanceTenancy"],
            "enableDnsSupport": attribute("enableDnsSupport"),
            "enableDnsHostnames": attribute("enableDnsHostnames"),
            "dhcpOptionsId": vpc.get("DhcpOptionsId"),
            "ownerId": aws.account_id,
            "defaultSecurityGroupId": group[0]["GroupId"] if group else None,
            "defaultRouteTableId": main,
            "mainRouteTableId": main,
            "defaultNetworkAclId": acl[0]["NetworkAclId"] if acl else None,
            "tagsAll": from_key_value(vpc.get("Tags")),
        }

    def change(
        self,
        aws: AwsCloud,
        identity: str,
        olds: Properties,
        news: Properties,
        changed: frozenset[str],
    ) -> None:
        """Switch the VPC's DNS."""
        if changed & {"enableDnsSupport", "enableDnsHostnames"}:
            for name in ("EnableDnsSupport", "EnableDnsHostnames"):
                value = {"Value": bool(news[name[0].lower() + name[1:]])}
                aws.client("ec2").modify_vpc_attribute(VpcId=identity, **{name: value})

    def remove(self, aws: AwsCloud, identity: str, state: Properties) -> None:
        """Delete an empty VPC."""
        ec2 = aws.client("ec2")
        mine = {"Filters": [{"Name": "vpc-id", "Values": [identity]}]}
        attached = [{"Name": "attachment.vpc-id", "Values": [identity]}]
        gateways = ec2.describe_internet_gateways(Filters=attached)["InternetGateways"]
        groups = ec2.describe_security_groups(**mine)["SecurityGroups"]
        endpoints = ec2.describe_vpc_endpoints(**mine)["VpcEndpoints"]
        if (
            ec2.describe_subnets(**mine)["Subnets"]
            or gateways
            or any(group["GroupName"] != "default" for group in groups)
            or any(endpoint["State"].lower() != "deleted" for endpoint in endpoints)
        ):
            raise Refusal(
                f"DependencyViolation: The vpc '{identity}' has dependencies and cannot be deleted."
            )
        ec2.delete_vpc(VpcId=identity)


class Subnet(Ec2Type):
    """aws.ec2.Subnet."""

    token = "aws:ec2/subnet:Subnet"
    title = "EC2 Subnet"
    kind = "subnet"
    missing = frozenset({"InvalidSubnetID.NotFound"})
    defaults: ClassVar = {
        "mapPublicIpOnLaunch": False,
        "assignIpv6AddressOnCreation": False,
        "enableDns64": False,
        "enableResourceNameDnsARecordOnLaunch": False,
        "enableResourceNameDnsAaaaRecordOnLaunch": False,
        "ipv6Native": False,
    }
    replace_on = frozenset({"vpcId", "cidrBlock", "availabilityZone", "availabilityZoneId"})
    unsupported = frozenset({"customerOwnedIpv4Pool", "outpostArn", "ipv6CidrBlock"})

    def check(self, call: Call[AwsCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield an address range that no subnet may have, and a zone of another region."""
        yield from check_network(inputs, "cidrBlock")
        zone = inputs.get("availabilityZone")
        region = inputs.get("region") or call.cloud.region
        if zone and not (zone.startswith(region) and zone[len(region) :].isalpha()):
            yield InputProblem(
                "availabilityZone",
                f"Value ({zone}) for parameter availabilityZone is invalid. Subnets can currently "
                f"only be created in the availability zones of {region}.",
            )

    def make(self, aws: AwsCloud, inputs: Properties) -> str:
        """Create the subnet where its VPC has room for it."""
        ec2 = aws.client("ec2")
        if "cidrBlock" not in inputs:
            raise Refusal("MissingParameter: Either 'cidrBlock' or 'ipv6CidrBlock' is required.")
        vpc = ec2.describe_vpcs(VpcIds=[inputs["vpcId"]])["Vpcs"][0]
        wanted = _network(inputs["cidrBlock"])
        ranges = [item["CidrBlock"] for item in vpc["CidrBlockAssociationSet"]]
        if not any(wanted.subnet_of(_network(item)) for item in ranges):
            raise Refusal(
                f"InvalidSubnet.Range: The CIDR '{wanted}' is invalid. (it is not inside "
                f"{', '.join(ranges)}, the range of {inputs['vpcId']})"
            )
        mine = [{"Name": "vpc-id", "Values": [inputs["vpcId"]]}]
        for other in ec2.describe_subnets(Filters=mine)["Subnets"]:
            if wanted.overlaps(_network(other["CidrBlock"])):
                raise Refusal(
                    f"InvalidSubnet.Conflict: The CIDR '{wanted}' conflicts with another subnet "
                    f"({other['SubnetId']}, {other['CidrBlock']})"
                )
        place = {"AvailabilityZone": inputs.get("availabilityZone")}
        place |= {"AvailabilityZoneId": inputs.get("availabilityZoneId")}
        answer = ec2.create_subnet(
            VpcId=inputs["vpcId"],
            CidrBlock=inputs["cidrBlock"],
            **{key: value for key, value in place.items() if value},
            **self.tags(inputs),
        )
        identity = answer["Subnet"]["SubnetId"]
        if inputs["mapPublicIpOnLaunch"]:
            self.change(aws, identity, {}, inputs, frozenset({"mapPublicIpOnLaunch"}))
        return identity

    def find(self, aws: AwsCloud, identity: str, known: Properties) -> Properties | None:
        """Return the subnet."""
        subnet = aws.client("ec2").describe_subnets(SubnetIds=[identity])["Subnets"][0]
        return {
            "arn": subnet["SubnetArn"],
            "vpcId": subnet["VpcId"],
            "cidrBlock": subnet["CidrBlock"],
            "availabilityZone": subnet["AvailabilityZone"],
            "availabilityZoneId": subnet["AvailabilityZoneId"],
            "mapPublicIpOnLaunch": subnet["MapPublicIpOnLaunch"],
            "ownerId": aws.account_id,
            "tagsAll": from_key_value(subnet.get("Tags")),
        }

    def change(
        self,
        aws: AwsCloud,
        identity: str,
        olds: Properties,
        news: Properties,
        changed: frozenset[str],
    ) -> None:
        """Switch public addresses."""
        if "mapPublicIpOnLaunch" in changed:
            aws.client("ec2").modify_subnet_attribute(
                SubnetId=identity, MapPublicIpOnLaunch={"Value": bool(news["mapPublicIpOnLaunch"])}
            )

    def remove(self, aws: AwsCloud, identity: str, state: Properties) -> None:
        """Delete a subnet in which nothing has an address."""
        ec2 = aws.client("ec2")
        mine = [{"Name": "subnet-id", "Values": [identity]}]
        gateways = ec2.describe_nat_gateways(Filters=mine)["NatGateways"]
        interfaces = ec2.describe_network_interfaces(Filters=mine)["NetworkInterfaces"]
        alive = [g for g in gateways if g["State"] not in ("deleted", "deleting")]
        dead = {
            address.get("NetworkInterfaceId")
            for gateway in gateways
            if gateway not in alive
            for address in gateway["NatGatewayAddresses"]
        }
        if alive or any(i["NetworkInterfaceId"] not in dead for i in interfaces):
            raise Refusal(
                f"DependencyViolation: The subnet '{identity}' has dependencies and cannot be "
                "deleted."
            )
        ec2.delete_subnet(SubnetId=identity)


class InternetGateway(Ec2Type):
    """aws.ec2.InternetGateway, attached when it names its VPC."""

    token = "aws:ec2/internetGateway:InternetGateway"
    title = "EC2 Internet Gateway"
    kind = "internet-gateway"
    missing = frozenset({"InvalidInternetGatewayID.NotFound", "Gateway.NotAttached"})

    def make(self, aws: AwsCloud, inputs: Properties) -> str:
        """Create and attach it."""
        answer = aws.client("ec2").create_internet_gateway(**self.tags(inputs))
        identity = answer["InternetGateway"]["InternetGatewayId"]
        self._attach(aws, identity, inputs.get("vpcId"))
        return identity

    def find(self, aws: AwsCloud, identity: str, known: Properties) -> Properties | None:
        """Return it with the VPC it is attached to."""
        answer = aws.client("ec2").describe_internet_gateways(InternetGatewayIds=[identity])
        gateway = answer["InternetGateways"][0]
        attachments = gateway.get("Attachments") or []
        return {
            "arn": aws.arn("ec2", f"internet-gateway/{identity}"),
            "vpcId": attachments[0]["VpcId"] if attachments else None,
            "ownerId": aws.account_id,
            "tagsAll": from_key_value(gateway.get("Tags")),
        }

    def change(
        self,
        aws: AwsCloud,
        identity: str,
        olds: Properties,
        news: Properties,
        changed: frozenset[str],
    ) -> None:
        """Move it to another VPC."""
        if "vpcId" in changed:
            self._detach(aws, identity, olds.get("vpcId"))
            self._attach(aws, identity, news.get("vpcId"))

    def remove(self, aws: AwsCloud, identity: str, state: Properties) -> None:
        """Detach and delete it."""
        self._detach(aws, identity, state.get("vpcId"))
        aws.client("ec2").delete_internet_gateway(InternetGatewayId=identity)

    @staticmethod
    def _attach(aws: AwsCloud, identity: str, vpc: str | None) -> None:
        if vpc:
            aws.client("ec2").attach_internet_gateway(InternetGatewayId=identity, VpcId=vpc)

    @staticmethod
    def _detach(aws: AwsCloud, identity: str, vpc: str | None) -> None:
        ec2 = aws.client("ec2")
        found = ec2.describe_internet_gateways(InternetGatewayIds=[identity])["InternetGateways"]
        if vpc and found and found[0].get("Attachments"):
            ec2.detach_internet_gateway(InternetGatewayId=identity, VpcId=vpc)


def _network(text: str) -> ipaddress.IPv4Network:
    return ipaddress.IPv4Network(text)


TYPES = (Vpc, Subnet, InternetGateway)
