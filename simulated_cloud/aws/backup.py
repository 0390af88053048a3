"""AWS Backup: vaults and their locks, plans, and what a plan backs up.

Owns the schedule's and the lifecycle's rules. moto has no change of a plan and no selections: a
plan is changed in moto's memory, selections are kept in the file store.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from simulated_cloud.aws.aws_type import AwsType
from simulated_cloud.aws.cloud import AwsCloud
from simulated_cloud.aws.iam_names import check_arn
from simulated_cloud.aws.iam_roles import trusted_services
from simulated_cloud.aws.kms import see_key
from simulated_cloud.aws.moto_memory import moto_backend
from simulated_cloud.aws.spelling import camel, pascal
from simulated_cloud.errors import InputProblem, Refusal
from simulated_cloud.property_values import Properties
from simulated_cloud.resource_type import Call

_SPELLED = {
    "targetVaultName": "TargetBackupVaultName",
    "schedule": "ScheduleExpression",
    "scheduleExpressionTimezone": "ScheduleExpressionTimezone",
    "startWindow": "StartWindowMinutes",
    "completionWindow": "CompletionWindowMinutes",
    "destinationVaultArn": "DestinationBackupVaultArn",
    "deleteAfter": "DeleteAfterDays",
    "coldStorageAfter": "MoveToColdStorageAfterDays",
    "copyActions": "CopyActions",
}
COLD_STORAGE_DAYS = 90
CONTINUOUS_DAYS = 35


class Vault(AwsType):
    """aws.backup.Vault."""

    token = "aws:backup/vault:Vault"
    title = "Backup Vault"
    missing = frozenset({"ResourceNotFoundException"})
    defaults: ClassVar = {"forceDestroy": False}
    replace_on = frozenset({"name", "kmsKeyArn"})
    name_property = "name"
    name_length = 50
    kept = frozenset({"forceDestroy"})

    def check(self, call: Call[AwsCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield a name that no vault has."""
        name = inputs.get("name", "xx")
        if not re.fullmatch(r"[a-zA-Z0-9_-]{2,50}", name):
            yield InputProblem(
                "name",
                f"must consist of letters, numbers, hyphens and underscores, 2 to 50: {name}",
            )
        yield from check_arn(inputs, "kmsKeyArn")

    def make(self, aws: AwsCloud, inputs: Properties) -> str:
        """Create the vault under a key that is there."""
        see_key(aws, inputs.get("kmsKeyArn"))
        key = inputs.get("kmsKeyArn") or aws.arn("kms", "alias/aws/backup")
        aws.client("backup").create_backup_vault(
            BackupVaultName=inputs["name"],
            EncryptionKeyArn=key,
            BackupVaultTags=inputs.get("tagsAll") or {},
        )
        return inputs["name"]

    def find(self, aws: AwsCloud, identity: str, known: Properties) -> Properties | None:
        """Return the vault."""
        backup = aws.client("backup")
        vault = backup.describe_backup_vault(BackupVaultName=identity)
        arn = vault["BackupVaultArn"]
        return {
            "arn": arn,
            "name": identity,
            "kmsKeyArn": vault.get("EncryptionKeyArn") or known.get("kmsKeyArn"),
            "recoveryPoints": vault.get("NumberOfRecoveryPoints", 0),
            "tagsAll": backup.list_tags(ResourceArn=arn)["Tags"],
        }

    def retag(
        self, aws: AwsCloud, identity: str, state: Properties, gone: list[str], tags: dict[str, str]
    ) -> None:
        """Write tags."""
        retag_backup(aws, state["arn"], gone, tags)

    def remove(self, aws: AwsCloud, identity: str, state: Properties) -> None:
        """Delete an empty vault."""
        backup = aws.client("backup")
        backup.describe_backup_vault(BackupVaultName=identity)
        backup.delete_backup_vault(BackupVaultName=identity)


