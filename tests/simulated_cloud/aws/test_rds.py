"""PostgreSQL on RDS: instances, replicas and their groups behave, and refuse, as RDS does."""

from __future__ import annotations

from typing import Any

import pytest

from simulated_cloud import SimulatedCloud
from tests.simulated_cloud.aws import account
from tests.simulated_cloud.desk import Desk, Refused, Resource

INSTANCE = "aws:rds/instance:Instance"
SUBNETS = "aws:rds/subnetGroup:SubnetGroup"
PARAMETERS = "aws:rds/parameterGroup:ParameterGroup"


@pytest.fixture(scope="module")
def place(aws: Desk) -> dict[str, Any]:
    """Where a database stands."""
    vpc, subnets = account.network(aws)
    groups = aws.create(SUBNETS, name="isolated", subnetIds=subnets)
    return {
        "dbSubnetGroupName": groups.id,
        "vpcSecurityGroupIds": [account.group(aws, vpc).id],
    }


def an_instance(place: dict[str, Any], **inputs: Any) -> dict[str, Any]:
    return {
        "identifier": account.unique("mlflow"),
        "engine": "postgres",
        "engineVersion": "16",
        "instanceClass": "db.t4g.small",
        "storageType": "gp3",
        "allocatedStorage": 20,
        "maxAllocatedStorage": 100,
        "username": "mlflow",
        "password": "a-long-password",
        "backupRetentionPeriod": 7,
        "skipFinalSnapshot": True,
        **place,
        **inputs,
    }


