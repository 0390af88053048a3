"""The network: a VPC over two or three zones, or one that exists and is adopted by its ids.

Owns subnets, routes and ways out. Private subnets carry nodes and pods; isolated ones carry the
database and have no route but the network's own; public ones exist only for what needs them (NAT
gateways, a public load balancer). Endpoints and flow logs stand in `network_endpoints` and
`network_flow_logs`. Who may talk to whom inside is the security groups' subject, beside each thing
they guard; the VPC's default group is emptied, so that nothing gets access by forgetting one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.aws.network_endpoints import VpcEndpoints, VpcEndpointsWiring
from infra.aws.network_flow_logs import FlowLogs, FlowLogsWiring
from infra.aws.network_layout import ZoneSubnets, zone_subnets
from infra.settings_model import PlatformSettings

EVERYWHERE = "0.0.0.0/0"


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkWiring:
    """What the network needs of the account."""

    region: str
    key_arn: pulumi.Input[str]  # of the flow logs


class Network(pulumi.ComponentResource):
    """A VPC with its subnets."""

    vpc_id: pulumi.Output[str]
    vpc_cidr: pulumi.Output[str]
    private_subnet_ids: Sequence[pulumi.Input[str]]
    isolated_subnet_ids: Sequence[pulumi.Input[str]]
    public_subnet_ids: Sequence[pulumi.Input[str]]  # empty where nothing needs them
    ready: Sequence[pulumi.Resource]  # what a node waits for to get out

    def __init__(
        self,
        name: str,
        settings: PlatformSettings,
        wiring: NetworkWiring,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the network, or look up the one that `settings` name."""
        super().__init__("mlflow-platform:aws:Network", name, None, opts)
        self._name = name
        self._settings = settings.aws.network
        self._child = pulumi.ResourceOptions(parent=self)
        if self._settings.existing_vpc_id:
            self._adopt()
        else:
            self._create(settings, wiring)
        self.register_outputs({"vpc_id": self.vpc_id})

    def _adopt(self) -> None:
        settings = self._settings
        found = aws.ec2.get_vpc_output(
            id=settings.existing_vpc_id, opts=pulumi.InvokeOptions(parent=self)
        )
        self.vpc_id = found.id
        self.vpc_cidr = found.cidr_block
        self.private_subnet_ids = settings.existing_private_subnet_ids
        self.isolated_subnet_ids = settings.existing_isolated_subnet_ids
        self.public_subnet_ids = settings.existing_public_subnet_ids
        self.ready = ()

    def _create(self, settings: PlatformSettings, wiring: NetworkWiring) -> None:
        network = self._settings
        vpc = aws.ec2.Vpc(
            f"{self._name}-vpc",
            cidr_block=network.vpc_cidr,
            enable_dns_support=True,
            enable_dns_hostnames=True,  # interface endpoints answer under AWS's own names
            tags={"Name": self._name},
            opts=self._child,
        )
        self._vpc = vpc
        aws.ec2.DefaultSecurityGroup(
            f"{self._name}-default-closed",
            vpc_id=vpc.id,
            ingress=[],
            egress=[],
            tags={"Name": f"{self._name}-default-closed"},
            opts=self._child,
        )
        zones = self._zones()
        layout = [zone_subnets(network.vpc_cidr, index) for index in range(len(zones))]
        public = network.nat_gateways != "none" or settings.cloud.ingress == "public"
        public_subnets = self._public(zones, layout) if public else []
        private_subnets, private_tables = self._private(zones, layout)
        isolated_subnets = self._isolated(zones, layout)
        routes = self._ways_out(public_subnets, private_tables)

        self.vpc_id = vpc.id
        self.vpc_cidr = vpc.cidr_block
        self.private_subnet_ids = [subnet.id for subnet in private_subnets]
        self.isolated_subnet_ids = [subnet.id for subnet in isolated_subnets]
        self.public_subnet_ids = [subnet.id for subnet in public_subnets]
        endpoints = VpcEndpoints(
            f"{self._name}-endpoints",
            VpcEndpointsWiring(
                region=wiring.region,
                vpc_id=vpc.id,
                vpc_cidr=network.vpc_cidr,
                subnet_ids=self.private_subnet_ids,
                route_table_ids=[table.id for table in private_tables],
                interfaces=network.interface_endpoints,
            ),
            opts=self._child,
        )
        if network.flow_logs:
            FlowLogs(
                f"{self._name}-flow-logs",
                FlowLogsWiring(
                    vpc_id=vpc.id,
                    key_arn=wiring.key_arn,
                    retention_days=settings.cloud.log_retention_days,
                ),
                opts=self._child,
            )
        self.ready = (*routes, endpoints)

    def _zones(self) -> Sequence[str]:
        """The zones by name; those of the region in its own order where the settings name none."""
        if self._settings.availability_zones:
            return self._settings.availability_zones
        found = aws.get_availability_zones(
            state="available",
            # Local zones, which somebody opted in to, have neither EKS nor RDS.
            filters=[
                aws.GetAvailabilityZonesFilterArgs(
                    name="opt-in-status", values=["opt-in-not-required"]
                )
            ],
            opts=pulumi.InvokeOptions(parent=self),
        )
        count = self._settings.availability_zone_count
        if len(found.names) < count:
            raise pulumi.RunError(
                f"mlflow-platform:availabilityZoneCount is {count} and the region has "
                f"{len(found.names)} zones: lower it, or choose another aws:region"
            )
        return found.names[:count]

    def _public(self, zones: Sequence[str], layout: Sequence[ZoneSubnets]) -> list[aws.ec2.Subnet]:
        gateway = aws.ec2.InternetGateway(
            f"{self._name}-internet",
            vpc_id=self._vpc.id,
            tags={"Name": self._name},
            opts=self._child,
        )
        table = self._route_table("public")
        aws.ec2.Route(
            f"{self._name}-public-internet",
            route_table_id=table.id,
            destination_cidr_block=EVERYWHERE,
            gateway_id=gateway.id,
            opts=self._child,
        )
        subnets = [
            self._subnet("public", zone, subnet.public, {"kubernetes.io/role/elb": "1"})
            for zone, subnet in zip(zones, layout, strict=True)
        ]
        self._associate("public", zones, subnets, [table] * len(zones))
        return subnets

    def _private(
        self, zones: Sequence[str], layout: Sequence[ZoneSubnets]
    ) -> tuple[list[aws.ec2.Subnet], list[aws.ec2.RouteTable]]:
        # A table for each zone even with one NAT gateway: a second one is then a changed route.
        tables = [self._route_table(f"private-{_letter(zone)}") for zone in zones]
        subnets = [
            self._subnet("private", zone, subnet.private, {"kubernetes.io/role/internal-elb": "1"})
            for zone, subnet in zip(zones, layout, strict=True)
        ]
        self._associate("private", zones, subnets, tables)
        return subnets, tables

    def _isolated(
        self, zones: Sequence[str], layout: Sequence[ZoneSubnets]
    ) -> list[aws.ec2.Subnet]:
        table = self._route_table("isolated")  # no route but the network's own
        subnets = [
            self._subnet("isolated", zone, subnet.isolated, {})
            for zone, subnet in zip(zones, layout, strict=True)
        ]
        self._associate("isolated", zones, subnets, [table] * len(zones))
        return subnets

    def _ways_out(
        self, public: Sequence[aws.ec2.Subnet], tables: Sequence[aws.ec2.RouteTable]
    ) -> list[aws.ec2.Route]:
        """A default route of each private table, by the zone's own NAT gateway or by the one."""
        wanted = {"none": 0, "one": 1, "per-zone": len(tables)}[self._settings.nat_gateways]
        gateways = [self._nat(index, subnet) for index, subnet in enumerate(public[:wanted])]
        if not gateways:
            return []
        return [
            aws.ec2.Route(
                f"{self._name}-private-{index}-out",
                route_table_id=table.id,
                destination_cidr_block=EVERYWHERE,
                nat_gateway_id=gateways[index % len(gateways)].id,
                opts=self._child,
            )
            for index, table in enumerate(tables)
        ]

    def _nat(self, index: int, subnet: aws.ec2.Subnet) -> aws.ec2.NatGateway:
        address = aws.ec2.Eip(
            f"{self._name}-nat-{index}-address",
            domain="vpc",
            tags={"Name": f"{self._name}-nat-{index}"},
            opts=self._child,
        )
        return aws.ec2.NatGateway(
            f"{self._name}-nat-{index}",
            subnet_id=subnet.id,
            allocation_id=address.id,
            tags={"Name": f"{self._name}-nat-{index}"},
            opts=self._child,
        )

    def _route_table(self, role: str) -> aws.ec2.RouteTable:
        return aws.ec2.RouteTable(
            f"{self._name}-{role}",
            vpc_id=self._vpc.id,
            tags={"Name": f"{self._name}-{role}"},
            opts=self._child,
        )

    def _subnet(self, role: str, zone: str, cidr: str, tags: dict[str, str]) -> aws.ec2.Subnet:
        name = f"{self._name}-{role}-{_letter(zone)}"
        return aws.ec2.Subnet(
            name,
            vpc_id=self._vpc.id,
            availability_zone=zone,
            cidr_block=cidr,
            map_public_ip_on_launch=False,
            tags={"Name": name, **tags},
            opts=self._child,
        )

    def _associate(
        self,
        role: str,
        zones: Sequence[str],
        subnets: Sequence[aws.ec2.Subnet],
        tables: Sequence[aws.ec2.RouteTable],
    ) -> None:
        for zone, subnet, table in zip(zones, subnets, tables, strict=True):
            aws.ec2.RouteTableAssociation(
                f"{self._name}-{role}-{_letter(zone)}",
                subnet_id=subnet.id,
                route_table_id=table.id,
                opts=self._child,
            )


def _letter(zone: str) -> str:
    """`eu-central-1a` → `a`: unique within a region."""
    return zone[-1]
