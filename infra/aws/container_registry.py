"""The registry of the server's image.

Owns the repository and how its images are addressed. A tag is written once: what runs under it is
what was tested under it. Only untagged images expire; a tagged one may be what a rollback needs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.metadata import version

import pulumi
import pulumi_aws as aws

from infra import naming
from infra.settings_model import PlatformSettings

UNTAGGED_DAYS = 14


@dataclass(frozen=True, kw_only=True, slots=True)
class RegistryWiring:
    """Whose registry it is, where, and the key of its images."""

    account: str
    region: str
    key_arn: pulumi.Input[str]


class ContainerRegistry(pulumi.ComponentResource):
    """An ECR repository for the server's image."""

    image: str  # known before anything is deployed, so that a preview shows it

    def __init__(
        self,
        name: str,
        settings: PlatformSettings,
        wiring: RegistryWiring,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the repository."""
        super().__init__("mlflow-platform:aws:ContainerRegistry", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        repository = aws.ecr.Repository(
            f"{name}-repository",
            name=naming.base_name(settings.environment),
            image_tag_mutability="IMMUTABLE",
            image_scanning_configuration=aws.ecr.RepositoryImageScanningConfigurationArgs(
                scan_on_push=True
            ),
            encryption_configurations=[
                aws.ecr.RepositoryEncryptionConfigurationArgs(
                    encryption_type="KMS", kms_key=wiring.key_arn
                )
            ],
            force_delete=not settings.cloud.is_production,
            opts=child,
        )
        aws.ecr.LifecyclePolicy(
            f"{name}-untagged",
            repository=repository.name,
            policy=json.dumps(_untagged_expire()),
            opts=child,
        )
        self.image = image_address(settings, account=wiring.account, region=wiring.region)
        self.repository_url = repository.repository_url
        self.register_outputs({"repository_url": self.repository_url})


def image_address(settings: PlatformSettings, *, account: str, region: str) -> str:
    """The image's address in the registry made here."""
    tag = settings.cloud.server_image_tag or version("mlflow")
    repository = naming.base_name(settings.environment)
    return f"{account}.dkr.ecr.{region}.amazonaws.com/{repository}:{tag}"


def _untagged_expire() -> dict[str, object]:
    return {
        "rules": [
            {
                "rulePriority": 1,
                "description": f"Images that lost their tag go after {UNTAGGED_DAYS} days.",
                "selection": {
                    "tagStatus": "untagged",
                    "countType": "sinceImagePushed",
                    "countUnit": "days",
                    "countNumber": UNTAGGED_DAYS,
                },
                "action": {"type": "expire"},
            }
        ]
    }
