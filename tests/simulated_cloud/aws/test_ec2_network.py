"""Gateways, routes, endpoints, flow logs and security groups behave, and refuse, as EC2's do."""

from __future__ import annotations

from typing import Any

import pytest

from simulated_cloud import SimulatedCloud
from tests.simulated_cloud.desk import Desk, Refused, Resource

EVERYWHERE = "0.0.0.0/0"
VPC = "aws:ec2/vpc:Vpc"
SUBNET = "aws:ec2/subnet:Subnet"
GROUP = "aws:ec2/securityGroup:SecurityGroup"
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
EGRESS = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
ROUTE = "aws:ec2/route:Route"
TABLE = "aws:ec2/routeTable:RouteTable"
ASSOCIATION = "aws:ec2/routeTableAssociation:RouteTableAssociation"
ENDPOINT = "aws:ec2/vpcEndpoint:VpcEndpoint"


@pytest.fixture
def vpc(aws: Desk) -> Resource:
    return aws.create(VPC, cidrBlock="10.0.0.0/16")


@pytest.fixture
def subnet(aws: Desk, vpc: Resource) -> Resource:
    return aws.create(SUBNET, vpcId=vpc.id, cidrBlock="10.0.0.0/24")


@pytest.fixture
def internet(aws: Desk, vpc: Resource) -> Resource:
    return aws.create("aws:ec2/internetGateway:InternetGateway", vpcId=vpc.id)


@pytest.fixture
def group(aws: Desk, vpc: Resource) -> Resource:
    return aws.create(GROUP, name="server", description="The server.", vpcId=vpc.id)


@pytest.fixture
def table(aws: Desk, vpc: Resource) -> Resource:
    return aws.create(TABLE, vpcId=vpc.id)


class TestNatGateway:
    """A NAT gateway has an address of its own, which stays as long as it does."""

    def test_life(self, aws: Desk, subnet: Resource) -> None:
        address = aws.create("aws:ec2/eip:Eip", domain="vpc", tags={"Name": "out"})
        inputs = {"subnetId": subnet.id, "allocationId": address.id}
        gateway = aws.create("aws:ec2/natGateway:NatGateway", **inputs)
        assert gateway["publicIp"] == address["publicIp"]
        with pytest.raises(Refused, match=r"AuthFailure: the address .* is in use by nat-"):
            address.delete()
        with pytest.raises(Refused, match=r"Resource\.AlreadyAssociated: Elastic IP address"):
            aws.create("aws:ec2/natGateway:NatGateway", **inputs)
        with pytest.raises(Refused, match="DependencyViolation"):
            subnet.delete()
        gateway.delete()
        address.delete()
        subnet.delete()

    def test_without_an_address(self, aws: Desk, subnet: Resource) -> None:
        with pytest.raises(Refused, match="must include AllocationId parameter"):
            aws.create("aws:ec2/natGateway:NatGateway", subnetId=subnet.id)

    def test_a_private_one_takes_none(self, aws: Desk) -> None:
        with pytest.raises(Refused, match='"allocation_id" is not supported with conn'):
            aws.create(
                "aws:ec2/natGateway:NatGateway",
                subnetId="subnet-1",
                allocationId="eipalloc-1",
                connectivityType="private",
            )