class TestInstance:
    """An instance is made, changed in place, found drifted and deleted through RDS's API."""

    def test_life(self, cloud: SimulatedCloud, aws: Desk, place: dict[str, Any]) -> None:
        key = account.key(aws)["arn"]
        inputs = an_instance(
            place,
            storageEncrypted=True,
            kmsKeyId=key,
            enabledCloudwatchLogsExports=["postgresql", "upgrade"],
            performanceInsightsEnabled=True,
            performanceInsightsKmsKeyId=key,
            performanceInsightsRetentionPeriod=7,
            tags={"Name": "database"},
        )
        database = aws.create(INSTANCE, **inputs)
        assert database["engineVersion"] == "16"
        assert database["engineVersionActual"] == "16.11"
        assert database["address"].endswith(".eu-central-1.rds.amazonaws.com")
        assert database["resourceId"].startswith("db-")

        inputs |= {
            "backupRetentionPeriod": 14,
            "multiAz": True,
            "performanceInsightsEnabled": False,
        }
        inputs = account.without(
            inputs, "performanceInsightsKmsKeyId", "performanceInsightsRetentionPeriod"
        )
        inputs["enabledCloudwatchLogsExports"] = ["postgresql"]
        database.update(**inputs)

        rds = cloud.client("rds")
        rds.modify_db_instance(
            DBInstanceIdentifier=database.id, BackupRetentionPeriod=1, DeletionProtection=True
        )
        assert database.drift() == {"backupRetentionPeriod": 1, "deletionProtection": True}
        with pytest.raises(Refused, match="Cannot delete protected DB Instance"):
            database.refresh().delete()
        rds.modify_db_instance(DBInstanceIdentifier=database.id, DeletionProtection=False)
        database.repair(**inputs)
        database.delete()

    def test_the_password_is_secret_and_no_drift(self, aws: Desk, place: dict[str, Any]) -> None:
        database = aws.create(INSTANCE, **an_instance(place))
        assert "a-long-password" not in repr(database.state.outputs)
        database.delete()

    def test_a_password_of_rds_own(self, cloud: SimulatedCloud, aws: Desk, place: Any) -> None:
        inputs = account.without(an_instance(place), "password")
        database = aws.create(INSTANCE, **inputs, manageMasterUserPassword=True)
        (secret,) = database["masterUserSecrets"]
        found = cloud.client("secretsmanager").describe_secret(SecretId=secret["secretArn"])
        assert found["ARN"] == secret["secretArn"]
        database.delete()

    def test_a_replica(self, aws: Desk, place: dict[str, Any]) -> None:
        primary = aws.create(INSTANCE, **an_instance(place, tags={"role": "primary"}))
        replica = aws.create(
            INSTANCE,
            identifier=f"{primary.id}-replica",
            replicateSourceDb=primary.id,
            instanceClass="db.t4g.small",
            storageType="gp3",
            vpcSecurityGroupIds=place["vpcSecurityGroupIds"],
            skipFinalSnapshot=True,
            tags={"role": "replica"},
        )
        assert replica["tagsAll"] == {"role": "replica"}
        assert replica["resourceId"] != primary["resourceId"]
        assert primary.drift() == {"replicas": [replica.id]}
        replica.delete()
        primary.delete()

    def test_a_replica_needs_backups(self, aws: Desk, place: dict[str, Any]) -> None:
        primary = aws.create(INSTANCE, **an_instance(place, backupRetentionPeriod=0))
        with pytest.raises(Refused, match="Automated backups are not enabled"):
            aws.create(
                INSTANCE,
                identifier=f"{primary.id}-replica",
                replicateSourceDb=primary.id,
                instanceClass="db.t4g.small",
            )

    def test_a_last_snapshot(self, cloud: SimulatedCloud, aws: Desk, place: Any) -> None:
        inputs = an_instance(place, skipFinalSnapshot=False)
        database = aws.create(INSTANCE, **inputs)
        with pytest.raises(Refused, match="final_snapshot_identifier is required"):
            database.delete()
        database.update(**inputs, finalSnapshotIdentifier=f"{database.id}-final")
        database.delete()
        snapshots = cloud.client("rds").describe_db_snapshots(
            DBSnapshotIdentifier=f"{inputs['identifier']}-final"
        )
        assert len(snapshots["DBSnapshots"]) == 1

    def test_what_is_replaced(self, aws: Desk, place: dict[str, Any]) -> None:
        inputs = an_instance(place)
        database = aws.create(INSTANCE, **inputs)
        changed = {**inputs, "username": "other", "storageEncrypted": True}
        assert database.replaced_by(**changed) == {"username", "storageEncrypted"}
        assert database.plan(**changed).delete_before_replace is True
        database.delete()

    def test_upgrades(self, aws: Desk, place: dict[str, Any]) -> None:
        inputs = an_instance(place)
        database = aws.create(INSTANCE, **inputs)
        with pytest.raises(Refused, match="The AllowMajorVersionUpgrade flag must be present"):
            database.update(**{**inputs, "engineVersion": "17"})
        with pytest.raises(Refused, match=r"Cannot upgrade postgres from 16\.11 to 15\.15"):
            database.update(**{**inputs, "engineVersion": "15"})
        database.update(**{**inputs, "engineVersion": "17"}, allowMajorVersionUpgrade=True)
        assert database["engineVersionActual"] == "17.7"
        database.delete()

    @pytest.mark.parametrize(
        ("inputs", "words"),
        [
            ({"identifier": "Mlflow"}, "only lowercase alphanumeric characters and hyphens"),
            ({"identifier": "1mlflow"}, 'first character of "identifier" must be a letter'),
            ({"identifier": "ml--flow"}, "cannot contain two consecutive hyphens"),
            ({"identifier": "mlflow-"}, "cannot end in a hyphen"),
            ({"identifier": "m" * 64}, "cannot be longer than 63 characters"),
            ({"engineVersion": "16.99"}, r"Cannot find version 16\.99 for postgres"),
            ({"engine": "oracle"}, "has the engine postgres only, not oracle"),
            ({"instanceClass": "t4g.small"}, r"Invalid DB Instance class: t4g\.small"),
            ({"allocatedStorage": 19}, "Invalid storage size for engine name postgres"),
            ({"storageType": "gp9"}, "Invalid storage type: gp9"),
            ({"maxAllocatedStorage": 20}, "Max storage size must be greater than storage size"),
            ({"iops": 3000}, "storage size less than 400"),
            ({"kmsKeyId": "k", "storageEncrypted": False}, "needs storage_encrypted = true"),
            ({"backupRetentionPeriod": 36}, r"between 0 and 35\."),
            ({"backupWindow": "3am"}, "must satisfy the format hh24:mi-hh24:mi"),
            ({"backupWindow": "03:00-03:10"}, "must be at least 30 minutes"),
            ({"maintenanceWindow": "sunday"}, "must satisfy the format ddd:hh24:mi-ddd:hh24:mi"),
            ({"username": "rdsadmin"}, "reserved word used by the engine"),
            ({"username": "1st"}, "is not a valid identifier"),
            ({"password": "short"}, "shorter than 8 or longer than 128"),
            ({"password": "with a/slash"}, "Only printable ASCII characters besides"),
            ({"manageMasterUserPassword": True}, "conflicts with manage_master_user_password"),
            ({"dbName": "ml-flow"}, "DBName must begin with a letter"),
            ({"port": 80}, "Invalid endpoint port 80"),
            ({"monitoringInterval": 7}, "monitoring_interval to be one of"),
            ({"monitoringRoleArn": "arn"}, "MonitoringInterval value other than 0"),
            (
                {"performanceInsightsEnabled": True, "performanceInsightsRetentionPeriod": 8},
                "Invalid Performance Insights retention period 8",
            ),
            (
                {"performanceInsightsRetentionPeriod": 7},
                "performance_insights_enabled must be true",
            ),
            ({"enabledCloudwatchLogsExports": ["audit"]}, "cannot use the log types 'audit'"),
            ({"finalSnapshotIdentifier": "a--b"}, "must begin with a letter; only alphanumeric"),
            ({"snapshotIdentifier": "s"}, "is not part of the simulated cloud"),
        ],
    )
    def test_rules(self, aws: Desk, inputs: dict[str, Any], words: str) -> None:
        with pytest.raises(Refused, match=words):
            aws.create(INSTANCE, **an_instance({}, **inputs))

    @pytest.mark.parametrize(
        ("inputs", "words"),
        [
            ({"dbSubnetGroupName": "nowhere"}, "DBSubnetGroupNotFound"),
            ({"vpcSecurityGroupIds": ["sg-1"]}, r"InvalidGroup\.NotFound"),
            ({"parameterGroupName": "none"}, "DBParameterGroup"),
            ({"kmsKeyId": "none", "storageEncrypted": True}, "NotFoundException"),
            ({"monitoringInterval": 60, "monitoringRoleArn": "arn:aws:iam::1:role/x"}, "NoSuchEn"),
            ({"password": None}, "MasterUserPassword must be provided"),
            ({"allocatedStorage": None, "maxAllocatedStorage": None}, "AllocatedStorage must be"),
        ],
    )
    def test_references(
        self, aws: Desk, place: dict[str, Any], inputs: dict[str, Any], words: str
    ) -> None:
        given = {k: v for k, v in an_instance(place, **inputs).items() if v is not None}
        with pytest.raises(Refused, match=words):
            aws.create(INSTANCE, **given)

    def test_a_role_that_rds_may_not_assume(self, aws: Desk, place: dict[str, Any]) -> None:
        role = account.role(aws, "ec2.amazonaws.com")["arn"]
        with pytest.raises(Refused, match="ENHANCED_MONITORING"):
            aws.create(
                INSTANCE, **an_instance(place, monitoringInterval=60, monitoringRoleArn=role)
            )

    def test_two_of_one_name(self, aws: Desk, place: dict[str, Any]) -> None:
        inputs = an_instance(place)
        aws.create(INSTANCE, **inputs)
        with pytest.raises(Refused, match="DBInstanceAlreadyExists"):
            aws.create(INSTANCE, **inputs)


