"""What the tests of `doctor` share: a pass over a platform, through the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra.outputs import PlatformOutputs
from infra.settings import PlatformSettings
from operations import place as place_module
from smoke_tests.masking import Masker
from tests.operations.conftest import Operate, Ran


@dataclass(frozen=True)
class Pass:
    """What one pass of `doctor` said."""

    ran: Ran

    @property
    def code(self) -> int:
        return self.ran.code

    @property
    def records(self) -> dict[str, dict[str, Any]]:
        return {item["check"]: item for item in self.ran.document["checks"]}

    @property
    def failed(self) -> list[str]:
        """Names of the failed checks, in the order in which they were reported."""
        return [item["check"] for item in self.ran.document["checks"] if item["status"] == "failed"]

    @property
    def roots(self) -> list[str]:
        return self.ran.document["probable_root_causes"]

    def status(self, name: str) -> str:
        return self.records[name]["status"]

    def evidence(self, name: str) -> str:
        return self.records[name]["evidence"]

    def follows(self, name: str) -> str | None:
        return self.records[name]["follows_from"]


Examine = Callable[..., Pass]


def outputs_of(**values: Any) -> PlatformOutputs:
    """Outputs of a stack, of which a test names what matters to it."""
    plain: dict[str, Any] = {
        "environment": "test",
        "target": "local",
        "tracking_uri": "http://127.0.0.1:1",
        "health_url": "http://127.0.0.1:1/health",
        "experiment_name": "test",
        "artifact_root": "/nowhere",
        "backend_store": "postgresql+psycopg://mlflow@127.0.0.1:1/mlflow",
        "authentication": "off",
        "mlflow_version": "3.17.2",
        "connection_budget": "1 replica",
        "client_environment": {},
    }
    return PlatformOutputs(**{**plain, **values})


@pytest.fixture
def examine(operate: Operate, monkeypatch: pytest.MonkeyPatch) -> Examine:
    """Run `doctor` on a stack with these outputs and settings."""

    def run(
        outputs: PlatformOutputs, settings: PlatformSettings, *argv: str, environ: Any = None
    ) -> Pass:
        def read_stack(name: str, *, environ: Any, masker: Masker) -> PlatformOutputs:
            masker.remember(outputs.auth_admin_password, outputs.database_password)
            return outputs

        def read_settings(name: str, *, environ: Any, masker: Masker) -> PlatformSettings:
            masker.remember(settings.database.password, settings.authentication.admin_password)
            return settings

        monkeypatch.setattr(place_module, "read_stack", read_stack)
        monkeypatch.setattr(place_module, "read_settings", read_settings)
        # A busy machine is no finding of a test.
        patience = ("--json", "--timeout", "300")
        return Pass(operate("doctor", "--stack", "test", *patience, *argv, environ=environ))

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder whose rights are given back, whatever a test took."""
    yield tmp_path
    for path in (tmp_path, *tmp_path.rglob("*")):
        if path.is_dir():
            path.chmod(0o700)