class TestRoutes:
    """A route has one destination and one target that is there, and a table it is in."""

    def test_life(
        self, cloud: SimulatedCloud, aws: Desk, table: Resource, internet: Resource
    ) -> None:
        inputs = {
            "routeTableId": table.id,
            "destinationCidrBlock": EVERYWHERE,
            "gatewayId": internet.id,
        }
        route = aws.create(ROUTE, **inputs)
        with pytest.raises(Refused, match="RouteAlreadyExists: The route identified by 0"):
            aws.create(ROUTE, **inputs)
        cloud.client("ec2").delete_route(RouteTableId=table.id, DestinationCidrBlock=EVERYWHERE)
        assert route.drift() == {"": "gone"}

    def test_another_target(
        self, cloud: SimulatedCloud, aws: Desk, table: Resource, internet: Resource
    ) -> None:
        subnet = aws.create(SUBNET, vpcId=table["vpcId"], cidrBlock="10.0.9.0/24")
        address = aws.create("aws:ec2/eip:Eip", domain="vpc")
        nat = aws.create(
            "aws:ec2/natGateway:NatGateway", subnetId=subnet.id, allocationId=address.id
        )
        out = {"routeTableId": table.id, "destinationCidrBlock": EVERYWHERE}
        route = aws.create(ROUTE, **out, gatewayId=internet.id)
        route.update(**out, natGatewayId=nat.id)
        cloud.client("ec2").replace_route(
            RouteTableId=table.id, DestinationCidrBlock=EVERYWHERE, GatewayId=internet.id
        )
        assert route.drift()["natGatewayId"] is None
        nat.delete()
        with pytest.raises(Refused, match=r"InvalidNatGatewayID\.NotFound"):
            aws.create(
                ROUTE,
                routeTableId=table.id,
                destinationCidrBlock="10.8.0.0/16",
                natGatewayId=nat.id,
            )

    @pytest.mark.parametrize(
        ("inputs", "words"),
        [
            ({"destinationCidrBlock": "0.0.0.0/33", "gatewayId": "igw-1"}, "not a valid IPv4"),
            (
                {
                    "destinationCidrBlock": EVERYWHERE,
                    "gatewayId": "igw-1",
                    "natGatewayId": "nat-1",
                },
                "only one of gatewayId, natGatewayId can be specified",
            ),
            ({"destinationCidrBlock": EVERYWHERE}, "one of gateway_id, nat_gateway_id"),
            ({"gatewayId": "igw-1"}, "one of destination_cidr_block is required"),
        ],
    )
    def test_refusals(self, aws: Desk, table: Resource, inputs: dict[str, Any], words: str) -> None:
        with pytest.raises(Refused, match=words):
            aws.create(ROUTE, routeTableId=table.id, **inputs)

    def test_a_gateway_of_another_network(self, aws: Desk, internet: Resource) -> None:
        other = aws.create(VPC, cidrBlock="10.7.0.0/16")
        table = aws.create(TABLE, vpcId=other.id)
        with pytest.raises(Refused, match="belong to different networks"):
            aws.create(
                ROUTE,
                routeTableId=table.id,
                destinationCidrBlock=EVERYWHERE,
                gatewayId=internet.id,
            )

    def test_associations(self, aws: Desk, table: Resource, subnet: Resource) -> None:
        inputs = {"subnetId": subnet.id, "routeTableId": table.id}
        association = aws.create(ASSOCIATION, **inputs)
        assert association.replaced_by(**{**inputs, "routeTableId": "rtb-2"}) == {"routeTableId"}
        with pytest.raises(Refused, match=r"Resource\.AlreadyAssociated"):
            aws.create(ASSOCIATION, **inputs)
        with pytest.raises(Refused, match="DependencyViolation: The routeTable"):
            table.delete()
        association.delete()
        table.delete()