class VaultLockConfiguration(AwsType):
    """aws.backup.VaultLockConfiguration."""

    token = "aws:backup/vaultLockConfiguration:VaultLockConfiguration"
    title = "Backup Vault Lock Configuration"
    missing = frozenset({"ResourceNotFoundException"})
    replace_on = frozenset(
        {"backupVaultName", "changeableForDays", "maxRetentionDays", "minRetentionDays"}
    )
    kept = frozenset({"changeableForDays"})

    def check(self, call: Call[AwsCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield days that are out of order."""
        if inputs.get("changeableForDays", 3) < 3:
            yield InputProblem(
                "changeableForDays",
                "InvalidParameterValueException: changeable_for_days must be at least 3",
            )
        if inputs.get("minRetentionDays", 1) > inputs.get("maxRetentionDays", 36500):
            yield InputProblem(
                "minRetentionDays",
                "InvalidParameterValueException: Max retention days must be greater than or equal "
                "to min retention days",
            )

    def make(self, aws: AwsCloud, inputs: Properties) -> str:
        """Lock the vault."""
        names = ("changeableForDays", "maxRetentionDays", "minRetentionDays")
        given = {name[0].upper() + name[1:]: inputs[name] for name in names if inputs.get(name)}
        aws.client("backup").put_backup_vault_lock_configuration(
            BackupVaultName=inputs["backupVaultName"], **given
        )
        return inputs["backupVaultName"]

    def find(self, aws: AwsCloud, identity: str, known: Properties) -> Properties | None:
        """Return the lock."""
        vault = aws.client("backup").describe_backup_vault(BackupVaultName=identity)
        model = moto_backend(aws, "backup").vaults[identity]
        if not (vault.get("Locked") or model.min_retention_days or model.max_retention_days):
            return None
        return {
            "backupVaultArn": vault["BackupVaultArn"],
            "backupVaultName": identity,
            "minRetentionDays": vault.get("MinRetentionDays") or model.min_retention_days,
            "maxRetentionDays": vault.get("MaxRetentionDays") or model.max_retention_days,
        }

    def remove(self, aws: AwsCloud, identity: str, state: Properties) -> None:
        """Unlock the vault."""
        backup = aws.client("backup")
        if self.find(aws, identity, {}) is not None:
            backup.delete_backup_vault_lock_configuration(BackupVaultName=identity)


class Plan(AwsType):
    """aws.backup.Plan."""

    token = "aws:backup/plan:Plan"
    title = "Backup Plan"
    missing = frozenset({"ResourceNotFoundException"})
    follows: ClassVar = {"version": ("rules",)}
    replace_on = frozenset({"name"})
    name_property = "name"

    def check(self, call: Call[AwsCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield rules that no plan may have."""
        for rule in inputs.get("rules") or []:
            for problem in _check_rule(rule):
                yield InputProblem("rules", f"InvalidParameterValueException: {problem}")

    def make(self, aws: AwsCloud, inputs: Properties) -> str:
        """Create the plan over vaults that are there."""
        return aws.client("backup").create_backup_plan(
            BackupPlan=self._document(aws, inputs), BackupPlanTags=inputs.get("tagsAll") or {}
        )["BackupPlanId"]

    def find(self, aws: AwsCloud, identity: str, known: Properties) -> Properties | None:
        """Return the plan; a deleted one can still be read for a while."""
        backup = aws.client("backup")
        plan = backup.get_backup_plan(BackupPlanId=identity)
        if plan.get("DeletionDate"):
            return None
        arn = plan["BackupPlanArn"]
        rules = camel(plan["BackupPlan"]["Rules"], _SPELLED)
        return {
            "arn": arn,
            "name": plan["BackupPlan"]["BackupPlanName"],
            "rules": [{k: v for k, v in rule.items() if k != "ruleId"} for rule in rules],
            "version": plan["VersionId"],
            "tagsAll": backup.list_tags(ResourceArn=arn)["Tags"],
        }

    def change(
        self,
        aws: AwsCloud,
        identity: str,
        olds: Properties,
        news: Properties,
        changed: frozenset[str],
    ) -> None:
        """Write the plan anew."""
        document = self._document(aws, news)
        model = moto_backend(aws, "backup").plans[identity]
        kept = {rule["RuleName"]: rule for rule in model.backup_plan["Rules"]}
        for rule in document["Rules"]:
            earlier = kept.get(rule["RuleName"], {})
            rule["RuleId"] = earlier.get("RuleId") or str(uuid.uuid4())
            rule.setdefault("StartWindowMinutes", 480)
            rule.setdefault("CompletionWindowMinutes", 10080)
            rule.setdefault("ScheduleExpressionTimezone", "Etc/UTC")
        model.backup_plan = document
        model.version_id = str(uuid.uuid4())

    def retag(
        self, aws: AwsCloud, identity: str, state: Properties, gone: list[str], tags: dict[str, str]
    ) -> None:
        """Write tags."""
        retag_backup(aws, state["arn"], gone, tags)

    def remove(self, aws: AwsCloud, identity: str, state: Properties) -> None:
        """Delete a plan that backs nothing up."""
        backup = aws.client("backup")
        if backup.get_backup_plan(BackupPlanId=identity).get("DeletionDate"):
            return
        used = [s for s in aws.store.list(Selection.token).values() if s["planId"] == identity]
        if used:
            raise Refusal(
                "InvalidRequestException: Related backup plan selections must be deleted prior to "
                "backup plan deletion"
            )
        backup.delete_backup_plan(BackupPlanId=identity)

    @staticmethod
    def _document(aws: AwsCloud, inputs: Properties) -> dict[str, Any]:
        for rule in inputs["rules"]:
            see_vault(aws, rule["targetVaultName"])
            for copy in rule.get("copyActions") or []:
                _, _, _, region, _, _, name = copy["destinationVaultArn"].split(":", 6)
                see_vault(aws, name, region)
        rules = pascal(inputs["rules"], _SPELLED)
        return {"BackupPlanName": inputs["name"], "Rules": rules}


class Selection(AwsType):
    """aws.backup.Selection: what a plan backs up."""

    token = "aws:backup/selection:Selection"
    title = "Backup Selection"
    missing = frozenset({"ResourceNotFoundException"})
    replace_on = frozenset({"*"})
    name_property = "name"
    name_length = 50

    def check(self, call: Call[AwsCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield names and ARNs that are none."""
        name = inputs.get("name", "x")
        if not re.fullmatch(r"[a-zA-Z0-9_.-]{1,50}", name):
            yield InputProblem(
                "name", f"must consist of letters, numbers, hyphens, underscores and dots: {name}"
            )
        yield from check_arn(inputs, "iamRoleArn")
        for arn in inputs.get("resources") or []:
            if arn != "*":
                yield from check_arn({"resources": arn}, "resources")

    def make(self, aws: AwsCloud, inputs: Properties) -> str:
        """Keep the selection of a plan that is there, with a role that Backup may assume."""
        aws.client("backup").get_backup_plan(BackupPlanId=inputs["planId"])
        if "backup.amazonaws.com" not in trusted_services(aws, inputs["iamRoleArn"]):
            raise Refusal(
                f"InvalidParameterValueException: IAM Role {inputs['iamRoleArn']} cannot be "
                "assumed "
                "by AWS Backup"
            )
        identity = str(uuid.uuid4())
        aws.store.put(self.token, f"{aws.region}/{identity}", inputs)
        return identity

    def find(self, aws: AwsCloud, identity: str, known: Properties) -> Properties | None:
        """Return the selection as it is kept, unless its plan is gone."""
        kept = aws.store.get(self.token, f"{aws.region}/{identity}")
        if kept is not None:
            aws.client("backup").get_backup_plan(BackupPlanId=kept["planId"])
        return kept

    def remove(self, aws: AwsCloud, identity: str, state: Properties) -> None:
        """Forget it."""
        aws.store.remove(self.token, f"{aws.region}/{identity}")


def see_vault(aws: AwsCloud, name: str, region: str | None = None) -> None:
    """Refuse a vault that is not there."""
    aws.account.client("backup", region or aws.region).describe_backup_vault(BackupVaultName=name)


def retag_backup(aws: AwsCloud, arn: str, gone: list[str], tags: dict[str, str]) -> None:
    """Write the tags of anything of Backup's."""
    backup = aws.client("backup")
    if gone:
        backup.untag_resource(ResourceArn=arn, TagKeyList=gone)
    if tags:
        backup.tag_resource(ResourceArn=arn, Tags=tags)


def _check_rule(rule: Properties) -> Iterator[str]:
    name = rule.get("ruleName", "")
    if not re.fullmatch(r"[a-zA-Z0-9_.-]{1,50}", name):
        yield f"Invalid rule name: {name}"
    schedule = rule.get("schedule")
    if schedule is not None and not re.fullmatch(r"cron\((\S+ ){5}\S+\)", schedule):
        yield f"Invalid schedule expression: {schedule}"
    start, complete = rule.get("startWindow", 480), rule.get("completionWindow", 10080)
    if start < 60:
        yield f"Start window must be at least 60 minutes, got {start}"
    if complete < start + 60:
        yield f"Completion window must be at least 60 minutes longer than the start window ({name})"
    lifecycle = rule.get("lifecycle") or {}
    gone, cold = lifecycle.get("deleteAfter"), lifecycle.get("coldStorageAfter")
    if gone is not None and gone < 1:
        yield f"DeleteAfterDays must be at least 1, got {gone}"
    if gone is not None and cold is not None and gone < cold + COLD_STORAGE_DAYS:
        yield (
            f"DeleteAfterDays must be at least {COLD_STORAGE_DAYS} days after "
            f"MoveToColdStorageAfterDays ({name})"
        )
    if rule.get("enableContinuousBackup") and (gone is None or gone > CONTINUOUS_DAYS):
        yield (
            f"The lifecycle of a continuous backup deletes it after 1 to {CONTINUOUS_DAYS} days "
            f"({name})"
        )


TYPES = (Vault, VaultLockConfiguration, Plan, Selection)
