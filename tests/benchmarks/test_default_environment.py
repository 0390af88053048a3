"""The default server's environment holds the locked versions, and is made anew when they change."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.server_comparison import default_environment
from benchmarks.server_comparison.default_environment import (
    EnvironmentMissingError,
    beside,
    default_python,
)

FAKE_UV = """#!{python}
import pathlib, sys
with open({log!r}, "a") as log:
    log.write(" ".join(sys.argv[1:]) + "\\n")
if sys.argv[1] == "venv":
    python = pathlib.Path(sys.argv[4]) / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
if "--target" in sys.argv:
    pathlib.Path(sys.argv[sys.argv.index("--target") + 1]).mkdir(parents=True)
if "broken" in sys.argv:
    sys.exit("no such package")
"""


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a uv that only writes down its arguments was called with."""
    path, uv = tmp_path / "uv.log", tmp_path / "bin" / "uv"
    uv.parent.mkdir()
    uv.write_text(FAKE_UV.format(python=sys.executable, log=str(path)))
    uv.chmod(0o755)
    lock = tmp_path / "requirements.txt"
    lock.write_text("mlflow==1\n")
    monkeypatch.setenv("PATH", str(uv.parent))
    monkeypatch.setattr(default_environment, "LOCK", lock)
    return path


class TestMadeOnce:
    """The same lock gives the same environment; another lock a new one."""

    def test_made(self, tmp_path: Path, log: Path) -> None:
        work = tmp_path / "work"
        work.mkdir()
        python = default_python(work)
        lock = tmp_path / "requirements.txt"
        folder = work / "default-environment"
        packages = f"--constraint {lock} mlflow psycopg2-binary"
        assert python == folder / "bin" / "python"
        assert log.read_text().splitlines() == [
            f"venv --python {sys.executable} {folder} --quiet",
            f"pip install --python {python} --compile-bytecode {packages} --quiet",
        ]
        assert default_python(work) == python
        assert len(log.read_text().splitlines()) == 2
        lock.write_text("mlflow==2\n")
        default_python(work)
        assert len(log.read_text().splitlines()) == 4

    def test_beside(self, tmp_path: Path, log: Path) -> None:
        folder = beside(tmp_path, "psycopg[binary]")
        assert folder == tmp_path / "beside" / "psycopg"
        assert beside(tmp_path, "psycopg[binary]") == folder
        assert log.read_text().count("pip install --target") == 1


class TestRefusals:
    """What cannot be installed is said in a sentence."""

    def test_uv_fails(self, tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(default_environment, "PACKAGES", ("broken",))
        with pytest.raises(EnvironmentMissingError) as caught:
            default_python(tmp_path)
        assert str(caught.value).startswith("uv could not install pip install --python ")
        assert str(caught.value).endswith(" for the default server:\nno such package\n")
        assert log.exists()
        assert not (tmp_path / "default-environment.sha256").exists()

    def test_no_uv(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
        with pytest.raises(EnvironmentMissingError) as caught:
            default_python(tmp_path)
        assert str(caught.value) == (
            "the default server is installed with uv, which is not there: `make setup` puts it in "
            ".venv/bin"
        )
