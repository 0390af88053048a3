"""The whole platform on AWS: what it consists of, what is left out, and what holds of every stack.

Parents, providers and unknowns are proven on an engine (tests/end_to_end); here, which settings
can make what.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pulumi
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.aws.aws_platform import AwsPlatform
from infra.settings import PlatformSettings, SettingsError
from tests.infra.aws.declared import ACCOUNT, REGION, Deployment, Outcome, deploy
from tests.infra.aws.stacks import INTERNAL, OIDC, PRODUCTION, PUBLIC, aws_stack

ADOPTED_NETWORK = {
    "existingVpcId": "vpc-0123456789abcdef0",
    "existingPrivateSubnetIds": '["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]',
    "existingIsolatedSubnetIds": '["subnet-0123456789abcdef2", "subnet-0123456789abcdef3"]',
}


def platform(stack: PlatformSettings) -> Outcome:
    def program() -> dict[str, pulumi.Input[Any]]:
        made = AwsPlatform("it", stack, REGION)
        return {
            "tracking_uri": made.tracking_uri,
            "artifact_root": made.artifact_root,
            "backend_store": made.backend_store,
            "database_password": made.database_password or "",
            "more": dict(made.more_outputs),
        }

    return deploy(program)


def deployed(**values: str) -> Outcome:
    return platform(aws_stack(values))


def services(deployment: Deployment) -> set[str]:
    return {item.kind.split("/")[0] for item in deployment.resources}


@cache
def plain() -> Outcome:
    return deployed()


class TestAWholeStack:
    """A stack that says nothing but its target."""

    def test_addresses(self) -> None:
        outputs = plain().outputs
        assert outputs["artifact_root"] == "s3://mlops-platform-test-mlflow-artifacts-123456789012"
        assert outputs["backend_store"].startswith(
            "postgresql+psycopg://mlflow@db.example.rds.amazonaws.com:5432/mlflow?"
        )
        assert outputs["backend_store"].endswith("sslmode=require")
        assert outputs["database_password"] not in outputs["backend_store"]

    def test_what_operations_look_it_up_by(self) -> None:
        assert plain().outputs["more"] == {
            "region": REGION,
            "account": ACCOUNT,
            "vpc_id": "it-network-vpc-id",
            "encryption_key_arn": "arn:aws:kms:::it-encryption-key",
            "database_host": "db.example.rds.amazonaws.com",
            "database_identifier": "mlops-platform-test-mlflow",
            "database_secret_arn": "arn:aws:secretsmanager:::it-database-credentials-secret",
            "artifact_bucket": "mlops-platform-test-mlflow-artifacts-123456789012",
            "cluster_name": "mlops-platform-test",
            "kubernetes_namespace": "mlflow",
            "server_role_arn": "arn:aws:iam:::it-server-role-role",
            "training_role_arn": "arn:aws:iam:::it-server-training-role-role",
            "alarm_topic_arn": "arn:aws:sns:::it-watch-alarms-topic",
        }

    def test_tags_of_everything(self) -> None:
        (provider,) = [
            item for item in plain().deployment.resources if item.kind == "pulumi:providers:aws"
        ]
        assert provider.inputs["region"] == REGION
        assert json.loads(provider.inputs["defaultTags"])["tags"]["environment"] == "test"

    def test_the_server_is_told(self) -> None:
        deployment = plain().deployment
        (server,) = [item for item in deployment.resources if item.kind.endswith(":Deployment")]
        (container,) = server.inputs["spec"]["template"]["spec"]["containers"]
        assert container["image"].startswith(f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/")
        environment = {item["name"]: item.get("value") for item in container["env"]}
        assert environment["PGHOST"] == "db.example.rds.amazonaws.com"
        assert environment["AWS_REGION"] == REGION

    def test_by_its_identity_it_reads_one_secret_once(self) -> None:
        """RDS keeps the password with which the migration lets the identity in."""
        kept = "arn:aws:secretsmanager:::rds!db-ABC"
        deployment = deployed(databaseAuthentication="iam").deployment
        role = deployment.one("iam/rolePolicy:RolePolicy", "server-role-mlflow-secrets")
        assert role.policy()["Statement"][0]["Resource"] == [kept]
        (job,) = [item for item in deployment.resources if item.kind.endswith(":Job")]
        (grant, *_) = job.inputs["spec"]["template"]["spec"]["initContainers"]
        told = {item["name"]: item.get("value") for item in grant["env"]}
        assert told["DATABASE_SECRET_ARN"] == kept
        assert "PGPASSWORD" not in told
        policies = plain().deployment.of("iam/rolePolicy:RolePolicy")
        assert [item for item in policies if item.name.endswith("mlflow-secrets")] == []

    def test_nothing_that_was_not_asked_for(self) -> None:
        assert services(plain().deployment) & {"aws:lb", "aws:backup", "aws:wafv2"} == set()


class TestWhatIsLeftOut:
    """What exists is adopted where its setting names it, and then nothing is made for it."""

    def test_database(self) -> None:
        outcome = deployed(backendStoreUri="postgresql://me:hush-hush@db.mine:5433/runs")
        assert "aws:rds" not in services(outcome.deployment)
        assert outcome.outputs["database_password"] == "hush-hush"
        assert "me@db.mine:5433/runs" in outcome.outputs["backend_store"]
        assert outcome.outputs["more"]["database_host"] == "db.mine"
        assert "database_identifier" not in outcome.outputs["more"]

    def test_bucket(self) -> None:
        outcome = deployed(artifactStore="s3://mine/mlflow", accessLogs="false")
        assert "aws:s3" not in services(outcome.deployment)
        assert outcome.outputs["artifact_root"] == "s3://mine/mlflow"
        assert outcome.outputs["more"]["artifact_bucket"] == "mine"
        role = outcome.deployment.one("iam/rolePolicy:RolePolicy", "server-role-mlflow-s3")
        assert "arn:aws:s3:::mine" in role.inputs["policy"]

    def test_network_and_cluster(self) -> None:
        outcome = deployed(**ADOPTED_NETWORK, existingClusterName="theirs")
        assert outcome.deployment.of("ec2/vpc:Vpc") == []
        assert outcome.deployment.of("eks/cluster:Cluster") == []
        assert outcome.outputs["more"]["cluster_name"] == "theirs"
        assert outcome.outputs["more"]["vpc_id"] == "vpc-theirs"
        group = outcome.deployment.one("ec2/securityGroup:SecurityGroup", "database-clients")
        (rule,) = group.inputs["ingress"]
        assert rule["securityGroups"] == ["sg-theirs"]

    def test_image(self) -> None:
        outcome = deployed(serverImage="registry.example.com/mlflow@sha256:0")
        assert "aws:ecr" not in services(outcome.deployment)


class TestAWayIn:
    """A load balancer stands where the settings say who may use it."""

    def test_internal(self) -> None:
        outcome = deployed(**INTERNAL)
        balancer = outcome.deployment.one("lb/loadBalancer:LoadBalancer").inputs
        assert balancer["internal"] is True
        assert balancer["subnets"] == ["it-network-private-a-id", "it-network-private-b-id"]
        assert balancer["accessLogs"]["bucket"].endswith("-mlflow-logs-123456789012")

    def test_public(self) -> None:
        balancer = deployed(**PUBLIC).deployment.one("lb/loadBalancer:LoadBalancer").inputs
        assert balancer["internal"] is False
        assert balancer["subnets"] == ["it-network-public-a-id", "it-network-public-b-id"]


CHOICES: dict[str, tuple[str, ...]] = {
    "protection": ("standard", "production"),
    "natGateways": ("none", "one", "per-zone"),
    "vpcInterfaceEndpoints": ("true", "false"),
    "vpcFlowLogs": ("true", "false"),
    "availabilityZoneCount": ("2", "3"),
    "databaseHighAvailability": ("true", "false"),
    "databaseDeletionProtection": ("true", "false"),
    "databaseFinalSnapshot": ("true", "false"),
    "databaseReadReplica": ("true", "false"),
    "databaseAuthentication": ("password", "managed", "iam"),
    "secretSource": ("plain", "external-secrets"),
    "artifactForceDestroy": ("true", "false"),
    "artifactReplicationRegion": ("", "eu-west-1"),
    "accessLogs": ("true", "false"),
    "clusterPublicEndpoint": ("true", "false"),
    "clusterPublicEndpointCidrs": ("[]", '["203.0.113.0/24"]', '["0.0.0.0/0"]'),
    "backupPlan": ("true", "false"),
    "cloudwatchEnabled": ("true", "false"),
}
WAYS_IN: tuple[dict[str, str], ...] = ({}, INTERNAL, PUBLIC, {**INTERNAL, **OIDC})


@st.composite
def stacks(draw: st.DrawFn) -> PlatformSettings:
    """Any stack that loads: drawn at random, what its rules refuse taken back until none does."""
    drawn = draw(
        st.fixed_dictionaries(
            {}, optional={key: st.sampled_from(choices) for key, choices in CHOICES.items()}
        )
    )
    base = {**draw(st.sampled_from([{}, PRODUCTION])), **draw(st.sampled_from(WAYS_IN))}
    while True:
        try:
            return aws_stack({**base, **drawn})
        except SettingsError as error:
            blamed = [key for key in drawn if any(key in str(item) for item in error.problems)]
            if not blamed:
                raise  # a stack that nobody drew is refused
            del drawn[blamed[0]]


class TestNoCombination:
    """Whatever is set: what loads is private, encrypted, reachable and kept where it must be."""

    @pytest.mark.slow
    @given(stack=stacks())
    @settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
    def test_is_public_unencrypted_unreachable_or_unretained(self, stack: PlatformSettings) -> None:
        found = platform(stack).deployment
        nothing_is_public(found, stack)
        everything_is_encrypted(found)
        the_database_is_reached(found, stack)
        if stack.cloud.is_production:
            everything_is_kept(found)


def nothing_is_public(found: Deployment, stack: PlatformSettings) -> None:
    for instance in found.of("rds/instance:Instance"):
        assert instance.inputs["publiclyAccessible"] is False
    for subnet in found.of("ec2/subnet:Subnet"):
        assert subnet.inputs["mapPublicIpOnLaunch"] is False
    private = found.of("s3/bucketPublicAccessBlock:BucketPublicAccessBlock")
    assert len(private) == len(found.of("s3/bucket:Bucket"))
    for block in private:
        assert {value for value in block.inputs.values() if isinstance(value, bool)} == {True}
    everywhere = [
        group.name
        for group in found.of("ec2/securityGroup:SecurityGroup")
        for rule in group.inputs["ingress"]
        if {"0.0.0.0/0", "::/0"} & {*rule.get("cidrBlocks", []), *rule.get("ipv6CidrBlocks", [])}
    ]
    if stack.cloud.ingress != "public":
        assert everywhere == []
    assert all("load-balancer" in name for name in everywhere)
    if everywhere:
        assert stack.authentication.kind != "off"
    for cluster in found.of("eks/cluster:Cluster"):
        access = cluster.inputs["vpcConfig"]
        if access["endpointPublicAccess"]:
            assert access["publicAccessCidrs"] == ["203.0.113.0/24"]
    for balancer in found.of("lb/loadBalancer:LoadBalancer"):
        assert balancer.inputs["internal"] is (stack.cloud.ingress == "internal")


def everything_is_encrypted(found: Deployment) -> None:
    for instance in found.of("rds/instance:Instance"):
        assert instance.inputs["storageEncrypted"] is True
    for group in found.of("cloudwatch/logGroup:LogGroup"):
        assert group.inputs["kmsKeyId"]
    for secret in found.of("secretsmanager/secret:Secret"):
        assert secret.inputs["kmsKeyId"]
    for topic in found.of("sns/topic:Topic"):
        assert topic.inputs["kmsMasterKeyId"]
    for vault in found.of("backup/vault:Vault"):
        assert vault.inputs["kmsKeyArn"]
    encrypted = found.of(
        "s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
    )
    assert len(encrypted) == len(found.of("s3/bucket:Bucket"))
    parameters = found.one("rds/parameterGroup:ParameterGroup").inputs["parameters"]
    assert {"name": "rds.force_ssl", "value": "1"}.items() <= next(
        item for item in parameters if item["name"] == "rds.force_ssl"
    ).items()


def the_database_is_reached(found: Deployment, stack: PlatformSettings) -> None:
    """By the server's nodes alone; and nodes without a way out have endpoints."""
    group = found.one("ec2/securityGroup:SecurityGroup", "database-clients").inputs
    (rule,) = group["ingress"]
    assert (rule["securityGroups"], rule.get("cidrBlocks")) == (["sg-nodes"], None)
    assert rule["fromPort"] == stack.database.port
    assert group["egress"] == []
    endpoints = len(found.of("ec2/vpcEndpoint:VpcEndpoint"))
    assert found.of("ec2/natGateway:NatGateway") or endpoints > 10


def everything_is_kept(found: Deployment) -> None:
    instance = found.one("rds/instance:Instance", "-instance").inputs
    assert instance["deletionProtection"] is True
    assert instance["multiAz"] is True
    assert instance["skipFinalSnapshot"] is False
    assert instance["backupRetentionPeriod"] >= 7
    for bucket in found.of("s3/bucket:Bucket"):
        assert bucket.inputs["forceDestroy"] is False
    for repository in found.of("ecr/repository:Repository"):
        assert repository.inputs["forceDelete"] is False
