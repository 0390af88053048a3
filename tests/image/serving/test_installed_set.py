"""The exact set that the image holds, in an empty environment, run as the image runs it.

No container engine is needed: the lock goes into a virtual environment of its own, the package
beside it as the Dockerfile puts it, all of it read-only for the ordinary user who runs it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.image.serving.conftest import MIGRATED
from tests.image.serving.real_server import (
    AS_NOBODY,
    ROOT,
    Database,
    Load,
    Server,
    running,
    wait_until,
)
from tests.image.serving.test_serving import check

pytestmark = pytest.mark.slow

IMAGE = ROOT / "image"
UV = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")


def environment_of_the_image() -> dict[str, str]:
    """The Dockerfile's ENV, but for the places."""
    text = (IMAGE / "Dockerfile").read_text(encoding="utf-8")
    block = re.search(r"^ENV (.*?[^\\])$", text, re.MULTILINE | re.DOTALL)
    assert block is not None
    pairs = dict(re.findall(r"(\w+)=(\S+)", block[1]))
    assert pairs["PYTHONDONTWRITEBYTECODE"] == "1"
    return {name: value for name, value in pairs.items() if name not in ("PATH", "HOME", "TMPDIR")}


@pytest.fixture(scope="module")
def installed() -> Iterator[Path]:
    """The image's /opt/mlflow."""
    if UV is None:
        pytest.skip("uv is not installed")
    place = Path(tempfile.mkdtemp(prefix="image-"))
    place.chmod(0o755)
    home = place / "mlflow"

    def run(*command: str | Path) -> None:
        subprocess.run(command, check=True, capture_output=True, text=True)

    try:
        run(UV, "venv", "--quiet", "--python", sys.executable, home)
        python = home / "bin" / "python"
        run(
            *(UV, "pip", "install", "--quiet", "--python", python, "--no-deps"),
            *("--require-hashes", "--only-binary", ":all:", "--link-mode", "copy"),
            *("--requirement", IMAGE / "requirements.txt"),
        )
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        packages = home / "lib" / version / "site-packages"
        shutil.copytree(
            IMAGE / "mlflow_platform_server",
            packages / "mlflow_platform_server",
            ignore=shutil.ignore_patterns("__pycache__"),
        )
        run(
            *(python, "-m", "compileall", "-q", "-j", "2"),
            *("--invalidation-mode", "unchecked-hash", packages),
        )
        for path in [home, *home.rglob("*")]:
            if not path.is_symlink():
                path.chmod(path.stat().st_mode & ~0o222)
        yield home
    finally:
        for path in [home, *home.rglob("*")]:
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o755)
        shutil.rmtree(place, ignore_errors=True)


@pytest.fixture
def scratch() -> Iterator[Path]:
    """The one place that may be written: the mount at /tmp."""
    folder = Path(tempfile.mkdtemp(prefix="scratch-"))
    if os.geteuid() == 0:
        shutil.chown(folder, "nobody", "nogroup")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def shipped(database: Database, installed: Path, scratch: Path) -> Iterator[Server]:
    uri = database.copy(MIGRATED, scratch.name)
    options = [
        *("--workers", "2", "--threads", "8", "--drain-seconds", "1"),
        *("--artifacts-destination", str(scratch / "artifacts")),
        *("--expose-prometheus", str(scratch / "prometheus")),
    ]
    server = Server(
        uri,
        scratch,
        options,
        {
            **environment_of_the_image(),
            "PYTHONPATH": "",
            "HOME": str(scratch),
            "TMPDIR": str(scratch),
        },
        python=str(installed / "bin" / "python"),
        prefix=AS_NOBODY if os.geteuid() == 0 else (),
    )
    with running(server) as started:
        yield started


class TestTheShippedSet:
    """Empty environment, ordinary user, read-only packages, one folder to write to."""

    def test_it_serves_is_replaced_and_drains(self, shipped: Server, installed: Path) -> None:
        assert shipped.supervisor.username() != "root"
        assert "ALL TESTS PASSED" in check(shipped)
        assert b"mlflow_http_request_total" in shipped.ask("GET", "/metrics")[2]
        assert shipped.ask("GET", "/")[0] == 200  # the page and its files are there

        victim = shipped.workers[0]
        victim.kill()
        wait_until(
            lambda: len(shipped.workers) == 2 and victim.pid not in {w.pid for w in shipped.workers}
        )

        load = Load(shipped, 8)
        load.wait_for(50)
        assert shipped.stop() == 0
        tally = load.join()
        assert tally.lost == []
        assert len(tally.acknowledged) >= 50

    def test_nothing_is_installed_that_a_server_never_imports(self, installed: Path) -> None:
        packages = {path.name for path in installed.glob("lib/python3*/site-packages/*")}
        assert {"mlflow", "psycopg", "uvloop", "boto3", "prometheus_client"} <= packages
        assert packages & {"sklearn", "scipy", "matplotlib", "pyarrow", "skops", "pip"} == set()

    def test_the_stores_of_both_clouds_can_be_reached(self, installed: Path) -> None:
        script = (
            "import boto3, google.cloud.storage, google.auth, psycopg; print(psycopg.pq.__impl__)"
        )
        done = subprocess.run(
            [installed / "bin" / "python", "-c", script],
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout == "binary\n"
