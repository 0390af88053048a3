"""A stack on the simulated AWS is broken from outside, as people break one, and it is named.

The stack is the program's own `dev`, deployed once; each test changes the account through AWS's
API and changes it back. What moto never does (a reboot, an event) is put into its memory.
"""

from __future__ import annotations

import datetime
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import simulated_cloud
from infra.outputs import PlatformOutputs
from infra.settings import PlatformSettings
from operations.doctor.aws_database import STATUSES
from operations.doctor.aws_store import OBJECT_ACTIONS
from operations.stack_settings import read_settings
from simulated_cloud import SimulatedCloud
from simulated_cloud.aws.cloud import AwsCloud
from simulated_cloud.aws.moto_memory import moto_backend
from smoke_tests.masking import Masker
from tests.end_to_end.stack_on_cloud import StackOnCloud
from tests.operations.conftest import Operate
from tests.operations.doctor.conftest import Examine, Pass
from tests.operations.doctor.test_certificates import write_certificate

pytestmark = pytest.mark.slow

NAME = "mlops-platform-dev-mlflow"

UNREACHABLE = {"kubernetes.api"}
"""No cluster answers: a real control plane has tests of its own."""


@dataclass(frozen=True)
class Deployed:
    """The stack, as its outputs and settings tell it, and the account it is in."""

    cloud: SimulatedCloud
    stack: StackOnCloud
    outputs: PlatformOutputs
    settings: PlatformSettings
    environ: dict[str, str]

    def client(self, service: str) -> Any:
        return self.cloud.client(service)

    def memory(self, service: str) -> Any:
        aws = AwsCloud(self.cloud.aws, self.cloud.store("aws"), "eu-central-1")
        return moto_backend(aws, service)


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    with simulated_cloud.running(tmp_path_factory.mktemp("cloud")) as cloud:
        stack = StackOnCloud("dev", cloud, tmp_path_factory.mktemp("state"))
        stack.run("up", "--yes", "--skip-preview")
        environ = {
            **os.environ,
            **cloud.environment,
            "PULUMI_BACKEND_URL": f"file://{stack.state}",
            "PULUMI_CONFIG_PASSPHRASE": "correct horse battery staple",
            "MLFLOW_PLATFORM_ENGINE": "embedded",
        }
        yield Deployed(
            cloud,
            stack,
            PlatformOutputs.from_mapping(stack.outputs()),
            read_settings("dev", environ=environ, masker=Masker()),
            environ,
        )


Look = Callable[..., Pass]


@pytest.fixture
def look(deployed: Deployed, examine: Examine) -> Look:
    def run(*argv: str, **changed: Any) -> Pass:
        outputs = replace(deployed.outputs, **changed)
        return examine(outputs, deployed.settings, *argv, environ=deployed.environ)

    return run


def failures(found: Pass) -> list[str]:
    return [name for name in found.failed if name not in UNREACHABLE]


class TestUntouched:
    """The stack as it was deployed has no finding, read through the engine and not by the test."""

    def test_no_finding(self, deployed: Deployed, operate: Operate) -> None:
        found = Pass(
            operate(
                "doctor", "--stack", "dev", "--json", "--timeout", "300", environ=deployed.environ
            )
        )
        assert failures(found) == []
        passed = {name for name, item in found.records.items() if item["status"] == "passed"}
        assert passed >= {
            "aws.account",
            "aws.alarms",
            "aws.bucket",
            "aws.bucket_policy",
            "aws.database",
            "aws.events",
            "aws.key",
            "aws.secret",
            "aws.security_group",
            "aws.server_role",
        }
        assert deployed.outputs.database_password not in found.ran.out

    def test_what_cannot_be_asked_says_why(self, look: Look) -> None:
        found = look()
        assert "is a name inside the cluster" in found.evidence("server.query")
        assert "private network" in found.evidence("database.login")
        assert found.status("kubernetes.api") == "failed"
        assert found.evidence("kubernetes.pods").endswith("name a kubeconfig with --kubeconfig")
        # PostgreSQL's log is in CloudWatch, the server's is where no cluster answers.
        assert found.status("logs.database_fatal") == "passed"
        assert found.status("logs.operational_error") == "not_run"
        assert found.evidence("logs.operational_error").startswith(
            "the server's log is not to be had here: EKS gives no usable certificate"
        )


