"""Ways to AWS's own services that stay inside the network.

Owns the S3 gateway endpoint, which is free and always there (image layers and artifacts would
otherwise be paid for at the NAT gateway), and the interface endpoints, which cost by the hour and
zone and are what a network without NAT gateways lives by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.aws.security_group import closed_group, from_networks

INTERFACE_SERVICES = (
    "autoscaling",  # the cluster autoscaler
    "ec2",  # nodes join, the CNI takes addresses, the CSI driver attaches disks
    "ecr.api",
    "ecr.dkr",
    "eks",
    "eks-auth",  # pod identity
    "elasticloadbalancing",  # pods become targets
    "kms",
    "logs",
    "monitoring",
    "secretsmanager",
    "sts",  # roles of service accounts
)
"""What a cluster without a way out needs to pull, run, log and be measured."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VpcEndpointsWiring:
    """Where the endpoints stand."""

    region: str
    vpc_id: pulumi.Input[str]
    vpc_cidr: str
    subnet_ids: Sequence[pulumi.Input[str]]
    route_table_ids: Sequence[pulumi.Input[str]]
    interfaces: bool  # besides the gateway endpoint


class VpcEndpoints(pulumi.ComponentResource):
    """The endpoints of one network."""

    def __init__(
        self, name: str, wiring: VpcEndpointsWiring, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Declare the endpoints."""
        super().__init__("mlflow-platform:aws:VpcEndpoints", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        aws.ec2.VpcEndpoint(
            f"{name}-s3",
            vpc_id=wiring.vpc_id,
            service_name=f"com.amazonaws.{wiring.region}.s3",
            vpc_endpoint_type="Gateway",
            route_table_ids=list(wiring.route_table_ids),
            tags={"Name": f"{name}-s3"},
            opts=child,
        )
        if wiring.interfaces:
            group = _security_group(name, wiring, child)
            for service in INTERFACE_SERVICES:
                aws.ec2.VpcEndpoint(
                    f"{name}-{service.replace('.', '-')}",
                    vpc_id=wiring.vpc_id,
                    service_name=f"com.amazonaws.{wiring.region}.{service}",
                    vpc_endpoint_type="Interface",
                    subnet_ids=list(wiring.subnet_ids),
                    security_group_ids=[group.id],
                    private_dns_enabled=True,  # SDKs find it under the service's own name
                    tags={"Name": f"{name}-{service}"},
                    opts=child,
                )
        self.register_outputs({})


def _security_group(
    name: str, wiring: VpcEndpointsWiring, child: pulumi.ResourceOptions
) -> aws.ec2.SecurityGroup:
    return closed_group(
        f"{name}-clients",
        f"{name}-clients",
        "HTTPS from the network to the endpoints of AWS services.",
        vpc_id=wiring.vpc_id,
        ingress=[from_networks([wiring.vpc_cidr], 443, "From anywhere in the network.")],
        opts=child,
    )
