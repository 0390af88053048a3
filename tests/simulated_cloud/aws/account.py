"""What tests of one family need of the others: a network, a key, a role.

Owns how they are made at a desk, and nothing that a test is about.
"""

from __future__ import annotations

import itertools
import json
from typing import Any

from tests.simulated_cloud.desk import Desk, Resource

_numbers = itertools.count(1)
POLICY = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"


def unique(name: str) -> str:
    """A name that no other test of the module has."""
    return f"{name}-{next(_numbers)}"


def trust(service: str) -> str:
    """Who may assume a role: one service."""
    statement = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"Service": service},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def role(aws: Desk, service: str) -> Resource:
    """A role that a service may assume."""
    return aws.create("aws:iam/role:Role", name=unique("role"), assumeRolePolicy=trust(service))


def key(aws: Desk) -> Resource:
    """A key."""
    return aws.create("aws:kms/key:Key", deletionWindowInDays=7)


def network(aws: Desk) -> tuple[Resource, list[str]]:
    """A VPC and two subnets in two zones."""
    vpc = aws.create("aws:ec2/vpc:Vpc", cidrBlock="10.0.0.0/16")
    subnets = [
        aws.create(
            "aws:ec2/subnet:Subnet",
            vpcId=vpc.id,
            cidrBlock=f"10.0.{index}.0/24",
            availabilityZone=f"eu-central-1{zone}",
        ).id
        for index, zone in enumerate("ab")
    ]
    return vpc, subnets


def group(aws: Desk, vpc: Resource) -> Resource:
    """A security group."""
    return aws.create("aws:ec2/securityGroup:SecurityGroup", name=unique("g"), vpcId=vpc.id)


def without(inputs: dict[str, Any], *names: str) -> dict[str, Any]:
    """Inputs less some of them."""
    return {name: value for name, value in inputs.items() if name not in names}
