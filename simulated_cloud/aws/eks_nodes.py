"""EKS managed node groups.

Owns what EKS asks of them: a role that EC2 may assume, a launch template that is there, numbers
that are in order, a version no newer than the cluster's; and the names made of a prefix.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, ClassVar

from simulated_cloud.aws.aws_type import AwsType
from simulated_cloud.aws.cloud import AwsCloud
from simulated_cloud.aws.eks_cluster import retag_eks
from simulated_cloud.aws.eks_versions import KUBERNETES_VERSIONS
from simulated_cloud.aws.iam_roles import trusted_services
from simulated_cloud.aws.moto_memory import moto_backend
from simulated_cloud.errors import InputProblem, Refusal
from simulated_cloud.property_values import Properties
from simulated_cloud.resource_type import Call

AMI_TYPES = frozenset(
    {
        *("AL2023_x86_64_STANDARD", "AL2023_ARM_64_STANDARD", "AL2023_x86_64_NVIDIA"),
        *("BOTTLEROCKET_x86_64", "BOTTLEROCKET_ARM_64", "CUSTOM", "AL2_x86_64", "AL2_ARM_64"),
    }
)


class NodeGroup(AwsType):
    """aws.eks.NodeGroup."""

    token = "aws:eks/nodeGroup:NodeGroup"
    title = "EKS Node Group"
    missing = frozenset({"ResourceNotFoundException"})
    defaults: ClassVar = {
        "amiType": "AL2023_x86_64_STANDARD",
        "capacityType": "ON_DEMAND",
    }
    replace_on = frozenset(
        {
            *("amiType", "capacityType", "clusterName", "diskSize", "instanceTypes"),
            *("nodeGroupName", "nodeGroupNamePrefix", "nodeRoleArn", "subnetIds"),
            *("remoteAccess", "launchTemplate.id", "launchTemplate.name"),
        }
    )
    name_property = "nodeGroupName"
    name_length = 63
    kept = frozenset({"forceUpdateVersion"})
    unsupported = frozenset({"remoteAccess"})

    def check(self, call: Call[AwsCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield what EKS refuses without a look at the account."""
        yield from _check_names(inputs)
        scaling = inputs.get("scalingConfig") or {}
        numbers: list[Any] = [scaling.get(k) for k in ("minSize", "desiredSize", "maxSize")]
        least, wanted, most = numbers
        if most is not None and most < 1:
            yield InputProblem(
                "scalingConfig.maxSize", f"expected max_size to be at least (1), got {most}"
            )
        if None not in numbers and not least <= wanted <= most:
            yield InputProblem(
                "scalingConfig",
                "InvalidParameterException: desired capacity "
                f"{wanted} must be between the minimum {least} and the maximum {most}",
            )
        kind = inputs.get("amiType", "CUSTOM")
        if kind not in AMI_TYPES:
            yield InputProblem(
                "amiType", f"InvalidParameterException: The AMI type {kind} is not supported"
            )
        if inputs.get("capacityType", "SPOT") not in ("ON_DEMAND", "SPOT", "CAPACITY_BLOCK"):
            yield InputProblem(
                "capacityType",
                "expected capacity_type to be one of [ON_DEMAND SPOT CAPACITY_BLOCK], got "
                f"{inputs['capacityType']}",
            )
        if inputs.get("diskSize") and inputs.get("launchTemplate"):
            yield InputProblem(
                "diskSize",
                "InvalidParameterException: Disk size must be specified within the launch "
                "template.",
            )
        update = inputs.get("updateConfig") or {}
        if update.get("maxUnavailable") and update.get("maxUnavailablePercentage"):
            yield InputProblem(
                "updateConfig",
                "only one of max_unavailable, max_unavailable_percentage can be specified",
            )

    def make(self, aws: AwsCloud, inputs: Properties) -> str:
        """Create the nodes."""
        self._see(aws, inputs)
        eks, cluster = aws.client("eks"), inputs["clusterName"]
        name = inputs.get("nodeGroupName") or f"{inputs['nodeGroupNamePrefix']}{_unique_suffix()}"
        optional = {
            "amiType": inputs.get("amiType"),
            "capacityType": inputs.get("capacityType"),
            "diskSize": inputs.get("diskSize"),
            "instanceTypes": inputs.get("instanceTypes"),
            "labels": inputs.get("labels"),
            "launchTemplate": inputs.get("launchTemplate"),
            "releaseVersion": inputs.get("releaseVersion"),
            "taints": inputs.get("taints"),
        }
        version = inputs.get("version") or eks.describe_cluster(name=cluster)["cluster"]["version"]
        eks.create_nodegroup(
            clusterName=cluster,
            nodegroupName=name,
            nodeRole=inputs["nodeRoleArn"],
            scalingConfig=inputs["scalingConfig"],
            subnets=inputs["subnetIds"],
            tags=inputs.get("tagsAll") or {},
            version=version,
            **{key: value for key, value in optional.items() if value is not None},
        )
        model = self._model(aws, cluster, name)
        model.launch_template = inputs.get("launchTemplate")
        model.update_config = inputs.get("updateConfig") or {"maxUnavailable": 1}
        model.node_repair_config = inputs.get("nodeRepairConfig")
        return f"{cluster}:{name}"

    def find(self, aws: AwsCloud, identity: str, known: Properties) -> Properties | None:
        """Return the node group."""
        cluster, _, name = identity.partition(":")
        answer = aws.client("eks").describe_nodegroup(clusterName=cluster, nodegroupName=name)
        group = answer["nodegroup"]
        resources = group.get("resources") or {}
        groups = resources.get("autoScalingGroups") or []
        template = self._model(aws, cluster, name).launch_template
        return {
            "arn": group["nodegroupArn"],
            "amiType": group["amiType"],
            "capacityType": group["capacityType"],
            "clusterName": group["clusterName"],
            "instanceTypes": group.get("instanceTypes") or [],
            "labels": group.get("labels") or {},
            "launchTemplate": dict(template) if template else None,
            "nodeGroupName": group["nodegroupName"],
            "nodeRepairConfig": group.get("nodeRepairConfig"),
            "nodeRoleArn": group["nodeRole"],
            "releaseVersion": group.get("releaseVersion"),
            "resources": [{"autoscalingGroups": [{"name": item["name"]} for item in groups]}],
            "scalingConfig": group["scalingConfig"],
            "status": group["status"],
            "subnetIds": group["subnets"],
            "taints": group.get("taints") or [],
            "updateConfig": group.get("updateConfig"),
            "version": group["version"],
            "tagsAll": group.get("tags") or {},
        }

    def change(
        self,
        aws: AwsCloud,
        identity: str,
        olds: Properties,
        news: Properties,
        changed: frozenset[str],
    ) -> None:
        """Scale, relabel and roll the nodes."""
        self._see(aws, news)
        cluster, _, name = identity.partition(":")
        model = self._model(aws, cluster, name)
        arguments: dict[str, Any] = {}
        for key in ("scalingConfig", "updateConfig", "nodeRepairConfig"):
            if key in changed and news.get(key):
                arguments[key] = news[key]
        if "labels" in changed:
            model.labels = dict(news.get("labels") or {})
        if "taints" in changed:
            model.taints = list(news.get("taints") or [])
        if arguments:
            aws.client("eks").update_nodegroup_config(
                clusterName=cluster, nodegroupName=name, **arguments
            )
        # moto has no UpdateNodegroupVersion.
        if "version" in changed and news.get("version"):
            model.version = news["version"]
        if "launchTemplate" in changed:
            model.launch_template = news.get("launchTemplate")

    def retag(
        self, aws: AwsCloud, identity: str, state: Properties, gone: list[str], tags: dict[str, str]
    ) -> None:
        """Write tags."""
        retag_eks(aws, state["arn"], gone, tags)

    def remove(self, aws: AwsCloud, identity: str, state: Properties) -> None:
        """Delete the nodes."""
        cluster, _, name = identity.partition(":")
        aws.client("eks").delete_nodegroup(clusterName=cluster, nodegroupName=name)

    @staticmethod
    def _model(aws: AwsCloud, cluster: str, name: str) -> Any:
        return moto_backend(aws, "eks").clusters[cluster].nodegroups[name]

    @staticmethod
    def _see(aws: AwsCloud, inputs: Properties) -> None:
        if "ec2.amazonaws.com" not in trusted_services(aws, inputs["nodeRoleArn"]):
            raise Refusal(
                "InvalidParameterException: Following required service principals "
                f"[ec2.amazonaws.com] were not found in the trust relationships of nodeRole "
                f"{inputs['nodeRoleArn']}"
            )
        ec2 = aws.client("ec2")
        ec2.describe_subnets(SubnetIds=inputs["subnetIds"])
        template = inputs.get("launchTemplate") or {}
        if template.get("id"):
            ec2.describe_launch_template_versions(
                LaunchTemplateId=template["id"], Versions=[str(template["version"])]
            )
        cluster = aws.client("eks").describe_cluster(name=inputs["clusterName"])["cluster"]
        version = inputs.get("version")
        if version in KUBERNETES_VERSIONS and KUBERNETES_VERSIONS.index(
            version
        ) > KUBERNETES_VERSIONS.index(cluster["version"]):
            raise Refusal(
                f"InvalidParameterException: Nodegroup Kubernetes version {version} is newer than "
                f"the cluster's {cluster['version']}"
            )


def _check_names(inputs: Properties) -> Iterable[InputProblem]:
    """Yield names that are two or too long; a prefix leaves room for what is added to it."""
    prefix = inputs.get("nodeGroupNamePrefix")
    if prefix is None:
        return
    if "nodeGroupName" in inputs:
        yield InputProblem(
            "nodeGroupNamePrefix",
            "Conflicting configuration arguments: "
            '"node_group_name_prefix": conflicts with node_group_name',
        )
    longest = 63 - len(_unique_suffix())
    if len(prefix) > longest:
        yield InputProblem(
            "nodeGroupNamePrefix",
            "expected length of node_group_name_prefix to be in the range "
            f"(0 - {longest}), got {prefix}",
        )


def _unique_suffix() -> str:
    """Return what the real provider adds to a prefix: the time to 0.1 ms, and a count."""
    now = datetime.now(UTC)
    return f"{now:%Y%m%d%H%M%S}{now.microsecond // 100:04d}{next(_count) & 0xFFFFFFFF:08x}"


_count = itertools.count(1)
TYPES = (NodeGroup,)
