"""`upgrade` from MLflow's previous minor version, with data: forward, and back from failures."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import sys
import urllib.request
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from benchmarks.throwaway_postgres import ThrowawayPostgres, free_port
from operations.archive.encryption import new_identity
from tests.operations.conftest import Operate, Ran
from tests.operations.previous_mlflow import PREVIOUS, PreviousServer, install

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
RUNS = 20
METRICS = 50
TAKEN = "job_locks"
"""A table that the last of the migration's steps makes: when it is there already, that step fails
after all others have been done."""

TABLES = ("experiments", "runs", "params", "metrics", "latest_metrics", "tags", "model_versions")

ROLL = """
import os, signal, subprocess, sys, time, urllib.request
pid_file, port, database, artifacts = sys.argv[1:]
os.killpg(int(open(pid_file).read()), signal.SIGKILL)
time.sleep(0.2)
server = subprocess.Popen(
    [sys.executable, "-m", "mlflow_platform_server", "serve", "--backend-store-uri", database,
     "--host", "127.0.0.1", "--port", port, "--workers", "1", "--artifacts-destination", artifacts],
    stdout=open(pid_file + ".log", "ab"), stderr=subprocess.STDOUT, start_new_session=True)
open(pid_file, "w").write(str(server.pid))
deadline = time.monotonic() + 180
while server.poll() is None and time.monotonic() < deadline:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
        sys.exit(0)
    except OSError:
        time.sleep(0.1)
sys.exit("the server did not come up")
"""
"""What an engine's `up` does for a stack: the old server ends, the new one answers."""


