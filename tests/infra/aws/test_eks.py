"""The cluster is private, encrypted, logged; its nodes keep their credentials to themselves."""

from __future__ import annotations

import json

import pytest

from infra.aws.eks import CONTROL_PLANE_LOGS, Cluster, ClusterWiring
from infra.settings import PlatformSettings
from tests.infra.aws.declared import KEY_ARN, REGION, Outcome, deploy
from tests.infra.aws.stacks import PRODUCTION, aws_stack


def cluster(settings: PlatformSettings) -> Outcome:
    def program() -> dict[str, object]:
        made = Cluster(
            "cluster",
            settings,
            ClusterWiring(region=REGION, subnet_ids=["subnet-a", "subnet-b"], key_arn=KEY_ARN),
        )
        return {
            "name": made.cluster_name,
            "kubeconfig": made.kubeconfig,
            "kubeconfig_is_secret": made.kubeconfig.is_secret(),
            "provider": made.oidc_provider_arn,
            "issuer": made.oidc_issuer_url,
            "nodes": made.node_security_group_id,
            "vpc": made.vpc_id,
            "waits_for": len(made.ready),
        }

    return deploy(program)


@pytest.fixture(scope="module")
def made() -> Outcome:
    return cluster(aws_stack())


class TestControlPlane:
    """What an auditor asks of a control plane."""

    def test_inputs(self, made: Outcome) -> None:
        assert made.deployment.one("eks/cluster:Cluster").inputs == {
            "name": "mlops-platform-test",
            "roleArn": "arn:aws:iam:::cluster-control-plane-role",
            "version": "1.35",
            "vpcConfig": {
                "subnetIds": ["subnet-a", "subnet-b"],
                "endpointPrivateAccess": True,
                "endpointPublicAccess": False,
            },
            "accessConfig": {
                "authenticationMode": "API",
                "bootstrapClusterCreatorAdminPermissions": True,
            },
            "encryptionConfig": {"provider": {"keyArn": KEY_ARN}, "resources": ["secrets"]},
            "enabledClusterLogTypes": list(CONTROL_PLANE_LOGS),
            "upgradePolicy": {"supportType": "STANDARD"},
            "bootstrapSelfManagedAddons": False,
            "deletionProtection": False,
        }

    def test_logs_are_kept_as_long_as_settings_say_under_our_key(self, made: Outcome) -> None:
        assert made.deployment.one("cloudwatch/logGroup:LogGroup").inputs == {
            "name": "/aws/eks/mlops-platform-test/cluster",
            "kmsKeyId": KEY_ARN,
            "retentionInDays": 90,
        }

    def test_the_internet_only_where_settings_name_networks(self) -> None:
        settings = aws_stack(
            clusterPublicEndpoint="true", clusterPublicEndpointCidrs='["203.0.113.0/24"]'
        )
        inputs = cluster(settings).deployment.one("eks/cluster:Cluster").inputs
        assert inputs["vpcConfig"] == {
            "subnetIds": ["subnet-a", "subnet-b"],
            "endpointPrivateAccess": True,
            "endpointPublicAccess": True,
            "publicAccessCidrs": ["203.0.113.0/24"],
        }

    def test_production_is_not_deleted_by_one_call(self) -> None:
        settings = aws_stack(PRODUCTION)
        inputs = cluster(settings).deployment.one("eks/cluster:Cluster").inputs
        assert inputs["deletionProtection"] is True


class TestAccess:
    """Access entries, and no config map that nobody sees."""

    def test_none_beside_who_deploys(self, made: Outcome) -> None:
        assert made.deployment.of("eks/accessEntry:AccessEntry") == []

    def test_administrators_are_named_after_their_role(self) -> None:
        role = "arn:aws:iam::123456789012:role/admins"
        deployment = cluster(aws_stack(clusterAdminArns=json.dumps([role]))).deployment
        entry = deployment.one("eks/accessEntry:AccessEntry")
        assert (entry.name, entry.inputs["principalArn"]) == ("cluster-administrator-admins", role)
        assert deployment.one("eks/accessPolicyAssociation:AccessPolicyAssociation").inputs == {
            "clusterName": "mlops-platform-test",
            "principalArn": role,
            "policyArn": "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy",
            "accessScope": {"type": "cluster"},
        }


class TestIdentity:
    """Roles believe the cluster's service accounts; people sign in as themselves."""

    def test_provider(self, made: Outcome) -> None:
        provider = made.deployment.one("iam/openIdConnectProvider:OpenIdConnectProvider")
        assert provider.inputs == {
            "url": "https://oidc.eks.eu-central-1.amazonaws.com/id/EXAMPLE",
            "clientIdLists": ["sts.amazonaws.com"],
        }
        assert made.outputs["provider"] == "arn:aws:iam:::cluster-oidc"

    def test_kubeconfig_is_a_secret_without_a_credential(self, made: Outcome) -> None:
        assert made.outputs["kubeconfig_is_secret"] is True
        config = json.loads(made.outputs["kubeconfig"])
        assert config["clusters"][0]["cluster"] == {
            "server": "https://EXAMPLE.eks.amazonaws.com",
            "certificate-authority-data": "Y2VydGlmaWNhdGU=",
        }
        assert config["users"][0]["user"] == {
            "exec": {
                "apiVersion": "client.authentication.k8s.io/v1",
                "command": "aws",
                "args": [
                    "--region",
                    "eu-central-1",
                    "eks",
                    "get-token",
                    "--cluster-name",
                    "mlops-platform-test",
                ],
                "interactiveMode": "Never",
            }
        }

    def test_pods_share_the_security_group_of_the_nodes(self, made: Outcome) -> None:
        assert (made.outputs["nodes"], made.outputs["vpc"]) == ("sg-nodes", "vpc-1")


