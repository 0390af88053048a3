"""RDS instances: PostgreSQL, its replicas, its password in Secrets Manager.

Owns what RDS refuses with a look at the account (missing groups, keys and roles, deletion that is
protected or leaves no snapshot) and the versions: a major one is the newest minor of it. Rules that
need no look are in `rds_rules.py`.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from simulated_cloud.aws.aws_type import AwsType, from_key_value, key_value
from simulated_cloud.aws.cloud import AwsCloud
from simulated_cloud.aws.iam_roles import trusted_services
from simulated_cloud.aws.kms import see_key
from simulated_cloud.aws.moto_memory import moto_backend
from simulated_cloud.aws.rds_rules import RULES, full_version
from simulated_cloud.errors import InputProblem, Refusal
from simulated_cloud.property_values import Properties
from simulated_cloud.resource_type import Call

SPELLED: Mapping[str, str] = {
    "instanceClass": "DBInstanceClass",
    "allocatedStorage": "AllocatedStorage",
    "autoMinorVersionUpgrade": "AutoMinorVersionUpgrade",
    "backupRetentionPeriod": "BackupRetentionPeriod",
    "backupWindow": "PreferredBackupWindow",
    "caCertIdentifier": "CACertificateIdentifier",
    "copyTagsToSnapshot": "CopyTagsToSnapshot",
    "deletionProtection": "DeletionProtection",
    "engineVersion": "EngineVersion",
    "iops": "Iops",
    "maintenanceWindow": "PreferredMaintenanceWindow",
    "maxAllocatedStorage": "MaxAllocatedStorage",
    "monitoringInterval": "MonitoringInterval",
    "monitoringRoleArn": "MonitoringRoleArn",
    "multiAz": "MultiAZ",
    "publiclyAccessible": "PubliclyAccessible",
    "storageThroughput": "StorageThroughput",
    "storageType": "StorageType",
}
"""Properties that are called the same when they are written, changed and read."""

FIXED: Mapping[str, str] = {
    "availabilityZone": "AvailabilityZone",
    "dbName": "DBName",
    "engine": "Engine",
    "kmsKeyId": "KmsKeyId",
    "storageEncrypted": "StorageEncrypted",
    "username": "MasterUsername",
}
"""Properties of the creation alone."""

WRITTEN: Mapping[str, str] = {
    "dbSubnetGroupName": "DBSubnetGroupName",
    "iamDatabaseAuthenticationEnabled": "EnableIAMDatabaseAuthentication",
    "manageMasterUserPassword": "ManageMasterUserPassword",
    "masterUserSecretKmsKeyId": "MasterUserSecretKmsKeyId",
    "parameterGroupName": "DBParameterGroupName",
    "password": "MasterUserPassword",
    "vpcSecurityGroupIds": "VpcSecurityGroupIds",
}
"""Properties that are read under another name."""

INSIGHTS: Mapping[str, str] = {
    "performanceInsightsEnabled": "performance_insights_enabled",
    "performanceInsightsKmsKeyId": "performance_insights_kms_key_id",
    "performanceInsightsRetentionPeriod": "performance_insights_retention_period",
}
"""Properties that moto's API takes and forgets: its model is given them."""