@pytest.fixture(scope="session")
def previous(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The previous MLflow, installed once."""
    return install(tmp_path_factory.mktemp("mlflow-previous"))


class Platform:
    """A stack on the previous MLflow, with runs, metrics, a model and artifacts."""

    def __init__(
        self, cluster: ThrowawayPostgres, previous: Path, folder: Path, operate: Operate
    ) -> None:
        """Start it and write to it."""
        self._cluster, self._folder, self._operate = cluster, folder, operate
        self._name = f"upgrade_{os.urandom(4).hex()}"
        cluster.create(self._name)
        self._port = free_port()
        self._database = f"postgresql+psycopg://mlflow@127.0.0.1:{cluster.port}/{self._name}"
        self.secret_key, _ = new_identity()
        server = PreviousServer(previous, folder, database=self._database, port=self._port)
        self._pid_file = folder / "server.pid"
        self._pid_file.write_text(str(server.pid))
        server.wait()
        self.tracking_uri = server.tracking_uri
        self._write()
        self._engine()

    def _write(self) -> None:
        experiment = self.post("experiments/create", name="before")["experiment_id"]
        for number in range(RUNS):
            info = self.post("runs/create", experiment_id=experiment)["run"]["info"]
            metrics = [
                {"key": "loss", "value": 1 / (step + 1), "timestamp": 1000 + step, "step": step}
                for step in range(METRICS)
            ]
            params = [{"key": "rate", "value": str(number)}]
            self.post("runs/log-batch", run_id=info["run_id"], metrics=metrics, params=params)
            path = info["artifact_uri"].removeprefix("mlflow-artifacts:/")
            request = urllib.request.Request(
                f"{self.tracking_uri}/api/2.0/mlflow-artifacts/artifacts/{path}/weights.bin",
                data=os.urandom(1000),
                method="PUT",
            )
            urllib.request.urlopen(request, timeout=60).close()
            self.last_run = str(info["run_id"])
        self.post("registered-models/create", name="line")
        source = f"runs:/{self.last_run}/weights.bin"
        self.post("model-versions/create", name="line", source=source, run_id=self.last_run)

    def _engine(self) -> None:
        outputs = {
            "environment": "local",
            "target": "local",
            "trackingUri": self.tracking_uri,
            "healthUrl": f"{self.tracking_uri}/health",
            "experimentName": "check",
            "artifactRoot": str(self._folder / "artifacts"),
            "backendStore": f"postgresql+psycopg://mlflow@127.0.0.1/{self._name}",
            "authentication": "off",
            "mlflowVersion": PREVIOUS,
            "connectionBudget": "",
            "clientEnvironment": {},
            "databaseHost": "127.0.0.1",
            "databasePort": self._cluster.port,
            "databaseName": self._name,
            "databaseUser": "mlflow",
            "databasePassword": "trusted-anyway",
        }
        engine = self._folder / "bin" / "pulumi"
        engine.parent.mkdir()
        engine.write_text(f"#!{sys.executable}\nprint({json.dumps(json.dumps(outputs))})\n")
        engine.chmod(0o755)
        (self._folder / "roll.py").write_text(ROLL)

    @property
    def roll(self) -> str:
        """The command that rolls the server."""
        words = (sys.executable, self._folder / "roll.py", self._pid_file, self._port)
        return " ".join(str(word) for word in (*words, self._database, self._folder / "artifacts"))

    def upgrade(self, *words: str) -> Ran:
        """The command."""
        environ = {
            "PATH": str(self._folder / "bin"),
            "PYTHONPATH": str(ROOT / "image"),
            "MLFLOW_PLATFORM_BACKUP_IDENTITY": self.secret_key,
        }
        place = str(self._folder / "backups")
        ran = self._operate("upgrade", "--stack", "local", "--to", place, *words, environ=environ)
        assert self.secret_key not in ran.out + ran.err
        return ran

    def post(self, path: str, **content: Any) -> dict[str, Any]:
        """One call of MLflow's API."""
        request = urllib.request.Request(
            f"{self.tracking_uri}/api/2.0/mlflow/{path}",
            data=json.dumps(content).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"{}")

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        return self._cluster.query(self._name, sql)

    @property
    def revision(self) -> str:
        return str(self.query("SELECT version_num FROM alembic_version")[0][0])

    @property
    def server_version(self) -> str:
        with urllib.request.urlopen(f"{self.tracking_uri}/version", timeout=60) as answer:
            return answer.read().decode()

    def content(self) -> dict[str, Any]:
        """Every row of what a training job writes, and every artifact."""
        found: dict[str, Any] = {}
        for table in TABLES:
            rows = self.query(
                f"SELECT count(*), md5(string_agg(t::text, '' ORDER BY t::text)) FROM {table} t"
            )
            found[table] = rows[0]
        for path in sorted((self._folder / "artifacts").rglob("*")):
            if path.is_file():
                found[path.name + str(path.parent)] = hashlib.sha256(path.read_bytes()).hexdigest()
        return found

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(int(self._pid_file.read_text()), signal.SIGKILL)


@pytest.fixture
def platform(
    cluster: ThrowawayPostgres, previous: Path, tmp_path: Path, operate: Operate
) -> Iterator[Platform]:
    made = Platform(cluster, previous, tmp_path, operate)
    yield made
    made.kill()


class TestPlan:
    """Without the stack's name the plan is shown and nothing changes."""

    def test_dry(self, platform: Platform) -> None:
        before, revision = platform.content(), platform.revision
        ran = platform.upgrade("--roll", platform.roll)
        assert ran.code == 0, ran.err
        lines = ran.out.splitlines()
        assert lines[0] == (
            f"Upgrade of stack local from MLflow {PREVIOUS} to {version('mlflow')}:"
        )
        assert lines[2].startswith(f"  2 migrate    schema {revision} to ")
        assert lines[4].startswith(f"  4 roll       the server: {sys.executable} ")
        assert lines[-1] == "Nothing was changed. To do it, add --confirm local"
        assert (platform.content(), platform.revision) == (before, revision)

    def test_another_name(self, platform: Platform) -> None:
        ran = platform.upgrade("--confirm", "prod")
        assert ran.code == 2
        assert ran.err.splitlines()[-1] == (
            "error: nothing was changed: --confirm is 'prod' and the stack is 'local'; repeat the "
            "command with --confirm local if that is the one"
        )


class TestUpgraded:
    """Data written through the previous server is read through the new one."""

    def test_forward(self, platform: Platform) -> None:
        before = platform.content()
        assert platform.server_version == PREVIOUS
        ran = platform.upgrade("--confirm", "local", "--roll", platform.roll, "--json")
        assert ran.code == 0, ran.out + ran.err
        document = ran.document
        assert document["result"] == "upgraded"
        assert document["revision"] == document["revision_wanted"] == platform.revision
        assert document["revision_before"] != document["revision"]
        assert [step.split()[0] for step in document["steps"]] == [
            "backed",
            "migrated",
            "rolled",
            "checked",
        ]
        assert platform.server_version == version("mlflow")
        answer = platform.post("runs/search", experiment_ids=["1"], max_results=1000)
        assert len(answer["runs"]) == RUNS
        after = platform.content()
        assert after["metrics"][0] >= before["metrics"][0]
        assert {name: value for name, value in after.items() if "weights.bin" in name} == {
            name: value for name, value in before.items() if "weights.bin" in name
        }
        again = platform.query(
            "SELECT count(*), sum(value) FROM metrics WHERE key = 'loss' AND step < 50"
        )
        assert again == [(RUNS * METRICS, pytest.approx(RUNS * sum(1 / n for n in range(1, 51))))]


class TestBack:
    """A step that fails brings everything back: revision, rows, files, a server that serves."""

    def test_the_migration_fails_midway(self, platform: Platform) -> None:
        platform.query(f"CREATE TABLE {TAKEN} (a int); SELECT 1")
        before, revision = platform.content(), platform.revision
        ran = platform.upgrade("--confirm", "local", "--roll", platform.roll, "--json")
        assert ran.code == 1, ran.err
        document = ran.document
        assert document["result"] == "went back", document
        assert f'relation "{TAKEN}" already exists' in document["failure"]
        assert document["revision"] == revision == platform.revision
        assert platform.content() == before
        assert platform.server_version == PREVIOUS
        assert platform.post("runs/create", experiment_id="1")["run"]["info"]["run_id"]

    def test_the_new_server_does_not_come_up(self, platform: Platform) -> None:
        before, revision = platform.content(), platform.revision
        ran = platform.upgrade("--confirm", "local", "--roll", "/bin/false", "--json")
        assert ran.code == 1
        document = ran.document
        assert document["result"] == "went back", document
        assert document["failure"] == "failed: exit code 1, and not a word"
        assert document["next_step"] == (
            "The server that runs now may be the new one, on MLflow "
            f"{PREVIOUS}'s schema: check out the commit with MLflow {PREVIOUS} and deploy it"
        )
        assert document["revision"] == revision == platform.revision
        assert platform.content() == before
        assert platform.server_version == PREVIOUS

    def test_the_check_fails_and_the_server_is_put_back(self, platform: Platform) -> None:
        before = platform.content()
        down = f"{sys.executable} -c 'import os; os.killpg({platform._pid_file.read_text()}, 9)'"
        ran = platform.upgrade(
            "--confirm", "local", "--roll", down, "--roll-back", "/bin/true", "--json"
        )
        assert ran.code == 1
        assert ran.document["result"] == "went back", ran.document
        assert ran.document["steps"][-2:] == [
            f"restored    {ran.document['backup']}",
            "rolled back the server",
        ]
        assert platform.content() == before
