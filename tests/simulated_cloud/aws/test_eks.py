"""Clusters, nodes, add-ons and access behave, and refuse, as EKS does."""

from __future__ import annotations

import re
from typing import Any

import pytest

from local_engine.property_values import UNKNOWN
from simulated_cloud import SimulatedCloud
from tests.simulated_cloud.aws import account
from tests.simulated_cloud.desk import Desk, Refused, Resource

CLUSTER = "aws:eks/cluster:Cluster"
NODES = "aws:eks/nodeGroup:NodeGroup"
ADDON = "aws:eks/addon:Addon"
ENTRY = "aws:eks/accessEntry:AccessEntry"
ASSOCIATION = "aws:eks/accessPolicyAssociation:AccessPolicyAssociation"
IDENTITY = "aws:eks/podIdentityAssociation:PodIdentityAssociation"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
VIEW = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"


@pytest.fixture(scope="module")
def place(aws: Desk) -> dict[str, Any]:
    _, subnets = account.network(aws)
    role = account.role(aws, "eks.amazonaws.com")["arn"]
    return {"roleArn": role, "vpcConfig": {"subnetIds": subnets, "endpointPrivateAccess": True}}


@pytest.fixture(scope="module")
def cluster(aws: Desk, place: dict[str, Any]) -> Resource:
    return aws.create(CLUSTER, name="main", version="1.35", **place)


class TestCluster:
    """A control plane has addresses, a group for its nodes and an issuer of tokens of its own."""

    def test_life(self, cloud: SimulatedCloud, aws: Desk, place: dict[str, Any]) -> None:
        inputs = {"name": "life", "version": "1.34", **place}
        cluster = aws.create(CLUSTER, **inputs, enabledClusterLogTypes=["api"])
        assert cluster["vpcConfig"]["clusterSecurityGroupId"].startswith("sg-")
        assert cluster["identities"][0]["oidcs"][0]["issuer"].startswith("https://oidc.eks.eu-")
        inputs["version"] = "1.35"
        cluster.update(**inputs, enabledClusterLogTypes=["api", "audit"])
        opened = {**place["vpcConfig"], "publicAccessCidrs": ["203.0.113.0/24"]}
        cloud.client("eks").update_cluster_config(name="life", resourcesVpcConfig=opened)
        cluster.refresh()
        cluster.update(**inputs, enabledClusterLogTypes=["api", "audit"], deletionProtection=True)
        with pytest.raises(Refused, match="deletion protection is enabled"):
            cluster.delete()
        cluster.update(**inputs)
        group = cluster["vpcConfig"]["clusterSecurityGroupId"]
        cluster.delete()
        named = [{"Name": "group-id", "Values": [group]}]
        assert cloud.client("ec2").describe_security_groups(Filters=named)["SecurityGroups"] == []

    def test_versions_one_at_a_time(self, cluster: Resource, place: dict[str, Any]) -> None:
        with pytest.raises(
            Refused, match=r"Unsupported Kubernetes minor version update from 1\.35"
        ):
            cluster.update(name="main", version="1.33", **place)

    def test_what_is_replaced(self, cluster: Resource, place: dict[str, Any]) -> None:
        access = {
            "authenticationMode": "API",
            "bootstrapClusterCreatorAdminPermissions": False,
        }
        changed = {**place, "roleArn": "arn:aws:iam::1:role/x", "accessConfig": access}
        assert "roleArn" in cluster.replaced_by(name="main", version="1.35", **changed)

    @pytest.mark.parametrize(
        ("inputs", "words"),
        [
            ({"name": "-x"}, "must be between 1-100 characters"),
            ({"version": "1.12"}, r"unsupported Kubernetes version 1\.12"),
            ({"enabledClusterLogTypes": ["all"]}, "enabled_cluster_log_types to be one of"),
            (
                {"vpcConfig": {"subnetIds": [], "endpointPublicAccess": False}},
                "cannot both be disabled",
            ),
            ({"accessConfig": {"authenticationMode": "NONE"}}, "authentication_mode to be one of"),
            (
                {"encryptionConfig": {"provider": {"keyArn": "k"}, "resources": ["pods"]}},
                r"expected resources to be one of \[secrets\]",
            ),
            ({"roleArn": "arn:aws:iam::123456789012:role/none"}, "NoSuchEntity"),
        ],
    )
    def test_refusals(
        self, aws: Desk, place: dict[str, Any], inputs: dict[str, Any], words: str
    ) -> None:
        with pytest.raises(Refused, match=words):
            aws.create(CLUSTER, **{"name": "wrong", **place, **inputs})

    def test_references(self, aws: Desk, place: dict[str, Any]) -> None:
        wrong = account.role(aws, "ec2.amazonaws.com")["arn"]
        with pytest.raises(Refused, match="does not trust eks"):
            aws.create(CLUSTER, **{**place, "name": "wrong", "roleArn": wrong})
        one = {"subnetIds": place["vpcConfig"]["subnetIds"][:1]}
        with pytest.raises(Refused, match="at least two different AZs"):
            aws.create(CLUSTER, **{**place, "name": "wrong", "vpcConfig": one})


