"""KMS keys and their aliases.

Owns the waiting period before a key is gone, and that a policy leaves somebody who may change it.
A key in its waiting period counts as deleted: nothing can be done with it but to call it back.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, ClassVar

from simulated_cloud.aws.aws_type import AwsType
from simulated_cloud.aws.cloud import AwsCloud
from simulated_cloud.aws.iam_names import check_document
from simulated_cloud.errors import InputProblem, Refusal
from simulated_cloud.property_values import Properties
from simulated_cloud.resource_type import Call


class Key(AwsType):
    """aws.kms.Key."""

    token = "aws:kms/key:Key"
    title = "KMS Key"
    missing = frozenset({"NotFoundException"})
    defaults: ClassVar = {
        "customerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "keyUsage": "ENCRYPT_DECRYPT",
        "isEnabled": True,
        "enableKeyRotation": False,
        "multiRegion": False,
        "bypassPolicyLockoutSafetyCheck": False,
        "description": "",
    }
    replace_on = frozenset(
        {"customerMasterKeySpec", "keyUsage", "multiRegion", "customKeyStoreId", "xksKeyId"}
    )
    kept = frozenset({"deletionWindowInDays", "bypassPolicyLockoutSafetyCheck"})
    unsupported = frozenset({"rotationPeriodInDays", "customKeyStoreId", "xksKeyId"})

    def check(self, call: Call[AwsCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield a waiting period out of range and a policy that locks everybody out."""
        days = inputs.get("deletionWindowInDays", 30)
        if not 7 <= days <= 30:
            yield InputProblem(
                "deletionWindowInDays",
                f"expected deletion_window_in_days to be in the range (7 - 30), got {days}",
            )
        problems = list(check_document(inputs, "policy"))
        yield from problems
        if inputs.get("policy") and not problems and not self._may_be_changed(inputs):
            yield InputProblem(
                "policy",
                "MalformedPolicyDocumentException: The new key policy will not allow you to update "
                "the key policy in the future.",
            )

    def make(self, aws: AwsCloud, inputs: Properties) -> str:
        """Create the key."""
        policy = {"Policy": inputs["policy"]} if inputs.get("policy") else {}
        tags = [{"TagKey": k, "TagValue": v} for k, v in (inputs.get("tagsAll") or {}).items()]
        kms = aws.client("kms")
        identity = kms.create_key(
            Description=inputs["description"],
            KeyUsage=inputs["keyUsage"],
            KeySpec=inputs["customerMasterKeySpec"],
            MultiRegion=inputs["multiRegion"],
            Tags=tags,
            **policy,
        )["KeyMetadata"]["KeyId"]
        if inputs["enableKeyRotation"]:
            kms.enable_key_rotation(KeyId=identity)
        if not inputs["isEnabled"]:
            kms.disable_key(KeyId=identity)
        return identity

    def find(self, aws: AwsCloud, identity: str, known: Properties) -> Properties | None:
        """Return the key; one that waits to be deleted is gone."""
        kms = aws.client("kms")
        key = kms.describe_key(KeyId=identity)["KeyMetadata"]
        if key["KeyState"] == "PendingDeletion":
            return None
        tags = kms.list_resource_tags(KeyId=identity)["Tags"]
        return {
            "arn": key["Arn"],
            "keyId": key["KeyId"],
            "description": key["Description"],
            "customerMasterKeySpec": key["CustomerMasterKeySpec"],
            "keyUsage": key["KeyUsage"],
            "isEnabled": key["Enabled"],
            "multiRegion": bool(key.get("MultiRegion")),
            "policy": kms.get_key_policy(KeyId=identity, PolicyName="default")["Policy"],
            "enableKeyRotation": kms.get_key_rotation_status(KeyId=identity)["KeyRotationEnabled"],
            "tagsAll": {tag["TagKey"]: tag["TagValue"] for tag in tags},
        }

    def change(
        self,
        aws: AwsCloud,
        identity: str,
        olds: Properties,
        news: Properties,
        changed: frozenset[str],
    ) -> None:
        """Change what of a key can be changed."""
        kms = aws.client("kms")
        if "description" in changed:
            kms.update_key_description(KeyId=identity, Description=news["description"])
        if "policy" in changed and news.get("policy"):
            kms.put_key_policy(KeyId=identity, PolicyName="default", Policy=news["policy"])
        if "enableKeyRotation" in changed:
            on = news["enableKeyRotation"]
            (kms.enable_key_rotation if on else kms.disable_key_rotation)(KeyId=identity)
        if "isEnabled" in changed:
            (kms.enable_key if news["isEnabled"] else kms.disable_key)(KeyId=identity)

    def retag(
        self, aws: AwsCloud, identity: str, state: Properties, gone: list[str], tags: dict[str, str]
    ) -> None:
        """Write tags."""
        kms = aws.client("kms")
        if gone:
            kms.untag_resource(KeyId=identity, TagKeys=gone)
        if tags:
            named = [{"TagKey": k, "TagValue": v} for k, v in tags.items()]
            kms.tag_resource(KeyId=identity, Tags=named)

    def remove(self, aws: AwsCloud, identity: str, state: Properties) -> None:
        """Let the key wait for its deletion."""
        kms = aws.client("kms")
        if kms.describe_key(KeyId=identity)["KeyMetadata"]["KeyState"] != "PendingDeletion":
            days = state.get("deletionWindowInDays") or 30
            kms.schedule_key_deletion(KeyId=identity, PendingWindowInDays=days)

    @staticmethod
    def _may_be_changed(inputs: Properties) -> bool:
        if inputs.get("bypassPolicyLockoutSafetyCheck"):
            return True
        statements: Any = json.loads(inputs["policy"]).get("Statement") or []
        for statement in statements if isinstance(statements, list) else [statements]:
            actions = statement.get("Action") or []
            actions = [actions] if isinstance(actions, str) else actions
            if statement["Effect"] == "Allow" and {"kms:*", "*", "kms:PutKeyPolicy", "kms:Put*"} & {
                *actions
            }:
                return True
        return False


