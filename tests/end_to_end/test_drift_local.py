"""A platform on this machine: untouched, then its supervisor killed and its schema moved."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from benchmarks.throwaway_postgres import free_port
from tests.end_to_end.github_runner import checkout

pytestmark = pytest.mark.slow

SETTINGS = """\
config:
  mlflow-platform:serverPort: {server}
  mlflow-platform:databasePort: "{database}"
  mlflow-platform:localPurgeOnDestroy: true
"""


@dataclass
class LocalStack:
    """The stack `local` of a checkout of its own."""

    folder: Path
    database_port: int

    def run(self, *words: str, expect: tuple[int, ...] = (0,)) -> str:
        """Run one of the project's modules in the checkout; its standard output."""
        done = subprocess.run(
            [sys.executable, "-m", *words],
            cwd=self.folder,
            env={
                **os.environ,
                "MLFLOW_PLATFORM_ENGINE": "embedded",
                "PULUMI_BACKEND_URL": f"file://{self.folder}/.state/pulumi",
                "PULUMI_CONFIG_PASSPHRASE": "correct horse battery staple",
                "NO_COLOR": "1",
            },
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode in expect, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    def engine(self, verb: str, *words: str) -> str:
        return self.run("local_engine", verb, *words, "--stack", "local")

    def drift(self, *words: str) -> dict[str, Any]:
        told = self.run("operations", "drift", "--stack", "local", "--json", *words, expect=(0, 1))
        return json.loads(told)

    def database(self, sql: str) -> None:
        password = self.engine("stack", "output", "databasePassword", "--show-secrets").strip()
        with psycopg.connect(
            host="127.0.0.1",
            port=self.database_port,
            user="mlflow",
            dbname="mlflow",
            password=password,
            autocommit=True,
        ) as connection:
            connection.execute(sql)

    def kill_supervisor(self) -> None:
        """As the kernel does when memory runs out."""
        (supervisor,) = [
            process
            for process in psutil.process_iter(["cmdline"])
            if any("supervisord" in word for word in process.info["cmdline"] or [])
            and str(self.folder) in " ".join(process.info["cmdline"] or [])
        ]
        supervisor.send_signal(signal.SIGKILL)
        supervisor.wait(30)


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[LocalStack]:
    local = LocalStack(checkout(tmp_path / "checkout"), free_port())
    text = SETTINGS.format(server=free_port(), database=local.database_port)
    (local.folder / "Pulumi.local.yaml").write_text(text)
    (local.folder / ".state" / "pulumi").mkdir(parents=True)
    local.engine("up", "--yes", "--skip-preview")
    try:
        yield local
    finally:
        local.engine("destroy", "--yes", "--skip-preview")


class TestLocal:
    """Every look is taken, and both kinds of drift are found and repaired."""

    def test_life(self, stack: LocalStack) -> None:
        untouched = stack.drift("--require", "all")
        assert untouched["findings"] == []
        looked = {look["name"]: look["looked_at"] for look in untouched["looks"]}
        assert list(looked) == ["resources", "server", "database", "pool", "process"]
        head = looked["database"].removeprefix("schema ").partition(";")[0]

        stack.database("UPDATE alembic_version SET version_num = 'acf3f17fdcc7'")
        stack.kill_supervisor()
        found = {
            item["subject"].rpartition("-mlflow-")[2]: [
                (d["property"], d["found"]) for d in item["differences"]
            ]
            for item in stack.drift("--no-pool")["findings"]
        }
        assert found == {
            "supervisor": [("state", "stopped")],
            "server": [("state", "unsupervised")],
            "database": [("state", "unsupervised")],
            "schema": [("revision", "acf3f17fdcc7")],
        }

        # No migration goes over tables that are there already: whoever moved it puts it back.
        stack.database(f"UPDATE alembic_version SET version_num = '{head}'")
        stack.engine("up", "--yes", "--skip-preview", "--refresh")
        assert stack.drift("--no-pool")["findings"] == []
