"""The database: encrypted, out of reach, kept, and sized as the settings say."""

from __future__ import annotations

import json
from typing import Any

import pulumi
import pytest

from infra.aws.rds import Database, DatabaseWiring
from infra.settings import PlatformSettings
from tests.infra.aws.declared import KEY_ARN, Declared, Deployment, Outcome, deploy
from tests.infra.aws.stacks import PRODUCTION, aws_stack

INSTANCE = "rds/instance:Instance"
MANAGED = {"databaseAuthentication": "managed", "secretSource": "external-secrets"}


def database(settings: PlatformSettings | None = None, **values: str) -> Outcome:
    """The database of such a stack."""

    def program() -> dict[str, pulumi.Input[Any]]:
        made = Database(
            "db",
            settings or aws_stack(values),
            DatabaseWiring(
                vpc_id="vpc-1",
                subnet_ids=["subnet-1", "subnet-2"],
                key_arn=KEY_ARN,
                client_security_group_ids={"server": "sg-nodes"},
            ),
        )
        return {
            "address": made.address,
            "password": made.password or "",
            "secret": made.password_secret_arn,
            "replica": made.replica_identifier or "",
            "resource_id": made.resource_id,
        }

    return deploy(program)


def declared(**values: str) -> Deployment:
    return database(**values).deployment


def instance(**values: str) -> Declared:
    return declared(**values).one(INSTANCE, "-instance")


class TestInstance:
    """What a stack that says nothing gets."""

    def test_inputs(self) -> None:
        inputs = dict(instance().inputs)
        assert inputs.pop("finalSnapshotIdentifier").startswith("mlops-platform-test-mlflow-final-")
        assert inputs.pop("password") == "correct-horse-battery"
        assert inputs == {
            "identifier": "mlops-platform-test-mlflow",
            "engine": "postgres",
            "engineVersion": "16",
            "autoMinorVersionUpgrade": True,
            "allowMajorVersionUpgrade": True,
            "instanceClass": "db.t4g.large",
            "storageType": "gp3",
            "allocatedStorage": 20,
            "maxAllocatedStorage": 200,
            "storageEncrypted": True,
            "kmsKeyId": KEY_ARN,
            "dbName": "mlflow",
            "username": "mlflow",
            "iamDatabaseAuthenticationEnabled": False,
            "port": 5432,
            "dbSubnetGroupName": "mlops-platform-test-mlflow",
            "vpcSecurityGroupIds": ["db-clients-id"],
            "publiclyAccessible": False,
            "caCertIdentifier": "rds-ca-rsa2048-g1",
            "multiAz": True,
            "parameterGroupName": "mlops-platform-test-mlflow-postgres16",
            "backupRetentionPeriod": 14,
            "backupWindow": "02:00-03:00",
            "maintenanceWindow": "sun:03:30-sun:04:30",
            "copyTagsToSnapshot": True,
            "deleteAutomatedBackups": True,
            "deletionProtection": True,
            "skipFinalSnapshot": False,
            "applyImmediately": False,
            "enabledCloudwatchLogsExports": ["postgresql", "upgrade"],
            "performanceInsightsEnabled": True,
            "performanceInsightsKmsKeyId": KEY_ARN,
            "performanceInsightsRetentionPeriod": 7,
            "monitoringInterval": 60,
            "monitoringRoleArn": "arn:aws:iam:::db-monitoring-role",
        }

    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            ({"databaseHighAvailability": "false"}, {"multiAz": False}),
            ({"databaseDeletionProtection": "false"}, {"deletionProtection": False}),
            ({"databaseApplyImmediately": "true"}, {"applyImmediately": True}),
            ({"databaseMajorVersion": "17"}, {"engineVersion": "17"}),
            ({"databaseBackupRetentionDays": "35"}, {"backupRetentionPeriod": 35}),
            (PRODUCTION, {"deleteAutomatedBackups": False}),
        ],
    )
    def test_settings_reach_it(self, values: dict[str, str], expected: dict[str, Any]) -> None:
        assert expected.items() <= instance(**values).inputs.items()

    def test_no_final_snapshot(self) -> None:
        found = declared(databaseFinalSnapshot="false")
        inputs = found.one(INSTANCE).inputs
        assert inputs["skipFinalSnapshot"] is True
        assert "finalSnapshotIdentifier" not in inputs
        assert [item for item in found.resources if "randomId" in item.kind] == []

    def test_no_insights_and_no_monitoring(self) -> None:
        inputs = instance(
            databasePerformanceInsights="false", databaseMonitoringIntervalSeconds="0"
        ).inputs
        assert inputs["performanceInsightsEnabled"] is False
        assert inputs["monitoringInterval"] == 0
        for absent in ("monitoringRoleArn", "performanceInsightsKmsKeyId"):
            assert absent not in inputs

    def test_isolated_subnets(self) -> None:
        group = declared().one("rds/subnetGroup:SubnetGroup").inputs
        assert group["subnetIds"] == ["subnet-1", "subnet-2"]


class TestWhoConnects:
    """The server's security group, on PostgreSQL's port, and nobody else."""

    def test_one_rule(self) -> None:
        found = declared(databasePort="5433")
        group = found.one("ec2/securityGroup:SecurityGroup").inputs
        assert group["ingress"] == [
            {
                "description": "PostgreSQL from the server.",
                "securityGroups": ["sg-nodes"],
                "protocol": "tcp",
                "fromPort": 5433,
                "toPort": 5433,
            }
        ]

    def test_no_way_out_and_no_address(self) -> None:
        """An empty list, and not none: a rule that is added by hand is then one too many."""
        found = declared()
        assert found.one("ec2/securityGroup:SecurityGroup").inputs["egress"] == []
        for kind in ("Ingress", "Egress"):
            assert found.of(f"vpc/securityGroup{kind}Rule:SecurityGroup{kind}Rule") == []