class Alias(AwsType):
    """aws.kms.Alias: the name under which a key is found."""

    token = "aws:kms/alias:Alias"
    title = "KMS Alias"
    missing = frozenset({"NotFoundException"})
    replace_on = frozenset({"name", "namePrefix"})
    follows: ClassVar = {"targetKeyArn": ("targetKeyId",)}
    name_property = "name"
    unsupported = frozenset({"namePrefix"})

    def check(self, call: Call[AwsCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield a name that is no alias."""
        name = inputs.get("name", "alias/x")
        if not re.fullmatch(r"alias/[a-zA-Z0-9/_-]{1,250}", name):
            yield InputProblem(
                "name",
                f'"name" ({name}) must begin with "alias/" and be comprised of only [a-zA-Z0-9/_-]',
            )
        elif name.startswith("alias/aws/"):
            yield InputProblem(
                "name", '"name" cannot begin with reserved AWS CMK prefix alias/aws/'
            )

    def make(self, aws: AwsCloud, inputs: Properties) -> str:
        """Name a key; a name is one key's."""
        see_key(aws, inputs["targetKeyId"])
        if _alias(aws, inputs["name"]):
            raise Refusal(
                f"AlreadyExistsException: An alias with the name {inputs['name']} already exists"
            )
        aws.client("kms").create_alias(AliasName=inputs["name"], TargetKeyId=inputs["targetKeyId"])
        return inputs["name"]

    def find(self, aws: AwsCloud, identity: str, known: Properties) -> Properties | None:
        """Return the alias and the key it names."""
        alias = _alias(aws, identity)
        if alias is None:
            return None
        key = alias["TargetKeyId"]
        wanted = known.get("targetKeyId") or ""
        return {
            "arn": aws.arn("kms", identity),
            "name": identity,
            "targetKeyId": wanted if wanted.endswith(f"key/{key}") else key,
            "targetKeyArn": aws.arn("kms", f"key/{key}"),
        }

    def change(
        self,
        aws: AwsCloud,
        identity: str,
        olds: Properties,
        news: Properties,
        changed: frozenset[str],
    ) -> None:
        """Give the name to another key."""
        see_key(aws, news["targetKeyId"])
        aws.client("kms").update_alias(AliasName=identity, TargetKeyId=news["targetKeyId"])

    def remove(self, aws: AwsCloud, identity: str, state: Properties) -> None:
        """Take the name away."""
        aws.client("kms").delete_alias(AliasName=identity)


def see_key(aws: AwsCloud, key: str | None, what: str = "KMS key") -> None:
    """Refuse a key that is not there or waits to be deleted; AWS's own aliases are there."""
    if not key or key.startswith("alias/aws/"):
        return
    if key.startswith("arn:aws:kms:") and f":kms:{aws.region}:" not in key:
        raise Refusal(f"NotFoundException: {what} {key} is not in {aws.region}")
    state = aws.client("kms").describe_key(KeyId=key)["KeyMetadata"]["KeyState"]
    if state == "PendingDeletion":
        raise Refusal(f"KMSInvalidStateException: {key} is pending deletion.")


def _alias(aws: AwsCloud, name: str) -> Any:
    for page in aws.client("kms").get_paginator("list_aliases").paginate():
        for alias in page["Aliases"]:
            if alias["AliasName"] == name and alias.get("TargetKeyId"):
                return alias
    return None


TYPES = (Key, Alias)