class TestAccount:
    """Without credentials, or with another account's, that is the one finding."""

    def test_nobody(self, deployed: Deployed, examine: Examine, tmp_path: Any) -> None:
        nobody = {
            key: value
            for key, value in deployed.environ.items()
            if key not in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
        }
        with pytest.MonkeyPatch.context() as patch:
            for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
                patch.delenv(key, raising=False)
            patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
            patch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            patch.setenv("AWS_CONFIG_FILE", "/dev/null")
            found = examine(
                deployed.outputs, deployed.settings, environ={**nobody, "AWS_PROFILE": ""}
            )
        assert found.roots == ["aws.account"]
        assert found.evidence("aws.account") == "Unable to locate credentials"
        assert found.status("aws.database") == "not_run"

    def test_another_account(self, look: Look) -> None:
        found = look(account="999999999999")
        assert "aws.account" in found.roots
        assert found.evidence("aws.account").endswith("the stack is in 999999999999")


class TestDatabase:
    """Each state of the instance, what RDS reports, and what CloudWatch counts."""

    def test_stopped(self, deployed: Deployed, look: Look) -> None:
        rds = deployed.client("rds")
        rds.stop_db_instance(DBInstanceIdentifier=NAME)
        try:
            found = look()
        finally:
            rds.start_db_instance(DBInstanceIdentifier=NAME)
        assert failures(found) == ["aws.database"]
        assert found.evidence("aws.database") == f"{NAME} is stopped"
        assert found.records["aws.database"]["next_step"] == (
            f"aws rds start-db-instance --db-instance-identifier {NAME}"
        )

    @pytest.mark.parametrize(
        "state", ["rebooting", "storage-full", "incompatible-parameters", "failed", "surprising"]
    )
    def test_in_a_state_that_moto_never_enters(
        self, deployed: Deployed, look: Look, state: str
    ) -> None:
        model = deployed.memory("rds").databases[NAME]
        model.status = state
        try:
            found = look()
        finally:
            model.status = "available"
        assert failures(found) == ["aws.database"]
        assert found.evidence("aws.database") == f"{NAME} is {state}"
        expected = STATUSES.get(state, (f"RDS calls the instance {state}", ""))[0]
        assert found.records["aws.database"]["cause"] == expected

    def test_deleted(self, deployed: Deployed, look: Look) -> None:
        databases = deployed.memory("rds").databases
        kept = databases[NAME]
        deployed.client("rds").delete_db_instance(DBInstanceIdentifier=NAME, SkipFinalSnapshot=True)
        try:
            found = look()
        finally:
            databases[NAME], kept.status = kept, "available"
        assert failures(found) == ["aws.database"]
        assert found.evidence("aws.database") == f"RDS knows no instance {NAME} in eu-central-1"
        assert found.evidence("aws.security_group") == (
            "RDS does not describe the instance: see aws.database"
        )

    def test_made_again_elsewhere(self, look: Look) -> None:
        found = look(database_host="old.example.com")
        assert "aws.database" in found.roots
        assert found.evidence("aws.database").endswith("the stack says old.example.com")

    def test_an_event(self, deployed: Deployed, look: Look) -> None:
        backend = deployed.memory("rds")
        database = backend.databases[NAME]
        database.add_event("DB_INSTANCE_CREATE")
        event = backend.events[-1]
        event.event_categories = ["low storage"]
        event.message = "The free storage capacity for DB Instance is low at 2%"
        try:
            found = look()
        finally:
            backend.events.remove(event)
        assert failures(found) == ["aws.events"]
        assert found.evidence("aws.events").endswith("is low at 2%")

    def measured(self, deployed: Deployed, name: str, value: float) -> None:
        deployed.client("cloudwatch").put_metric_data(
            Namespace="AWS/RDS",
            MetricData=[
                {
                    "MetricName": name,
                    "Dimensions": [{"Name": "DBInstanceIdentifier", "Value": NAME}],
                    "Timestamp": datetime.datetime.now(datetime.UTC),
                    "Value": value,
                }
            ],
        )

    def test_connections(self, deployed: Deployed, look: Look) -> None:
        assert look().evidence("aws.connections") == (
            "CloudWatch has no DatabaseConnections of the last 15 min"
        )
        self.measured(deployed, "DatabaseConnections", 12)
        assert look().evidence("aws.connections").startswith("12 of 100 connections; ")
        self.measured(deployed, "DatabaseConnections", 97)
        found = look()
        deployed.memory("cloudwatch").metric_data.clear()
        assert failures(found) == ["aws.connections"]

    def test_storage(self, deployed: Deployed, look: Look) -> None:
        model = deployed.memory("rds").databases[NAME]
        most, model.max_allocated_storage = model.max_allocated_storage, 20
        self.measured(deployed, "FreeStorageSpace", 0.5 * 2**30)
        try:
            found = look()
        finally:
            model.max_allocated_storage = most
            deployed.memory("cloudwatch").metric_data.clear()
        assert failures(found) == ["aws.storage"]
        assert found.evidence("aws.storage").startswith("0.5 of 20 GiB free")