class TestPasswords:
    """In the state encrypted, in Secrets Manager for people, or nowhere but at RDS."""

    def test_made_here(self) -> None:
        outcome = database()
        assert outcome.outputs["password"] == "correct-horse-battery"
        made = next(item for item in outcome.deployment.resources if "randomPassword" in item.kind)
        assert made.inputs == {"length": 40, "special": False}
        version = outcome.deployment.one("secretsmanager/secretVersion:SecretVersion")
        assert json.loads(version.inputs["secretString"]) == {
            "host": "db.example.rds.amazonaws.com",
            "port": "5432",
            "dbname": "mlflow",
            "username": "mlflow",
            "password": "correct-horse-battery",
        }
        secret = outcome.deployment.one("secretsmanager/secret:Secret").inputs
        assert (secret["kmsKeyId"], secret["recoveryWindowInDays"]) == (KEY_ARN, 0)
        assert secret["name"] == "mlops-platform-test-mlflow/database"

    def test_a_deleted_secret_comes_back_in_production(self) -> None:
        secret = declared(**PRODUCTION).one("secretsmanager/secret:Secret").inputs
        assert secret["recoveryWindowInDays"] == 30

    def test_managed_by_rds(self) -> None:
        outcome = database(**MANAGED)
        inputs = outcome.deployment.one(INSTANCE).inputs
        assert inputs["manageMasterUserPassword"] is True
        assert inputs["masterUserSecretKmsKeyId"] == KEY_ARN
        assert "password" not in inputs
        assert outcome.outputs["password"] == ""
        assert outcome.outputs["secret"] == "arn:aws:secretsmanager:::rds!db-ABC"
        assert outcome.deployment.of("secretsmanager/secret:Secret") == []
        kinds = {item.kind for item in outcome.deployment.resources}
        assert "random:index/randomPassword:RandomPassword" not in kinds

    def test_by_identity(self) -> None:
        outcome = database(databaseAuthentication="iam")
        inputs = outcome.deployment.one(INSTANCE).inputs
        assert inputs["iamDatabaseAuthenticationEnabled"] is True
        assert "password" not in inputs
        assert outcome.outputs["resource_id"] == "db-ABC"


class TestReplica:
    """A copy of the instance, behind the same security group, of which nothing is kept."""

    def test_inputs(self) -> None:
        outcome = database(databaseReadReplica="true")
        replica = outcome.deployment.one(INSTANCE, "-replica").inputs
        assert outcome.outputs["replica"] == "mlops-platform-test-mlflow-replica"
        assert replica["replicateSourceDb"] == "mlops-platform-test-mlflow"
        assert replica["vpcSecurityGroupIds"] == ["db-clients-id"]
        assert replica["publiclyAccessible"] is False
        assert replica["storageEncrypted"] is True
        assert replica["skipFinalSnapshot"] is True
        for inherited in ("engine", "username", "password", "dbName", "kmsKeyId", "multiAz"):
            assert inherited not in replica

    def test_absent(self) -> None:
        outcome = database()
        assert len(outcome.deployment.of(INSTANCE)) == 1
        assert outcome.outputs["replica"] == ""


class TestLogs:
    """RDS's logs stand in groups of ours: encrypted, and not for ever."""

    def test_groups(self) -> None:
        groups = declared(databaseReadReplica="true").of("cloudwatch/logGroup:LogGroup")
        assert {item.inputs["name"] for item in groups} == {
            f"/aws/rds/instance/mlops-platform-test-mlflow{suffix}/{log}"
            for suffix in ("", "-replica")
            for log in ("postgresql", "upgrade")
        }
        for group in groups:
            assert group.inputs["kmsKeyId"] == KEY_ARN
            assert group.inputs["retentionInDays"] == 90


class TestParameters:
    """TLS is demanded, and connections are those of the budget."""

    def test_group(self) -> None:
        group = declared(databaseMajorVersion="17").one("rds/parameterGroup:ParameterGroup").inputs
        assert group["name"] == "mlops-platform-test-mlflow-postgres17"
        assert group["family"] == "postgres17"

    def test_parameters(self) -> None:
        settings = aws_stack(databaseMaxConnections="333", slowQueryMs="250")
        group = database(settings).deployment.one("rds/parameterGroup:ParameterGroup").inputs
        found = {item["name"]: (item["value"], item["applyMethod"]) for item in group["parameters"]}
        assert found["rds.force_ssl"] == ("1", "immediate")
        assert found["max_connections"] == ("333", "pending-reboot")
        assert found["log_min_duration_statement"] == ("250", "immediate")
        assert found["jit"] == ("0", "immediate")
        assert found["shared_buffers"] == (str(2 * 1024 * 128), "pending-reboot")  # of 8 GiB

    def test_a_class_that_nobody_knows_is_left_as_rds_has_it(self) -> None:
        settings = aws_stack(databaseInstanceClass="db.x2g.large")
        group = database(settings).deployment.one("rds/parameterGroup:ParameterGroup").inputs
        names = {item["name"] for item in group["parameters"]}
        assert "shared_buffers" not in names
        assert {"rds.force_ssl", "max_connections"} <= names
