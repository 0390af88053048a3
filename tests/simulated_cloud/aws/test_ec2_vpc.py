"""VPCs, subnets and internet gateways behave, and refuse, as EC2's do."""

from __future__ import annotations

import pytest

from simulated_cloud import SimulatedCloud
from tests.simulated_cloud.desk import Desk, Refused, Resource

VPC = "aws:ec2/vpc:Vpc"
SUBNET = "aws:ec2/subnet:Subnet"
GATEWAY = "aws:ec2/internetGateway:InternetGateway"


@pytest.fixture
def vpc(aws: Desk) -> Resource:
    return aws.create(VPC, cidrBlock="10.0.0.0/16")


class TestVpc:
    """A VPC is created, changed, found drifted and deleted through EC2's API."""

    def test_life(self, cloud: SimulatedCloud, aws: Desk) -> None:
        vpc = aws.create(VPC, cidrBlock="10.9.0.0/16", tags={"Name": "mine"})
        assert vpc["arn"] == f"arn:aws:ec2:eu-central-1:123456789012:vpc/{vpc.id}"
        assert vpc["enableDnsHostnames"] is False
        assert vpc["defaultSecurityGroupId"].startswith("sg-")
        ec2 = cloud.client("ec2")
        assert ec2.describe_vpcs(VpcIds=[vpc.id])["Vpcs"][0]["CidrBlock"] == "10.9.0.0/16"

        vpc.update(cidrBlock="10.9.0.0/16", enableDnsHostnames=True, tags={"Name": "yours"})
        assert vpc["enableDnsHostnames"] is True
        assert vpc["tagsAll"] == {"Name": "yours"}

        ec2.modify_vpc_attribute(VpcId=vpc.id, EnableDnsHostnames={"Value": False})
        assert vpc.drift() == {"enableDnsHostnames": False}
        vpc.repair(cidrBlock="10.9.0.0/16", enableDnsHostnames=True, tags={"Name": "yours"})

        vpc.delete()
        assert vpc.id not in [item["VpcId"] for item in ec2.describe_vpcs()["Vpcs"]]

    def test_another_range_is_another_vpc(self, vpc: Resource) -> None:
        assert vpc.replaced_by(cidrBlock="10.1.0.0/16") == {"cidrBlock"}

    def test_default_tags(self, tagged_aws: Desk) -> None:
        vpc = tagged_aws.create(VPC, cidrBlock="10.0.0.0/16", tags={"Name": "mine"})
        assert vpc["tags"] == {"Name": "mine"}
        assert vpc["tagsAll"] == {"Name": "mine", "project": "test"}

    def test_a_lost_default_tag_is_drift(self, cloud: SimulatedCloud, tagged_aws: Desk) -> None:
        vpc = tagged_aws.create(VPC, cidrBlock="10.0.0.0/16", tags={"Name": "mine"})
        cloud.client("ec2").delete_tags(Resources=[vpc.id], Tags=[{"Key": "project"}])
        assert vpc.drift() == {"tagsAll": {"Name": "mine"}}
        vpc.repair(cidrBlock="10.0.0.0/16", tags={"Name": "mine"})

    def test_in_another_region(self, cloud: SimulatedCloud, aws: Desk) -> None:
        vpc = aws.create(VPC, cidrBlock="10.0.0.0/16", region="us-east-1")
        assert vpc["arn"].startswith("arn:aws:ec2:us-east-1:")
        there = cloud.client("ec2", "us-east-1").describe_vpcs(VpcIds=[vpc.id])["Vpcs"]
        assert len(there) == 1

    def test_adopted(self, aws: Desk, vpc: Resource) -> None:
        adopted = aws.adopt(VPC, vpc.id)
        assert adopted["cidrBlock"] == "10.0.0.0/16"
        assert adopted.drift() == {}

    def test_adopting_what_is_not_there(self, aws: Desk) -> None:
        with pytest.raises(Refused, match="vpc-0 is not there"):
            aws.adopt(VPC, "vpc-0")

    @pytest.mark.parametrize(
        ("inputs", "words"),
        [
            (
                {"cidrBlock": "10.0.0.0/8"},
                (
                    "expected cidrBlock to contain a network Value with between 16 and 28 "
                    "significant bits, got: 8"
                ),
            ),
            (
                {"cidrBlock": "10.0.0.1/16"},
                '"10.0.0.1/16" is not a valid IPv4 CIDR block, or one with host bits set',
            ),
            (
                {},
                (
                    "creating EC2 VPC (it): Either 'cidr_block' or 'ipv4_ipam_pool_id' must be "
                    "provided."
                ),
            ),
            (
                {"cidrBlock": "10.0.0.0/16", "cidrBlok": "x"},
                "Unknown argument: `cidrBlok`: did you mean `cidrBlock`?",
            ),
            (
                {"cidrBlock": "10.0.0.0/16", "enableDnsSupport": "yes"},
                "`enableDnsSupport` takes true or false, not a string",
            ),
            (
                {"cidrBlock": "10.0.0.0/16", "tags": {"a": 1}},
                '`tags["a"]` takes a string, not a whole number',
            ),
        ],
    )
    def test_refusals(self, aws: Desk, inputs: dict[str, object], words: str) -> None:
        with pytest.raises(Refused) as refused:
            aws.create(VPC, **inputs)
        assert str(refused.value) == words

    def test_one_in_use_is_not_deleted(self, aws: Desk, vpc: Resource) -> None:
        subnet = aws.create(SUBNET, vpcId=vpc.id, cidrBlock="10.0.1.0/24")
        with pytest.raises(Refused) as refused:
            vpc.delete()
        assert str(refused.value) == (
            f"deleting EC2 VPC ({vpc.id}): DependencyViolation: The vpc '{vpc.id}' has "
            "dependencies and cannot be deleted."
        )
        subnet.delete()
        vpc.delete()


