"""`spool list` and `spool replay`: output and exit codes."""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlflow_platform_client import spool_commands, tracking_server
from mlflow_platform_client.spool import Spool
from tests.client.fake_tracking import FakeTracking
from tests.client.logging_desk import URI, logger_on


def spool(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    spool_commands.add_arguments(parser)
    return spool_commands.run(parser.parse_args(arguments))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> FakeTracking:
    fake = FakeTracking()
    monkeypatch.setattr(tracking_server, "connect", lambda _uri, connect_seconds: fake)
    return fake


@pytest.fixture
def left_behind(server: FakeTracking, tmp_path: Path) -> Path:
    """A spool with five values of a process that is gone."""
    server.away = True
    logger = logger_on(server, tmp_path)
    logger.log_metrics({f"m{n}": 1.0 for n in range(4)})
    logger.log_text("text", "prompt.txt")
    logger.close(0)
    server.away = False
    return tmp_path / "spool"


class TestList:
    """What is there, whose it is, and 1 when something is left."""

    def test_nothing(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        tmp_path.joinpath("spool").mkdir()
        assert spool("list", "--directory", str(tmp_path / "spool")) == 0
        assert "0 sessions" in capsys.readouterr().out

    def test_left_behind(self, left_behind: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert spool("list", "--directory", str(left_behind)) == 1
        assert "5 values left, 0:00:0" in capsys.readouterr().out
        assert spool("list", "--directory", str(left_behind), "--json") == 1
        [session] = json.loads(capsys.readouterr().out)["sessions"]
        assert (session["records"], session["owned"], session["tracking_uri"]) == (5, False, URI)

    def test_a_living_owner(
        self, server: FakeTracking, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with logger_on(server, tmp_path):
            assert spool("list", "--directory", str(tmp_path / "spool")) == 0
        assert "owned by process" in capsys.readouterr().out

    def test_a_folder_that_does_not_exist(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert spool("list", "--directory", str(tmp_path / "nowhere")) == 2
        assert "does not exist" in capsys.readouterr().err

    def test_mlflow_is_not_loaded(self, left_behind: Path) -> None:
        program = (
            "import sys\n"
            "from mlflow_platform_client.command_line import main\n"
            "code = main(sys.argv[1:])\n"
            "assert code == 1, code\n"
            "assert 'mlflow' not in sys.modules\n"
        )
        found = subprocess.run(
            [sys.executable, "-c", program, "spool", "list", "--directory", str(left_behind)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert found.returncode == 0, found.stderr


class TestReplay:
    """Everything without a living owner is sent; 1 when something stays."""

    def test_it_is_sent(
        self, left_behind: Path, server: FakeTracking, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert spool("replay", "--directory", str(left_behind)) == 0
        assert "5 sent, 0 left, 0 refused" in capsys.readouterr().out
        assert len(server["run1"].rows) == 4
        assert server["run1"].texts == {"prompt.txt": "text"}
        assert Spool(left_behind).sessions() == []
        assert spool("replay", "--directory", str(left_behind)) == 0
        assert "nothing to replay" in capsys.readouterr().out

    def test_a_server_that_is_away(
        self,
        left_behind: Path,
        server: FakeTracking,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        from mlflow_platform_client import delivery

        monkeypatch.setattr(delivery, "FIRST_PAUSE_SECONDS", 0.001)
        server.away = True
        assert spool("replay", "--directory", str(left_behind)) == 1
        assert "0 sent, 5 left, 0 refused (connection refused)" in capsys.readouterr().out
        assert len(Spool(left_behind).sessions()) == 1

    def test_refused_items_are_sent_again_when_asked(
        self, server: FakeTracking, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        server["run1"].active = False
        with logger_on(server, tmp_path) as logger:
            logger.log_metrics({"a": 1.0, "b": 2.0})
            logger.log_metric("bad*name", 1.0)
        directory = str(tmp_path / "spool")
        assert spool("list", "--directory", directory) == 1
        assert "refused: 3 in" in capsys.readouterr().out
        server["run1"].active = True
        assert spool("replay", "--directory", directory, "--rejected") == 0
        assert "2 refused items queued again" in capsys.readouterr().out
        assert server["run1"].values == [1.0, 2.0]
        spool("list", "--directory", directory)
        assert "refused: 1 in" in capsys.readouterr().out
