"""Rolling back: the commit before is deployed and checked, or a sentence says why not."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.github_runner import Runner, read

STAND_IN = """#!/bin/sh
echo "$(basename "$0") $* in $(git rev-parse HEAD)" >> {calls}
{more}
"""


def git(folder: Path, *words: str) -> str:
    settings = ("-c", "user.name=ann", "-c", "user.email=ann@example.com")
    done = subprocess.run(
        ["git", *settings, *words], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


class Deployment:
    """A repository with two commits, of which the second has failed."""

    def __init__(self, folder: Path) -> None:
        self.repository = folder / "repository"
        self.repository.mkdir()
        git(self.repository, "init", "--quiet")
        self.before = self.commit("mlflow[auth]==3.17.2")
        self.calls = folder / "calls"
        self.calls.touch()
        self._folder = folder
        steps = read("deploy")["jobs"]["deploy"]["steps"]
        self.step = next(item for item in steps if item.get("name", "").startswith("Roll back"))

    def commit(self, *requirements: str) -> str:
        (self.repository / "requirements.in").write_text("\n".join([*requirements, ""]))
        git(self.repository, "add", ".")
        git(self.repository, "commit", "--quiet", "--allow-empty", "--message", "a change")
        return git(self.repository, "rev-parse", "HEAD")

    def roll_back(self, before: str, *, failing: str = "") -> tuple[int, str]:
        """Run the step; its code and what it wrote for the summary."""
        temp = self._folder / "temp"
        values = {"steps.before.outputs.commit": before}
        sha = git(self.repository, "rev-parse", "HEAD")
        environ = {"GITHUB_SHA": sha, "STACK": "dev"}
        runner = Runner(self.repository, temp, environ, values)
        for name in ("make", "pulumi", "python"):
            program = temp / "programs" / name
            more = "exit 1" if name == failing else ""
            program.write_text(STAND_IN.format(calls=self.calls, more=more))
            program.chmod(0o755)
        code = runner.step(self.step)
        return code, runner.summary

    @property
    def called(self) -> list[str]:
        return self.calls.read_text().splitlines()


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    return Deployment(tmp_path)


class TestRollBack:
    """The program of the commit before, with its own environment, and its own check."""

    def test_done(self, deployment: Deployment) -> None:
        deployment.commit("mlflow[auth]==3.17.2", "boto3==1")
        code, said = deployment.roll_back(deployment.before)
        assert code == 0
        assert deployment.called == [
            f"make setup in {deployment.before}",
            f"pulumi up --stack dev --refresh --yes --skip-preview in {deployment.before}",
            f"python -m smoke_tests --stack dev in {deployment.before}",
        ]
        assert said == (
            f"🔙 **Rolled back to {deployment.before}**, which passes the four-stage check.\n"
            "Data was not rolled back: what was written or deleted in between stays so.\n"
        )

    @pytest.mark.parametrize("failing", ["make", "pulumi", "python"])
    def test_that_fails_too(self, deployment: Deployment, failing: str) -> None:
        deployment.commit("mlflow[auth]==3.17.2")
        code, said = deployment.roll_back(deployment.before, failing=failing)
        assert (code, said) == (1, "")


class TestNotRolledBack:
    """Where going back could do harm, nothing is done, and the summary says why."""

    def refused(self, deployment: Deployment, before: str) -> str:
        code, said = deployment.roll_back(before)
        assert (code, deployment.called) == (1, [])
        return said.removeprefix("::error::Not rolled back: ").strip()

    def test_another_mlflow(self, deployment: Deployment) -> None:
        """Its migration went forward, and the older server refuses the newer schema."""
        deployment.commit("mlflow[auth]==3.18.0")
        said = self.refused(deployment, deployment.before)
        assert said.startswith("MLflow's version changed, so the schema may have been migrated")

    def test_nothing_before(self, deployment: Deployment) -> None:
        said = self.refused(deployment, "")
        assert said == "nothing was deployed before, or its commit is not known."

    def test_the_same_commit(self, deployment: Deployment) -> None:
        said = self.refused(deployment, deployment.before)
        assert said == "the commit before is this one."

    def test_a_commit_of_another_repository(self, deployment: Deployment) -> None:
        deployment.commit("mlflow[auth]==3.17.2")
        said = self.refused(deployment, "0" * 40)
        assert said == f"the commit {'0' * 40} is not in this repository."


class TestWhichCommit:
    """Pulumi's history says what is deployed now: the last update that succeeded."""

    def ask(self, tmp_path: Path, history: str) -> Any:
        runner = Runner(tmp_path, tmp_path / "temp", {"STACK": "dev"})
        program = tmp_path / "temp" / "programs" / "pulumi"
        program.write_text(f"#!/bin/sh\ncat <<'END'\n{history}\nEND\n")
        steps = read("deploy")["jobs"]["deploy"]["steps"]
        assert runner.step(next(item for item in steps if item.get("id") == "before")) == 0
        return (tmp_path / "temp" / "output").read_text()

    def test_the_last_that_succeeded(self, tmp_path: Path) -> None:
        history = """[
            {"kind": "update", "result": "failed", "environment": {"git.head": "c"}},
            {"kind": "refresh", "result": "succeeded", "environment": {"git.head": "x"}},
            {"kind": "update", "result": "succeeded", "environment": {"git.head": "b"}},
            {"kind": "update", "result": "succeeded", "environment": {"git.head": "a"}}
        ]"""
        assert self.ask(tmp_path, history) == "commit=b\n"

    @pytest.mark.parametrize(
        "history", ["[]", '[{"kind": "update", "result": "succeeded", "environment": {}}]']
    )
    def test_none(self, tmp_path: Path, history: str) -> None:
        assert self.ask(tmp_path, history) == "commit=\n"