class TestSubnet:
    """A subnet lies inside its VPC, in a zone of the region, beside all others."""

    def test_life(self, cloud: SimulatedCloud, aws: Desk, vpc: Resource) -> None:
        inputs = {
            "vpcId": vpc.id,
            "cidrBlock": "10.0.4.0/24",
            "availabilityZone": "eu-central-1b",
            "tags": {"Name": "private"},
        }
        subnet = aws.create(SUBNET, **inputs)
        assert subnet["availabilityZone"] == "eu-central-1b"
        subnet.update(**inputs, mapPublicIpOnLaunch=True)
        ec2 = cloud.client("ec2")
        ec2.modify_subnet_attribute(SubnetId=subnet.id, MapPublicIpOnLaunch={"Value": False})
        assert subnet.drift() == {"mapPublicIpOnLaunch": False}
        ec2.delete_subnet(SubnetId=subnet.id)
        assert subnet.drift() == {"": "gone"}

    def test_what_is_replaced(self, aws: Desk, vpc: Resource) -> None:
        subnet = aws.create(SUBNET, vpcId=vpc.id, cidrBlock="10.0.4.0/24")
        assert subnet.replaced_by(vpcId="vpc-2", cidrBlock="10.0.5.0/24") == {
            "cidrBlock",
            "vpcId",
        }

    def test_overlap(self, aws: Desk, vpc: Resource) -> None:
        first = aws.create(SUBNET, vpcId=vpc.id, cidrBlock="10.0.0.0/20")
        with pytest.raises(Refused) as refused:
            aws.create(SUBNET, vpcId=vpc.id, cidrBlock="10.0.15.0/24")
        assert str(refused.value) == (
            "creating EC2 Subnet (it): InvalidSubnet.Conflict: The CIDR '10.0.15.0/24' conflicts "
            f"with another subnet ({first.id}, 10.0.0.0/20)"
        )

    def test_outside_of_the_vpc(self, aws: Desk, vpc: Resource) -> None:
        with pytest.raises(Refused, match=r"InvalidSubnet\.Range: The CIDR '10\.1\.0\.0/24'"):
            aws.create(SUBNET, vpcId=vpc.id, cidrBlock="10.1.0.0/24")

    def test_a_zone_of_another_region(self, aws: Desk, vpc: Resource) -> None:
        with pytest.raises(Refused, match="only be created in the availability zones of eu-centr"):
            aws.create(SUBNET, vpcId=vpc.id, cidrBlock="10.0.1.0/24", availabilityZone="us-east-1a")

    def test_a_vpc_that_is_not_there(self, aws: Desk) -> None:
        with pytest.raises(Refused, match=r"InvalidVpcID\.NotFound"):
            aws.create(SUBNET, vpcId="vpc-0", cidrBlock="10.0.1.0/24")


class TestInternetGateway:
    """An internet gateway is attached to the VPC it names."""

    def test_life(self, cloud: SimulatedCloud, aws: Desk, vpc: Resource) -> None:
        gateway = aws.create(GATEWAY, vpcId=vpc.id)
        cloud.client("ec2").detach_internet_gateway(InternetGatewayId=gateway.id, VpcId=vpc.id)
        assert gateway.drift() == {"vpcId": None}
        gateway.repair(vpcId=vpc.id)
        with pytest.raises(Refused, match="DependencyViolation"):
            vpc.delete()
        gateway.delete()
        vpc.delete()
