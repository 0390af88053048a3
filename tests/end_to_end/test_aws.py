"""The stacks dev and prod are deployed, drift, are repaired and go, leaving nothing.

Drift is injected through boto3, by nobody the engine knows; what is left behind is looked for the
same way. The seconds of each step are printed (`pytest -s`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import simulated_cloud
from simulated_cloud import SimulatedCloud
from simulated_cloud.aws.eks_cluster import STORED
from tests.end_to_end.stack_on_cloud import EMBEDDED, NEEDS_PULUMI, PULUMI, StackOnCloud

pytestmark = pytest.mark.slow

ACCOUNT = "123456789012"


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[SimulatedCloud]:
    with simulated_cloud.running(tmp_path / "cloud") as running:
        yield running


def inject_drift(cloud: SimulatedCloud, base: str) -> dict[str, list[str]]:
    """What people do in a console at night; what of it a preview must find."""
    cloud.client("rds").modify_db_instance(DBInstanceIdentifier=base, BackupRetentionPeriod=1)
    cloud.client("s3").put_bucket_versioning(
        Bucket=f"{base}-artifacts-{ACCOUNT}", VersioningConfiguration={"Status": "Suspended"}
    )
    cloud.client("cloudwatch").delete_alarms(AlarmNames=[f"{base}-DatabaseCpuHigh"])
    everybody = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432}
    cloud.client("ec2").authorize_security_group_ingress(
        GroupId=database_group(cloud, base)["GroupId"],
        IpPermissions=[{**everybody, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}],
    )
    return {
        f"{base}-database-instance": ["backupRetentionPeriod"],
        f"{base}-artifacts-artifacts-versioning": ["versioningConfiguration.status"],
        f"{base}-watch-alarms-DatabaseCpuHigh": [],
        f"{base}-database-clients": ["ingress"],
    }


def database_group(cloud: SimulatedCloud, base: str) -> Any:
    named = [{"Name": "group-name", "Values": [f"{base}-database"]}]
    return cloud.client("ec2").describe_security_groups(Filters=named)["SecurityGroups"][0]


def remains(cloud: SimulatedCloud) -> dict[str, list[str]]:
    """What is in the account, less what is in every new one and what waits to be deleted."""
    ec2, kms = cloud.client("ec2"), cloud.client("kms")
    keys = [kms.describe_key(KeyId=k["KeyId"])["KeyMetadata"] for k in kms.list_keys()["Keys"]]
    found = {
        "alarms": [
            a["AlarmName"] for a in cloud.client("cloudwatch").describe_alarms()["MetricAlarms"]
        ],
        "buckets": [b["Name"] for b in cloud.client("s3").list_buckets()["Buckets"]],
        "clusters": cloud.client("eks").list_clusters()["clusters"],
        "databases": [
            d["DBInstanceIdentifier"]
            for d in cloud.client("rds").describe_db_instances()["DBInstances"]
        ],
        "addresses": [a["AllocationId"] for a in ec2.describe_addresses()["Addresses"]],
        "keys": [k["KeyId"] for k in keys if k["KeyState"] != "PendingDeletion"],
        "load balancers": [
            b["LoadBalancerName"]
            for b in cloud.client("elbv2").describe_load_balancers()["LoadBalancers"]
        ],
        "log groups": [
            g["logGroupName"] for g in cloud.client("logs").describe_log_groups()["logGroups"]
        ],
        "networks": [v["VpcId"] for v in ec2.describe_vpcs()["Vpcs"] if not v["IsDefault"]],
        "plans": [
            p["BackupPlanName"]
            for p in cloud.client("backup").list_backup_plans()["BackupPlansList"]
        ],
        "repositories": [
            r["repositoryName"] for r in cloud.client("ecr").describe_repositories()["repositories"]
        ],
        "roles": [r["RoleName"] for r in cloud.client("iam").list_roles()["Roles"]],
        "secrets": [s["Name"] for s in cloud.client("secretsmanager").list_secrets()["SecretList"]],
        "templates": [
            t["LaunchTemplateName"] for t in ec2.describe_launch_templates()["LaunchTemplates"]
        ],
        "topics": [t["TopicArn"] for t in cloud.client("sns").list_topics()["Topics"]],
        "vaults": [
            v["BackupVaultName"]
            for v in cloud.client("backup").list_backup_vaults()["BackupVaultList"]
        ],
        **{f"stored {kind}": [str(n)] for kind, n in cloud.store("aws").kinds().items()},
        **{f"stored {kind}": [str(n)] for kind, n in cloud.store("kubernetes").kinds().items()},
    }
    return {what: names for what, names in found.items() if names}


def lift_protection(stack: StackOnCloud, base: str) -> None:
    """What whoever really wants to remove a production stack does first, in six places."""
    stack.run("state", "unprotect", "--all", "--yes")
    cloud = stack.cloud
    cloud.client("rds").modify_db_instance(DBInstanceIdentifier=base, DeletionProtection=False)
    lb = cloud.client("elbv2")
    for balancer in lb.describe_load_balancers()["LoadBalancers"]:
        lb.modify_load_balancer_attributes(
            LoadBalancerArn=balancer["LoadBalancerArn"],
            Attributes=[{"Key": "deletion_protection.enabled", "Value": "false"}],
        )
    s3, logs = cloud.client("s3"), f"{base}-logs-{ACCOUNT}"
    # The policy denies what comes without TLS, which the simulated AWS does not speak.
    s3.delete_bucket_policy(Bucket=logs)
    written = s3.list_object_versions(Bucket=logs)
    for version in (*written.get("Versions", []), *written.get("DeleteMarkers", [])):
        s3.delete_object(Bucket=logs, Key=version["Key"], VersionId=version["VersionId"])
    store = cloud.store("aws")
    for name, cluster in store.list(STORED).items():
        store.put(STORED, name, {**cluster, "deletionProtection": False})


class TestStacks:
    """Preview, up, an empty preview, drift found exactly, repaired, destroyed.

    The door that was opened to the database is closed again; what production keeps is not removed
    by one command.
    """

    @pytest.mark.parametrize(
        ("name", "engine"),
        [
            ("dev", EMBEDDED),
            ("prod", EMBEDDED),
            pytest.param("dev", PULUMI, marks=NEEDS_PULUMI),
        ],
        ids=["dev", "prod", "dev-pulumi"],
    )
    def test_life(
        self, cloud: SimulatedCloud, tmp_path: Path, name: str, engine: Sequence[str]
    ) -> None:
        stack = StackOnCloud(name, cloud, tmp_path / "state").on(engine)
        base = f"mlops-platform-{name}-mlflow"
        with stack.timed("preview"):
            foreseen = stack.preview()
        assert set(foreseen) == {"create"}
        with stack.timed("up"):
            stack.up()
        with stack.timed("preview of no change"):
            assert stack.changed("--refresh") == {}
        assert stack.outputs()["artifactRoot"] == f"s3://{base}-artifacts-{ACCOUNT}"

        drift = inject_drift(cloud, base)
        with stack.timed("preview of drift"):
            assert stack.changed("--refresh") == drift
        with stack.timed("repair"):
            stack.up()
        assert stack.changed("--refresh") == {}
        (rule,) = database_group(cloud, base)["IpPermissions"]
        assert (rule["IpRanges"], len(rule["UserIdGroupPairs"])) == ([], 1)

        if name == "prod":
            stack.run("destroy", "--yes", "--skip-preview", expect=1)
            there = remains(cloud)
            assert there["databases"] == [base]
            assert f"{base}-artifacts-{ACCOUNT}" in there["buckets"]
            lift_protection(stack, base)
        with stack.timed("destroy"):
            stack.destroy()
        assert remains(cloud) == {}
        snapshots = cloud.client("rds").describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]
        assert len(snapshots) == (1 if name == "prod" else 0)
