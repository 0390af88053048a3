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

    @pytest.mark.parametrize("target", ["aws", "gcp"])
    def test_a_target_that_is_not_there_yet(self, target: str) -> None:
        settings = stack(target=target)
        with pytest.raises(pulumi.RunError, match=f"target is '{target}', whose components"):
            mlflow_platform.deploy(settings)
