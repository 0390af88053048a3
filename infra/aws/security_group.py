"""Security groups whose rules are all there are: one that somebody adds by hand is taken away.

Owns why rules stand inside their group and not beside it as resources of their own: nobody knows of
a rule that no resource is about, so a refresh would report an opened door and `up` leave it open.
Inside the group the list is the whole truth in both directions. The price is that no other resource
may add a rule to such a group; the group that EKS makes for its nodes takes some of their own.
"""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
import pulumi_aws as aws

TCP = "tcp"


def closed_group(
    name: str,
    group_name: str,
    description: str,
    *,
    vpc_id: pulumi.Input[str],
    ingress: Sequence[aws.ec2.SecurityGroupIngressArgs],
    egress: Sequence[aws.ec2.SecurityGroupEgressArgs] = (),
    opts: pulumi.ResourceOptions,
) -> aws.ec2.SecurityGroup:
    """A group with these rules and no others; without `egress` nothing goes out."""
    return aws.ec2.SecurityGroup(
        name,
        name=group_name,
        description=description,
        vpc_id=vpc_id,
        ingress=list(ingress),
        egress=list(egress),
        tags={"Name": group_name},
        opts=opts,
    )


def from_group(
    group_id: pulumi.Input[str], port: int, description: str
) -> aws.ec2.SecurityGroupIngressArgs:
    """Members of another group may connect to a port."""
    return aws.ec2.SecurityGroupIngressArgs(
        description=description,
        security_groups=[group_id],
        protocol=TCP,
        from_port=port,
        to_port=port,
    )


def from_networks(
    networks: Sequence[pulumi.Input[str]], port: int, description: str
) -> aws.ec2.SecurityGroupIngressArgs:
    """Addresses of networks may connect to a port; of either version of IP."""
    six = [network for network in networks if isinstance(network, str) and ":" in network]
    return aws.ec2.SecurityGroupIngressArgs(
        description=description,
        cidr_blocks=[network for network in networks if network not in six],
        ipv6_cidr_blocks=six,
        protocol=TCP,
        from_port=port,
        to_port=port,
    )


def to_group(
    group_id: pulumi.Input[str], port: int, description: str
) -> aws.ec2.SecurityGroupEgressArgs:
    """Members may connect to a port of another group's members."""
    return aws.ec2.SecurityGroupEgressArgs(
        description=description,
        security_groups=[group_id],
        protocol=TCP,
        from_port=port,
        to_port=port,
    )


def to_network(network: str, port: int, description: str) -> aws.ec2.SecurityGroupEgressArgs:
    """Members may connect to a port of any address in a network."""
    return aws.ec2.SecurityGroupEgressArgs(
        description=description,
        cidr_blocks=[network],
        protocol=TCP,
        from_port=port,
        to_port=port,
    )
