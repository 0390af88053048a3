"""A stack of this project on the simulated cloud, driven through an engine's command line.

Owns where the state is kept and how a command's answer is read. Each command is a process of its
own, as it is for whoever types it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from simulated_cloud import SimulatedCloud

ROOT = Path(__file__).resolve().parents[2]
EMBEDDED = (sys.executable, "-m", "local_engine")
PULUMI = ("pulumi",)
NEEDS_PULUMI = [
    pytest.mark.pulumi,
    pytest.mark.skipif(shutil.which("pulumi") is None, reason="needs the Pulumi CLI on PATH"),
]


@dataclass
class StackOnCloud:
    """One stack, its state in a folder of the test's own."""

    name: str
    cloud: SimulatedCloud
    state: Path
    engine: Sequence[str] = EMBEDDED
    options: Sequence[str] = ()
    """What every command about resources is given besides."""

    def on(self, engine: Sequence[str]) -> StackOnCloud:
        """The same stack on one of the two engines."""
        return self if engine == EMBEDDED else self.on_pulumi()

    @contextmanager
    def timed(self, step: str) -> Generator[None]:
        """Say how long the block took, to who wants to see it (`pytest -s`)."""
        start = time.monotonic()
        yield
        sys.stdout.write(f"\n{self.name}: {step} {time.monotonic() - start:.1f} s")

    def on_pulumi(self) -> StackOnCloud:
        """The same stack on Pulumi's CLI.

        The CLI writes the passphrase's salt into the configuration file it is given: it gets a
        copy, in a folder of its own.
        """
        folder = self.state.parent / "cli"
        folder.mkdir(parents=True)
        file = f"Pulumi.{self.name}.yaml"
        for name in ("Pulumi.yaml", file):
            shutil.copy(ROOT / name, folder)
        made = replace(self, engine=("pulumi", "--cwd", str(folder)), options=())
        made.run("stack", "init")
        return replace(self, engine=PULUMI, options=("--config-file", str(folder / file)))

    @property
    def environment(self) -> dict[str, str]:
        """What leads a process to this cloud, this state and this engine."""
        return {
            **os.environ,
            **self.cloud.environment,
            "MLFLOW_PLATFORM_ENGINE": "embedded" if self.engine == EMBEDDED else "pulumi",
            "PULUMI_BACKEND_URL": f"file://{self.state}",
            "PULUMI_CONFIG_PASSPHRASE": "correct horse battery staple",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "NO_COLOR": "1",
        }

    def operate(self, command: str, *words: str) -> tuple[int, dict[str, Any]]:
        """Run one of the operations on the stack: its exit code and its JSON."""
        done = subprocess.run(
            [sys.executable, "-m", "operations", command, "--stack", self.name, "--json", *words],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )
        assert done.returncode in (0, 1), f"{done.stdout}\n{done.stderr}"
        return done.returncode, json.loads(done.stdout)

    def run(self, *words: str, expect: int = 0) -> str:
        """Run an engine's command on the stack; its standard output."""
        self.state.mkdir(parents=True, exist_ok=True)
        options = self.options if words[0] in ("up", "preview", "destroy", "refresh") else ()
        done = subprocess.run(
            [*self.engine, *words, "--stack", self.name, *options],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        assert done.returncode == expect, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    def preview(self, *words: str) -> Counter[str]:
        """What `up` would do: how many resources of the program, by operation."""
        answer = json.loads(self.run("preview", "--json", *words))
        return Counter(step["op"] for step in answer["steps"])

    def changed(self, *words: str) -> dict[str, list[str]]:
        """What a preview would change: properties by the resource's name.

        Of a list its name: the engines do not agree on which of its elements are other ones.
        """
        answer = json.loads(self.run("preview", "--json", *words))
        return {
            step["urn"].rpartition("::")[2]: sorted(
                {path.partition("[")[0] for path in step.get("detailedDiff") or {}}
            )
            for step in answer["steps"]
            if step["op"] not in ("same", "read", "refresh")
        }

    def up(self) -> None:
        """Deploy the stack, and bring back what drifted."""
        self.run("up", "--yes", "--skip-preview", "--refresh")

    def destroy(self) -> None:
        """Remove everything the stack made."""
        self.run("destroy", "--yes", "--skip-preview")

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs, secrets included."""
        return json.loads(self.run("stack", "output", "--json", "--show-secrets"))

    def export(self) -> dict[str, Any]:
        """The stack's state as it is written."""
        return json.loads(self.run("stack", "export"))

    def resources(self) -> list[dict[str, Any]]:
        """Every resource of the state."""
        return self.export()["deployment"]["resources"]