class Instance(AwsType):
    """aws.rds.Instance."""

    token = "aws:rds/instance:Instance"
    title = "RDS DB Instance"
    missing = frozenset({"DBInstanceNotFound", "DBInstanceNotFoundFault"})
    defaults: ClassVar = {
        "autoMinorVersionUpgrade": True,
        "backupRetentionPeriod": 0,
        "copyTagsToSnapshot": False,
        "deleteAutomatedBackups": True,
        "deletionProtection": False,
        "iamDatabaseAuthenticationEnabled": False,
        "monitoringInterval": 0,
        "multiAz": False,
        "performanceInsightsEnabled": False,
        "publiclyAccessible": False,
        "skipFinalSnapshot": False,
        "storageEncrypted": False,
        "applyImmediately": False,
    }
    replace_on = frozenset(
        {
            *("availabilityZone", "characterSetName", "dbName", "engine", "kmsKeyId"),
            *("identifierPrefix", "storageEncrypted", "username", "timezone"),
        }
    )
    name_property = "identifier"
    name_length = 63
    kept = frozenset(
        {
            *("allowMajorVersionUpgrade", "applyImmediately", "deleteAutomatedBackups"),
            *("finalSnapshotIdentifier", "password", "skipFinalSnapshot"),
        }
    )
    follows: ClassVar = {
        "engineVersionActual": ("engineVersion",),
        "parameterGroupName": ("engineVersion",),
    }
    secret_outputs = frozenset({"password"})
    unsupported = frozenset(
        {
            *("blueGreenUpdate", "customIamInstanceProfile", "domain", "identifierPrefix"),
            *("passwordWo", "passwordWoVersion", "restoreToPointInTime", "s3Import"),
            *("snapshotIdentifier", "upgradeStorageConfig", "dedicatedLogVolume"),
        }
    )

    def check(self, call: Call[AwsCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield everything RDS's rules refuse."""
        for rule in RULES:
            yield from rule(inputs)

    def make(self, aws: AwsCloud, inputs: Properties) -> str:
        """Create the instance, or the replica of one."""
        _see(aws, inputs)
        rds, identifier = aws.client("rds"), inputs["identifier"]
        arguments = {
            key: inputs[name]
            for name, key in {**SPELLED, **FIXED, **WRITTEN}.items()
            if inputs.get(name) is not None
        }
        if inputs.get("engineVersion"):
            arguments["EngineVersion"] = full_version(str(inputs["engineVersion"]))
        if inputs.get("port"):
            arguments["Port"] = inputs["port"]
        if inputs.get("enabledCloudwatchLogsExports"):
            arguments["EnableCloudwatchLogsExports"] = inputs["enabledCloudwatchLogsExports"]
        source = inputs.get("replicateSourceDb")
        if source:
            self._replicate(aws, identifier, source, arguments)
        else:
            _complete(inputs)
            rds.create_db_instance(
                DBInstanceIdentifier=identifier,
                Tags=key_value(inputs.get("tagsAll")),
                **arguments,
            )
        model = _model(aws, identifier)
        # moto gives every instance the same one; IAM policies name instances by it.
        model.dbi_resource_id = f"db-{secrets.token_hex(13).upper()}"
        self._remember_insights(aws, identifier, inputs)
        if source:
            model.tags = key_value(inputs.get("tagsAll"))
        return identifier

    def find(self, aws: AwsCloud, identity: str, known: Properties) -> Properties | None:
        """Return the instance."""
        rds = aws.client("rds")
        found = rds.describe_db_instances(DBInstanceIdentifier=identity)["DBInstances"][0]
        endpoint = found["Endpoint"]
        groups = found.get("DBParameterGroups") or [{}]
        secret = found.get("MasterUserSecret")
        source = found.get("ReadReplicaSourceDBInstanceIdentifier")
        plain = {name: found.get(key) for name, key in {**SPELLED, **FIXED}.items()}
        insights = {name: found.get(name[0].upper() + name[1:]) for name in INSIGHTS}
        insights["performanceInsightsKmsKeyId"] = found.get("PerformanceInsightsKMSKeyId")
        return {
            **plain,
            **insights,
            "performanceInsightsEnabled": bool(insights["performanceInsightsEnabled"]),
            "address": endpoint["Address"],
            "arn": found["DBInstanceArn"],
            "dbSubnetGroupName": (found.get("DBSubnetGroup") or {}).get("DBSubnetGroupName"),
            "enabledCloudwatchLogsExports": found.get("EnabledCloudwatchLogsExports") or [],
            "endpoint": f"{endpoint['Address']}:{endpoint['Port']}",
            "engineVersion": _as_written(known.get("engineVersion"), found["EngineVersion"]),
            "engineVersionActual": found["EngineVersion"],
            "hostedZoneId": "Z1RLNUO7B9Q6NB",
            "iamDatabaseAuthenticationEnabled": found["IAMDatabaseAuthenticationEnabled"],
            "identifier": found["DBInstanceIdentifier"],
            "manageMasterUserPassword": True if secret else None,
            "masterUserSecrets": [_secret(secret)] if secret else [],
            "masterUserSecretKmsKeyId": secret["KmsKeyId"] if secret else None,
            "parameterGroupName": groups[0].get("DBParameterGroupName"),
            "port": endpoint["Port"],
            "replicas": found.get("ReadReplicaDBInstanceIdentifiers") or [],
            "replicateSourceDb": source,
            "resourceId": found["DbiResourceId"],
            "status": found["DBInstanceStatus"],
            "vpcSecurityGroupIds": [
                group["VpcSecurityGroupId"] for group in found["VpcSecurityGroups"]
            ],
            "tagsAll": from_key_value(found.get("TagList")),
        }

    def change(
        self,
        aws: AwsCloud,
        identity: str,
        olds: Properties,
        news: Properties,
        changed: frozenset[str],
    ) -> None:
        """Modify the instance."""
        _see(aws, news)
        if "replicateSourceDb" in changed and news.get("replicateSourceDb"):
            raise Refusal("an instance becomes no replica: it is created as one")
        names = {**SPELLED, **WRITTEN}
        arguments: dict[str, Any] = {names[name]: news.get(name) for name in changed & names.keys()}
        if "engineVersion" in changed:
            arguments |= self._upgrade(aws, identity, news)
        if "port" in changed:
            arguments["DBPortNumber"] = news.get("port") or 5432
        if "enabledCloudwatchLogsExports" in changed:
            now = set((self.find(aws, identity, {}) or {})["enabledCloudwatchLogsExports"])
            wanted = set(news.get("enabledCloudwatchLogsExports") or [])
            arguments["CloudwatchLogsExportConfiguration"] = {
                "EnableLogTypes": sorted(wanted - now),
                "DisableLogTypes": sorted(now - wanted),
            }
        arguments = {key: value for key, value in arguments.items() if value is not None}
        if arguments:
            aws.client("rds").modify_db_instance(
                DBInstanceIdentifier=identity, ApplyImmediately=True, **arguments
            )
        if changed & INSIGHTS.keys():
            self._remember_insights(aws, identity, news)

    def retag(
        self, aws: AwsCloud, identity: str, state: Properties, gone: list[str], tags: dict[str, str]
    ) -> None:
        """Write tags."""
        retag_rds(aws, f"db:{identity}", gone, tags)

    def remove(self, aws: AwsCloud, identity: str, state: Properties) -> None:
        """Delete the instance, leaving the snapshot that was asked for."""
        rds = aws.client("rds")
        arguments: dict[str, Any] = {"SkipFinalSnapshot": bool(state.get("skipFinalSnapshot"))}
        found = rds.describe_db_instances(DBInstanceIdentifier=identity)["DBInstances"][0]
        if found.get("ReadReplicaSourceDBInstanceIdentifier"):
            arguments["SkipFinalSnapshot"] = True
        if not arguments["SkipFinalSnapshot"]:
            if not state.get("finalSnapshotIdentifier"):
                raise Refusal(
                    "final_snapshot_identifier is required when skip_final_snapshot is false"
                )
            arguments["FinalDBSnapshotIdentifier"] = state["finalSnapshotIdentifier"]
        rds.delete_db_instance(
            DBInstanceIdentifier=identity,
            DeleteAutomatedBackups=bool(state.get("deleteAutomatedBackups", True)),
            **arguments,
        )

    def _replicate(
        self, aws: AwsCloud, identifier: str, source: str, arguments: dict[str, Any]
    ) -> None:
        rds = aws.client("rds")
        primary = rds.describe_db_instances(DBInstanceIdentifier=source)["DBInstances"][0]
        if not primary["BackupRetentionPeriod"]:
            raise Refusal(
                "InvalidDBInstanceState: Automated backups are not enabled for this database "
                "instance. To enable automated backups, use ModifyDBInstance to set the backup "
                "retention period to a non-zero value."
            )
        if any(item["DBInstanceIdentifier"] == identifier for item in _instances(aws)):
            raise Refusal("DBInstanceAlreadyExists: DB instance already exists")
        taken = (
            *("DBInstanceClass", "AutoMinorVersionUpgrade", "AvailabilityZone"),
            *("CopyTagsToSnapshot", "DBParameterGroupName", "DeletionProtection"),
            *("EnableCloudwatchLogsExports", "EnableIAMDatabaseAuthentication", "Iops"),
            *("MaxAllocatedStorage", "MonitoringInterval", "MonitoringRoleArn", "MultiAZ"),
            *("Port", "PubliclyAccessible", "StorageThroughput", "StorageType"),
            "VpcSecurityGroupIds",
        )
        rds.create_db_instance_read_replica(
            DBInstanceIdentifier=identifier,
            SourceDBInstanceIdentifier=source,
            **{key: arguments[key] for key in taken if key in arguments},
        )
        model = _model(aws, identifier)
        # moto's replica is a copy that shares lists with its primary, and its passwords.
        model.replicas = []
        model.deletion_protection = bool(arguments.get("DeletionProtection"))
        model.multi_az = bool(arguments.get("MultiAZ"))
        model.manage_master_user_password = False
        model.backup_retention_period = arguments.get("BackupRetentionPeriod", 0)
        model.ca_certificate_identifier = arguments.get(
            "CACertificateIdentifier", model.ca_certificate_identifier
        )
        model.preferred_maintenance_window = arguments.get(
            "PreferredMaintenanceWindow", model.preferred_maintenance_window
        )
        model.enabled_cloudwatch_logs_exports = list(
            arguments.get("EnableCloudwatchLogsExports") or []
        )
        if hasattr(model, "master_user_secret"):
            model.master_user_secret = None

    def _upgrade(self, aws: AwsCloud, identity: str, news: Properties) -> dict[str, Any]:
        wanted = full_version(str(news["engineVersion"])) or ""
        found = aws.client("rds").describe_db_instances(DBInstanceIdentifier=identity)
        now = found["DBInstances"][0]["EngineVersion"]
        major, current = int(wanted.partition(".")[0]), int(now.partition(".")[0])
        if (major, int(wanted.partition(".")[2])) < (current, int(now.partition(".")[2])):
            raise Refusal(
                f"InvalidParameterCombination: Cannot upgrade postgres from {now} to {wanted}"
            )
        if major > current and not news.get("allowMajorVersionUpgrade"):
            raise Refusal(
                "InvalidParameterCombination: The AllowMajorVersionUpgrade flag must be present "
                f"when upgrading to a new major version. ({now} to {wanted})"
            )
        return {"EngineVersion": wanted}

    @staticmethod
    def _remember_insights(aws: AwsCloud, identity: str, inputs: Properties) -> None:
        model = _model(aws, identity)
        on = bool(inputs.get("performanceInsightsEnabled"))
        days = inputs.get("performanceInsightsRetentionPeriod") or 7
        model.performance_insights_enabled = on
        model.performance_insights_retention_period = days if on else None
        model.performance_insights_kms_key_id = (
            inputs.get("performanceInsightsKmsKeyId") if on else None
        )


def retag_rds(aws: AwsCloud, resource: str, gone: list[str], tags: Mapping[str, str]) -> None:
    """Write the tags of anything of RDS's."""
    rds, arn = aws.client("rds"), aws.arn("rds", resource)
    if gone:
        rds.remove_tags_from_resource(ResourceName=arn, TagKeys=gone)
    if tags:
        rds.add_tags_to_resource(ResourceName=arn, Tags=key_value(tags))


def _complete(inputs: Properties) -> None:
    """Refuse an instance without what RDS cannot make up."""
    for name, key in (
        ("allocatedStorage", "AllocatedStorage"),
        ("engine", "Engine"),
        ("username", "MasterUsername"),
    ):
        if not inputs.get(name):
            raise Refusal(
                f"InvalidParameterValue: The parameter {key} must be provided and must not be "
                "blank."
            )
    if not (inputs.get("password") or inputs.get("manageMasterUserPassword")):
        raise Refusal(
            "InvalidParameterValue: The parameter MasterUserPassword must be provided and must "
            "not be blank."
        )


def _see(aws: AwsCloud, inputs: Properties) -> None:
    """Refuse references to what is not there."""
    for name in ("kmsKeyId", "performanceInsightsKmsKeyId", "masterUserSecretKmsKeyId"):
        see_key(aws, inputs.get(name))
    if inputs.get("vpcSecurityGroupIds"):
        aws.client("ec2").describe_security_groups(GroupIds=inputs["vpcSecurityGroupIds"])
    role = inputs.get("monitoringRoleArn")
    if role and "monitoring.rds.amazonaws.com" not in trusted_services(aws, role):
        raise Refusal(
            "InvalidParameterValue: IAM role ARN value is invalid or does not include the required "
            f"permissions for: ENHANCED_MONITORING ({role})"
        )
    group = inputs.get("parameterGroupName")
    if group and not group.startswith("default.") and inputs.get("engineVersion"):
        found = aws.client("rds").describe_db_parameter_groups(DBParameterGroupName=group)
        if not found["DBParameterGroups"]:
            raise Refusal(f"DBParameterGroupNotFound: DBParameterGroup not found: {group}")
        family = found["DBParameterGroups"][0]["DBParameterGroupFamily"]
        major = str(inputs["engineVersion"]).partition(".")[0]
        if family != f"postgres{major}":
            raise Refusal(
                f"InvalidParameterCombination: The Parameter Group {group} with "
                f"DBParameterGroupFamily {family} cannot be used for this instance. Please use a "
                f"Parameter Group with DBParameterGroupFamily postgres{major}"
            )


def _instances(aws: AwsCloud) -> list[Any]:
    return aws.client("rds").describe_db_instances()["DBInstances"]


def _model(aws: AwsCloud, identity: str) -> Any:
    return moto_backend(aws, "rds").databases[identity]


def _as_written(wanted: Any, found: str) -> str:
    """Return the version as the program has it where the found one is of that line."""
    text = str(wanted or "")
    return text if found == text or found.startswith(f"{text}.") else found


def _secret(secret: Any) -> Properties:
    return {
        "kmsKeyId": secret["KmsKeyId"],
        "secretArn": secret["SecretArn"],
        "secretStatus": "active",
    }


TYPES = (Instance,)