class TestPreview:
    """What the cloud fills in is unknown before it is there, and known afterwards."""

    def test_the_group_that_eks_makes(self, aws: Desk, place: dict[str, Any]) -> None:
        urn = f"urn:pulumi:dev::test::{CLUSTER}::foreseen"
        inputs = aws.check(urn, {}, {"name": "foreseen", "version": "1.34", **place})
        planned = aws.client.create(aws.state(urn, CLUSTER, inputs), preview=True).outputs
        assert planned["vpcConfig"]["clusterSecurityGroupId"] == UNKNOWN
        assert planned["vpcConfig"]["subnetIds"] == place["vpcConfig"]["subnetIds"]
        cluster = aws.create(CLUSTER, **{"name": "foreseen", "version": "1.34", **place})
        urn = cluster.state.urn
        newer = aws.check(urn, cluster.state.inputs, {**inputs, "version": "1.35"})
        news = aws.state(urn, CLUSTER, newer)
        planned = aws.client.update(cluster.state, news, [], preview=True).outputs
        for name in ("clusterSecurityGroupId", "vpcId"):
            assert planned["vpcConfig"][name] == cluster["vpcConfig"][name]
        cluster.delete()


class TestNodes:
    """Nodes join a cluster with a role and a template that are there."""

    @pytest.fixture
    def nodes(self, aws: Desk, cluster: Resource, place: dict[str, Any]) -> dict[str, Any]:
        return {
            "clusterName": cluster.id,
            "nodeGroupName": account.unique("nodes"),
            "nodeRoleArn": account.role(aws, "ec2.amazonaws.com")["arn"],
            "subnetIds": place["vpcConfig"]["subnetIds"],
            "scalingConfig": {"minSize": 1, "desiredSize": 1, "maxSize": 3},
        }

    def test_life(self, cloud: SimulatedCloud, aws: Desk, nodes: dict[str, Any]) -> None:
        template = aws.create(TEMPLATE, name=account.unique("t"), updateDefaultVersion=True)
        launch = {"id": template.id, "version": "1"}
        group = aws.create(
            NODES, **nodes, launchTemplate=launch, updateConfig={"maxUnavailable": 1}
        )
        wider = {"minSize": 2, "desiredSize": 2, "maxSize": 4}
        cloud.client("eks").update_nodegroup_config(
            clusterName=nodes["clusterName"],
            nodegroupName=nodes["nodeGroupName"],
            scalingConfig=wider,
        )
        assert group.drift() == {"scalingConfig": wider}
        group.repair(**nodes, launchTemplate=launch, updateConfig={"maxUnavailable": 1})
        group.delete()

    @pytest.mark.parametrize(
        ("inputs", "words"),
        [
            (
                {"scalingConfig": {"minSize": 2, "desiredSize": 1, "maxSize": 3}},
                "desired capacity 1 must be between the minimum 2 and the maximum 3",
            ),
            ({"scalingConfig": {"minSize": 0, "desiredSize": 0, "maxSize": 0}}, "at least"),
            ({"amiType": "WINDOWS"}, "The AMI type WINDOWS is not supported"),
            ({"capacityType": "FREE"}, "capacity_type to be one of"),
            ({"diskSize": 20, "launchTemplate": {"version": "1"}}, "within the launch template"),
            (
                {"updateConfig": {"maxUnavailable": 1, "maxUnavailablePercentage": 1}},
                "only one of max_unavailable",
            ),
            ({"version": "1.36"}, r"1\.36 is newer than the cluster's 1\.35"),
            ({"subnetIds": ["subnet-1"]}, r"InvalidSubnetID\.NotFound"),
            ({"launchTemplate": {"id": "lt-1", "version": "1"}}, "NotFound"),
            ({"clusterName": "none"}, "ResourceNotFoundException"),
        ],
    )
    def test_refusals(
        self, aws: Desk, nodes: dict[str, Any], inputs: dict[str, Any], words: str
    ) -> None:
        with pytest.raises(Refused, match=words):
            aws.create(NODES, **{**nodes, **inputs})

    def test_a_name_made_of_a_prefix(self, aws: Desk, nodes: dict[str, Any]) -> None:
        """Two groups of one prefix stand side by side: one can be replaced by the other."""
        inputs = account.without(nodes, "nodeGroupName")
        groups = [aws.create(NODES, **inputs, nodeGroupNamePrefix="mlops-") for _ in range(2)]
        names = {group["nodeGroupName"] for group in groups}
        assert len(names) == 2
        assert all(re.fullmatch(r"mlops-[0-9]{18}[0-9a-f]{8}", name) for name in names)
        assert groups[0].replaced_by(**inputs, nodeGroupNamePrefix="other-") == {
            "nodeGroupNamePrefix"
        }
        with pytest.raises(Refused, match=r"in the range \(0 - 37\), got p{38}"):
            aws.create(NODES, **inputs, nodeGroupNamePrefix="p" * 38)
        with pytest.raises(Refused, match="conflicts with node_group_name"):
            aws.create(NODES, **nodes, nodeGroupNamePrefix="mlops-")
        for group in groups:
            group.delete()

    def test_a_role_of_another_service(self, aws: Desk, nodes: dict[str, Any]) -> None:
        wrong = account.role(aws, "eks.amazonaws.com")["arn"]
        with pytest.raises(Refused, match="were not found in the trust relationships"):
            aws.create(NODES, **{**nodes, "nodeRoleArn": wrong})


