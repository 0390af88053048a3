"""The live looks of a platform on this machine, against a real server and a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psycopg
import pytest

from benchmarks.throwaway_server import ThrowawayServer
from tests.operations.conftest import Operate
from tests.operations.engine_stand_in import RecordedEngine, step

pytestmark = pytest.mark.slow

SERVER = "pulumi-python:dynamic/local:MlflowServer"
POSTGRES = "pulumi-python:dynamic/local:Postgres"
SETTINGS = {
    "target": "local",
    "serverWorkers": "2",
    "serverThreads": "15",
    "poolSize": "4",
    "poolMaxOverflow": "26",
    "prometheusEnabled": "false",
}


class Platform:
    """`drift` on the real server, as if a stack had deployed it."""

    def __init__(self, operate: Operate, server: ThrowawayServer, folder: Path) -> None:
        self._operate, self.server = operate, server
        self.engine = RecordedEngine(folder, "local")
        self.settings = dict(SETTINGS)
        self.outputs: dict[str, object] = {
            "target": "local",
            "tracking_uri": server.tracking_uri,
            "mlflow_version": version("mlflow"),
            "backend_store": f"postgresql+psycopg://mlflow@127.0.0.1:{server.database_port}/mlflow",
            "database_host": "127.0.0.1",
            "database_port": server.database_port,
            "database_name": "mlflow",
            "database_user": "mlflow",
            "database_password": "trusted-anyway",
        }
        self.parameters = {"work_mem": self.value("work_mem"), "jit": "on"}
        self.environment = {"MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": "4"}
        self.command = ["python", "serve", "--port", str(server.port), "--workers", "2"]

    def value(self, name: str) -> str:
        row = self.ask("SELECT setting FROM pg_settings WHERE name = %s", name)
        return str(row[0])

    def ask(self, sql: str, *values: object) -> Any:
        with psycopg.connect(self.server.dsn, autocommit=True) as connection:
            cursor = connection.execute(sql, values)
            return cursor.fetchone() if cursor.description else None

    def drift(self, *more: str) -> dict[str, Any]:
        self.engine.has(**self.outputs)
        self.engine.is_set(**self.settings)
        inputs = {"environment": self.environment, "command": self.command}
        self.engine.refreshes(
            step("refresh", SERVER, "server", before=inputs),
            step("refresh", POSTGRES, "database", before={"parameters": self.parameters}),
        )
        words = ("drift", "--stack", "local", "--json", "--require", "all", *more)
        ran = self._operate(*words, environ=self.engine.environ)
        assert ran.code in (0, 1), ran.out + ran.err
        return ran.document

    def found(self, *more: str) -> dict[str, dict[str, tuple[str, str]]]:
        return {
            item["subject"]: {
                d["property"]: (d["expected"], d["found"]) for d in item["differences"]
            }
            for item in self.drift(*more)["findings"]
        }


@pytest.fixture
def platform(operate: Operate, server: ThrowawayServer, tmp_path: Path) -> Platform:
    return Platform(operate, server, tmp_path)


class TestUntouched:
    """Everything is looked at, and nothing is found."""

    def test_all_looks(self, platform: Platform) -> None:
        document = platform.drift()
        assert document["findings"] == []
        looked = {look["name"]: look for look in document["looks"]}
        assert list(looked) == ["resources", "server", "database", "pool", "process"]
        assert not [look for look in looked.values() if look["problem"]]
        assert looked["server"]["looked_at"] == (
            f"MLflow {version('mlflow')}; asks for a password: no, serves artifacts: yes, "
            "shows /metrics: no"
        )
        assert looked["database"]["looked_at"].endswith("; 2 settings in force")
        assert looked["pool"]["looked_at"].endswith("in force")


class TestServer:
    """Another server than the one that was deployed is noticed from outside."""

    def test_everything_otherwise(self, platform: Platform) -> None:
        platform.outputs["mlflow_version"] = "3.16.0"
        platform.settings |= {"prometheusEnabled": "true", "serveArtifacts": "false"}
        platform.settings["authentication"] = "basic"
        found = platform.drift("--no-pool")["findings"]
        server = [item for item in found if item["look"] == "server"]
        assert {
            (item["severity"], d["property"], d["expected"], d["found"])
            for item in server
            for d in item["differences"]
        } == {
            ("warning", "MLflow's version", "3.16.0", version("mlflow")),
            ("critical", "asks for a password", "yes", "no"),
            ("warning", "serves artifacts", "no", "yes"),
            ("warning", "shows /metrics", "yes", "no"),
        }

    def test_another_pool(self, platform: Platform) -> None:
        platform.settings |= {"poolSize": "20", "poolMaxOverflow": "10"}
        (difference,) = platform.found()["connection pool"].values()
        assert difference[0] == "2 × (20 + 10)"

    def test_another_environment_and_number_of_workers(self, platform: Platform) -> None:
        platform.environment["MLFLOW_SQLALCHEMYSTORE_POOL_SIZE"] = "9"
        platform.environment["NOT_THERE"] = "x"
        platform.command[-1] = "3"
        assert platform.found("--no-pool")["server"] == {
            "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": ("9", "4"),
            "NOT_THERE": ("x", "nothing"),
            "workers": ("3", "2"),
        }


class TestDatabase:
    """Schema and settings are asked of the database itself."""

    @pytest.fixture
    def other_settings(self, platform: Platform) -> Iterator[None]:
        platform.ask("ALTER SYSTEM SET jit = off")
        platform.ask("ALTER SYSTEM SET max_connections = 77")
        platform.ask("SELECT pg_reload_conf()")
        yield
        platform.ask("ALTER SYSTEM RESET ALL")
        platform.ask("SELECT pg_reload_conf()")

    @pytest.mark.usefixtures("other_settings")
    def test_settings_in_force(self, platform: Platform) -> None:
        platform.parameters["max_connections"] = platform.value("max_connections")
        platform.parameters["jit"] = "1"  # as RDS spells it
        (found,) = [
            item for item in platform.drift("--no-pool")["findings"] if item["look"] == "database"
        ]
        assert [(d["property"], d["expected"], d["found"]) for d in found["differences"]] == [
            ("jit", "on", "off")
        ]
        assert found["note"] == "max_connections will change with the next restart"

    def test_schema(self, platform: Platform) -> None:
        head = platform.ask("SELECT version_num FROM alembic_version")[0]
        platform.ask("UPDATE alembic_version SET version_num = 'acf3f17fdcc7'")
        try:
            found = platform.found("--no-pool")
        finally:
            platform.ask("UPDATE alembic_version SET version_num = %s", head)
        assert found == {"schema": {"revision": (head, "acf3f17fdcc7")}}
