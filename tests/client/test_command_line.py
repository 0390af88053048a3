"""The command line says what the library knows, with exit codes 0, 1 and 2."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlflow_platform_client import preflight, resolve_settings
from mlflow_platform_client.command_line import main
from tests.client.fake_mlflow import FakeMlflow, serving

pytestmark = pytest.mark.usefixtures("clean_environment")

QUICK = ["--set", "health_waits_seconds=", "--set", "connect_seconds=2"]


class Stream(io.StringIO):
    """A stream of a chosen encoding, a terminal or not."""

    def __init__(self, encoding: str = "utf-8", *, is_terminal: bool = False) -> None:
        super().__init__()
        self._encoding = encoding
        self._is_terminal = is_terminal

    @property
    def encoding(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self._encoding

    def isatty(self) -> bool:
        return self._is_terminal


def run(
    *argv: str, environ: dict[str, str] | None = None, stream: Stream | None = None
) -> tuple[int, str, str]:
    out, errors = stream or Stream(), Stream()
    code = main(argv, environ=environ or {}, stdout=out, stderr=errors)
    return code, out.getvalue(), errors.getvalue()


class TestPreflight:
    """0: training may begin. 1: it must not. 2: could not look."""

    def test_passed(self) -> None:
        fake = FakeMlflow()
        with serving(fake) as uri:
            code, out, errors = run("preflight", "--tracking-uri", uri, *QUICK)
        assert (code, errors) == (0, "")
        lines = out.splitlines()
        assert lines[0] == f"Preflight of {uri}"
        steps = ["health", "authentication", "versions", "experiment", "run", "metric", "artifact"]
        assert [line.split()[:2] for line in lines[1:8]] == [["✓", step] for step in steps]
        assert lines[8].startswith("Training may begin")
        assert [run["info"]["lifecycle_stage"] for run in fake.runs.values()] == ["deleted"]

    def test_failed(self) -> None:
        with serving(FakeMlflow(read_only_status=400)) as uri:
            code, out, _ = run("preflight", "--tracking-uri", uri, *QUICK, stream=Stream("ascii"))
        assert code == 1
        assert "  [x] run            could not start a run: HTTP 400 BAD_REQUEST: (psycopg" in out
        assert "      The server's database accepts no writes: it is a replica" in out
        assert "  [-] metric         not checked, because run did not pass" in out
        assert "Training must not begin: 1 problem" in out

    def test_json(self) -> None:
        with serving(FakeMlflow(password="correct horse")) as uri:
            code, out, _ = run(
                *("preflight", "--json", "--tracking-uri", uri, *QUICK),
                environ={
                    "MLFLOW_TRACKING_USERNAME": "admin",
                    "MLFLOW_TRACKING_PASSWORD": "hunter2-hunter2",
                },
            )
        document = json.loads(out)
        assert (code, document["passed"], document["schema_version"]) == (1, False, 1)
        assert [item["step"] for item in document["findings"] if item["outcome"] == "failed"] == [
            "authentication"
        ]
        assert "hunter2" not in out

    @pytest.mark.parametrize(
        ("argv", "words"),
        [
            ((), "error: tracking_uri is not set: give --tracking-uri"),
            (("--tracking-uri", "sqlite:///x.db"), "error: tracking_uri is 'sqlite:///x.db'"),
            (("--set", "traking_uri=x"), "error: --set names 'traking_uri', which is no setting"),
            (("--set", "x"), "error: --set is 'x': write --set name=value"),
        ],
    )
    def test_could_not_look(self, argv: tuple[str, ...], words: str) -> None:
        code, out, errors = run("preflight", *argv)
        assert (code, out) == (2, "")
        assert errors.startswith(words)

    def test_words_of_a_server_do_not_move_the_cursor(self) -> None:
        answer = (500, b"\x1b[2Jgone \xff")
        fake = FakeMlflow(answers_by_path={"/api/2.0/mlflow/experiments/search": answer})
        with serving(fake) as uri:
            _, out, _ = run("preflight", "--tracking-uri", uri, *QUICK)
        assert "\x1b" not in out
        assert "\\x1b[2Jgone" in out

    @pytest.mark.parametrize(
        ("environ", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
    )
    def test_colours(self, environ: dict[str, str], coloured: bool) -> None:
        with serving(FakeMlflow()) as uri:
            _, out, _ = run(
                *("preflight", "--tracking-uri", uri, *QUICK),
                environ=environ,
                stream=Stream(is_terminal=True),
            )
        assert ("\x1b[32m" in out) is coloured

    def test_as_a_module(self) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "mlflow_platform_client", "preflight"],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2] / "client")},
        )
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("error: tracking_uri is not set")


class TestConfigShow:
    """Each value and where it came from, secrets masked."""

    ENVIRON = {  # noqa: RUF012
        "MLFLOW_TRACKING_PASSWORD": "hunter2-hunter2",
        "AWS_ACCESS_KEY_ID": "AKIAABCDEFGHIJKLMNOP",
        "AWS_SECRET_ACCESS_KEY": "s3cret",
        "MLFLOW_SQLALCHEMY_POOL_SIZE": "10",
    }

    def test_text(self) -> None:
        code, out, _ = run(
            "config", "show", "--tracking-uri", "http://h:5000", environ=self.ENVIRON
        )
        rows = {line.split()[0]: line.split()[1:] for line in out.splitlines()}
        assert code == 0
        assert rows["tracking_uri"] == ["http://h:5000", "argument", "(--tracking-uri)"]
        assert rows["password"] == ["***", "environment", "(MLFLOW_TRACKING_PASSWORD)"]
        assert rows["aws_access_key_id"][0] == "AKIA****************"
        assert rows["read_timeout_seconds"] == ["300", "default"]
        assert "note: MLFLOW_SQLALCHEMY_POOL_SIZE is set and read by nothing" in out
        assert "hunter2" not in out
        assert "s3cret" not in out

    def test_json(self) -> None:
        code, out, _ = run("config", "show", "--json", environ=self.ENVIRON)
        document = json.loads(out)
        assert code == 0
        assert document["settings"]["password"] == {
            "value": "***",
            "source": "environment",
            "name_there": "MLFLOW_TRACKING_PASSWORD",
            "variable": "MLFLOW_TRACKING_PASSWORD",
        }
        assert "hunter2" not in out


class TestStatusShow:
    """0: the job is tracked. 1: it is not, and why. 2: the storage cannot be read."""

    def test_tracked(self, tmp_path: Path) -> None:
        with serving(FakeMlflow()) as uri:
            preflight(
                resolve_settings(environ={}, tracking_uri=uri, status_directory=str(tmp_path))
            )
            code, out, _ = run("status", "show", str(tmp_path))
            assert code == 0
            assert out.startswith("initialized: tracked as run 0000")
            code, out, _ = run("status", "show", str(tmp_path), "--json")
            assert (code, json.loads(out)["stage"]) == (0, "initialized")

    def test_a_rehearsal_leaves_the_jobs_files_alone(self, tmp_path: Path) -> None:
        with serving(FakeMlflow()) as uri:
            where = ["--set", f"status_directory={tmp_path}"]
            code, _, _ = run("preflight", "--tracking-uri", uri, *QUICK, *where)
        assert (code, list(tmp_path.iterdir())) == (0, [])

    def test_nothing_there(self, tmp_path: Path) -> None:
        code, out, _ = run("status", "show", str(tmp_path))
        assert code == 1
        assert out.startswith("absent: there is no mlflow_status.json in")

    def test_storage_that_cannot_be_read(self, tmp_path: Path) -> None:
        (tmp_path / "mlflow_status.json").mkdir()
        code, _, errors = run("status", "show", str(tmp_path))
        assert code == 2
        assert errors == f"error: {tmp_path}/mlflow_status.json cannot be read: Is a directory\n"
