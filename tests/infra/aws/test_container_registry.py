"""The registry: what a tag names never changes, and only nameless images expire."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import Any

import pulumi

from infra.aws.container_registry import ContainerRegistry, RegistryWiring
from tests.infra.aws.declared import ACCOUNT, KEY_ARN, REGION, Outcome, deploy
from tests.infra.aws.stacks import PRODUCTION, aws_stack


def registry(**values: str) -> Outcome:
    def program() -> dict[str, pulumi.Input[Any]]:
        wiring = RegistryWiring(account=ACCOUNT, region=REGION, key_arn=KEY_ARN)
        return {"image": ContainerRegistry("it", aws_stack(values), wiring).image}

    return deploy(program)


class TestRepository:
    """Encrypted, scanned, immutable."""

    def test_inputs(self) -> None:
        assert registry().deployment.one("ecr/repository:Repository").inputs == {
            "name": "mlops-platform-test-mlflow",
            "imageTagMutability": "IMMUTABLE",
            "imageScanningConfiguration": {"scanOnPush": True},
            "encryptionConfigurations": [{"encryptionType": "KMS", "kmsKey": KEY_ARN}],
            "forceDelete": True,
        }

    def test_kept_in_production(self) -> None:
        repository = registry(**PRODUCTION).deployment.one("ecr/repository:Repository").inputs
        assert repository["forceDelete"] is False

    def test_only_untagged_images_expire(self) -> None:
        policy = registry().deployment.one("ecr/lifecyclePolicy:LifecyclePolicy").inputs["policy"]
        statuses = [rule["selection"]["tagStatus"] for rule in json.loads(policy)["rules"]]
        assert statuses == ["untagged"]


class TestImage:
    """Its address is known before anything is deployed."""

    def test_by_mlflow_version(self) -> None:
        assert registry().outputs["image"] == (
            "123456789012.dkr.ecr.eu-central-1.amazonaws.com/mlops-platform-test-mlflow:"
            f"{version('mlflow')}"
        )

    def test_by_tag(self) -> None:
        assert registry(serverImageTag="2026-11").outputs["image"].endswith("-mlflow:2026-11")
