"""Questions a program asks AWS while it is planned: who am I, where, with which zones.

Owns the answers' shape, which is that of the real provider's data sources. All of them are known in
previews.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from simulated_cloud.aws.cloud import ACCOUNT_ID, AwsCloud
from simulated_cloud.property_values import Properties

Answer = Callable[[AwsCloud, Properties], Properties]


def caller_identity(aws: AwsCloud, arguments: Properties) -> Properties:  # noqa: ARG001
    """Answer aws.get_caller_identity."""
    answer = aws.client("sts").get_caller_identity()
    identity = {"accountId": answer["Account"], "arn": answer["Arn"], "userId": answer["UserId"]}
    return {"id": ACCOUNT_ID, **identity}


def availability_zones(aws: AwsCloud, arguments: Properties) -> Properties:
    """Answer aws.get_availability_zones."""
    region = arguments.get("region") or aws.region
    filters = [
        {"Name": item["name"], "Values": item["values"]} for item in arguments.get("filters") or []
    ]
    if arguments.get("state"):
        filters.append({"Name": "state", "Values": [arguments["state"]]})
    ec2 = replace(aws, region=region).client("ec2")
    zones = ec2.describe_availability_zones(Filters=filters)["AvailabilityZones"]
    excluded = {*(arguments.get("excludeNames") or []), *(arguments.get("excludeZoneIds") or [])}
    zones = [z for z in zones if not excluded & {z["ZoneName"], z["ZoneId"]}]
    return {
        **arguments,
        "id": region,
        "region": region,
        "names": [zone["ZoneName"] for zone in zones],
        "zoneIds": [zone["ZoneId"] for zone in zones],
        "groupNames": sorted({zone.get("GroupName") or region for zone in zones}),
    }


def region(aws: AwsCloud, arguments: Properties) -> Properties:
    """Answer aws.get_region."""
    name = arguments.get("region") or arguments.get("name") or aws.region
    return {
        "id": name,
        "name": name,
        "region": name,
        "description": name,
        "endpoint": f"ec2.{name}.amazonaws.com",
    }


def partition(aws: AwsCloud, arguments: Properties) -> Properties:  # noqa: ARG001
    """Answer aws.get_partition."""
    return {
        "id": "aws",
        "partition": "aws",
        "dnsSuffix": "amazonaws.com",
        "reverseDnsPrefix": "com.amazonaws",
    }


FUNCTIONS: Mapping[str, Answer] = {
    "aws:index/getCallerIdentity:getCallerIdentity": caller_identity,
    "aws:index/getAvailabilityZones:getAvailabilityZones": availability_zones,
    "aws:index/getRegion:getRegion": region,
    "aws:index/getPartition:getPartition": partition,
}
