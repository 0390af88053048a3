"""What all policies of a whole stack have in common."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from infra.aws.aws_platform import AwsPlatform
from tests.infra.aws.declared import KEY_ARN, REGION, Deployment, deploy
from tests.infra.aws.stacks import INTERNAL, OIDC, PRODUCTION, PUBLIC, aws_stack

EVERYTHING = {
    **PRODUCTION,
    **INTERNAL,
    "cloudwatchEnabled": "true",
    "backupPlan": "true",
    "backupCopyRegion": "eu-west-1",
    "databaseAuthentication": "iam",
    "databaseReadReplica": "true",
}
STACKS: dict[str, dict[str, str]] = {
    "nothing set": {},
    "public": PUBLIC,
    "sign-in": {**INTERNAL, **OIDC},
    "managed password": {"databaseAuthentication": "managed", "secretSource": "external-secrets"},
    "everything": EVERYTHING,
    "adopted key": {"existingKmsKeyArn": KEY_ARN},
}

ANY_RESOURCE = frozenset({"FindTargets", "IamOfTheAccountDecides"})
"""Statements about everything: actions that take no resource, and a key's policy on itself."""


@pytest.fixture(scope="module", params=STACKS.values(), ids=STACKS.keys())
def deployment(request: pytest.FixtureRequest) -> Deployment:
    def program() -> None:
        AwsPlatform("it", aws_stack(request.param), REGION)

    return deploy(program).deployment


def statements(deployment: Deployment) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Resource, property and statement of every policy that the stack declares."""
    for item in deployment.resources:
        for key in ("policy", "assumeRolePolicy"):
            text = item.inputs.get(key)
            if isinstance(text, str) and text.startswith("{") and "Statement" in text:
                for statement in json.loads(text)["Statement"]:
                    yield item.kind, key, statement


class TestEveryStatement:
    """Nobody unnamed is let in, nothing unnamed is handed out."""

    def test_no_role_is_everybodys(self, deployment: Deployment) -> None:
        for _, _, statement in statements(deployment):
            if statement["Effect"] == "Allow" and "Principal" in statement:
                assert "*" not in str(statement["Principal"])

    def test_resources_are_named(self, deployment: Deployment) -> None:
        for kind, key, statement in statements(deployment):
            if key == "policy" and statement["Effect"] == "Allow":
                if statement.get("Resource") == ["*"] and kind != "aws:kms/key:Key":
                    assert statement["Sid"] in ANY_RESOURCE
                assert statement["Resource"]

    def test_no_action_is_a_whole_service(self, deployment: Deployment) -> None:
        for _, _, statement in statements(deployment):
            if statement["Effect"] == "Allow" and statement["Sid"] not in ANY_RESOURCE:
                assert not {a for a in statement["Action"] if a.endswith(":*") or a == "*"}

    def test_pods_roles_are_bound_to_one_account_each(self, deployment: Deployment) -> None:
        subjects = [
            value
            for _, key, statement in statements(deployment)
            if key == "assumeRolePolicy" and "Federated" in statement["Principal"]
            for name, value in statement["Condition"]["StringEquals"].items()
            if name.endswith(":sub")
        ]
        assert len(subjects) >= 4
        assert len(set(subjects)) == len(subjects)
        assert all(value.startswith("system:serviceaccount:") for value in subjects)


class TestEveryAlarm:
    """An alarm that is declared is heard."""

    def test_rings_at_the_topic(self, deployment: Deployment) -> None:
        alarms = deployment.of("cloudwatch/metricAlarm:MetricAlarm")
        assert alarms
        for alarm in alarms:
            assert alarm.inputs["alarmActions"] == ["arn:aws:sns:::it-watch-alarms-topic"]
            assert " Runbook: docs/runbooks/" in alarm.inputs["alarmDescription"]