class TestSecurityGroups:
    """A group is made without rules; each rule is a resource; a changed one is drift."""

    def test_made_empty(self, cloud: SimulatedCloud, group: Resource) -> None:
        found = cloud.client("ec2").describe_security_groups(GroupIds=[group.id])
        assert found["SecurityGroups"][0]["IpPermissionsEgress"] == []

    def test_rules_within(self, cloud: SimulatedCloud, aws: Desk, vpc: Resource) -> None:
        rule = {
            "protocol": "tcp",
            "fromPort": 443,
            "toPort": 443,
            "cidrBlocks": ["10.0.0.0/16"],
            "ipv6CidrBlocks": ["2001:db8::/32"],
        }
        inputs = {"name": "inline", "vpcId": vpc.id, "ingress": [rule], "egress": []}
        group = aws.create(GROUP, **inputs)
        ec2 = cloud.client("ec2")
        opened = [
            {
                "IpProtocol": "tcp",
                "FromPort": 22,
                "ToPort": 22,
                "IpRanges": [{"CidrIp": EVERYWHERE}],
            }
        ]
        ec2.authorize_security_group_ingress(GroupId=group.id, IpPermissions=opened)
        ec2.authorize_security_group_egress(GroupId=group.id, IpPermissions=opened)
        assert {way: len(rules) for way, rules in group.drift().items()} == {
            "ingress": 2,
            "egress": 1,
        }
        group.repair(**inputs)
        left = ec2.describe_security_groups(GroupIds=[group.id])["SecurityGroups"][0]
        assert [item["FromPort"] for item in left["IpPermissions"]] == [443]
        assert left["IpPermissionsEgress"] == []

    def test_a_rule(self, cloud: SimulatedCloud, aws: Desk, group: Resource) -> None:
        inputs = {
            "securityGroupId": group.id,
            "ipProtocol": "tcp",
            "fromPort": 5432,
            "toPort": 5432,
            "cidrIpv4": "10.0.0.0/16",
            "description": "PostgreSQL.",
        }
        rule = aws.create(INGRESS, **inputs, tags={"Name": "r"})
        assert group.drift() == {}  # a rule that is a resource of its own is no drift of the group
        ec2 = cloud.client("ec2")
        ec2.modify_security_group_rules(
            GroupId=group.id,
            SecurityGroupRules=[
                {
                    "SecurityGroupRuleId": rule.id,
                    "SecurityGroupRule": {
                        "IpProtocol": "tcp",
                        "FromPort": 5432,
                        "ToPort": 5432,
                        "CidrIpv4": EVERYWHERE,
                        "Description": "PostgreSQL.",
                    },
                }
            ],
        )
        assert rule.drift() == {"cidrIpv4": EVERYWHERE}
        rule.repair(**inputs, tags={"Name": "r"})
        rule.delete()

    def test_a_rule_for_a_group(self, aws: Desk, vpc: Resource, group: Resource) -> None:
        other = aws.create(GROUP, name="client", description="A client.", vpcId=vpc.id)
        rule = aws.create(
            EGRESS,
            securityGroupId=group.id,
            referencedSecurityGroupId=other.id,
            ipProtocol="-1",
            description="Whatever.",
        )
        with pytest.raises(Refused, match=r"DependencyViolation: resource sg-.* has a dependent"):
            other.delete()
        rule.delete()
        other.delete()

    def test_the_default_group(self, cloud: SimulatedCloud, aws: Desk, vpc: Resource) -> None:
        default = aws.create("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup", vpcId=vpc.id)
        assert default.id == vpc["defaultSecurityGroupId"]
        ec2 = cloud.client("ec2")
        emptied = ec2.describe_security_groups(GroupIds=[default.id])["SecurityGroups"][0]
        assert emptied["IpPermissions"] == emptied["IpPermissionsEgress"] == []
        opened = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": EVERYWHERE}]}]
        ec2.authorize_security_group_egress(GroupId=default.id, IpPermissions=opened)
        assert [rule["cidrBlocks"] for rule in default.drift()["egress"]] == [[EVERYWHERE]]

    @pytest.mark.parametrize(
        ("inputs", "words"),
        [
            ({"fromPort": 2, "toPort": 1}, r"Invalid TCP/UDP port range \(2:1\)"),
            ({"fromPort": 1, "toPort": 70000}, r"Invalid port range \[1-70000\]"),
            ({}, "MissingParameter: tcp needs both from_port and to_port"),
            ({"fromPort": 1, "toPort": 1, "cidrIpv4": "10.0.0.1/16"}, "is malformed"),
            ({"fromPort": 1, "toPort": 1, "ipProtocol": "tpc"}, 'Invalid value "tpc" for IP prot'),
            ({"fromPort": 1, "toPort": 1, "description": "ö"}, "Invalid rule description"),
            (
                {"fromPort": 1, "toPort": 1, "referencedSecurityGroupId": "sg-1"},
                "Invalid Attribute Combination: cidrIpv4, referencedSecurityGroupId",
            ),
        ],
    )
    def test_what_is_no_rule(self, aws: Desk, inputs: dict[str, Any], words: str) -> None:
        rule = {"securityGroupId": "sg-1", "ipProtocol": "tcp", "cidrIpv4": "10.0.0.0/8", **inputs}
        with pytest.raises(Refused, match=words):
            aws.create(INGRESS, **rule)

    def test_references_to_nothing(self, aws: Desk, group: Resource) -> None:
        rule = {"ipProtocol": "tcp", "fromPort": 1, "toPort": 1}
        with pytest.raises(Refused, match=r"InvalidGroup\.NotFound"):
            aws.create(INGRESS, securityGroupId="sg-1", cidrIpv4="10.0.0.0/8", **rule)
        with pytest.raises(Refused, match=r"InvalidGroup\.NotFound"):
            aws.create(INGRESS, securityGroupId=group.id, referencedSecurityGroupId="sg-1", **rule)
        with pytest.raises(Refused, match="referenced_security_group_id is needed"):
            aws.create(INGRESS, securityGroupId=group.id, **rule)

    def test_names(self, aws: Desk, vpc: Resource, group: Resource) -> None:
        with pytest.raises(Refused, match="cannot begin with sg-"):
            aws.create(GROUP, name="sg-mine", vpcId=vpc.id)
        with pytest.raises(Refused, match=r"InvalidGroup\.Duplicate"):
            aws.create(GROUP, name="server", vpcId=vpc.id)


