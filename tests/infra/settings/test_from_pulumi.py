"""Settings of the running program, as either engine hands them over."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

PROGRAM = """
import json, sys
import pulumi
from pulumi.runtime import set_all_config
from pulumi.runtime.settings import Settings, configure

given = json.loads(sys.argv[1])
configure(Settings(project="mlflow-platform", stack="team", dry_run=True))
set_all_config(given["values"], given["encrypted"])
warned = []
pulumi.log.warn = warned.append
from infra.settings import from_pulumi
try:
    settings = from_pulumi()
except pulumi.RunError as error:
    print(json.dumps({"refused": str(error)}))
else:
    print(json.dumps({
        "environment": settings.environment,
        "port": settings.server.port,
        "hosts": settings.server.allowed_hosts,
        "password": settings.database.password,
        "warned": warned,
    }))
"""


def run(values: Mapping[str, str], encrypted: tuple[str, ...] = ()) -> dict[str, object]:
    """`from_pulumi` in a process of its own: Pulumi's configuration is global."""
    given = json.dumps({"values": values, "encrypted": encrypted})
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, given], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


class TestFromPulumi:
    """The program reads its own namespace, keeps secrets, warns, and fails without a traceback."""

    def test_reads_its_namespace(self) -> None:
        found = run(
            {
                "aws:region": "eu-central-1",
                "mlflow-platform:serverPort": "5001",
                "mlflow-platform:allowedHosts": '["mlflow.team.internal"]',
                "mlflow-platform:clientConnectTimeoutSeconds": "3",
                "mlflow-platform:backendStoreUri": "postgresql://me:battery@db.example/runs",
            },
            encrypted=("mlflow-platform:backendStoreUri",),
        )
        assert (found["environment"], found["port"]) == ("team", 5001)
        assert found["hosts"] == ["mlflow.team.internal"]
        assert found["password"] == "battery"
        (warning,) = found["warned"]  # pyright: ignore[reportGeneralTypeIssues]  # JSON
        assert warning.startswith("mlflow-platform:clientConnectTimeoutSeconds is 3")

    def test_refuses_in_one_error_without_the_password(self) -> None:
        found = run(
            {
                "mlflow-platform:serverPrt": "5001",
                "mlflow-platform:backendStoreUri": "postgresql://me:battery@db.example/runs",
            }
        )
        text = str(found["refused"])
        assert text.startswith("2 problems in the settings of Pulumi.team.yaml:\n")
        assert "did you mean mlflow-platform:serverPort?" in text
        assert "backendStoreUri: holds a password in clear" in text
        assert "battery" not in text