class TestStore:
    """Bucket, policy, role, trust and key: each that is taken away is named."""

    def test_the_policy_is_removed(self, deployed: Deployed, look: Look) -> None:
        s3, bucket = deployed.client("s3"), deployed.outputs.artifact_bucket
        kept = s3.get_bucket_policy(Bucket=bucket)["Policy"]
        s3.delete_bucket_policy(Bucket=bucket)
        try:
            found = look()
        finally:
            s3.put_bucket_policy(Bucket=bucket, Policy=kept)
        assert failures(found) == ["aws.bucket_policy"]
        assert found.evidence("aws.bucket_policy") == f"{bucket} has no policy"

    def test_the_policy_denies_the_server(self, deployed: Deployed, look: Look) -> None:
        s3, bucket = deployed.client("s3"), deployed.outputs.artifact_bucket
        kept = s3.get_bucket_policy(Bucket=bucket)["Policy"]
        document = json.loads(kept)
        document["Statement"].append(
            {
                "Sid": "Oops",
                "Effect": "Deny",
                "Principal": {"AWS": deployed.outputs.server_role_arn},
                "Action": "s3:Put*",
                "Resource": f"arn:aws:s3:::{bucket}/*",
            }
        )
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(document))
        try:
            found = look()
        finally:
            s3.put_bucket_policy(Bucket=bucket, Policy=kept)
        assert failures(found) == ["aws.bucket_policy"]
        assert found.evidence("aws.bucket_policy") == (
            f"{bucket}'s policy denies s3:PutObject to the server"
        )

    def test_the_bucket_is_gone(self, deployed: Deployed, look: Look) -> None:
        s3, bucket = deployed.client("s3"), deployed.outputs.artifact_bucket
        policy = s3.get_bucket_policy(Bucket=bucket)["Policy"]
        encryption = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]
        block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
        s3.delete_bucket(Bucket=bucket)
        try:
            found = look()
        finally:
            place = {"LocationConstraint": "eu-central-1"}
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=place)
            s3.put_bucket_policy(Bucket=bucket, Policy=policy)
            s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=encryption)
            s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=block)
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        assert failures(found) == ["aws.bucket"]
        assert found.evidence("aws.bucket") == f"S3 knows no bucket {bucket}"
        assert found.evidence("aws.bucket_policy") == "there is no bucket: see aws.bucket"

    def test_public_access_and_versions(self, deployed: Deployed, look: Look) -> None:
        s3, bucket = deployed.client("s3"), deployed.outputs.artifact_bucket
        kept = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
        s3.delete_public_access_block(Bucket=bucket)
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
        try:
            found = look()
        finally:
            s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=kept)
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        assert failures(found) == ["aws.bucket"]
        assert found.evidence("aws.bucket") == (
            f"{bucket}: public access is not blocked; versioning is Suspended"
        )

    @pytest.mark.parametrize(
        ("policy", "missing"),
        [
            ("mlflow-s3", f"s3:ListBucket, {', '.join(OBJECT_ACTIONS)}"),
            ("mlflow-kms", "kms:Decrypt, kms:GenerateDataKey"),
        ],
    )
    def test_a_policy_of_the_role_is_removed(
        self, deployed: Deployed, look: Look, policy: str, missing: str
    ) -> None:
        iam = deployed.client("iam")
        kept = iam.get_role_policy(RoleName=NAME, PolicyName=policy)["PolicyDocument"]
        iam.delete_role_policy(RoleName=NAME, PolicyName=policy)
        try:
            found = look()
        finally:
            iam.put_role_policy(RoleName=NAME, PolicyName=policy, PolicyDocument=json.dumps(kept))
        assert failures(found) == ["aws.server_role"]
        assert found.evidence("aws.server_role").endswith(f"does not allow {missing}")

    def test_the_role_is_gone(self, deployed: Deployed, look: Look) -> None:
        iam = deployed.client("iam")
        trust = iam.get_role(RoleName=NAME)["Role"]["AssumeRolePolicyDocument"]
        policies = {
            name: iam.get_role_policy(RoleName=NAME, PolicyName=name)["PolicyDocument"]
            for name in iam.list_role_policies(RoleName=NAME)["PolicyNames"]
        }
        for name in policies:
            iam.delete_role_policy(RoleName=NAME, PolicyName=name)
        iam.delete_role(RoleName=NAME)
        try:
            found = look()
        finally:
            iam.create_role(RoleName=NAME, AssumeRolePolicyDocument=json.dumps(trust))
            for name, document in policies.items():
                iam.put_role_policy(
                    RoleName=NAME, PolicyName=name, PolicyDocument=json.dumps(document)
                )
        assert failures(found) == ["aws.server_role"]
        assert found.evidence("aws.server_role") == f"IAM knows no role {NAME}"

    def test_its_trust_is_another_accounts(self, deployed: Deployed, look: Look) -> None:
        iam = deployed.client("iam")
        kept = iam.get_role(RoleName=NAME)["Role"]["AssumeRolePolicyDocument"]
        text = json.dumps(kept).replace(":mlflow:mlflow", ":default:mlflow")
        iam.update_assume_role_policy(RoleName=NAME, PolicyDocument=text)
        try:
            found = look()
        finally:
            iam.update_assume_role_policy(RoleName=NAME, PolicyDocument=json.dumps(kept))
        assert failures(found) == ["aws.server_role"]
        assert found.evidence("aws.server_role").endswith(
            f"does not admit system:serviceaccount:mlflow:mlflow of {deployed.outputs.cluster_name}"
        )

    def test_the_key_is_disabled(self, deployed: Deployed, look: Look) -> None:
        kms, key = deployed.client("kms"), deployed.outputs.encryption_key_arn or ""
        name = key.rpartition("/")[2]
        kms.disable_key(KeyId=name)
        try:
            found = look()
        finally:
            kms.enable_key(KeyId=name)
        assert found.roots[0] == "aws.key"
        assert found.evidence("aws.key") == f"{key} is Disabled"

    def test_the_key_is_to_be_deleted(self, deployed: Deployed, look: Look) -> None:
        kms, key = deployed.client("kms"), deployed.outputs.encryption_key_arn or ""
        name = key.rpartition("/")[2]
        kms.schedule_key_deletion(KeyId=name, PendingWindowInDays=7)
        try:
            found = look()
        finally:
            kms.cancel_key_deletion(KeyId=name)
            kms.enable_key(KeyId=name)
        assert f"{key} is PendingDeletion, goes on " in found.evidence("aws.key")


