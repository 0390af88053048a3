"""A web application can say why tracking failed, whatever became of the job."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlflow_platform_client import StatusFileError, read_tracking_status, resolve_settings
from mlflow_platform_client.findings import Finding, Outcome, PreflightReport
from mlflow_platform_client.status_files import StatusFiles, longest_preflight_seconds
from mlflow_platform_client.status_storage import FolderStorage, ObjectStorage, open_storage
from tests.client.fake_mlflow import FakeClock

pytestmark = pytest.mark.usefixtures("clean_environment")

SETTINGS = resolve_settings(
    environ={}, tracking_uri="http://mlflow.internal:5000", experiment_name="churn"
)


def report(*, passed: bool = True) -> PreflightReport:
    finding = Finding(
        step="run",
        question="Can a run be started?",
        outcome=Outcome.PASSED if passed else Outcome.FAILED,
        message="HTTP 500 at postgresql://u:hunter2@h/db",
        remedy="Make it writable.",
    )
    return PreflightReport(
        tracking_uri="http://mlflow.internal:5000",
        experiment_name="churn",
        findings=(finding,),
        seconds=1.25,
        experiment_id="7",
        run_id="abc",
    )


@pytest.fixture(params=["folder", "file-uri", "memory"])
def directory(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "memory":
        pytest.importorskip("fsspec")
        return f"memory://bucket/{tmp_path.name}/jobs/42"
    folder = tmp_path / "jobs" / "with space"
    return str(folder) if request.param == "folder" else folder.as_uri()


class TestTheThreeStages:
    """What is written is read back as one sentence, on a disk and in an object store."""

    def test_before_anything(self, directory: str) -> None:
        status = read_tracking_status(directory)
        assert (status.stage, status.is_tracked) == ("absent", False)

    def test_initializing(self, directory: str) -> None:
        clock = FakeClock()
        StatusFiles(open_storage(directory), clock=clock.clock()).initializing(SETTINGS)
        clock.now += 20
        status = read_tracking_status(directory, clock=clock.clock())
        assert (status.stage, status.is_tracked, status.attempt) == ("initializing", False, 1)
        assert status.explanation == (
            "the preflight has been running for 20 s (attempt 1); it takes at most 940 s"
        )

    def test_initialized(self, directory: str) -> None:
        files = StatusFiles(open_storage(directory))
        files.initializing(SETTINGS)
        files.finished(report())
        status = read_tracking_status(directory)
        assert (status.stage, status.is_tracked, status.run_id) == ("initialized", True, "abc")
        assert status.links == {
            "experiment": "http://mlflow.internal:5000/#/experiments/7",
            "run": "http://mlflow.internal:5000/#/experiments/7/runs/abc",
        }
        # The path of either file will do.
        assert read_tracking_status(f"{directory}/mlflow_info.json").is_tracked

    def test_failed(self, directory: str) -> None:
        files = StatusFiles(open_storage(directory))
        files.initializing(SETTINGS)
        files.finished(report(passed=False))
        status = read_tracking_status(directory)
        assert status.explanation == (
            "tracking failed before training: run: HTTP 500 at postgresql://***:***@h/db"
        )
        assert status.remedies == ("Make it writable.",)

    def test_a_second_attempt_forgets_the_first_ones_run(self, directory: str) -> None:
        for _ in range(2):
            files = StatusFiles(open_storage(directory))
            files.initializing(SETTINGS)
            storage = open_storage(directory)
            assert storage.read("mlflow_info.json") is None
            files.finished(report())
        assert read_tracking_status(directory).attempt == 2


class TestAKilledJob:
    """A job killed between the two leaves a file that says so."""

    def test_on_the_same_machine_its_process_is_gone(self, tmp_path: Path) -> None:
        script = (
            "import os, sys\n"
            "from mlflow_platform_client import resolve_settings\n"
            "from mlflow_platform_client.status_files import StatusFiles\n"
            "settings = resolve_settings(tracking_uri='http://h', status_directory=sys.argv[1])\n"
            "StatusFiles.for_settings(settings).initializing(settings)\n"
            "os.kill(os.getpid(), 9)\n"
        )
        client = Path(__file__).resolve().parents[2] / "client"
        process = subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path)],
            env={**os.environ, "PYTHONPATH": str(client)},
        )
        assert process.wait() == -9
        status = read_tracking_status(str(tmp_path))
        assert (status.stage, status.is_tracked) == ("killed", False)
        assert f"its process {process.pid} on" in status.explanation
        assert status.explanation.startswith("the job was killed during its preflight")
        assert status.remedies[0].startswith("Look for a memory limit")

    def test_elsewhere_it_takes_too_long(self, tmp_path: Path) -> None:
        clock = FakeClock()
        StatusFiles(FolderStorage(tmp_path), clock=clock.clock()).initializing(SETTINGS)
        _edit(tmp_path, host="gone-with-its-pod")
        clock.now += longest_preflight_seconds(SETTINGS) + 1
        status = read_tracking_status(str(tmp_path), clock=clock.clock())
        assert status.explanation == (
            "the job was killed during its preflight, before training: it began 941 s ago and "
            "takes at most 940 s"
        )

    def test_a_longer_preflight_is_given_longer(self) -> None:
        patient = resolve_settings(environ={}, health_waits_seconds=(600,), tracking_uri="http://h")
        assert longest_preflight_seconds(patient) > 600


class TestFilesOfOthers:
    """What somebody else wrote, or a newer version, is explained and not raised."""

    @pytest.mark.parametrize(
        ("content", "stage"),
        [
            ("", "unreadable"),
            ("{", "unreadable"),
            ("[1]", "unreadable"),
            ('{"stage": "quantum", "schema_version": 9}', "unreadable"),
            ('{"stage": "initializing"}', "killed"),
            ('{"stage": "initializing", "updated_at": "yesterday", "pid": "x"}', "killed"),
            ('{"stage": "initialized"}', "failed"),
            ('{"stage": "failed"}', "failed"),
            ('{"stage": "failed", "error": "x", "findings": [3, {"outcome": 1}]}', "failed"),
        ],
    )
    def test_odd_content(self, tmp_path: Path, content: str, stage: str) -> None:
        (tmp_path / "mlflow_status.json").write_text(content)
        status = read_tracking_status(str(tmp_path))
        assert (status.stage, status.is_tracked) == (stage, False)
        json.dumps(status.as_dict())

    def test_the_form_of_seed_002(self, tmp_path: Path) -> None:
        document = {"stage": "initialized", "run_id": "abc", "timestamp": "2025-12-24T10:00:00"}
        (tmp_path / "mlflow_status.json").write_text(json.dumps(document))
        status = read_tracking_status(str(tmp_path))
        assert (status.is_tracked, status.run_id) == (True, "abc")
        assert status.updated_at is not None


class TestStorage:
    """A reader sees the old content or the new one; a refusal names the place."""

    def test_nothing_else_is_left_in_the_folder(self, tmp_path: Path) -> None:
        storage = FolderStorage(tmp_path)
        storage.write("mlflow_status.json", b"one")
        storage.write("mlflow_status.json", b"two")
        assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [
            ("mlflow_status.json", b"two")
        ]
        assert (tmp_path / "mlflow_status.json").stat().st_mode & 0o777 == 0o644

    def test_a_write_that_fails_leaves_the_old_content(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        storage = FolderStorage(tmp_path)
        storage.write("file", b"old")

        def full(_: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(StatusFileError, match="No space left on device"):
            storage.write("file", b"new")
        assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", b"old")]

    def test_a_folder_that_is_none(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("x")
        with pytest.raises(StatusFileError) as caught:
            open_storage(str(tmp_path / "file")).write("mlflow_status.json", b"x")
        assert (
            str(caught.value)
            == f"{tmp_path}/file/mlflow_status.json cannot be written: File exists"
        )

    def test_an_address_without_a_driver(self) -> None:
        pytest.importorskip("fsspec")
        with pytest.raises(StatusFileError) as caught:
            open_storage("nosuch://bucket/x").read("mlflow_status.json")
        assert str(caught.value).startswith("nosuch://bucket/x/mlflow_status.json cannot be read")

    def test_without_fsspec(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "fsspec", None)
        monkeypatch.setitem(sys.modules, "fsspec.core", None)
        with pytest.raises(StatusFileError) as caught:
            ObjectStorage("gs://bucket/x").write("mlflow_status.json", b"")
        assert str(caught.value) == (
            "gs://bucket/x/mlflow_status.json cannot be written: fsspec is not installed; install "
            "mlflow-platform-client[gs]"
        )

    def test_removing_what_is_not_there(self, directory: str) -> None:
        open_storage(directory).remove("mlflow_info.json")


def _edit(folder: Path, **changes: object) -> None:
    path = folder / "mlflow_status.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
