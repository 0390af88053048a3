"""The two engines under test, each as something that runs one command line.

Owns how a command is started and with which environment: hermetic (no variable of the caller's
that begins with PULUMI_ gets through, state and home are the test's), the same for both engines.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

CHECKOUT = Path(__file__).parents[3]
PASSPHRASE = "conformance"
ENCRYPTION_SALT = "v1:srRSv2j+Uf8=:v1:M6QY+G9kN4yolDfN:wiM473pt4RRqzTDvhtc2gl14xh7Z2Q=="
"""What every stack of the suite is given as its salt, so that its key is derived only once."""
TIMEOUT_SECONDS = 120
"""A command that takes this long hangs; no test waits for less."""


@dataclass(frozen=True)
class Completed:
    """How a command ended."""

    arguments: tuple[str, ...]
    exit_code: int
    stdout: str
    stderr: str

    @property
    def text(self) -> str:
        """Everything that was said."""
        return f"{self.stdout}\n{self.stderr}"


class Engine(Protocol):
    """What runs `up`, `preview` and the rest."""

    name: str

    def run(self, arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> Completed:
        """Run one command line in the program's directory."""
        ...


class EmbeddedEngine:
    """`python -m local_engine`, its start-up paid once for the whole session."""

    name = "embedded"

    def __init__(self) -> None:
        """Start the process that forks commands."""
        self._process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("warm_engine.py")],
            cwd=CHECKOUT,
            env=base_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> Completed:
        """Run one command line in a fork of the warm process."""
        outputs = [cwd.parent / "stdout", cwd.parent / "stderr"]
        for output in outputs:
            output.unlink(missing_ok=True)
        request = {
            "arguments": list(arguments),
            "cwd": str(cwd),
            "env": {**base_environment(), **env},
            "stdout": str(outputs[0]),
            "stderr": str(outputs[1]),
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        exit_code = int(self._process.stdout.readline())
        texts = [output.read_text(encoding="utf-8") for output in outputs]
        return Completed(tuple(arguments), exit_code, *texts)

    def close(self) -> None:
        """End the warm process."""
        self._process.communicate(timeout=TIMEOUT_SECONDS)


class ColdEmbeddedEngine:
    """`python -m local_engine` in a process of its own, as a person starts it."""

    name = "embedded"

    def run(self, arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> Completed:
        """Run one command line in a fresh interpreter."""
        return _run([sys.executable, "-m", "local_engine"], arguments, cwd=cwd, env=env)


class PulumiCli:
    """The `pulumi` on PATH."""

    name = "pulumi"

    def run(self, arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> Completed:
        """Run one command line of Pulumi's."""
        executable = shutil.which("pulumi")
        assert executable is not None, "needs the Pulumi CLI on PATH"
        return _run([executable], arguments, cwd=cwd, env=env)


def base_environment() -> dict[str, str]:
    """Return the caller's environment without what would steer an engine."""
    environment = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("PULUMI_", "OTEL_", "PYTEST_"))
    }
    python = Path(sys.executable)
    return environment | {
        "PATH": f"{python.parent}{os.pathsep}{environment.get('PATH', os.defpath)}",
        "PYTHONPATH": str(CHECKOUT),
        "PULUMI_PYTHON_CMD": str(python),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        "NO_COLOR": "1",
    }


def _run(
    command: Sequence[str], arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str]
) -> Completed:
    completed = subprocess.run(
        [*command, *arguments],
        cwd=cwd,
        env={**base_environment(), **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_SECONDS,
    )
    return Completed(tuple(arguments), completed.returncode, completed.stdout, completed.stderr)
