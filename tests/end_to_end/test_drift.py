"""Ten changes made from outside are found exactly; an untouched stack has no findings.

AWS's are made with boto3, Google's in the store behind its provider: by somebody the engine does
not know. The stacks are the repository's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import simulated_cloud
from simulated_cloud import SimulatedCloud
from simulated_cloud.file_store import FileStore
from tests.end_to_end.stack_on_cloud import StackOnCloud

pytestmark = pytest.mark.slow

OPENED = {
    "IpProtocol": "tcp",
    "FromPort": 5432,
    "ToPort": 5432,
    "IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "just for today"}],
}

Found = set[tuple[str, str]]  # (name after the platform's, property or `gone`)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedCloud]:
    with simulated_cloud.running(tmp_path_factory.mktemp("cloud")) as running:
        yield running


def found(stack: StackOnCloud, base: str) -> Found:
    """What `drift` finds, by the name after the platform's own."""
    code, document = stack.operate("drift", "--no-pool")
    pairs: Found = set()
    for finding in document["findings"]:
        name = finding["subject"].removeprefix(f"{base}-")
        properties = [item["property"] for item in finding["differences"]] or [finding["what"]]
        pairs |= {(name, re.sub(r"\[\d+\]", "[]", each)) for each in properties}
    assert code == (1 if pairs else 0)
    return pairs


class TestAws:
    """The stack dev on AWS."""

    BASE = "mlops-platform-dev-mlflow"

    def test_ten_changes(self, cloud: SimulatedCloud, tmp_path: Path) -> None:
        stack = StackOnCloud("dev", cloud, tmp_path / "state")
        stack.up()
        assert found(stack, self.BASE) == set()

        self.change(cloud)
        assert found(stack, self.BASE) == {
            ("database-instance", "backupRetentionPeriod"),
            ("database-parameters", "parameters[log_min_duration_statement]"),
            ("artifacts-artifacts-versioning", "versioningConfiguration.status"),
            ("artifacts-artifacts-private", "gone"),
            ("watch-alarms-DatabaseCpuHigh", "gone"),
            ("watch-alarms-DatabaseStorageLow", "threshold"),
            ("database-clients", "ingress[]"),
            ("encryption-key", "enableKeyRotation"),
            ("registry-repository", "imageTagMutability"),
            ("cluster-control-plane-logs", "retentionInDays"),
        }

        stack.up()
        # The rule is nobody's resource: no deployment takes it away.
        left = found(stack, self.BASE)
        assert {name for name, _ in left} <= {"database-clients"}
        self.close(cloud)
        assert found(stack, self.BASE) == set()

    def change(self, cloud: SimulatedCloud) -> None:
        """Ten changes, each by another call."""
        rds, s3, watch = (cloud.client(name) for name in ("rds", "s3", "cloudwatch"))
        rds.modify_db_instance(
            DBInstanceIdentifier=self.BASE, BackupRetentionPeriod=1, ApplyImmediately=True
        )
        rds.modify_db_parameter_group(
            DBParameterGroupName=f"{self.BASE}-postgres16",
            Parameters=[
                {
                    "ParameterName": "log_min_duration_statement",
                    "ParameterValue": "1",
                    "ApplyMethod": "immediate",
                }
            ],
        )
        bucket = f"{self.BASE}-artifacts-123456789012"
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
        s3.delete_public_access_block(Bucket=bucket)
        watch.delete_alarms(AlarmNames=[f"{self.BASE}-DatabaseCpuHigh"])
        self.move_threshold(watch, f"{self.BASE}-DatabaseStorageLow")
        cloud.client("ec2").authorize_security_group_ingress(
            GroupId=self.database_group(cloud), IpPermissions=[OPENED]
        )
        key = next(
            alias["TargetKeyId"]
            for alias in cloud.client("kms").list_aliases()["Aliases"]
            if alias["AliasName"] == f"alias/{self.BASE}"
        )
        cloud.client("kms").disable_key_rotation(KeyId=key)
        cloud.client("ecr").put_image_tag_mutability(
            repositoryName=self.BASE, imageTagMutability="MUTABLE"
        )
        cloud.client("logs").put_retention_policy(
            logGroupName="/aws/eks/mlops-platform-dev/cluster", retentionInDays=1
        )

    def database_group(self, cloud: SimulatedCloud) -> str:
        """The id of the database's security group."""
        names = [{"Name": "group-name", "Values": [f"{self.BASE}-database"]}]
        groups = cloud.client("ec2").describe_security_groups(Filters=names)["SecurityGroups"]
        return groups[0]["GroupId"]

    def close(self, cloud: SimulatedCloud) -> None:
        """Take the opened rule away, if it is there still."""
        ec2, group = cloud.client("ec2"), self.database_group(cloud)
        names = [{"Name": "group-id", "Values": [group]}]
        rules = ec2.describe_security_group_rules(Filters=names)["SecurityGroupRules"]
        ids = [r["SecurityGroupRuleId"] for r in rules if r.get("CidrIpv4") == "0.0.0.0/0"]
        if ids:
            ec2.revoke_security_group_ingress(GroupId=group, SecurityGroupRuleIds=ids)

    def move_threshold(self, watch: Any, name: str) -> None:
        alarm = watch.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]
        kept = ("AlarmName", "AlarmDescription", "OKActions", "AlarmActions", "MetricName")
        kept += ("Namespace", "Statistic", "Dimensions", "Period", "EvaluationPeriods")
        kept += ("ComparisonOperator", "TreatMissingData")
        watch.put_metric_alarm(**{key: alarm[key] for key in kept}, Threshold=1.0)

    def test_an_untouched_production_stack(self, cloud: SimulatedCloud, tmp_path: Path) -> None:
        stack = StackOnCloud("prod", cloud, tmp_path / "state")
        stack.up()
        assert found(stack, "mlops-platform-prod-mlflow") == set()


