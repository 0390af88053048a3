"""The registry's example runs against a real server, as whoever reads it would run it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.throwaway_server import ThrowawayServer

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "registry.py"


@pytest.fixture(scope="module")
def server() -> Iterator[ThrowawayServer]:
    with ThrowawayServer() as running:
        yield running


def python(server: ThrowawayServer, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "MLFLOW_TRACKING_URI": server.tracking_uri,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "PYTHONPATH": str(SCRIPT.parent),
    }
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def get(server: ThrowawayServer, path: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{server.tracking_uri}/api/2.0/mlflow/{path}") as answer:
        return json.loads(answer.read())


class TestExample:
    """Register, describe, promote, load, roll back: what the page shows is what happens."""

    def test_as_it_is_run(self, server: ThrowawayServer, tmp_path: Path) -> None:
        ran = python(server, tmp_path, str(SCRIPT))
        assert ran.returncode == 0, ran.stderr
        shown = [
            line for line in ran.stdout.splitlines() if line.startswith(("gateway", "version"))
        ]
        assert shown[:3] == [
            "gateway-line@champion is version 1: [2.0, 4.0]",
            "gateway-line@champion is version 2: [3.0, 6.0]",
            "gateway-line@champion is version 1 again: [2.0, 4.0]",
        ]
        assert [re.sub(r"run \w{32}", "run …", line) for line in shown[3:]] == [
            "version 2: A steeper line. (run …)",
            "version 1: The first line. (run …)",
        ]
        found = get(server, "registered-models/get?name=gateway-line")["registered_model"]
        assert found["description"] == "Straight lines, for an example."
        assert [(alias["alias"], alias["version"]) for alias in found["aliases"]] == [
            ("champion", "1")
        ]
        version = get(server, "model-versions/get?name=gateway-line&version=1")["model_version"]
        assert version["tags"] == [{"key": "validated", "value": "yes"}]
        assert "current_stage" not in version or version["current_stage"] == "None"


class TestStages:
    """What older guides do still answers, and says that it is going."""

    def test_deprecated(self, server: ThrowawayServer, tmp_path: Path) -> None:
        script = (
            "import mlflow, registry\n"
            "version = registry.register(registry.log_model(5.0), 'for a stage')\n"
            "mlflow.MlflowClient().transition_model_version_stage(\n"
            "    registry.MODEL, version.version, 'Production')\n"
            "print(mlflow.pyfunc.load_model('models:/gateway-line/Production').predict([1.0]))\n"
        )
        ran = python(server, tmp_path, "-W", "always", "-c", script)
        assert ran.returncode == 0, ran.stderr
        assert "[5.0]" in ran.stdout
        assert (
            "transition_model_version_stage`` is deprecated since 2.9.0. Model registry stages "
            "will be removed in a future major release."
        ) in ran.stderr
