"""What the tests of the operations share: the command in-process, and one real platform."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from benchmarks.throwaway_postgres import ThrowawayPostgres
from benchmarks.throwaway_server import ThrowawayServer
from operations.command_line import main
from operations.database_login import SERVER_APPLICATION_NAME

ROOT = Path(__file__).resolve().parents[2]


class Utf8(io.StringIO):
    """Standard output as on most terminals; without an encoding it would count as ASCII."""

    encoding = "utf-8"  # type: ignore[assignment]


@dataclass
class Ran:
    """What one run of a command did."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        return json.loads(self.out)


Operate = Callable[..., Ran]


@pytest.fixture
def operate() -> Operate:
    """Run a command in this process."""

    def run(*argv: str, environ: Mapping[str, str] | None = None, **more: Any) -> Ran:
        out, err = Utf8(), io.StringIO()
        code = main(argv, environ=environ or {}, stdout=out, stderr=err, **more)
        return Ran(code, out.getvalue(), err.getvalue())

    return run


class PlatformServer(ThrowawayServer):
    """The throwaway platform with this repository's server: two workers, a pool of 4 + 26 each."""

    def start(self) -> None:
        """Make the schema, start the server and wait until it answers."""
        uri = f"postgresql+psycopg://mlflow@127.0.0.1:{self.database_port}/mlflow"
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT / "image"),
            "PGAPPNAME": SERVER_APPLICATION_NAME,
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": "4",
            "MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW": "26",
        }
        command = [sys.executable, "-m", "mlflow_platform_server"]
        options = ["--host", "127.0.0.1", "--port", str(self.port), "--workers", "2"]
        options += ["--threads", "15", "--artifacts-destination", str(self._folder / "artifacts")]
        log = (self._folder / "mlflow.log").open("ab")
        subprocess.run(
            [*command, "migrate", "--backend-store-uri", uri],
            env=environment,
            stdout=log,
            stderr=log,
            check=True,
        )
        self._server = subprocess.Popen(
            [*command, "serve", "--backend-store-uri", uri, *options],
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline and self._server.poll() is None:
            try:
                urllib.request.urlopen(f"{self.tracking_uri}/health", timeout=30).close()
            except OSError:
                time.sleep(0.1)
            else:
                return
        pytest.fail((self._folder / "mlflow.log").read_text(errors="replace")[-2000:])


@pytest.fixture(scope="session")
def server() -> Iterator[ThrowawayServer]:
    """A real MLflow server with two workers on a real PostgreSQL, started once."""
    with PlatformServer() as running:
        yield running


@pytest.fixture(scope="session")
def cluster() -> Iterator[ThrowawayPostgres]:
    """A real PostgreSQL, started once."""
    with ThrowawayPostgres() as running:
        yield running
