"""A real MLflow server on a real PostgreSQL, made in a temporary folder and gone afterwards.

Owns one thing for benchmarks and tests that must kill what they measure: `with ThrowawayServer()
as server:` gives a tracking URI, `kill()` (with -9, workers and all), `start()` again on the same
database and port, and `count(sql)` straight from PostgreSQL (`throwaway_postgres`). It is no
deployment: that is `make up`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from benchmarks.throwaway_postgres import ThrowawayPostgres, free_port

START_SECONDS = 90.0


class ThrowawayServer:
    """PostgreSQL and `mlflow server`, both on 127.0.0.1 and ports of their own."""

    def __init__(self, *, workers: int = 1, environment: dict[str, str] | None = None) -> None:
        """Choose ports and a folder; nothing runs yet."""
        self.workers = workers
        self.port = free_port()
        self.tracking_uri = f"http://127.0.0.1:{self.port}"
        self._cluster = ThrowawayPostgres()
        self.database_port = self._cluster.port
        self.dsn = self._cluster.dsn("mlflow")
        self._environment = environment or {}
        self._folder = Path(tempfile.mkdtemp(prefix="throwaway-mlflow-"))
        self._server: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> ThrowawayServer:
        """Start both."""
        try:
            self._cluster.__enter__()
            self._cluster.create("mlflow")
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        """Stop both and remove what they wrote."""
        self.kill()
        self._cluster.__exit__()
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> None:
        """Start the MLflow server and wait until it answers a question to the database."""
        environment = {
            **os.environ,
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": "40",
            "MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW": "40",
            **self._environment,
        }
        log = (self._folder / "mlflow.log").open("ab")
        uri = f"postgresql+psycopg://mlflow@127.0.0.1:{self.database_port}/mlflow"
        self._server = subprocess.Popen(
            [
                *(sys.executable, "-m", "mlflow", "server", "--backend-store-uri", uri),
                *("--host", "127.0.0.1", "--port", str(self.port)),
                *("--workers", str(self.workers)),
                *("--artifacts-destination", str(self._folder / "artifacts")),
            ],
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        until = time.monotonic() + START_SECONDS
        question = urllib.request.Request(
            f"{self.tracking_uri}/api/2.0/mlflow/experiments/search",
            data=b'{"max_results": 1}',
            headers={"Content-Type": "application/json"},
        )
        while time.monotonic() < until:
            if self._server.poll() is not None:
                break
            try:
                with urllib.request.urlopen(question, timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        text = (self._folder / "mlflow.log").read_text(errors="replace")[-3000:]
        raise RuntimeError(f"mlflow server did not start:\n{text}")

    def kill(self) -> None:
        """`kill -9` for the server and all its workers."""
        if self._server is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._server.pid, signal.SIGKILL)
            self._server.wait()
            self._server = None

    @property
    def artifacts(self) -> Path:
        """The folder that the server keeps artifacts in."""
        return self._folder / "artifacts"

    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows straight from PostgreSQL."""
        return self._cluster.query("mlflow", sql, *values)

    def count(self, sql: str, *values: object) -> int:
        """The one number a query returns."""
        return int(self.query(sql, *values)[0][0])
