"""Names are derived in one place and valid wherever they go."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from infra import naming

RDS_IDENTIFIER = re.compile(r"[a-z](?!.*--)[a-z0-9-]{0,61}[a-z0-9]")
S3_BUCKET = re.compile(r"[a-z0-9](?!.*--)[a-z0-9-]{1,61}[a-z0-9]")
LABEL_VALUE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class TestNamesCanBeWrittenDown:
    """A runbook spells the names of an environment before it is deployed."""

    def test_base_name(self) -> None:
        assert naming.base_name("dev") == "mlops-platform-dev-mlflow"

    def test_artifact_bucket(self) -> None:
        name = naming.artifact_bucket_name("prod", "123456789012")
        assert name == "mlops-platform-prod-mlflow-artifacts-123456789012"

    def test_tags(self) -> None:
        assert naming.tags("dev") == {
            "project": "mlops-platform",
            "service": "mlflow",
            "environment": "dev",
            "managed-by": "pulumi",
        }


class TestAnEnvironmentIsPartOfNames:
    """What is accepted as an environment is accepted by every service in a name."""

    @given(st.from_regex(r"[a-z][a-z0-9-]{0,24}", fullmatch=True))
    def test_accepted_ones_make_names_that_are_valid_everywhere(self, environment: str) -> None:
        assume(naming.is_valid_environment(environment))
        assert RDS_IDENTIFIER.fullmatch(naming.base_name(environment))
        assert S3_BUCKET.fullmatch(naming.artifact_bucket_name(environment, "1" * 12))
        assert LABEL_VALUE.fullmatch(naming.tags(environment)["environment"])

    @pytest.mark.parametrize("environment", ["local", "d", "prod-eu-1", "a" * 18])
    def test_usual_ones_are_accepted(self, environment: str) -> None:
        assert naming.is_valid_environment(environment)

    @pytest.mark.parametrize(
        "environment",
        ["", "1dev", "-dev", "dev-", "de--v", "Dev", "dév", "de v", "dev\n", "a" * 19, "d_v"],
    )
    def test_others_are_refused(self, environment: str) -> None:
        assert not naming.is_valid_environment(environment)
