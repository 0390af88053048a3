"""The network: private, spread, closed by default, with the ways out that the settings ask for."""

from __future__ import annotations

import ipaddress
from typing import Any

import pulumi
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.aws.network import Network, NetworkWiring
from infra.aws.network_endpoints import INTERFACE_SERVICES
from infra.aws.network_layout import MOST_ZONES, zone_subnets
from tests.infra.aws.declared import FUNCTIONS, KEY_ARN, REGION, Deployment, Outcome, deploy
from tests.infra.aws.stacks import aws_stack

ADOPTED = {
    "existingVpcId": "vpc-0123456789abcdef0",
    "existingPrivateSubnetIds": '["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]',
    "existingIsolatedSubnetIds": '["subnet-0123456789abcdef2", "subnet-0123456789abcdef3"]',
}


def network(**values: str) -> Outcome:
    """The network of such a stack."""

    def program() -> dict[str, pulumi.Input[Any]]:
        made = Network("net", aws_stack(values), NetworkWiring(region=REGION, key_arn=KEY_ARN))
        return {
            "vpc_id": made.vpc_id,
            "vpc_cidr": made.vpc_cidr,
            "private": list(made.private_subnet_ids),
            "isolated": list(made.isolated_subnet_ids),
            "public": list(made.public_subnet_ids),
        }

    return deploy(program)


def declared(**values: str) -> Deployment:
    return network(**values).deployment


def routes(deployment: Deployment) -> dict[str, str]:
    """Where each route leads, by the route's name."""
    return {
        item.name: item.inputs.get("natGatewayId") or item.inputs.get("gatewayId")
        for item in deployment.of("ec2/route:Route")
    }


class TestLayout:
    """Subnets never overlap, fit their network, and stay where they are when a zone is added."""

    @given(st.integers(16, 20), st.integers(0, 15))
    def test_disjoint_and_inside(self, prefix: int, third: int) -> None:
        whole = ipaddress.IPv4Network((f"10.{third * 16}.0.0", prefix), strict=False)
        parts = [
            ipaddress.IPv4Network(cidr)
            for zone in range(MOST_ZONES)
            for cidr in vars_of(str(whole), zone)
        ]
        assert all(part.subnet_of(whole) for part in parts)
        assert all(
            not one.overlaps(other)
            for index, one in enumerate(parts)
            for other in parts[index + 1 :]
        )

    def test_as_computed(self) -> None:
        first, last = zone_subnets("10.20.0.0/16", 0), zone_subnets("10.20.0.0/16", 2)
        assert (first.private, first.public, first.isolated) == (
            "10.20.0.0/18",
            "10.20.192.0/22",
            "10.20.208.0/22",
        )
        assert (last.private, last.public, last.isolated) == (
            "10.20.128.0/18",
            "10.20.200.0/22",
            "10.20.216.0/22",
        )

    def test_an_added_zone_moves_nothing(self) -> None:
        def cidrs(count: str) -> dict[str, str]:
            found = declared(availabilityZoneCount=count).of("ec2/subnet:Subnet")
            return {item.name: item.inputs["cidrBlock"] for item in found}

        two, three = cidrs("2"), cidrs("3")
        assert two.items() <= three.items()
        assert len(three) - len(two) == 3

    def test_a_fourth_zone_has_no_place(self) -> None:
        with pytest.raises(ValueError, match=r"^a network is laid out for 3 zones, and this is"):
            zone_subnets("10.0.0.0/16", 3)


def vars_of(cidr: str, zone: int) -> tuple[str, str, str]:
    subnets = zone_subnets(cidr, zone)
    return subnets.private, subnets.public, subnets.isolated


