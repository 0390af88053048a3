"""Route tables, routes and their subnets.

Owns that a route has one destination and one target that exists, that a destination is routed once
per table and that a subnet has one table.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from simulated_cloud.aws.aws_type import from_key_value
from simulated_cloud.aws.cloud import AwsCloud
from simulated_cloud.aws.ec2_type import Ec2Type, check_network
from simulated_cloud.errors import InputProblem, NotSupported, Refusal
from simulated_cloud.property_values import Properties
from simulated_cloud.resource_type import Call

TARGETS = {
    "gatewayId": "GatewayId",
    "natGatewayId": "NatGatewayId",
    "networkInterfaceId": "NetworkInterfaceId",
    "transitGatewayId": "TransitGatewayId",
    "vpcPeeringConnectionId": "VpcPeeringConnectionId",
    "egressOnlyGatewayId": "EgressOnlyInternetGatewayId",
    "vpcEndpointId": "VpcEndpointId",
}


class RouteTable(Ec2Type):
    """aws.ec2.RouteTable, its routes being resources of their own."""

    token = "aws:ec2/routeTable:RouteTable"
    title = "EC2 Route Table"
    kind = "route-table"
    missing = frozenset({"InvalidRouteTableID.NotFound"})
    replace_on = frozenset({"vpcId"})
    unsupported = frozenset({"routes", "propagatingVgws"})

    def make(self, aws: AwsCloud, inputs: Properties) -> str:
        """Create the table."""
        answer = aws.client("ec2").create_route_table(VpcId=inputs["vpcId"], **self.tags(inputs))
        return answer["RouteTable"]["RouteTableId"]

    def find(self, aws: AwsCloud, identity: str, known: Properties) -> Properties | None:
        """Return the table."""
        table = _table(aws, identity)
        return {
            "arn": aws.arn("ec2", f"route-table/{identity}"),
            "vpcId": table["VpcId"],
            "ownerId": aws.account_id,
            "tagsAll": from_key_value(table.get("Tags")),
        }

    def remove(self, aws: AwsCloud, identity: str, state: Properties) -> None:
        """Delete a table that no subnet uses."""
        if _table(aws, identity).get("Associations"):
            raise Refusal(
                f"DependencyViolation: The routeTable '{identity}' has dependencies and cannot be "
                "deleted."
            )
        aws.client("ec2").delete_route_table(RouteTableId=identity)


class Route(Ec2Type):
    """aws.ec2.Route: one destination in one table."""

    token = "aws:ec2/route:Route"
    title = "EC2 Route"
    missing = frozenset({"InvalidRouteTableID.NotFound", "InvalidRoute.NotFound"})
    replace_on = frozenset({"routeTableId", "destinationCidrBlock"})
    unsupported = frozenset(
        {
            "carrierGatewayId",
            "coreNetworkArn",
            "destinationIpv6CidrBlock",
            "destinationPrefixListId",
            "localGatewayId",
        }
    )

    def check(self, call: Call[AwsCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield a destination that is none, and several targets."""
        yield from check_network(inputs, "destinationCidrBlock", 0, 32)
        targets = sorted(TARGETS.keys() & inputs.keys())
        if len(targets) > 1:
            yield InputProblem(targets[1], f"only one of {', '.join(targets)} can be specified")

    def make(self, aws: AwsCloud, inputs: Properties) -> str:
        """Create a route that the table does not have yet."""
        table, destination = inputs["routeTableId"], inputs.get("destinationCidrBlock")
        if not destination:
            raise Refusal("one of destination_cidr_block is required")
        if _route(aws, table, destination):
            raise Refusal(
                f"RouteAlreadyExists: The route identified by {destination} already exists."
            )
        arguments = {"RouteTableId": table, "DestinationCidrBlock": destination}
        aws.client("ec2").create_route(**arguments, **_target(aws, inputs))
        return f"r-{table}{sum(destination.encode()) * 2654435761 % 2**32}"

    def find(self, aws: AwsCloud, identity: str, known: Properties) -> Properties | None:
        """Return the route."""
        if not known.get("routeTableId"):
            raise NotSupported("a Route cannot be adopted by its id alone")
        route = _route(aws, known["routeTableId"], known["destinationCidrBlock"])
        if route is None:
            return None
        targets = {name: route.get(key) for name, key in TARGETS.items()}
        return {
            "routeTableId": known["routeTableId"],
            "destinationCidrBlock": route["DestinationCidrBlock"],
            "origin": route.get("Origin", "CreateRoute"),
            "state": route.get("State", "active"),
            **{name: value or None for name, value in targets.items()},
        }

    def change(
        self,
        aws: AwsCloud,
        identity: str,
        olds: Properties,
        news: Properties,
        changed: frozenset[str],
    ) -> None:
        """Send the destination's packets elsewhere."""
        aws.client("ec2").replace_route(
            RouteTableId=news["routeTableId"],
            DestinationCidrBlock=news["destinationCidrBlock"],
            **_target(aws, news),
        )

    def remove(self, aws: AwsCloud, identity: str, state: Properties) -> None:
        """Delete the route."""
        if _route(aws, state["routeTableId"], state["destinationCidrBlock"]):
            aws.client("ec2").delete_route(
                RouteTableId=state["routeTableId"],
                DestinationCidrBlock=state["destinationCidrBlock"],
            )