class TestWay:
    """The rule to the database, the password, and the alarms."""

    def test_the_rule_is_removed(self, deployed: Deployed, look: Look) -> None:
        ec2 = deployed.client("ec2")
        (group,) = ec2.describe_security_groups(
            Filters=[{"Name": "group-name", "Values": [f"{NAME}-database"]}]
        )["SecurityGroups"]
        rules = group["IpPermissions"]
        ec2.revoke_security_group_ingress(GroupId=group["GroupId"], IpPermissions=rules)
        try:
            found = look()
        finally:
            ec2.authorize_security_group_ingress(GroupId=group["GroupId"], IpPermissions=rules)
        assert failures(found) == ["aws.security_group"]
        assert found.evidence("aws.security_group").startswith(
            f"{group['GroupId']} has no rule for port 5432 from the cluster's nodes"
        )

    @pytest.mark.parametrize(
        "everybody",
        [
            {"IpRanges": [{"CidrIp": "0.0.0.0/0"}]},
            {"Ipv6Ranges": [{"CidrIpv6": "::/0"}]},
        ],
        ids=["version 4", "version 6"],
    )
    def test_everybody_is_let_in(
        self, deployed: Deployed, look: Look, everybody: dict[str, Any]
    ) -> None:
        ec2 = deployed.client("ec2")
        (group,) = ec2.describe_security_groups(
            Filters=[{"Name": "group-name", "Values": [f"{NAME}-database"]}]
        )["SecurityGroups"]
        rule = {"IpProtocol": "tcp", "FromPort": 5000, "ToPort": 6000, **everybody}
        ec2.authorize_security_group_ingress(GroupId=group["GroupId"], IpPermissions=[rule])
        try:
            found = look()
        finally:
            ec2.revoke_security_group_ingress(GroupId=group["GroupId"], IpPermissions=[rule])
        assert failures(found) == ["aws.security_group"]
        assert found.evidence("aws.security_group").endswith("lets everybody in on port 5432")

    def test_the_secret_is_rotated_alone(self, deployed: Deployed, look: Look) -> None:
        secrets, arn = deployed.client("secretsmanager"), deployed.outputs.database_secret_arn
        kept = secrets.get_secret_value(SecretId=arn)["SecretString"]
        rotated = {**json.loads(kept), "password": "rotated-without-the-database"}
        secrets.put_secret_value(SecretId=arn, SecretString=json.dumps(rotated))
        try:
            found = look()
        finally:
            secrets.put_secret_value(SecretId=arn, SecretString=kept)
        assert failures(found) == ["aws.secret"]
        assert found.evidence("aws.secret").endswith(
            "holds another password than the stack gave the database"
        )
        assert "rotated-without-the-database" not in found.ran.out

    def test_the_secret_is_to_be_deleted(self, deployed: Deployed, look: Look) -> None:
        secrets, arn = deployed.client("secretsmanager"), deployed.outputs.database_secret_arn
        secrets.delete_secret(SecretId=arn, RecoveryWindowInDays=7)
        try:
            found = look()
        finally:
            secrets.restore_secret(SecretId=arn)
        assert failures(found) == ["aws.secret"]
        assert found.evidence("aws.secret").endswith("cannot be read: InvalidRequestException")

    def test_nonsense_in_the_secret(self, deployed: Deployed, look: Look) -> None:
        secrets, arn = deployed.client("secretsmanager"), deployed.outputs.database_secret_arn
        kept = secrets.get_secret_value(SecretId=arn)["SecretString"]
        secrets.put_secret_value(SecretId=arn, SecretString="a-bare-password")
        try:
            found = look()
        finally:
            secrets.put_secret_value(SecretId=arn, SecretString=kept)
        assert failures(found) == ["aws.secret"]
        assert "a-bare-password" not in found.ran.out

    def test_an_alarm_rings(self, deployed: Deployed, look: Look) -> None:
        cloudwatch = deployed.client("cloudwatch")
        first = cloudwatch.describe_alarms(AlarmNamePrefix=NAME)["MetricAlarms"][0]["AlarmName"]
        for state in ("ALARM", "OK"):
            cloudwatch.set_alarm_state(AlarmName=first, StateValue=state, StateReason="a test")
            if state == "ALARM":
                found = look()
        assert failures(found) == ["aws.alarms"]
        assert found.evidence("aws.alarms") == f"ringing: {first}"


