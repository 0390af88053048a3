"""A real PostgreSQL with MLflow's schema in a template: a database of its own for every test."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from benchmarks.throwaway_server import ThrowawayServer

IMAGE = Path(__file__).resolve().parents[2] / "image"


class Postgres(ThrowawayServer):
    """The throwaway platform without its MLflow server."""

    def start(self) -> None:
        """Nothing beside the database."""

    def do(self, statement: str) -> None:
        """One statement that has no rows."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Database:
    """One database of the throwaway PostgreSQL."""

    name: str
    port: int

    @property
    def uri(self) -> str:
        return f"postgresql+psycopg://mlflow@127.0.0.1:{self.port}/{self.name}"

    @contextmanager
    def connection(self) -> Iterator[psycopg.Connection[Any]]:
        dsn = self.uri.replace("+psycopg", "")
        with psycopg.connect(dsn, autocommit=True) as connection:
            yield connection

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self.connection() as connection:
            return connection.execute(sql).fetchall()  # type: ignore[arg-type]

    def do(self, *statements: str) -> None:
        with self.connection() as connection:
            for statement in statements:
                connection.execute(statement)  # type: ignore[arg-type]

    def command(
        self, *arguments: str, user: str = "mlflow", **environment: str
    ) -> subprocess.Popen[str]:
        """`python -m mlflow_platform_server migrate` on this database, as a Job runs it."""
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "mlflow_platform_server", "migrate"),
                *(*arguments, "--backend-store-uri", self.uri.replace("mlflow@", f"{user}@")),
            ],
            env={
                **os.environ,
                "PYTHONPATH": str(IMAGE),
                "MLFLOW_DISABLE_TELEMETRY": "true",
                **environment,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def migrate(self, *arguments: str, **environment: str) -> tuple[int, list[str], str]:
        """The same, to its end: exit code, lines, standard error."""
        process = self.command(*arguments, **environment)
        out, err = process.communicate(timeout=300)
        return process.returncode, out.splitlines(), err


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with Postgres() as running:
        yield running


@pytest.fixture
def new_database(postgres: Postgres, request: pytest.FixtureRequest) -> Callable[..., Database]:
    """Makes a database, empty or from a template."""
    made = [0]

    def make(template: str = "template1") -> Database:
        made[0] += 1
        name = f"t{abs(hash(request.node.nodeid)) % 10**9}_{made[0]}"
        postgres.do(f"CREATE DATABASE {name} TEMPLATE {template}")
        return Database(name, postgres.database_port)

    return make


@pytest.fixture(scope="session")
def mlflow_template(postgres: Postgres) -> str:
    """A database with MLflow's schema as MLflow's own command makes it."""
    postgres.do("CREATE DATABASE as_mlflow_made_it")
    database = Database("as_mlflow_made_it", postgres.database_port)
    subprocess.run(
        [sys.executable, "-m", "mlflow", "db", "upgrade", database.uri],
        check=True,
        capture_output=True,
    )
    return database.name


@pytest.fixture
def database(new_database: Callable[..., Database], mlflow_template: str) -> Database:
    """A database with MLflow's schema as MLflow made it."""
    return new_database(mlflow_template)
