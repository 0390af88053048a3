"""`retention` on a real server: what goes is gone with its files, and nothing else is."""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
from moto.server import ThreadedMotoServer

from benchmarks.throwaway_server import ThrowawayServer
from tests.operations.conftest import Operate, Ran

pytestmark = pytest.mark.slow

DAY = 24 * 3600 * 1000
NOW = int(time.time() * 1000)
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "nobody",
    "AWS_SECRET_ACCESS_KEY": "nothing",
    "AWS_DEFAULT_REGION": "eu-central-1",
}


@dataclass
class Tracking:
    """An experiment of a test's own on the server, and the stack that a command sees."""

    server: ThrowawayServer
    folder: Path
    operate_with: Operate
    artifact_root: str
    environ: dict[str, str]
    experiment_id: str = ""

    def __post_init__(self) -> None:
        """Make the experiment, and an engine that knows the stack."""
        wish: dict[str, Any] = {"name": f"retention-{uuid4().hex}"}
        if self.artifact_root.startswith("s3:"):
            wish["artifact_location"] = f"{self.artifact_root}/{uuid4().hex}"
        self.experiment_id = self.post("experiments/create", **wish)["experiment_id"]
        outputs = {
            "environment": "local",
            "target": "local",
            "trackingUri": self.server.tracking_uri,
            "healthUrl": f"{self.server.tracking_uri}/health",
            "experimentName": "check",
            "artifactRoot": self.artifact_root,
            "backendStore": "postgresql+psycopg://mlflow@127.0.0.1/mlflow",
            "authentication": "off",
            "mlflowVersion": "3.17.2",
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
        engine.write_text(f"#!{sys.executable}\nprint({json.dumps(json.dumps(outputs))})\n")
        engine.chmod(0o755)

    def post(self, path: str, method: str = "POST", **content: Any) -> dict[str, Any]:
        """One call of MLflow's API."""
        request = urllib.request.Request(
            f"{self.server.tracking_uri}/api/2.0/mlflow/{path}",
            data=json.dumps(content).encode(),
            headers={"Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"{}")

    def run(self, days_old: float, *, status: str = "FINISHED", **tags: str) -> str:
        """A run with a metric, a parameter and a file, last active so many days ago."""
        moment = NOW - int(days_old * DAY)
        created = self.post(
            "runs/create",
            experiment_id=self.experiment_id,
            start_time=moment - 1000,
            run_name=f"{days_old:g} days",
            tags=[{"key": key, "value": value} for key, value in tags.items()],
        )
        info = created["run"]["info"]
        run_id = info["run_id"]
        self.post("runs/log-metric", run_id=run_id, key="loss", value=0.5, timestamp=moment, step=3)
        self.post("runs/log-parameter", run_id=run_id, key="rate", value="0.1")
        self.put(f"{info['artifact_uri']}/notes.txt", f"of {run_id}".encode())
        if status != "RUNNING":
            self.post("runs/update", run_id=run_id, status=status, end_time=moment)
        return run_id

    def put(self, uri: str, content: bytes) -> None:
        """A file, as a client writes it: through the server or to the bucket."""
        if uri.startswith("s3://"):
            bucket, _, key = uri.removeprefix("s3://").partition("/")
            self.s3().put_object(Bucket=bucket, Key=key, Body=content)
            return
        path = uri.removeprefix("mlflow-artifacts:/")
        request = urllib.request.Request(
            f"{self.server.tracking_uri}/api/2.0/mlflow-artifacts/artifacts/{path}",
            data=content,
            method="PUT",
        )
        urllib.request.urlopen(request, timeout=60).close()

    def model(self, run_id: str, content: bytes = b"weights") -> str:
        """A model that a run logged, with a file."""
        wish = {"experiment_id": self.experiment_id, "name": "model", "source_run_id": run_id}
        info = self.post("logged-models", **wish)["model"]["info"]
        self.put(f"{info['artifact_uri']}/weights.bin", content)
        return info["model_id"]

    def register(self, source: str, **more: str) -> str:
        """The name of a registered model whose first version comes from there."""
        name = f"model-{uuid4().hex}"
        self.post("registered-models/create", name=name)
        self.post("model-versions/create", name=name, source=source, **more)
        return name

    def s3(self) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.environ["AWS_ENDPOINT_URL"],
            aws_access_key_id="nobody",
            aws_secret_access_key="nothing",
            region_name="eu-central-1",
        )

    def retention(self, *words: str) -> Ran:
        """The command."""
        environ = {"PATH": str(self.folder / "bin"), **self.environ}
        return self.operate_with("retention", "--stack", "local", *words, environ=environ)

    def chosen(self, *words: str) -> dict[str, Any]:
        """Of this experiment, what the command's object says."""
        document = self.retention("--json", *words).document
        own = {row[0] for row in self.rows("SELECT run_uuid FROM runs WHERE experiment_id = %s")}
        return {
            "go": [run["run_id"] for run in document["runs"] if run["run_id"] in own],
            "kept": {
                kept["run_id"]: kept["why"] for kept in document["kept"] if kept["run_id"] in own
            },
        }

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.server.query(sql, int(self.experiment_id))

    @property
    def runs(self) -> set[str]:
        """What the database has of this experiment, deleted ones included."""
        return {row[0] for row in self.rows("SELECT run_uuid FROM runs WHERE experiment_id = %s")}


@pytest.fixture
def clean(server: ThrowawayServer) -> None:
    """Runs of other tests are none of this one's."""
    for table in ("metrics", "latest_metrics", "params", "tags"):
        server.query(f"DELETE FROM {table} RETURNING 1")
    server.query("DELETE FROM model_versions RETURNING 1")
    server.query("DELETE FROM runs RETURNING 1")


@pytest.fixture
def local(server: ThrowawayServer, clean: None, tmp_path: Path, operate: Operate) -> Tracking:
    """Artifacts through the server, in a folder."""
    root = str(server._folder / "artifacts")
    return Tracking(server, tmp_path, operate, root, {})


@pytest.fixture(scope="module")
def moto() -> Iterator[dict[str, str]]:
    """S3, and how it is reached."""
    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    running.start()
    host, port = running.get_host_and_port()
    yield {"AWS_ENDPOINT_URL": f"http://{host}:{port}", **CREDENTIALS}
    running.stop()


@pytest.fixture
def s3(
    server: ThrowawayServer,
    clean: None,
    tmp_path: Path,
    operate: Operate,
    moto: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> Tracking:
    """Artifacts straight in a bucket."""
    for name, value in moto.items():
        monkeypatch.setenv(name, value)
    bucket = f"b-{uuid4().hex}"
    made = Tracking.__new__(Tracking)
    made.environ = moto
    for name in (bucket, f"{bucket}-cold"):
        made.s3().create_bucket(
            Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )
    return Tracking(server, tmp_path, operate, f"s3://{bucket}/mlflow", moto)


class TestDryRun:
    """Without the stack's name nothing changes, and everything is told."""

    def test_text(self, local: Tracking) -> None:
        old = local.run(100)
        local.model(old, b"0123456789")
        registered = local.run(120)
        local.register(f"runs:/{registered}/model", run_id=registered)
        local.run(10)
        ran = local.retention()
        day = time.strftime("%Y-%m-%d", time.gmtime((NOW - 100 * DAY) / 1000))
        before = time.strftime("%Y-%m-%d", time.gmtime((NOW - 90 * DAY) / 1000))
        experiment = local.server.query(
            "SELECT name FROM experiments WHERE experiment_id = %s", int(local.experiment_id)
        )[0][0]
        assert ran.code == 0
        name = local.server.query("SELECT name FROM model_versions")[0][0]
        assert ran.out.splitlines() == [
            f"Runs of stack local older than 90 days (last active before {before}):",
            (
                f"  {old}  {day}  finished                       2 files, 45 B, 1 model  "
                f"{experiment}/100 days"
            ),
            f"  {registered}  stays: version 1 of model {name}",
            "1 run to go, with 1 logged model, 2 files, 45 B; 1 old one to stay",
            (
                "Nothing was changed. To do it: python -m operations retention --stack local "
                "--days 90 --confirm local"
            ),
        ]
        assert len(local.runs) == 3

    def test_days(self, local: Tracking) -> None:
        old, older = local.run(40), local.run(200)
        assert local.chosen()["go"] == [older]
        assert local.chosen("--days", "30")["go"] == [older, old]

    def test_the_next_command_does_what_was_shown(self, local: Tracking) -> None:
        """Whoever copies it archives where the dry run said, and nowhere else."""
        local.run(100)
        place = f"{local.folder}/cold store"
        ran = local.retention("--archive", place, "--registered-too", "--days", "80")
        assert ran.out.splitlines()[-2:] == [
            f"Each is copied to {place} first, and read back",
            (
                "Nothing was changed. To do it: python -m operations retention --stack local "
                f"--days 80 --archive '{place}' --registered-too --confirm local"
            ),
        ]

    def test_nothing_old(self, local: Tracking) -> None:
        local.run(1)
        ran = local.retention()
        assert ran.code == 0
        assert ran.out.endswith(
            "0 runs to go, with 0 logged models, 0 files, 0 B; 0 old ones to stay\n"
        )


class TestKept:
    """Registered, running and tagged runs stay, each with its reason."""

    def test_reasons(self, local: Tracking) -> None:
        by_run, by_model = local.run(100), local.run(100)
        first = local.register(f"runs:/{by_run}/model", run_id=by_run)
        model = local.model(by_model)
        source = local.server.query(
            "SELECT artifact_location FROM logged_models WHERE model_id = %s", model
        )[0][0]
        second = local.register(source, model_id=model)
        running = local.run(100, status="RUNNING")
        tagged = local.run(100, **{"mlflow-platform.keep": "for the audit"})
        parent = local.run(100)
        local.run(0, status="RUNNING", **{"mlflow.parentRunId": parent})
        assert local.chosen() == {
            "go": [],
            "kept": {
                by_run: f"version 1 of model {first}",
                by_model: f"version 1 of model {second}",
                running: "its status is RUNNING",
                tagged: "it has the tag mlflow-platform.keep",
                parent: "a run below it is still running",
            },
        }
        assert local.chosen("--registered-too")["go"] == sorted([by_run, by_model])


class TestDone:
    """With the stack's name the runs are gone, with their files; all else is as it was."""

    def test_local(self, local: Tracking) -> None:
        old, young, kept = local.run(100), local.run(10), local.run(100)
        model = local.model(old)
        local.register(f"runs:/{kept}/model", run_id=kept)
        somebodys = local.run(10)
        local.post("runs/delete", run_id=somebodys)
        other = local.post("experiments/create", name=f"deleted-{uuid4().hex}")["experiment_id"]
        local.post("experiments/delete", experiment_id=other)

        ran = local.retention("--confirm", "local")
        assert ran.code == 0, ran.err
        assert ran.out.endswith("1 run deleted for good, with artifacts\n")
        assert local.runs == {young, kept, somebodys}
        root = Path(local.artifact_root)
        assert list(root.rglob(f"*{old}*/**/notes.txt")) == []
        assert list(root.rglob(f"*{model}*/**/weights.bin")) == []
        assert len(list(root.rglob(f"*{young}*/**/notes.txt"))) == 1
        # `mlflow gc --run-ids` would have taken these along.
        assert local.server.count(
            "SELECT count(*) FROM experiments WHERE experiment_id = %s", int(other)
        )

    def test_one_that_somebody_deleted(self, local: Tracking) -> None:
        run = local.run(200)
        local.post("runs/delete", run_id=run)
        local.server.query(
            "UPDATE runs SET deleted_time = %s WHERE run_uuid = %s RETURNING 1",
            NOW - 100 * DAY,
            run,
        )
        assert local.retention("--confirm", "local").code == 0
        assert local.runs == set()

    def test_another_name(self, local: Tracking) -> None:
        local.run(100)
        ran = local.retention("--confirm", "prod")
        assert ran.code == 2
        assert ran.err.splitlines()[-1] == (
            "error: nothing was changed: --confirm is 'prod' and the stack is 'local'; repeat the "
            "command with --confirm local if that is the one"
        )
        assert len(local.runs) == 1

    def test_s3(self, s3: Tracking) -> None:
        old, young = s3.run(100), s3.run(10)
        model = s3.model(old, os.urandom(1000))
        bucket = s3.artifact_root.removeprefix("s3://").partition("/")[0]
        assert s3.retention("--confirm", "local").code == 0
        assert s3.runs == {young}
        keys = [one["Key"] for one in s3.s3().list_objects_v2(Bucket=bucket)["Contents"]]
        assert len(keys) == 1
        assert young in keys[0]
        assert not any(model in key or old in key for key in keys)


class TestArchive:
    """What is archived was read back, byte for byte, before anything is deleted."""

    def test_to_a_colder_bucket(self, s3: Tracking) -> None:
        old = s3.run(100)
        model = s3.model(old, b"weights of a year")
        cold = s3.artifact_root.removeprefix("s3://").partition("/")[0] + "-cold"
        ran = s3.retention("--confirm", "local", "--archive", f"s3://{cold}/runs")
        assert ran.code == 0, ran.err
        assert s3.runs == set()
        folder = f"runs/local/{s3.experiment_id}/{old}"
        held = {
            one["Key"].removeprefix(f"{folder}/"): s3.s3()
            .get_object(Bucket=cold, Key=one["Key"])["Body"]
            .read()
            for one in s3.s3().list_objects_v2(Bucket=cold)["Contents"]
        }
        assert sorted(held) == [
            "artifacts/notes.txt",
            "manifest.json",
            f"models/{model}/weights.bin",
            "rows.jsonl",
        ]
        assert held["artifacts/notes.txt"] == f"of {old}".encode()
        assert held[f"models/{model}/weights.bin"] == b"weights of a year"
        rows = [json.loads(line) for line in held["rows.jsonl"].splitlines()]
        assert {row["table"] for row in rows} >= {"runs", "metrics", "params", "tags"}
        metric = next(row["row"] for row in rows if row["table"] == "metrics")
        assert (metric["key"], metric["value"], metric["step"]) == ("loss", 0.5, 3)
        manifest = json.loads(held["manifest.json"])
        assert sorted(manifest["files"]) == sorted(set(held) - {"manifest.json"})
        assert manifest["files"]["artifacts/notes.txt"]["bytes"] == len(f"of {old}")

    def test_an_archive_that_is_not_there(self, s3: Tracking) -> None:
        old = s3.run(100)
        ran = s3.retention("--confirm", "local", "--archive", "s3://no-such-bucket/runs")
        assert ran.code == 2
        assert "NoSuchBucket" in ran.err
        assert s3.runs == {old}

    def test_artifacts_elsewhere(self, s3: Tracking) -> None:
        old = s3.run(100)
        s3.server.query(
            "UPDATE runs SET artifact_uri = 's3://another/place' WHERE run_uuid = %s RETURNING 1",
            old,
        )
        ran = s3.retention("--confirm", "local", "--archive", str(s3.folder / "archive"))
        assert ran.code == 2
        assert ran.err.splitlines()[-1] == (
            f"error: run {old} keeps artifacts at s3://another/place, outside {s3.artifact_root}: "
            "nothing was deleted; archive it by hand, or leave --archive out"
        )
        assert s3.runs == {old}


class TestRefused:
    """What cannot be right is refused in a sentence."""

    @pytest.mark.parametrize("days", ["0", "-1", "soon", "99999"])
    def test_days(self, local: Tracking, days: str) -> None:
        ran = local.retention(f"--days={days}")
        assert ran.code == 2
        assert ran.err == (
            f"error: --days is {days!r}: give a whole number from 1 to 36500; runs that shall stay "
            "whatever their age get the tag mlflow-platform.keep\n"
        )

    def test_an_archive_among_the_artifacts(self, local: Tracking) -> None:
        old = local.run(100)
        ran = local.retention("--confirm", "local", "--archive", f"{local.artifact_root}/old")
        assert ran.code == 2
        assert ran.err.endswith("where it is deleted with the runs: name a place outside\n")
        assert local.runs == {old}

    def test_a_place_that_is_none(self, local: Tracking) -> None:
        ran = local.retention("--archive", "ftp://cold")
        assert ran.code == 2
        assert ran.err == (
            "error: --archive is 'ftp://cold', which is neither a path nor s3://bucket/prefix nor "
            "gs://bucket/prefix: give one of these\n"
        )
