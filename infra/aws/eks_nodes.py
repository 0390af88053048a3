"""The managed node group that the cluster's pods run on.

Owns the launch template, the nodes' role and how nodes are replaced. A pod cannot reach the node's
own credentials: the metadata service answers tokens only, and its answers travel one hop, which is
the node itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.aws.service_role import ServiceRole
from infra.settings_model_aws import ClusterSettings

AMI_TYPE = "AL2023_x86_64_STANDARD"
"""Amazon Linux 2023 for the architecture that the server's image is built for."""

ROOT_DEVICE = "/dev/xvda"

NODE_POLICIES = ("AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly")
"""Joining the cluster and pulling images. The network add-on has a role of its own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeGroupWiring:
    """The cluster the nodes join, and where they stand."""

    cluster_name: str
    cluster: aws.eks.Cluster
    subnet_ids: pulumi.Input[Sequence[pulumi.Input[str]]]


class NodeGroup(pulumi.ComponentResource):
    """Nodes across the subnets' zones, replaced one at a time."""

    node_group_name: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        settings: ClusterSettings,
        wiring: NodeGroupWiring,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the nodes."""
        super().__init__("mlflow-platform:aws:NodeGroup", name, None, opts)
        role = ServiceRole(
            f"{name}-role",
            role_name=f"{wiring.cluster_name}-nodes",
            service="ec2.amazonaws.com",
            managed_policies=NODE_POLICIES,
            opts=pulumi.ResourceOptions(parent=self),
        )
        template = aws.ec2.LaunchTemplate(
            f"{name}-template",
            name=f"{wiring.cluster_name}-nodes",
            update_default_version=True,
            metadata_options=aws.ec2.LaunchTemplateMetadataOptionsArgs(
                http_endpoint="enabled", http_tokens="required", http_put_response_hop_limit=1
            ),
            block_device_mappings=[_root_volume(settings.node_disk_gib)],
            tag_specifications=[
                aws.ec2.LaunchTemplateTagSpecificationArgs(
                    resource_type=kind, tags={"Name": f"{wiring.cluster_name}-node"}
                )
                for kind in ("instance", "volume")
            ],
            opts=pulumi.ResourceOptions(parent=self),
        )
        group = aws.eks.NodeGroup(
            f"{name}-group",
            cluster_name=wiring.cluster.name,
            # The rest is AWS's: a group that must be replaced stands before the old one is drained.
            node_group_name_prefix=f"{wiring.cluster_name}-",
            node_role_arn=role.arn,
            subnet_ids=wiring.subnet_ids,
            version=wiring.cluster.version,
            ami_type=AMI_TYPE,
            capacity_type="SPOT" if settings.node_spot else "ON_DEMAND",
            instance_types=list(settings.node_instance_types),
            scaling_config=aws.eks.NodeGroupScalingConfigArgs(
                min_size=settings.node_minimum,
                desired_size=settings.node_minimum,
                max_size=settings.node_maximum,
            ),
            update_config=aws.eks.NodeGroupUpdateConfigArgs(max_unavailable=1),
            node_repair_config=aws.eks.NodeGroupNodeRepairConfigArgs(enabled=True),
            launch_template=aws.eks.NodeGroupLaunchTemplateArgs(
                id=template.id, version=template.latest_version.apply(str)
            ),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[role],
                # An autoscaler, or a person in an incident, moves it between the two bounds.
                ignore_changes=["scalingConfig.desiredSize"],
            ),
        )
        self.node_group_name = group.node_group_name
        self.register_outputs({"node_group_name": self.node_group_name})


def _root_volume(gib: int) -> aws.ec2.LaunchTemplateBlockDeviceMappingArgs:
    """Encrypted with the account's own key for volumes: it goes with its node and keeps no data."""
    return aws.ec2.LaunchTemplateBlockDeviceMappingArgs(
        device_name=ROOT_DEVICE,
        ebs=aws.ec2.LaunchTemplateBlockDeviceMappingEbsArgs(
            volume_type="gp3", volume_size=gib, encrypted="true", delete_on_termination="true"
        ),
    )
