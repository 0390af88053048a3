"""What the Makefile makes once and must not make twice."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def environ() -> dict[str, str]:
    return {
        name: value for name, value in os.environ.items() if not name.startswith(("PULUMI", "MAKE"))
    }


def make_passphrase(state: Path, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    target = f"{state}/passphrase"
    return subprocess.run(
        ["make", "--no-print-directory", "-o", ".venv/.installed", f"STATE={state}", target],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )


class TestThePassphrase:
    """It opens the state: beside an old state a new one would only hide that it is lost."""

    def test_made_for_its_owner(self, tmp_path: Path, environ: dict[str, str]) -> None:
        assert make_passphrase(tmp_path, environ).returncode == 0
        made = tmp_path / "passphrase"
        assert len(made.read_text("utf-8").strip()) == 43
        assert made.stat().st_mode & 0o777 == 0o600

    @pytest.mark.parametrize("folder", ["pulumi", "simulated-cloud/pulumi"])
    def test_lost(self, tmp_path: Path, environ: dict[str, str], folder: str) -> None:
        stacks = tmp_path / folder / ".pulumi/stacks/mlflow-platform"
        stacks.mkdir(parents=True)
        (stacks / "local.json").write_text("{}")
        refused = make_passphrase(tmp_path, environ)
        assert refused.returncode == 2
        assert refused.stderr.startswith(
            f"{tmp_path}/passphrase is gone, and with it what opens the secrets in this checkout's "
            "state: put it back from a copy, or set PULUMI_CONFIG_PASSPHRASE to what stood in it\n"
        )
        assert not (tmp_path / "passphrase").exists()
        environ["PULUMI_CONFIG_PASSPHRASE"] = "of my own"
        assert make_passphrase(tmp_path, environ).returncode == 0
