"""Backups of a real MLflow: its server, its schema, its clients at work meanwhile."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient

from benchmarks.throwaway_server import ThrowawayServer
from operations.archive.encryption import new_identity
from tests.operations.conftest import Operate, Ran

pytestmark = pytest.mark.slow


@dataclass
class Stack:
    """The server as a stack called `local`."""

    server: ThrowawayServer
    folder: Path
    operate_with: Operate

    def __post_init__(self) -> None:
        """Let the engine answer with its outputs."""
        self.secret_key, self.recipient = new_identity()
        self.artifacts = self.server.artifacts
        self.client = MlflowClient(self.server.tracking_uri)
        outputs = {
            "environment": "local",
            "target": "local",
            "trackingUri": self.server.tracking_uri,
            "healthUrl": f"{self.server.tracking_uri}/health",
            "experimentName": "check",
            "artifactRoot": str(self.artifacts),
            "backendStore": "postgresql+psycopg://mlflow@127.0.0.1/mlflow",
            "authentication": "off",
            "mlflowVersion": mlflow.__version__,
            "connectionBudget": "",
            "clientEnvironment": {},
            "databaseHost": "127.0.0.1",
            "databasePort": self.server.database_port,
            "databaseName": "mlflow",
            "databaseUser": "mlflow",
            "databasePassword": "trusted-anyway",
        }
        engine = self.folder / "bin" / "pulumi"
        engine.parent.mkdir()
        engine.write_text(
            f"#!{sys.executable}\nimport sys\n"
            f"print({json.dumps(outputs)!r} if 'output' in sys.argv else '{{}}')\n"
        )
        engine.chmod(0o755)

    def operate(self, *words: str) -> Ran:
        """Run a command on the stack."""
        return self.operate_with(
            words[0],
            "--stack",
            "local",
            *words[1:],
            environ={
                "PATH": str(self.folder / "bin"),
                "MLFLOW_PLATFORM_BACKUP_IDENTITY": self.secret_key,
                "MLFLOW_PLATFORM_BACKUP_RECIPIENT": self.recipient,
            },
        )

    def log(self, experiment: str, number: int) -> str:
        """A run as a training job logs it, with a model that is registered last."""
        client = self.client
        run = client.create_run(experiment, tags={"number": str(number)})
        run_id = run.info.run_id
        for step in range(5):
            client.log_metric(run_id, "loss", 1 / (step + 1), step=step)
        client.log_metric(run_id, "nan", float("nan"))
        client.log_param(run_id, "rate", "0.1")
        client.log_text(run_id, f"model {number}\n" * 2000, "model/weights.txt")
        client.create_model_version("resnet", f"{run.info.artifact_uri}/model", run_id)
        return run_id


@pytest.fixture
def stack(server: ThrowawayServer, tmp_path: Path, operate: Operate) -> Stack:
    return Stack(server, tmp_path, operate)


@contextmanager
def at_work(job: Callable[[int], Any], *, threads: int = 3) -> Iterator[list[int]]:
    """Jobs one after the other in several threads, until the end of the block."""
    stop = threading.Event()
    done: list[int] = []
    problems: list[BaseException] = []

    def work(first: int) -> None:
        number = first
        while not stop.is_set():
            try:
                job(number)
            except BaseException as problem:  # shown by the test
                problems.append(problem)
                return
            done.append(number)
            number += threads

    workers = [threading.Thread(target=work, args=(first,)) for first in range(threads)]
    for worker in workers:
        worker.start()
    try:
        yield done
    finally:
        stop.set()
        for worker in workers:
            worker.join()
        assert problems == []


class TestWhileJobsLog:
    """A backup that is made while training jobs log is consistent, and the drill proves it."""

    def test_drill(self, stack: Stack) -> None:
        stack.client.create_registered_model("resnet")
        experiment = stack.client.create_experiment("while jobs log")
        for number in range(3):
            stack.log(experiment, 1000 + number)
        place = str(stack.folder / "backups")
        with at_work(lambda number: stack.log(experiment, number)) as done:
            ran = stack.operate("drill", "--to", place, "--json")
        assert done, "nothing was logged meanwhile: the test saw nothing"
        assert (ran.code, ran.document["differences"]) == (0, 0), ran.out
        assert ran.document["mlflow"]["opened"] is True, ran.document["mlflow"]
        tables = {one["name"]: one["in_copy"] for one in ran.document["tables"]}
        assert 3 <= tables["runs"] <= 3 + len(done) + 3
        # Every model version in the dump found its files in the packs.
        made = stack.operate("backup", "--to", place, "--json")
        assert made.document["models_without_artifacts"] == 0


class TestRestoreUnderARunningServer:
    """The server goes on with the restored rows, and writes new ones."""

    def test_it_serves_what_was_backed_up(self, stack: Stack) -> None:
        client = stack.client
        experiment = client.create_experiment("before the backup")
        run = client.create_run(experiment)
        client.log_metric(run.info.run_id, "loss", 0.5, step=3)
        client.log_text(run.info.run_id, "kept", "notes.txt")
        place = str(stack.folder / "backups")
        assert stack.operate("backup", "--to", place).code == 0

        client.log_metric(run.info.run_id, "loss", 0.1, step=4)
        client.delete_run(run.info.run_id)
        later = client.create_experiment("after the backup")
        (stack.artifacts / experiment / run.info.run_id / "artifacts" / "notes.txt").unlink()

        ran = stack.operate("restore", "--from", place, "--confirm", "local")
        assert ran.code == 0, ran.err
        back = client.get_run(run.info.run_id)
        assert back.info.lifecycle_stage == "active"
        assert [m.value for m in client.get_metric_history(run.info.run_id, "loss")] == [0.5]
        local = client.download_artifacts(run.info.run_id, "notes.txt", str(stack.folder))
        assert Path(local).read_text() == "kept"
        assert client.get_experiment_by_name("after the backup") is None
        # Numbers go on after the highest that is there, as they did when the backup was made.
        assert int(client.create_experiment("anew")) == int(later)
        client.log_metric(run.info.run_id, "loss", 0.2, step=5)
        assert stack.operate("drill", "--json").document["differences"] == 0