class TestWhatIsInACluster:
    """Add-ons and access are kept with their cluster, and looked at."""

    def test_an_addon(self, aws: Desk, cluster: Resource) -> None:
        found = aws.invoke(
            "aws:eks/getAddonVersion:getAddonVersion",
            addonName="vpc-cni",
            kubernetesVersion="1.35",
        )
        inputs = {
            "clusterName": cluster.id,
            "addonName": "vpc-cni",
            "addonVersion": found["version"],
        }
        addon = aws.create(ADDON, **inputs)
        addon.update(**inputs, configurationValues='{"enableNetworkPolicy": "true"}')
        addon.delete()

    def test_access(self, aws: Desk, cluster: Resource) -> None:
        who = account.role(aws, "ec2.amazonaws.com")["arn"]
        inputs = {
            "clusterName": cluster.id,
            "principalArn": who,
            "policyArn": VIEW,
            "accessScope": {"type": "cluster"},
        }
        with pytest.raises(Refused, match="has no access entry"):
            aws.create(ASSOCIATION, **inputs)
        entry = aws.create(ENTRY, clusterName=cluster.id, principalArn=who)
        aws.create(ASSOCIATION, **inputs).delete()
        entry.delete()

    def test_a_pod_identity(self, aws: Desk, cluster: Resource) -> None:
        inputs = {
            "clusterName": cluster.id,
            "namespace": "mlflow",
            "serviceAccount": "mlflow",
            "roleArn": account.role(aws, "pods.eks.amazonaws.com")["arn"],
        }
        identity = aws.create(IDENTITY, **inputs)
        assert identity["associationId"].startswith("a-")
        with pytest.raises(Refused, match="already exists"):
            aws.create(IDENTITY, **inputs)

    @pytest.mark.parametrize(
        ("token", "inputs", "words"),
        [
            (ADDON, {"addonName": "magic"}, "Addon magic is not supported"),
            (ADDON, {"addonName": "coredns", "addonVersion": "v0"}, "version specified is not"),
            (ADDON, {"addonName": "coredns", "configurationValues": "{"}, "it is no JSON"),
            (
                ADDON,
                {"addonName": "coredns", "resolveConflictsOnCreate": "PRESERVE"},
                "resolve_conflicts_on_create to be one of",
            ),
            (ENTRY, {"principalArn": "me"}, "is an invalid ARN"),
            (
                ASSOCIATION,
                {"principalArn": "a", "policyArn": "b", "accessScope": {"type": "cluster"}},
                "Policy arn b is not valid",
            ),
            (
                ASSOCIATION,
                {"principalArn": "a", "policyArn": VIEW, "accessScope": {"type": "namespace"}},
                "of type namespace needs namespaces",
            ),
        ],
    )
    def test_refusals(
        self, aws: Desk, cluster: Resource, token: str, inputs: dict[str, Any], words: str
    ) -> None:
        with pytest.raises(Refused, match=words):
            aws.create(token, **{"clusterName": cluster.id, **inputs})

    def test_a_version_nobody_has(self, aws: Desk) -> None:
        with pytest.raises(Refused, match="couldn't find resource"):
            aws.invoke(
                "aws:eks/getAddonVersion:getAddonVersion",
                addonName="magic",
                kubernetesVersion="1.35",
            )