class TestNodes:
    """Nodes across zones, replaced one at a time, with nothing for a pod to steal."""

    def test_metadata_answers_tokens_within_the_node(self, made: Outcome) -> None:
        inputs = made.deployment.one("ec2/launchTemplate:LaunchTemplate").inputs
        assert inputs["metadataOptions"] == {
            "httpEndpoint": "enabled",
            "httpTokens": "required",
            "httpPutResponseHopLimit": 1,
        }

    def test_volumes_are_encrypted(self, made: Outcome) -> None:
        inputs = made.deployment.one("ec2/launchTemplate:LaunchTemplate").inputs
        assert inputs["blockDeviceMappings"] == [
            {
                "deviceName": "/dev/xvda",
                "ebs": {
                    "volumeType": "gp3",
                    "volumeSize": 50,
                    "encrypted": "true",
                    "deleteOnTermination": "true",
                },
            }
        ]

    def test_group(self, made: Outcome) -> None:
        assert made.deployment.one("eks/nodeGroup:NodeGroup").inputs == {
            "clusterName": "mlops-platform-test",
            "nodeGroupNamePrefix": "mlops-platform-test-",
            "nodeRoleArn": "arn:aws:iam:::cluster-nodes-role-role",
            "subnetIds": ["subnet-a", "subnet-b"],
            "version": "1.35",
            "amiType": "AL2023_x86_64_STANDARD",
            "capacityType": "ON_DEMAND",
            "instanceTypes": ["m7i.large"],
            "scalingConfig": {"minSize": 2, "desiredSize": 2, "maxSize": 4},
            "updateConfig": {"maxUnavailable": 1},
            "nodeRepairConfig": {"enabled": True},
            "launchTemplate": {"id": "cluster-nodes-template-id", "version": "1"},
        }

    def test_spot(self) -> None:
        group = cluster(aws_stack(nodeSpot="true")).deployment.one("eks/nodeGroup:NodeGroup")
        assert group.inputs["capacityType"] == "SPOT"

    def test_a_node_may_join_and_pull_and_nothing_else(self, made: Outcome) -> None:
        attached = {
            item.inputs["policyArn"].rpartition("/")[2]
            for item in made.deployment.of("iam/rolePolicyAttachment:RolePolicyAttachment")
            if item.inputs["role"] == "mlops-platform-test-nodes"
        }
        assert attached == {"AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly"}


class TestAddons:
    """What the pods need from the cluster comes with a version."""

    def test_which(self, made: Outcome) -> None:
        addons = {item.inputs["addonName"]: item for item in made.deployment.of("eks/addon:Addon")}
        assert set(addons) == {
            "vpc-cni",
            "kube-proxy",
            "coredns",
            "eks-pod-identity-agent",
            "aws-ebs-csi-driver",
            "metrics-server",
        }
        assert {item.inputs["addonVersion"] for item in addons.values()} == {"v1.2.3-eksbuild.1"}
        with_role = {name for name, it in addons.items() if "serviceAccountRoleArn" in it.inputs}
        assert with_role == {"vpc-cni", "aws-ebs-csi-driver"}

    def test_versions_are_looked_up_for_the_clusters_own(self, made: Outcome) -> None:
        asked = {tuple(sorted(args.items())) for _, args in made.deployment.calls}
        assert (("addonName", "coredns"), ("kubernetesVersion", "1.35")) in asked

    def test_network_policies_are_enforced(self, made: Outcome) -> None:
        addon = made.deployment.one("eks/addon:Addon", "vpc-cni")
        assert json.loads(addon.inputs["configurationValues"]) == {"enableNetworkPolicy": "true"}

    def test_cloudwatch_brings_its_own(self) -> None:
        deployment = cluster(aws_stack(cloudwatchEnabled="true")).deployment
        addon = deployment.one("eks/addon:Addon", "amazon-cloudwatch-observability")
        assert addon.inputs["serviceAccountRoleArn"].endswith("observability-role")


@pytest.fixture(scope="module")
def adopted() -> Outcome:
    subnets = json.dumps(["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"])
    return cluster(
        aws_stack(
            existingClusterName="theirs",
            existingVpcId="vpc-0123456789abcdef0",
            existingPrivateSubnetIds=subnets,
            existingIsolatedSubnetIds=subnets,
        )
    )


class TestAdoptedCluster:
    """A cluster that exists is looked up by its name, and nothing of it is changed."""

    def test_nothing_is_made(self, adopted: Outcome) -> None:
        kinds = [item.kind for item in adopted.deployment.resources]
        assert kinds == ["mlflow-platform:aws:Cluster"]

    def test_the_same_attributes(self, adopted: Outcome) -> None:
        outputs = dict(adopted.outputs)
        assert json.loads(outputs.pop("kubeconfig"))["current-context"] == "theirs"
        assert outputs == {
            "name": "theirs",
            "kubeconfig_is_secret": True,
            "provider": "arn:aws:iam::123456789012:oidc-provider/theirs",
            "issuer": "https://oidc.eks.eu-central-1.amazonaws.com/id/EXAMPLE",
            "nodes": "sg-theirs",
            "vpc": "vpc-theirs",
            "waits_for": 0,
        }
