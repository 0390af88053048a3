"""Secrets Manager: secrets and what is in them.

Owns the recovery window (7 to 30 days, or none), that a deleted secret keeps its name until the
window is over, and that a version's text is secret wherever it goes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, ClassVar

from simulated_cloud.aws.aws_type import AwsType, from_key_value, key_value
from simulated_cloud.aws.cloud import AwsCloud
from simulated_cloud.aws.iam_names import check_document
from simulated_cloud.aws.kms import see_key
from simulated_cloud.errors import InputProblem, Refusal
from simulated_cloud.property_values import Properties
from simulated_cloud.resource_type import Call

LARGEST_BYTES = 65536


class Secret(AwsType):
    """aws.secretsmanager.Secret."""

    token = "aws:secretsmanager/secret:Secret"
    title = "Secrets Manager Secret"
    missing = frozenset({"ResourceNotFoundException"})
    defaults: ClassVar = {"recoveryWindowInDays": 30, "forceOverwriteReplicaSecret": False}
    replace_on = frozenset({"name", "namePrefix"})
    name_property = "name"
    kept = frozenset({"recoveryWindowInDays", "forceOverwriteReplicaSecret"})
    unsupported = frozenset({"namePrefix", "replicas"})

    def check(self, call: Call[AwsCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield a name and a window that Secrets Manager does not take."""
        name = inputs.get("name", "x")
        if not re.fullmatch(r"[0-9A-Za-z/_+=.@-]{1,512}", name):
            yield InputProblem(
                "name",
                "must contain alphanumeric characters or one of the following: /_+=.@- and be at "
                f"most 512 characters long: {name}",
            )
        days = inputs.get("recoveryWindowInDays", 30)
        if days and not 7 <= days <= 30:
            yield InputProblem(
                "recoveryWindowInDays",
                f"expected recovery_window_in_days to be 0 or in the range (7 - 30), got {days}",
            )
        yield from check_document(inputs, "policy")

    def make(self, aws: AwsCloud, inputs: Properties) -> str:
        """Create the secret, empty; its ARN is its id."""
        see_key(aws, inputs.get("kmsKeyId"))
        client = aws.client("secretsmanager")
        self._free(client, inputs["name"])
        key = {"KmsKeyId": inputs["kmsKeyId"]} if inputs.get("kmsKeyId") else {}
        arn = client.create_secret(
            Name=inputs["name"],
            Description=inputs.get("description") or "",
            Tags=key_value(inputs.get("tagsAll")),
            **key,
        )["ARN"]
        if inputs.get("policy"):
            client.put_resource_policy(SecretId=arn, ResourcePolicy=inputs["policy"])
        return arn

    def find(self, aws: AwsCloud, identity: str, known: Properties) -> Properties | None:
        """Return the secret; one in its recovery window is gone."""
        client = aws.client("secretsmanager")
        secret = client.describe_secret(SecretId=identity)
        if secret.get("DeletedDate"):
            return None
        found = {
            "arn": secret["ARN"],
            "name": secret["Name"],
            "description": secret.get("Description") or "",
            "kmsKeyId": secret.get("KmsKeyId") or None,
            "tagsAll": from_key_value(secret.get("Tags")),
        }
        if known.get("policy"):
            policy = client.get_resource_policy(SecretId=identity)
            found["policy"] = policy.get("ResourcePolicy") or ""
        return found

    def change(
        self,
        aws: AwsCloud,
        identity: str,
        olds: Properties,
        news: Properties,
        changed: frozenset[str],
    ) -> None:
        """Change description, key and policy."""
        client = aws.client("secretsmanager")
        see_key(aws, news.get("kmsKeyId"))
        if changed & {"description", "kmsKeyId"}:
            key = {"KmsKeyId": news["kmsKeyId"]} if news.get("kmsKeyId") else {}
            client.update_secret(
                SecretId=identity, Description=news.get("description") or "", **key
            )
        if "policy" in changed:
            if news.get("policy"):
                client.put_resource_policy(SecretId=identity, ResourcePolicy=news["policy"])
            else:
                client.delete_resource_policy(SecretId=identity)

    def retag(
        self, aws: AwsCloud, identity: str, state: Properties, gone: list[str], tags: dict[str, str]
    ) -> None:
        """Write tags."""
        client = aws.client("secretsmanager")
        if gone:
            client.untag_resource(SecretId=identity, TagKeys=gone)
        if tags:
            client.tag_resource(SecretId=identity, Tags=key_value(tags))

    def remove(self, aws: AwsCloud, identity: str, state: Properties) -> None:
        """Delete the secret, at the end of its window where it has one."""
        client = aws.client("secretsmanager")
        if client.describe_secret(SecretId=identity).get("DeletedDate"):
            return
        days = state.get("recoveryWindowInDays", 30)
        window = {"RecoveryWindowInDays": days} if days else {"ForceDeleteWithoutRecovery": True}
        client.delete_secret(SecretId=identity, **window)

    @staticmethod
    def _free(client: Any, name: str) -> None:
        try:
            secret = client.describe_secret(SecretId=name)
        except client.exceptions.ResourceNotFoundException:
            return
        if secret.get("DeletedDate"):
            raise Refusal(
                "InvalidRequestException: You can't create this secret because a secret with this "
                "name is already scheduled for deletion."
            )
        raise Refusal(
            f"ResourceExistsException: The operation failed because the secret {name} already "
            "exists."
        )