class TestGoogle:
    """The stacks gcp-dev and gcp-prod."""

    BASE = "mlops-platform-dev-mlflow"

    def test_ten_changes(self, cloud: SimulatedCloud, tmp_path: Path) -> None:
        stack = StackOnCloud("gcp-dev", cloud, tmp_path / "state")
        stack.up()
        assert found(stack, self.BASE) == set()

        self.change(cloud.store("gcp"))
        assert found(stack, self.BASE) == {
            ("database-instance", "settings.backupConfiguration.enabled"),
            ("database-instance", "settings.tier"),
            ("artifacts-bucket", "versioning.enabled"),
            ("artifacts-bucket", "publicAccessPrevention"),
            ("server-service", "template.scaling.minInstanceCount"),
            (
                "server-service",
                "template.containers[].envs[MLFLOW_SQLALCHEMYSTORE_POOL_SIZE]",
            ),
            ("alerts-MLflowDown", "gone"),
            ("alerts-DatabaseCpuHigh", "conditions[].conditionThreshold.thresholdValue"),
            ("pgpassword-server", "gone"),
            ("network-subnet", "privateIpGoogleAccess"),
        }
        stack.up()
        assert found(stack, self.BASE) == set()
        stack.destroy()

    def change(self, store: FileStore) -> None:
        """Ten changes of what the provider reads."""

        def one(kind: str, name: str = "") -> tuple[str, dict[str, Any]]:
            return next(
                (identity, properties)
                for identity, properties in store.list(kind).items()
                if name in (properties.get("displayName", ""), identity, "")
            )

        def put(kind: str, identity: str, properties: dict[str, Any]) -> None:
            store.put(kind, identity, properties)

        kind = "gcp:sql/databaseInstance:DatabaseInstance"
        identity, instance = one(kind)
        instance["settings"]["backupConfiguration"]["enabled"] = False
        instance["settings"]["tier"] = "db-custom-8-32768"
        put(kind, identity, instance)
        kind = "gcp:storage/bucket:Bucket"
        identity, bucket = one(kind)
        bucket["versioning"] = {"enabled": False}
        bucket["publicAccessPrevention"] = "inherited"
        put(kind, identity, bucket)
        kind = "gcp:cloudrunv2/service:Service"
        identity, service = one(kind)
        service["template"]["scaling"]["minInstanceCount"] = 0
        variables = service["template"]["containers"][0]["envs"]
        pool = next(v for v in variables if v["name"] == "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE")
        pool["value"] = "99"
        put(kind, identity, service)
        kind = "gcp:monitoring/alertPolicy:AlertPolicy"
        store.remove(kind, one(kind, "MLflowDown")[0])
        identity, policy = one(kind, "DatabaseCpuHigh")
        policy["conditions"][0]["conditionThreshold"]["thresholdValue"] = 0.99
        put(kind, identity, policy)
        kind = "gcp:secretmanager/secretIamMember:SecretIamMember"
        store.remove(kind, one(kind)[0])
        kind = "gcp:compute/subnetwork:Subnetwork"
        identity, subnetwork = one(kind)
        subnetwork["privateIpGoogleAccess"] = False
        put(kind, identity, subnetwork)

    def test_an_untouched_production_stack(self, cloud: SimulatedCloud, tmp_path: Path) -> None:
        stack = StackOnCloud("gcp-prod", cloud, tmp_path / "state")
        stack.up()
        assert found(stack, "mlops-platform-prod-mlflow") == set()