class TestGroups:
    """A subnet group spans zones; a parameter group has a family's parameters."""

    def test_one_zone_is_not_enough(self, aws: Desk) -> None:
        _, subnets = account.network(aws)
        with pytest.raises(Refused, match="DBSubnetGroupDoesNotCoverEnoughAZs"):
            aws.create(SUBNETS, name="one", subnetIds=subnets[:1])

    def test_parameters(self, cloud: SimulatedCloud, aws: Desk) -> None:
        tls = {"name": "rds.force_ssl", "value": "1", "applyMethod": "immediate"}
        most = {"name": "max_connections", "value": "120", "applyMethod": "pending-reboot"}
        inputs = {"name": "parameters", "family": "postgres16"}
        group = aws.create(PARAMETERS, **inputs, parameters=[tls, most])
        cloud.client("rds").modify_db_parameter_group(
            DBParameterGroupName=group.id,
            Parameters=[
                {
                    "ParameterName": "rds.force_ssl",
                    "ParameterValue": "0",
                    "ApplyMethod": "immediate",
                }
            ],
        )
        assert {**tls, "value": "0"} in group.drift()["parameters"]
        group.repair(**inputs, parameters=[tls, most])
        group.update(**inputs, parameters=[most])
        assert group.replaced_by(name="parameters", family="postgres17") == {"family"}
        group.delete()

    def test_one_in_use(self, aws: Desk, place: dict[str, Any]) -> None:
        group = aws.create(PARAMETERS, name="used", family="postgres16")
        database = aws.create(INSTANCE, **an_instance(place, parameterGroupName=group.id))
        with pytest.raises(Refused, match="still members of this parameter group used"):
            group.delete()
        database.delete()
        group.delete()

    def test_a_group_of_another_version(self, aws: Desk, place: dict[str, Any]) -> None:
        group = aws.create(PARAMETERS, name="newer", family="postgres17")
        with pytest.raises(Refused, match="with DBParameterGroupFamily postgres17 cannot be used"):
            aws.create(INSTANCE, **an_instance(place, parameterGroupName=group.id))

    @pytest.mark.parametrize(
        ("inputs", "words"),
        [
            ({"family": "postgres9"}, "not a valid parameter group family"),
            ({"name": "Upper"}, "only lowercase alphanumeric characters"),
            (
                {"parameters": [{"name": "max_connections", "value": "1"}]},
                r"cannot use immediate apply method for static parameter \(max_connections\)",
            ),
            (
                {"parameters": [{"name": "a", "value": "1", "applyMethod": "now"}]},
                "apply_method to be one of",
            ),
            ({"parameters": [{"name": "a", "value": "1"}] * 2}, "the parameter a is set twice"),
            ({"parameters": [{"name": "A b", "value": "1"}]}, "Could not find parameter"),
        ],
    )
    def test_refusals(self, aws: Desk, inputs: dict[str, Any], words: str) -> None:
        with pytest.raises(Refused, match=words):
            aws.create(PARAMETERS, **{"name": "wrong", "family": "postgres16", **inputs})


def test_the_password_of_an_adopted_one_is_nobodys(aws: Desk, place: dict[str, Any]) -> None:
    made: Resource = aws.create(INSTANCE, **an_instance(place))
    adopted = aws.adopt(INSTANCE, made.id)
    assert "password" not in adopted.outputs
    assert adopted["address"] == made["address"]
