"""Runs the shell steps of a workflow's job as GitHub's runner does, in a checkout of its own.

Owns the files that a step writes to (environment, path, outputs, summary) and the few expressions
that the workflows use. Steps that use an action are left out: what an action does is its authors'
affair, and what stands in for it is said where a job is run.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
SHELL = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c")
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", ".state", "tests", "docs", "__pycache__", ".*_cache"
)

PULUMI = """#!/bin/sh
[ "$1" = login ] || exec {python} -m local_engine "$@"
"""


def checkout(folder: Path) -> Path:
    """A copy of this project, with the environment that the tests run in."""
    shutil.copytree(ROOT, folder, ignore=LEFT_OUT)
    (folder / ".venv").symlink_to(Path(sys.prefix))
    return folder


def read(workflow: str) -> dict[str, Any]:
    """A workflow's document."""
    path = ROOT / ".github" / "workflows" / f"{workflow}.yml"
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@dataclass
class Runner:
    """One job, on a machine of its own."""

    workspace: Path
    temp: Path
    environ: dict[str, str] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)  # of expressions, by their text
    path: list[str] = field(default_factory=list)
    actions: dict[str, Callable[[Mapping[str, Any]], None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Prepare the files, and a `pulumi` and a `make` that stand in for those of a runner."""
        self.temp.mkdir(parents=True, exist_ok=True)
        programs = self.temp / "programs"
        programs.mkdir()
        for name, text in {
            "pulumi": PULUMI.format(python=sys.executable),
            "make": "#!/bin/sh\n",  # what it would install is what the tests run in
        }.items():
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        self.path.append(str(programs))
        for name in ("env", "path", "output", "summary"):
            (self.temp / name).touch()

    @property
    def summary(self) -> str:
        """What the job wrote for its summary page."""
        return (self.temp / "summary").read_text(encoding="utf-8")

    def run(self, workflow: str, job: str) -> int:
        """Run a job's steps in order; the exit code of the first that fails, else 0."""
        document = read(workflow)
        told = document["jobs"][job]
        self.environ |= self._resolved({**document.get("env", {}), **told.get("env", {})})
        for step in told["steps"]:
            action = step.get("uses", "").partition("@")[0]
            if action in self.actions:
                self.actions[action](step.get("with", {}))
            if "run" in step and (code := self.step(step)):
                return code
        return 0

    def step(self, step: Mapping[str, Any]) -> int:
        """Run one step; its exit code."""
        files = {
            "GITHUB_ENV": "env",
            "GITHUB_PATH": "path",
            "GITHUB_OUTPUT": "output",
            "GITHUB_STEP_SUMMARY": "summary",
        }
        environ = {
            **os.environ,
            **self.environ,
            **self._resolved(step.get("env", {})),
            **{name: str(self.temp / file) for name, file in files.items()},
            "RUNNER_TEMP": str(self.temp),
            "PATH": os.pathsep.join([*self.path, os.environ["PATH"]]),
        }
        where = self.workspace / step.get("working-directory", ".")
        done = subprocess.run(
            [*SHELL, step["run"]],
            cwd=where,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )
        self.said = done.stdout + done.stderr
        for line in (self.temp / "env").read_text().splitlines():
            name, _, value = line.partition("=")
            self.environ[name] = value
        # What a step adds stands before everything else; the stand-ins stay first.
        self.path[1:] = (self.temp / "path").read_text().splitlines()
        return done.returncode

    def _resolved(self, environ: Mapping[str, str]) -> dict[str, str]:
        def value(match: re.Match[str]) -> str:
            return self.values[match[1].strip()]

        return {
            name: re.sub(r"\$\{\{(.*?)\}\}", value, str(text)) for name, text in environ.items()
        }
