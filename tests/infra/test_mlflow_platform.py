"""The one place that chooses a target says what is missing in a sentence, never in frames."""

from __future__ import annotations

import pulumi
import pytest

from infra import mlflow_platform
from infra.local import local_platform
from infra.local.errors import LocalPlatformError
from tests.infra.stacks import stack


class TestRefusals:
    """An engine shows `pulumi.RunError` as it is and everything else with its traceback."""

    def test_what_this_machine_lacks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object) -> None:
            raise LocalPlatformError("PostgreSQL is missing: install it")

        monkeypatch.setattr(local_platform, "LocalPlatform", refuse)
        with pytest.raises(pulumi.RunError, match=r"^PostgreSQL is missing: install it$"):
            mlflow_platform.deploy(stack())

    def test_gcp_without_a_project(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(pulumi.Config, "get", lambda *_: None)
        monkeypatch.setattr(pulumi, "get_stack", lambda: "gcp-dev")
        with pytest.raises(pulumi.RunError) as refused:
            mlflow_platform.deploy(stack(target="gcp"))
        assert str(refused.value) == (
            "gcp:project is not set: write it into Pulumi.gcp-dev.yaml, such as gcp:project: "
            "my-project"
        )

    def test_aws_without_a_region(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(pulumi.Config, "get", lambda *_: None)
        with pytest.raises(pulumi.RunError) as refused:
            mlflow_platform.deploy(stack(target="aws"))
        assert str(refused.value) == (
            "aws:region is not set, so nobody knows where to deploy: add it to the stack with "
            "`pulumi config set aws:region eu-central-1`, or your own region"
        )