class RouteTableAssociation(Ec2Type):
    """aws.ec2.RouteTableAssociation: a subnet's table."""

    token = "aws:ec2/routeTableAssociation:RouteTableAssociation"
    title = "EC2 Route Table Association"
    missing = frozenset({"InvalidAssociationID.NotFound", "InvalidRouteTableID.NotFound"})
    replace_on = frozenset({"subnetId"})
    unsupported = frozenset({"gatewayId"})

    def make(self, aws: AwsCloud, inputs: Properties) -> str:
        """Give a subnet without a table of its own this one."""
        ec2 = aws.client("ec2")
        ec2.describe_subnets(SubnetIds=[inputs["subnetId"]])
        _table(aws, inputs["routeTableId"])
        mine = [{"Name": "association.subnet-id", "Values": [inputs["subnetId"]]}]
        for table in ec2.describe_route_tables(Filters=mine)["RouteTables"]:
            for association in table["Associations"]:
                if association.get("SubnetId") == inputs["subnetId"]:
                    raise Refusal(
                        "Resource.AlreadyAssociated: the specified association for route table "
                        f"{inputs['routeTableId']} conflicts with an existing association"
                    )
        answer = ec2.associate_route_table(
            RouteTableId=inputs["routeTableId"], SubnetId=inputs["subnetId"]
        )
        return answer["AssociationId"]

    def find(self, aws: AwsCloud, identity: str, known: Properties) -> Properties | None:
        """Return which table the subnet has."""
        mine = [{"Name": "association.route-table-association-id", "Values": [identity]}]
        for table in aws.client("ec2").describe_route_tables(Filters=mine)["RouteTables"]:
            for association in table["Associations"]:
                if association["RouteTableAssociationId"] == identity:
                    return {
                        "routeTableId": table["RouteTableId"],
                        "subnetId": association.get("SubnetId"),
                    }
        return None

    def change(
        self,
        aws: AwsCloud,
        identity: str,
        olds: Properties,
        news: Properties,
        changed: frozenset[str],
    ) -> None:
        """Refuse what AWS does under a new id."""
        raise NotSupported("a changed route table is a new association")

    def replaces(self, path: str) -> bool:
        """Replace for every change: AWS gives the association a new id."""
        return True

    def remove(self, aws: AwsCloud, identity: str, state: Properties) -> None:
        """Give the subnet back to the main table."""
        aws.client("ec2").disassociate_route_table(AssociationId=identity)


def _table(aws: AwsCloud, identity: str) -> Any:
    return aws.client("ec2").describe_route_tables(RouteTableIds=[identity])["RouteTables"][0]


def _route(aws: AwsCloud, table: str, destination: str) -> Any:
    for route in _table(aws, table)["Routes"]:
        if route.get("DestinationCidrBlock") == destination:
            return route
    return None


def _target(aws: AwsCloud, inputs: Properties) -> dict[str, Any]:
    """Return the one target, which must be there: moto routes to what is not."""
    given = {key: inputs[name] for name, key in TARGETS.items() if inputs.get(name)}
    if not given:
        raise Refusal("one of gateway_id, nat_gateway_id, network_interface_id … must be specified")
    ec2 = aws.client("ec2")
    if "NatGatewayId" in given:
        found = ec2.describe_nat_gateways(NatGatewayIds=[given["NatGatewayId"]])["NatGateways"]
        if not found or found[0]["State"] in ("deleted", "deleting"):
            raise Refusal(
                "InvalidNatGatewayID.NotFound: The natGateway ID "
                f"'{given['NatGatewayId']}' does not exist"
            )
    if given.get("GatewayId", "").startswith("igw-"):
        gateway = ec2.describe_internet_gateways(InternetGatewayIds=[given["GatewayId"]])
        attached = gateway["InternetGateways"][0].get("Attachments") or []
        vpc = _table(aws, inputs["routeTableId"])["VpcId"]
        if vpc not in [item["VpcId"] for item in attached]:
            raise Refusal(
                f"InvalidParameterValue: route table {inputs['routeTableId']} and network gateway "
                f"{given['GatewayId']} belong to different networks"
            )
    return given


TYPES = (RouteTable, Route, RouteTableAssociation)
