"""ECR repositories and how long their images live.

Owns names, immutable tags, encryption under a key that is there, and that a repository with images
is deleted only where the program says `forceDelete`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, ClassVar

from simulated_cloud.aws.aws_type import AwsType, from_key_value, key_value
from simulated_cloud.aws.cloud import AwsCloud
from simulated_cloud.aws.kms import see_key
from simulated_cloud.errors import InputProblem
from simulated_cloud.property_values import Properties
from simulated_cloud.resource_type import Call

_PART = r"(?:[a-z0-9]+(?:[._-][a-z0-9]+)*)"


class Repository(AwsType):
    """aws.ecr.Repository."""

    token = "aws:ecr/repository:Repository"
    title = "ECR Repository"
    missing = frozenset({"RepositoryNotFoundException"})
    defaults: ClassVar = {"imageTagMutability": "MUTABLE", "forceDelete": False}
    replace_on = frozenset({"name", "encryptionConfigurations"})
    name_property = "name"
    name_length = 256
    kept = frozenset({"forceDelete"})
    unsupported = frozenset({"imageTagMutabilityExclusionFilters"})

    def check(self, call: Call[AwsCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield names and settings that ECR does not take."""
        name = inputs.get("name", "xx")
        if not re.fullmatch(rf"{_PART}(?:/{_PART})*", name) or not 2 <= len(name) <= 256:
            yield InputProblem(
                "name",
                f"InvalidParameterException: Invalid parameter at 'repositoryName': {name}",
            )
        kind = inputs.get("imageTagMutability", "MUTABLE")
        if kind not in ("MUTABLE", "IMMUTABLE"):
            yield InputProblem(
                "imageTagMutability",
                f"expected image_tag_mutability to be one of [MUTABLE IMMUTABLE], got {kind}",
            )
        for entry in inputs.get("encryptionConfigurations") or []:
            if entry.get("encryptionType", "AES256") not in ("AES256", "KMS", "KMS_DSSE"):
                yield InputProblem(
                    "encryptionConfigurations",
                    f"expected encryption_type to be one of [AES256 KMS KMS_DSSE], got "
                    f"{entry['encryptionType']}",
                )

    def make(self, aws: AwsCloud, inputs: Properties) -> str:
        """Create the repository."""
        encryption = {}
        for entry in inputs.get("encryptionConfigurations") or []:
            see_key(aws, entry.get("kmsKey"))
            encryption = {"encryptionType": entry.get("encryptionType", "AES256")}
            encryption |= {"kmsKey": entry["kmsKey"]} if entry.get("kmsKey") else {}
        scan = inputs.get("imageScanningConfiguration") or {}
        aws.client("ecr").create_repository(
            repositoryName=inputs["name"],
            imageTagMutability=inputs["imageTagMutability"],
            imageScanningConfiguration={"scanOnPush": bool(scan.get("scanOnPush"))},
            tags=key_value(inputs.get("tagsAll")),
            **({"encryptionConfiguration": encryption} if encryption else {}),
        )
        return inputs["name"]

    def find(self, aws: AwsCloud, identity: str, known: Properties) -> Properties | None:
        """Return the repository."""
        ecr = aws.client("ecr")
        found = ecr.describe_repositories(repositoryNames=[identity])["repositories"][0]
        encryption = found.get("encryptionConfiguration") or {}
        tags = ecr.list_tags_for_resource(resourceArn=found["repositoryArn"])["tags"]
        return {
            "arn": found["repositoryArn"],
            "name": identity,
            "registryId": found["registryId"],
            "repositoryUrl": found["repositoryUri"],
            "imageTagMutability": found["imageTagMutability"],
            "imageScanningConfiguration": found["imageScanningConfiguration"],
            "encryptionConfigurations": [encryption] if encryption else [],
            "tagsAll": from_key_value(tags),
        }

    def change(
        self,
        aws: AwsCloud,
        identity: str,
        olds: Properties,
        news: Properties,
        changed: frozenset[str],
    ) -> None:
        """Change mutability and scanning."""
        ecr = aws.client("ecr")
        if "imageTagMutability" in changed:
            ecr.put_image_tag_mutability(
                repositoryName=identity, imageTagMutability=news["imageTagMutability"]
            )
        if "imageScanningConfiguration" in changed:
            scan = news.get("imageScanningConfiguration") or {"scanOnPush": False}
            ecr.put_image_scanning_configuration(
                repositoryName=identity, imageScanningConfiguration=scan
            )

    def retag(
        self, aws: AwsCloud, identity: str, state: Properties, gone: list[str], tags: dict[str, str]
    ) -> None:
        """Write tags."""
        ecr, arn = aws.client("ecr"), aws.arn("ecr", f"repository/{identity}")
        if gone:
            ecr.untag_resource(resourceArn=arn, tagKeys=gone)
        if tags:
            ecr.tag_resource(resourceArn=arn, tags=key_value(tags))

    def remove(self, aws: AwsCloud, identity: str, state: Properties) -> None:
        """Delete the repository, with its images only where that was asked for."""
        aws.client("ecr").delete_repository(
            repositoryName=identity, force=bool(state.get("forceDelete"))
        )


class LifecyclePolicy(AwsType):
    """aws.ecr.LifecyclePolicy."""

    token = "aws:ecr/lifecyclePolicy:LifecyclePolicy"
    title = "ECR Lifecycle Policy"
    missing = frozenset({"LifecyclePolicyNotFoundException", "RepositoryNotFoundException"})
    replace_on = frozenset({"repository"})

    def check(self, call: Call[AwsCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield what is no policy."""
        text = inputs.get("policy")
        if text is None:
            return
        try:
            rules: Any = json.loads(text)["rules"]
        except (ValueError, KeyError, TypeError):
            yield InputProblem(
                "policy",
                "InvalidParameterException: Lifecycle policy validation failure: no JSON "
                "with rules",
            )
            return
        numbers = [rule.get("rulePriority") for rule in rules]
        if len(set(numbers)) < len(numbers):
            yield InputProblem(
                "policy",
                "InvalidParameterException: Lifecycle policy validation failure: rulePriority is "
                "not unique",
            )

    def make(self, aws: AwsCloud, inputs: Properties) -> str:
        """Write the policy."""
        aws.client("ecr").put_lifecycle_policy(
            repositoryName=inputs["repository"], lifecyclePolicyText=inputs["policy"]
        )
        return inputs["repository"]

    def find(self, aws: AwsCloud, identity: str, known: Properties) -> Properties | None:
        """Return the policy."""
        answer = aws.client("ecr").get_lifecycle_policy(repositoryName=identity)
        return {
            "repository": identity,
            "registryId": answer["registryId"],
            "policy": answer["lifecyclePolicyText"],
        }

    def change(
        self,
        aws: AwsCloud,
        identity: str,
        olds: Properties,
        news: Properties,
        changed: frozenset[str],
    ) -> None:
        """Write the policy anew."""
        self.make(aws, news)

    def remove(self, aws: AwsCloud, identity: str, state: Properties) -> None:
        """Take the policy away."""
        aws.client("ecr").delete_lifecycle_policy(repositoryName=identity)


TYPES = (Repository, LifecyclePolicy)
