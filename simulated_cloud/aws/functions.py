"""Questions a program asks AWS while it is planned: who am I, where, with which zones.

Owns the answers' shape, which is that of the real provider's data sources. All of them are known in
previews.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from simulated_cloud.aws.cloud import ACCOUNT_ID, AwsCloud
from simulated_cloud.aws.eks_cluster import Cluster
from simulated_cloud.aws.eks_versions import addon_version, addon_versions
from simulated_cloud.aws.iam_oidc import OpenIdConnectProvider
from simulated_cloud.errors import Refusal
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


def addon_version_of(aws: AwsCloud, arguments: Properties) -> Properties:
    """Answer aws.eks.get_addon_version."""
    name, kubernetes = arguments["addonName"], arguments["kubernetesVersion"]
    version = addon_version(name, kubernetes)
    if version is None:
        raise Refusal(
            f"reading EKS Add-On version info ({name}, {kubernetes}): couldn't find resource"
        )
    if arguments.get("mostRecent"):
        version = addon_versions(name)[-1]
    return {**arguments, "id": name, "region": aws.region, "version": version}


def cluster(aws: AwsCloud, arguments: Properties) -> Properties:
    """Answer aws.eks.get_cluster."""
    name = arguments["name"]
    found = Cluster().find(aws, name, {}) or {}
    authority = found.pop("certificateAuthority")
    return {
        **found,
        "id": name,
        "region": aws.region,
        "certificateAuthorities": [authority],
        "tags": found["tagsAll"],
    }


def open_id_connect_provider(aws: AwsCloud, arguments: Properties) -> Properties:
    """Answer aws.iam.get_open_id_connect_provider."""
    host = str(arguments.get("url", "")).removeprefix("https://")
    arn = arguments.get("arn") or aws.arn("iam", f"oidc-provider/{host}", regional=False)
    found = OpenIdConnectProvider().find(aws, arn, arguments) or {}
    return {**found, "id": arn, "url": host, "tags": found["tagsAll"]}


FUNCTIONS: Mapping[str, Answer] = {
    "aws:index/getCallerIdentity:getCallerIdentity": caller_identity,
    "aws:index/getAvailabilityZones:getAvailabilityZones": availability_zones,
    "aws:index/getRegion:getRegion": region,
    "aws:index/getPartition:getPartition": partition,
    "aws:eks/getAddonVersion:getAddonVersion": addon_version_of,
    "aws:eks/getCluster:getCluster": cluster,
    "aws:iam/getOpenIdConnectProvider:getOpenIdConnectProvider": open_id_connect_provider,
}