class TestLogs:
    """What CloudWatch has of PostgreSQL and of the containers is read, where no cluster answers."""

    def written(self, deployed: Deployed, group: str, message: str) -> None:
        logs = deployed.client("logs")
        stream = f"test-{time.monotonic_ns()}"
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        event = {"timestamp": int(time.time() * 1000), "message": message}
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[event])

    def test_postgresql(self, deployed: Deployed, look: Look) -> None:
        group = f"/aws/rds/instance/{NAME}/postgresql"
        refused = 'mlflow@mlflow:[7]:FATAL:  password authentication failed for user "mlflow"'
        self.written(deployed, group, f"2026-11-21 18:03:04 UTC:10.0.0.1(5):{refused}")
        try:
            found = look()
        finally:
            streams = deployed.client("logs").describe_log_streams(logGroupName=group)
            for item in streams["logStreams"]:
                deployed.client("logs").delete_log_stream(
                    logGroupName=group, logStreamName=item["logStreamName"]
                )
        assert failures(found) == ["logs.database_fatal"]
        assert "in PostgreSQL in CloudWatch: " in found.evidence("logs.database_fatal")
        assert "password authentication failed" in found.evidence("logs.database_fatal")

    def test_containers(self, deployed: Deployed, look: Look) -> None:
        logs = deployed.client("logs")
        group = f"/aws/containerinsights/{deployed.outputs.cluster_name}/application"
        logs.create_log_group(logGroupName=group)
        ours, others = (
            json.dumps({"log": text, "kubernetes": {"namespace_name": space}})
            for text, space in (
                ("botocore.exceptions.ClientError: AccessDenied", "mlflow"),
                ("psycopg.OperationalError: of somebody else", "other"),
            )
        )
        try:
            for message in (ours, others):
                self.written(deployed, group, message)
            found = look()
        finally:
            logs.delete_log_group(logGroupName=group)
        assert failures(found) == ["logs.client_error"]
        assert "in containers in CloudWatch: " in found.evidence("logs.client_error")


