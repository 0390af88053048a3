"""VPC endpoints and flow logs: what stands in a network beside its subnets.

Owns which endpoint takes which arguments (a gateway has route tables, an interface subnets and
groups), and what a flow log needs to be written.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from simulated_cloud.aws.aws_type import from_key_value
from simulated_cloud.aws.cloud import AwsCloud
from simulated_cloud.aws.ec2_type import Ec2Type
from simulated_cloud.aws.moto_memory import moto_backend
from simulated_cloud.errors import InputProblem, Refusal
from simulated_cloud.property_values import Properties
from simulated_cloud.resource_type import Call

_LISTS = {
    "routeTableIds": "RouteTableIds",
    "subnetIds": "SubnetIds",
    "securityGroupIds": "SecurityGroupIds",
}


class VpcEndpoint(Ec2Type):
    """aws.ec2.VpcEndpoint."""

    token = "aws:ec2/vpcEndpoint:VpcEndpoint"
    title = "EC2 VPC Endpoint"
    kind = "vpc-endpoint"
    missing = frozenset({"InvalidVpcEndpointId.NotFound", "InvalidVpcEndpointID.NotFound"})
    defaults: ClassVar = {"vpcEndpointType": "Gateway"}
    replace_on = frozenset({"serviceName", "vpcEndpointType", "vpcId", "serviceRegion"})
    kept = frozenset({"autoAccept"})
    unsupported = frozenset({"resourceConfigurationArn", "serviceNetworkArn"})

    def check(self, call: Call[AwsCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield arguments that are not this kind of endpoint's."""
        kind = inputs.get("vpcEndpointType", "Gateway")
        if kind not in ("Gateway", "Interface", "GatewayLoadBalancer"):
            yield InputProblem(
                "vpcEndpointType",
                "expected vpc_endpoint_type to be one of [Gateway Interface GatewayLoadBalancer], "
                f"got {kind}",
            )
        wrong = {
            "Gateway": ("subnetIds", "securityGroupIds", "privateDnsEnabled"),
            "Interface": ("routeTableIds",),
        }.get(kind, ())
        for name in wrong:
            if inputs.get(name):
                yield InputProblem(
                    name,
                    f"InvalidParameter: {_LISTS.get(name, name)} is not supported for an endpoint "
                    f"of type {kind}",
                )

    def make(self, aws: AwsCloud, inputs: Properties) -> str:
        """Create the endpoint of a service that the region has."""
        ec2 = aws.client("ec2")
        ec2.describe_vpcs(VpcIds=[inputs["vpcId"]])
        service = inputs.get("serviceName", "")
        if not service.startswith((f"com.amazonaws.{aws.region}.", "com.amazonaws.vpce.")):
            raise Refusal(
                f"InvalidServiceName: The Vpc Endpoint Service '{service}' does not exist"
            )
        self._see(aws, inputs)
        given = {key: inputs[name] for name, key in _LISTS.items() if inputs.get(name)}
        if inputs.get("policy"):
            given["PolicyDocument"] = inputs["policy"]
        if inputs["vpcEndpointType"] == "Interface":
            given["PrivateDnsEnabled"] = bool(inputs.get("privateDnsEnabled"))
        answer = ec2.create_vpc_endpoint(
            VpcId=inputs["vpcId"],
            ServiceName=service,
            VpcEndpointType=inputs["vpcEndpointType"],
            **given,
            **self.tags(inputs),
        )
        return answer["VpcEndpoint"]["VpcEndpointId"]

    def find(self, aws: AwsCloud, identity: str, known: Properties) -> Properties | None:
        """Return the endpoint."""
        answer = aws.client("ec2").describe_vpc_endpoints(VpcEndpointIds=[identity])
        if not answer["VpcEndpoints"] or answer["VpcEndpoints"][0]["State"].lower() == "deleted":
            return None
        endpoint = answer["VpcEndpoints"][0]
        entries = endpoint.get("DnsEntries") or []
        groups = [item["GroupId"] for item in endpoint.get("Groups") or []]
        return {
            "arn": aws.arn("ec2", f"vpc-endpoint/{identity}"),
            "vpcId": endpoint["VpcId"],
            "serviceName": endpoint["ServiceName"],
            "vpcEndpointType": endpoint["VpcEndpointType"],
            "state": endpoint["State"].lower(),
            "routeTableIds": endpoint.get("RouteTableIds") or [],
            "subnetIds": endpoint.get("SubnetIds") or [],
            "securityGroupIds": groups,
            "privateDnsEnabled": bool(endpoint.get("PrivateDnsEnabled")),
            "dnsEntries": [
                {"dnsName": entry["DnsName"], "hostedZoneId": entry["HostedZoneId"]}
                for entry in entries
            ],
            **({"policy": endpoint["PolicyDocument"]} if endpoint.get("PolicyDocument") else {}),
            "networkInterfaceIds": endpoint.get("NetworkInterfaceIds") or [],
            "ownerId": aws.account_id,
            "tagsAll": from_key_value(endpoint.get("Tags")),
        }

    def change(
        self,
        aws: AwsCloud,
        identity: str,
        olds: Properties,
        news: Properties,
        changed: frozenset[str],
    ) -> None:
        """Add and remove tables, subnets and groups."""
        self._see(aws, news)
        arguments: dict[str, Any] = {}
        now = self.find(aws, identity, {}) or {}
        for name in _LISTS:
            if name in changed:
                singular = _LISTS[name]
                wanted, there = set(news.get(name) or []), set(now.get(name) or [])
                if wanted - there:
                    arguments[f"Add{singular}"] = sorted(wanted - there)
                if there - wanted:
                    arguments[f"Remove{singular}"] = sorted(there - wanted)
        if "policy" in changed:
            arguments["PolicyDocument"] = news.get("policy") or ""
        if "privateDnsEnabled" in changed:
            arguments["PrivateDnsEnabled"] = bool(news.get("privateDnsEnabled"))
        aws.client("ec2").modify_vpc_endpoint(VpcEndpointId=identity, **arguments)

    def remove(self, aws: AwsCloud, identity: str, state: Properties) -> None:
        """Delete the endpoint."""
        model = moto_backend(aws, "ec2").vpc_end_points.get(identity)
        if model is not None:
            # moto has routes for the tables of the creation only, and fails without them.
            model.route_table_ids = []
        aws.client("ec2").delete_vpc_endpoints(VpcEndpointIds=[identity])

    @staticmethod
    def _see(aws: AwsCloud, inputs: Properties) -> None:
        ec2 = aws.client("ec2")
        if inputs.get("routeTableIds"):
            ec2.describe_route_tables(RouteTableIds=inputs["routeTableIds"])
        if inputs.get("subnetIds"):
            ec2.describe_subnets(SubnetIds=inputs["subnetIds"])
        if inputs.get("securityGroupIds"):
            ec2.describe_security_groups(GroupIds=inputs["securityGroupIds"])