class SecretVersion(AwsType):
    """aws.secretsmanager.SecretVersion: a changed text is a new version beside the old one."""

    token = "aws:secretsmanager/secretVersion:SecretVersion"
    title = "Secrets Manager Secret Version"
    missing = frozenset({"ResourceNotFoundException"})
    replace_on = frozenset({"secretId", "secretString", "secretBinary"})
    secret_outputs = frozenset({"secretString", "secretBinary"})
    unsupported = frozenset({"secretStringWo", "secretStringWoVersion", "versionStages"})

    def check(self, call: Call[AwsCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield a text that is too long."""
        if len((inputs.get("secretString") or "").encode()) > LARGEST_BYTES:
            yield InputProblem(
                "secretString",
                f"InvalidParameterException: the secret is longer than {LARGEST_BYTES} bytes",
            )

    def make(self, aws: AwsCloud, inputs: Properties) -> str:
        """Put the text into the secret as its current version."""
        if not (inputs.get("secretString") or inputs.get("secretBinary")):
            raise Refusal("one of secret_binary,secret_string,secret_string_wo must be specified")
        client = aws.client("secretsmanager")
        given = {"SecretString": inputs["secretString"]} if inputs.get("secretString") else {}
        if inputs.get("secretBinary"):
            given["SecretBinary"] = inputs["secretBinary"]
        answer = client.put_secret_value(SecretId=inputs["secretId"], **given)
        return f"{inputs['secretId']}|{answer['VersionId']}"

    def find(self, aws: AwsCloud, identity: str, known: Properties) -> Properties | None:
        """Return this version; another current one means that somebody put it there."""
        secret, _, version = identity.rpartition("|")
        client = aws.client("secretsmanager")
        described = client.describe_secret(SecretId=secret)
        stages = (described.get("VersionIdsToStages") or {}).get(version) or []
        if described.get("DeletedDate") or "AWSCURRENT" not in stages:
            return None
        value = client.get_secret_value(SecretId=secret, VersionId=version)
        return {
            "arn": value["ARN"],
            "secretId": secret,
            "secretArn": value["ARN"],
            "versionId": version,
            "versionStages": stages,
            **({"secretString": value["SecretString"]} if "SecretString" in value else {}),
        }

    def remove(self, aws: AwsCloud, identity: str, state: Properties) -> None:
        """Leave the version: it goes with its secret, as in AWS a current one must."""
        secret, _, version = identity.rpartition("|")
        client = aws.client("secretsmanager")
        model = _model(aws, secret)
        if model is not None and version in model.versions:
            stages = model.versions[version]["version_stages"]
            if "AWSCURRENT" in stages:
                stages.remove("AWSCURRENT")
        client.describe_secret(SecretId=secret)


def _model(aws: AwsCloud, secret: str) -> Any:
    from simulated_cloud.aws.moto_memory import moto_backend

    return moto_backend(aws, "secretsmanager").secrets.get(secret)


TYPES = (Secret, SecretVersion)