class TestFrontDoor:
    """A load balancer without healthy targets, and a certificate that has ended."""

    def test_no_target(self, deployed: Deployed, look: Look) -> None:
        ec2, elb = deployed.client("ec2"), deployed.client("elbv2")
        subnets = [
            item["SubnetId"]
            for item in ec2.describe_subnets(
                Filters=[{"Name": "vpc-id", "Values": [deployed.outputs.vpc_id]}]
            )["Subnets"]
        ]
        made = elb.create_load_balancer(Name="door", Subnets=subnets[:2])["LoadBalancers"][0]
        group = elb.create_target_group(
            Name="servers", Protocol="HTTP", Port=5000, VpcId=deployed.outputs.vpc_id
        )["TargetGroups"][0]["TargetGroupArn"]
        forward = [{"Type": "forward", "TargetGroupArn": group}]
        listener = elb.create_listener(
            LoadBalancerArn=made["LoadBalancerArn"],
            Protocol="HTTP",
            Port=80,
            DefaultActions=forward,
        )["Listeners"][0]["ListenerArn"]
        try:
            found = look(load_balancer_dns_name=made["DNSName"])
            gone = look(load_balancer_dns_name="gone.elb.amazonaws.com")
        finally:
            elb.delete_listener(ListenerArn=listener)
            elb.delete_target_group(TargetGroupArn=group)
            elb.delete_load_balancer(LoadBalancerArn=made["LoadBalancerArn"])
        assert failures(found) == ["aws.load_balancer"]
        assert found.evidence("aws.load_balancer") == "0 targets, none healthy"
        assert gone.evidence("aws.load_balancer") == (
            "ELB knows no load balancer gone.elb.amazonaws.com"
        )

    def test_a_certificate_that_ends_soon(
        self, deployed: Deployed, examine: Examine, tmp_path: Path
    ) -> None:
        pem = write_certificate(tmp_path, begins=-90, ends=5).read_bytes()
        key, certificate = pem.split(b"-----BEGIN CERTIFICATE-----")
        arn = deployed.client("acm").import_certificate(
            Certificate=b"-----BEGIN CERTIFICATE-----" + certificate, PrivateKey=key
        )["CertificateArn"]
        aws = deployed.settings.aws
        balancer = replace(aws.load_balancer, certificate_arn=arn)
        settings = replace(deployed.settings, aws=replace(aws, load_balancer=balancer))
        outputs = replace(deployed.outputs, load_balancer_dns_name="door.elb.amazonaws.com")
        found = examine(outputs, settings, environ=deployed.environ)
        assert found.status("aws.certificate") == "failed"
        assert "mlflow.test is ISSUED, valid until " in found.evidence("aws.certificate")


class TestBundle:
    """A bundle of a stack on a cloud holds its objects, and no password of it."""

    def test_no_password(self, deployed: Deployed, look: Look, tmp_path: Any) -> None:
        from tests.operations.doctor.test_bundle import files_of

        path = tmp_path / "doctor.tar.gz"
        found = look("--bundle", str(path))
        files = files_of(path)
        everything = "\n".join([*files.values(), found.ran.out])
        assert {"doctor/aws/rds_instance.json", "doctor/aws/role_policies.json"} <= files.keys()
        assert deployed.outputs.database_password
        assert deployed.outputs.database_password not in everything
        assert deployed.environ["AWS_SECRET_ACCESS_KEY"] not in everything
