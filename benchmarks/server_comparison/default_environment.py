"""What a team has after `pip install mlflow psycopg2-binary`, made with uv in the work folder.

Owns the virtual environment of the default server, and single packages laid beside it for the
ablation. The versions of all it shares with our own environment are those of requirements.txt, so
that a difference measured is one of configuration; what only we install (uvloop, httptools,
psycopg 3) is not in it, because MLflow does not ask for it.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements.txt"
PACKAGES = ("mlflow", "psycopg2-binary")


class EnvironmentMissingError(RuntimeError):
    """The default server cannot be installed."""


def default_python(work: Path) -> Path:
    """The interpreter of the default server's environment, made where it is not there yet."""
    wanted = hashlib.sha256(LOCK.read_bytes() + repr(PACKAGES).encode()).hexdigest()
    folder, stamp = work / "default-environment", work / "default-environment.sha256"
    python = folder / "bin" / "python"
    if python.exists() and stamp.exists() and stamp.read_text() == wanted:
        return python
    stamp.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    _uv("venv", "--python", sys.executable, str(folder))
    # Compiled, as pip leaves it: the first start of a benchmark is not the first of a machine.
    _uv("pip", "install", "--python", str(python), "--compile-bytecode", *_pinned(*PACKAGES))
    stamp.write_text(wanted)
    return python


def beside(work: Path, package: str) -> Path:
    """A folder with one more package, to be put on PYTHONPATH."""
    folder = work / "beside" / package.partition("[")[0]
    if not folder.is_dir():
        _uv("pip", "install", "--target", str(folder), "--compile-bytecode", *_pinned(package))
    return folder


def _pinned(*packages: str) -> list[str]:
    return ["--constraint", str(LOCK), *packages]


def _uv(*arguments: str) -> None:
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    try:
        done = subprocess.run(
            [uv, *arguments, "--quiet"], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise EnvironmentMissingError(
            "the default server is installed with uv, which is not there: `make setup` puts it in "
            ".venv/bin"
        ) from None
    if done.returncode != 0:
        raise EnvironmentMissingError(
            f"uv could not install {' '.join(arguments)} for the default server:\n{done.stderr}"
        )