class FlowLog(Ec2Type):
    """aws.ec2.FlowLog to a log group or a bucket."""

    token = "aws:ec2/flowLog:FlowLog"
    title = "EC2 Flow Log"
    kind = "vpc-flow-log"
    missing = frozenset({"InvalidFlowLogId.NotFound"})
    defaults: ClassVar = {"logDestinationType": "cloud-watch-logs", "maxAggregationInterval": 600}
    replace_on = frozenset({"*"})
    unsupported = frozenset({"eniId", "transitGatewayId", "transitGatewayAttachmentId"})

    def replaces(self, path: str) -> bool:
        """Replace for every change but that of tags."""
        return not path.startswith("tags")

    def check(self, call: Call[AwsCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield values that flow logs do not have."""
        kind = inputs.get("trafficType")
        if kind is not None and kind not in ("ACCEPT", "ALL", "REJECT"):
            yield InputProblem(
                "trafficType", f"expected traffic_type to be one of [ACCEPT ALL REJECT], got {kind}"
            )
        if inputs.get("maxAggregationInterval", 600) not in (60, 600):
            yield InputProblem(
                "maxAggregationInterval",
                "expected max_aggregation_interval to be one of [60 600], got "
                f"{inputs['maxAggregationInterval']}",
            )

    def make(self, aws: AwsCloud, inputs: Properties) -> str:
        """Create the flow log; its destination and its role must be there."""
        kind, destination = inputs["logDestinationType"], inputs.get("logDestination") or ""
        arguments: dict[str, Any] = {"LogDestinationType": kind, "LogDestination": destination}
        if kind == "cloud-watch-logs":
            group = destination.partition(":log-group:")[2].removesuffix(":*")
            _log_group(aws, group)
            role = inputs.get("iamRoleArn")
            if not role:
                raise Refusal(
                    "InvalidParameter: DeliverLogsPermissionArn can't be empty if "
                    "LogDestinationType is cloud-watch-logs."
                )
            aws.client("iam").get_role(RoleName=role.rpartition("/")[2])
            arguments["DeliverLogsPermissionArn"] = role
        resource = "VPC" if inputs.get("vpcId") else "Subnet"
        answer = aws.client("ec2").create_flow_logs(
            ResourceIds=[inputs.get("vpcId") or inputs.get("subnetId")],
            ResourceType=resource,
            TrafficType=inputs["trafficType"],
            MaxAggregationInterval=inputs["maxAggregationInterval"],
            **arguments,
            **self.tags(inputs),
        )
        if answer.get("Unsuccessful"):
            error = answer["Unsuccessful"][0]["Error"]
            raise Refusal(f"{error['Code']}: {error['Message']}")
        return answer["FlowLogIds"][0]

    def find(self, aws: AwsCloud, identity: str, known: Properties) -> Properties | None:
        """Return the flow log."""
        found = aws.client("ec2").describe_flow_logs(FlowLogIds=[identity])["FlowLogs"]
        if not found:
            return None
        log = found[0]
        return {
            "arn": aws.arn("ec2", f"vpc-flow-log/{identity}"),
            "vpcId" if log["ResourceId"].startswith("vpc-") else "subnetId": log["ResourceId"],
            "trafficType": log["TrafficType"],
            "logDestinationType": log["LogDestinationType"],
            "iamRoleArn": log.get("DeliverLogsPermissionArn"),
            "maxAggregationInterval": int(log["MaxAggregationInterval"]),
            "tagsAll": from_key_value(log.get("Tags")),
        }

    def remove(self, aws: AwsCloud, identity: str, state: Properties) -> None:
        """Delete the flow log; what it wrote stays."""
        aws.client("ec2").delete_flow_logs(FlowLogIds=[identity])


def _log_group(aws: AwsCloud, name: str) -> None:
    groups = aws.client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    if name not in [group["logGroupName"] for group in groups]:
        raise Refusal(f"InvalidParameter: LogDestination: log group {name} does not exist")


TYPES = (VpcEndpoint, FlowLog)
