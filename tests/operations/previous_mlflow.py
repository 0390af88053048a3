"""MLflow's previous minor version, in a folder of its own, and a server of it.

Owns the installation (its own three distributions; what they need is what the lock has) and the
process. The folder is made once in a test session, from the package index; without one the tests
that need it say so and are skipped.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

PREVIOUS = "3.16.1"
START_SECONDS = 180


def install(folder: Path) -> Path:
    """Put the previous MLflow into a folder; skip the test where the index cannot be reached."""
    names = [f"{name}=={PREVIOUS}" for name in ("mlflow", "mlflow-skinny", "mlflow-tracing")]
    done = subprocess.run(
        [
            *(str(Path(sys.executable).with_name("uv")), "pip", "install", "--quiet", "--no-deps"),
            *("--python", sys.executable, "--target", str(folder), *names),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        pytest.skip(f"MLflow {PREVIOUS} cannot be installed here: {said[-1] if said else '?'}")
    return folder


class PreviousServer:
    """`mlflow server` of the previous version, which makes its own schema."""

    def __init__(self, installed: Path, folder: Path, *, database: str, port: int) -> None:
        """Nothing runs yet; `database` is SQLAlchemy's address."""
        self.tracking_uri = f"http://127.0.0.1:{port}"
        self._log = folder / "previous.log"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "mlflow", "server", "--backend-store-uri", database),
                    *("--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
                    *("--artifacts-destination", str(folder / "artifacts")),
                ],
                env={
                    **os.environ,
                    "PYTHONPATH": str(installed),
                    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
                    "MLFLOW_DISABLE_TELEMETRY": "true",
                },
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.pid = self._process.pid

    def wait(self) -> None:
        """Until it answers; its log where it never does."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{self.tracking_uri}/health", timeout=5).close()
                return
            time.sleep(0.1)
        pytest.fail(self._log.read_text(errors="replace")[-2000:])

    def kill(self) -> None:
        """The server and its workers."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