class TestVpc:
    """A network of our own, whose default security group lets nobody in or out."""

    def test_inputs(self) -> None:
        assert declared().one("ec2/vpc:Vpc").inputs == {
            "cidrBlock": "10.20.0.0/16",
            "enableDnsHostnames": True,
            "enableDnsSupport": True,
            "tags": {"Name": "net"},
        }

    def test_default_group_is_empty(self) -> None:
        group = declared().one("ec2/defaultSecurityGroup:DefaultSecurityGroup").inputs
        assert (group["ingress"], group["egress"]) == ([], [])

    def test_no_subnet_gives_public_addresses(self) -> None:
        for subnet in declared(ingress="none").of("ec2/subnet:Subnet"):
            assert subnet.inputs["mapPublicIpOnLaunch"] is False

    def test_zones_by_name_ask_nobody(self) -> None:
        found = declared(availabilityZones='["eu-central-1b", "eu-central-1c"]')
        assert found.calls == []
        zones = {item.inputs["availabilityZone"] for item in found.of("ec2/subnet:Subnet")}
        assert zones == {"eu-central-1b", "eu-central-1c"}

    def test_zones_of_the_region(self) -> None:
        found = declared()
        assert found.calls == [
            (
                "aws:index/getAvailabilityZones:getAvailabilityZones",
                {
                    "state": "available",
                    "filters": [{"name": "opt-in-status", "values": ["opt-in-not-required"]}],
                },
            )
        ]

    def test_a_region_with_too_few(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked = "aws:index/getAvailabilityZones:getAvailabilityZones"
        monkeypatch.setitem(FUNCTIONS, asked, {"names": ["us-west-1a", "us-west-1c"]})
        with pytest.raises(pulumi.RunError) as refused:
            declared(availabilityZoneCount="3")
        assert str(refused.value) == (
            "mlflow-platform:availabilityZoneCount is 3 and the region has 2 zones: lower it, or "
            "choose another aws:region"
        )


class TestWaysOut:
    """Each private subnet leaves by the NAT gateway it was given; the database by none."""

    def test_one_gateway(self) -> None:
        assert routes(declared(natGateways="one")) == {
            "net-public-internet": "net-internet-id",
            "net-private-0-out": "net-nat-0-id",
            "net-private-1-out": "net-nat-0-id",
        }

    def test_one_for_each_zone(self) -> None:
        assert routes(declared(natGateways="per-zone", availabilityZoneCount="3")) == {
            "net-public-internet": "net-internet-id",
            "net-private-0-out": "net-nat-0-id",
            "net-private-1-out": "net-nat-1-id",
            "net-private-2-out": "net-nat-2-id",
        }

    def test_none(self) -> None:
        """Not even a gateway to the internet stands in the account."""
        found = declared(natGateways="none", vpcInterfaceEndpoints="true")
        assert routes(found) == {}
        for absent in ("natGateway:NatGateway", "internetGateway:InternetGateway", "eip:Eip"):
            assert found.of(f"ec2/{absent}") == []
        assert network(natGateways="none", vpcInterfaceEndpoints="true").outputs["public"] == []

    def test_the_database_has_no_route(self) -> None:
        found = declared(natGateways="per-zone")
        isolated = {
            item.inputs["routeTableId"]
            for item in found.of("ec2/routeTableAssociation:RouteTableAssociation")
            if "-isolated-" in item.name
        }
        assert isolated == {"net-isolated-id"}
        leading = {item.inputs["routeTableId"] for item in found.of("ec2/route:Route")}
        assert isolated & leading == set()

    def test_every_subnet_has_a_table(self) -> None:
        found = declared(availabilityZoneCount="3")
        associated = {
            item.inputs["subnetId"]
            for item in found.of("ec2/routeTableAssociation:RouteTableAssociation")
        }
        assert associated == {f"{item.name}-id" for item in found.of("ec2/subnet:Subnet")}


class TestEndpoints:
    """S3 is always reached inside the network, AWS's other services where the settings say so."""

    def test_s3_alone(self) -> None:
        endpoint = declared().one("ec2/vpcEndpoint:VpcEndpoint").inputs
        assert endpoint == {
            "vpcId": "net-vpc-id",
            "serviceName": "com.amazonaws.eu-central-1.s3",
            "vpcEndpointType": "Gateway",
            "routeTableIds": ["net-private-a-id", "net-private-b-id"],
            "tags": {"Name": "net-endpoints-s3"},
        }

    def test_interfaces(self) -> None:
        found = declared(vpcInterfaceEndpoints="true")
        made = {
            item.inputs["serviceName"].removeprefix("com.amazonaws.eu-central-1.")
            for item in found.of("ec2/vpcEndpoint:VpcEndpoint")
            if item.inputs["vpcEndpointType"] == "Interface"
        }
        assert made == set(INTERFACE_SERVICES)
        endpoint = found.one("ec2/vpcEndpoint:VpcEndpoint", "-sts").inputs
        assert endpoint["privateDnsEnabled"] is True
        assert endpoint["subnetIds"] == ["net-private-a-id", "net-private-b-id"]
        assert endpoint["securityGroupIds"] == ["net-endpoints-clients-id"]

    def test_who_calls_them(self) -> None:
        found = declared(vpcInterfaceEndpoints="true")
        (rule,) = found.one("ec2/securityGroup:SecurityGroup").inputs["ingress"]
        assert rule["cidrBlocks"] == ["10.20.0.0/16"]
        assert (rule["fromPort"], rule["toPort"]) == (443, 443)


class TestFlowLogs:
    """Who connected to whom is kept, encrypted, as long as all logs are."""

    def test_group(self) -> None:
        group = declared(logRetentionDays="365").one("cloudwatch/logGroup:LogGroup").inputs
        assert group == {
            "name": "/aws/vpc/net-flow-logs",
            "kmsKeyId": KEY_ARN,
            "retentionInDays": 365,
        }

    def test_accepted_and_rejected(self) -> None:
        log = declared().one("ec2/flowLog:FlowLog").inputs
        assert (log["trafficType"], log["vpcId"]) == ("ALL", "net-vpc-id")

    def test_the_writer_writes_there_alone(self) -> None:
        policy = declared().one("iam/rolePolicy:RolePolicy").policy()
        assert policy["Statement"] == [
            {
                "Sid": "WriteTheFlowLog",
                "Effect": "Allow",
                "Action": [
                    "logs:CreateLogStream",
                    "logs:PutLogEvents",
                    "logs:DescribeLogStreams",
                ],
                "Resource": ["arn:aws:cloudwatch:::net-flow-logs-group:*"],
            }
        ]

    def test_absent(self) -> None:
        found = declared(vpcFlowLogs="false")
        assert found.of("ec2/flowLog:FlowLog") == []
        assert found.of("iam/role:Role") == []


class TestAdopted:
    """A network that exists is used by the ids the settings name, and nothing is declared in it."""

    def test_nothing_is_declared(self) -> None:
        outcome = network(**ADOPTED)
        assert outcome.deployment.of("ec2/vpc:Vpc") == []
        kinds = {item.kind for item in outcome.deployment.resources}
        assert kinds == {"mlflow-platform:aws:Network"}
        assert outcome.outputs == {
            "vpc_id": "vpc-theirs",
            "vpc_cidr": "10.99.0.0/16",
            "private": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
            "isolated": ["subnet-0123456789abcdef2", "subnet-0123456789abcdef3"],
            "public": [],
        }