class TestEndpoints:
    """A gateway endpoint has route tables, an interface endpoint subnets and groups."""

    def test_a_gateway(self, cloud: SimulatedCloud, aws: Desk, vpc: Resource) -> None:
        tables = [aws.create(TABLE, vpcId=vpc.id).id for _ in range(2)]
        service = {"vpcId": vpc.id, "serviceName": "com.amazonaws.eu-central-1.s3"}
        endpoint = aws.create(ENDPOINT, **service, routeTableIds=tables)
        cloud.client("ec2").modify_vpc_endpoint(
            VpcEndpointId=endpoint.id, RemoveRouteTableIds=[tables[0]]
        )
        assert endpoint.drift() == {"routeTableIds": [tables[1]]}
        endpoint.repair(**service, routeTableIds=tables)
        endpoint.delete()

    def test_an_interface(
        self, aws: Desk, vpc: Resource, subnet: Resource, group: Resource
    ) -> None:
        endpoint = aws.create(
            ENDPOINT,
            vpcId=vpc.id,
            serviceName="com.amazonaws.eu-central-1.kms",
            vpcEndpointType="Interface",
            subnetIds=[subnet.id],
            securityGroupIds=[group.id],
            privateDnsEnabled=True,
        )
        assert endpoint["securityGroupIds"] == [group.id]
        with pytest.raises(Refused, match="DependencyViolation"):
            vpc.delete()
        endpoint.delete()

    @pytest.mark.parametrize(
        ("inputs", "words"),
        [
            ({"vpcEndpointType": "Gate"}, "expected vpc_endpoint_type to be one of"),
            ({"subnetIds": ["subnet-1"]}, "not supported for an endpoint of type Gateway"),
            (
                {"vpcEndpointType": "Interface", "routeTableIds": ["rtb-1"]},
                "not supported for an endpoint of type Interface",
            ),
            ({"serviceName": "com.amazonaws.us-east-1.s3"}, "InvalidServiceName"),
            ({"routeTableIds": ["rtb-1"]}, r"InvalidRouteTableID\.NotFound"),
        ],
    )
    def test_refusals(self, aws: Desk, vpc: Resource, inputs: dict[str, Any], words: str) -> None:
        service = {"vpcId": vpc.id, "serviceName": "com.amazonaws.eu-central-1.s3"}
        with pytest.raises(Refused, match=words):
            aws.create(ENDPOINT, **{**service, **inputs})


class TestFlowLogs:
    """A flow log has somewhere to go and a role to go there with."""

    TOKEN = "aws:ec2/flowLog:FlowLog"

    def test_life(self, aws: Desk, vpc: Resource) -> None:
        group = aws.create("aws:cloudwatch/logGroup:LogGroup", name="/aws/vpc/flow")
        trust = (
            '{"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", '
            '"Principal": {"Service": "vpc-flow-logs.amazonaws.com"}}]}'
        )
        role = aws.create("aws:iam/role:Role", name="flow-logs", assumeRolePolicy=trust)
        inputs = {
            "vpcId": vpc.id,
            "trafficType": "ALL",
            "logDestination": group["arn"],
            "iamRoleArn": role["arn"],
        }
        log = aws.create(self.TOKEN, **inputs)
        assert log.replaced_by(**{**inputs, "trafficType": "REJECT"}) == {"trafficType"}
        with pytest.raises(Refused, match="DeliverLogsPermissionArn can't be empty"):
            aws.create(self.TOKEN, **{**inputs, "iamRoleArn": ""})
        log.delete()

    @pytest.mark.parametrize(
        ("inputs", "words"),
        [
            ({"trafficType": "SOME"}, "expected traffic_type to be one of"),
            ({"maxAggregationInterval": 61}, "max_aggregation_interval to be one of"),
            (
                {"logDestination": "arn:aws:logs:eu-central-1:123456789012:log-group:no"},
                "log group no does not exist",
            ),
        ],
    )
    def test_refusals(self, aws: Desk, vpc: Resource, inputs: dict[str, Any], words: str) -> None:
        with pytest.raises(Refused, match=words):
            aws.create(self.TOKEN, **{"vpcId": vpc.id, "trafficType": "ALL", **inputs})
