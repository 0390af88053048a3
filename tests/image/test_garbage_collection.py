"""`gc` as the platform renders it, where artifacts do not pass through the server: on Cloud Run."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from infra.database_endpoint import DatabaseEndpoint
from tests.image.conftest import IMAGE, Database
from tests.infra.stacks import server, wiring

pytestmark = pytest.mark.slow

TWO_RUNS = """
import sys, mlflow
uri, folder = sys.argv[1:]
mlflow.set_tracking_uri(uri)
experiment = mlflow.create_experiment("e", artifact_location=folder)
for name in ("old", "recent"):
    with mlflow.start_run(experiment_id=experiment) as run:
        mlflow.log_metric("loss", 1.0)
        mlflow.log_text("weights", "model.txt")
    mlflow.delete_run(run.info.run_id)
    print(run.info.run_id)
"""


def run(command: list[str], *, image: bool) -> subprocess.CompletedProcess[str]:
    path = {"PYTHONPATH": str(IMAGE)} if image else {}
    clean = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
    return subprocess.run(
        command,
        env={**clean, **path, "MLFLOW_DISABLE_TELEMETRY": "true"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


class TestRetention:
    """What was deleted long enough ago is gone, with its artifacts, and nothing else is."""

    def test_without_a_server(self, database: Database, tmp_path: Path) -> None:
        made = run(
            [sys.executable, "-c", TWO_RUNS, database.uri, f"file://{tmp_path}"], image=False
        )
        assert made.returncode == 0, made.stderr
        old, recent = made.stdout.split()[-2:]
        past = int((time.time() - 31 * 86_400) * 1000)
        database.do(f"UPDATE runs SET deleted_time = {past} WHERE run_uuid = '{old}'")
        endpoint = DatabaseEndpoint(
            host="127.0.0.1", port=database.port, name=database.name, user="mlflow"
        )
        rendered = server({"serveArtifacts": "false"}, wired=wiring(backend_store=endpoint))
        command = rendered.retention_command(30)
        assert command[0] == "python"
        done = run([sys.executable, *command[1:]], image=True)
        assert done.returncode == 0, done.stdout + done.stderr
        assert database.rows("SELECT run_uuid FROM runs") == [(recent,)]
        assert [path.parent.name for path in tmp_path.glob("*/artifacts")] == [recent]
