"""The workflows are what actionlint and zizmor accept, and rest on what this project promises.

zizmor is among the locked requirements. actionlint comes from PATH, or from Go's module proxy: a
run without --fast builds it once into .state/tools, where the next fast run finds it.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from operations.command_line import make_parser
from operations.commands import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))

CREDENTIALS_ACTIONS = ("aws-actions/configure-aws-credentials", "google-github-actions/auth")
ACTIONLINT = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"
TOOLS = ROOT / ".state" / "tools"
KEYS = ("aws-access-key-id", "aws-secret-access-key", "credentials_json", "service_account_key")


def parsed(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text())


def jobs() -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{path.stem}.{name}", job)
        for path in WORKFLOWS
        for name, job in parsed(path)["jobs"].items()
    ]


def steps() -> list[tuple[str, dict[str, Any]]]:
    return [(name, step) for name, job in jobs() for step in job["steps"]]


class TestCheckers:
    """What the two checkers find stops here."""

    def test_zizmor(self) -> None:
        program = Path(sys.executable).with_name("zizmor")
        found = subprocess.run(
            [program, "--offline", "--no-progress", "--persona", "pedantic", *WORKFLOWS],
            capture_output=True,
            text=True,
            check=False,
        )
        assert found.returncode == 0, found.stdout + found.stderr

    def test_actionlint(self, pytestconfig: pytest.Config) -> None:
        program = shutil.which("actionlint") or shutil.which("actionlint", path=TOOLS)
        if program is None:
            go = shutil.which("go")
            if go is None or pytestconfig.getoption("--fast"):
                pytest.skip("actionlint is not here; `make test` builds it where Go is installed")
            environ = {**os.environ, "GOBIN": str(TOOLS), "GOFLAGS": "-mod=mod"}
            built = subprocess.run([go, "install", ACTIONLINT], env=environ, check=False, cwd="/")
            if built.returncode != 0:
                pytest.skip("actionlint is not here, and Go could not build it")
            program = TOOLS / "actionlint"
        found = subprocess.run(
            [program, "-no-color", *WORKFLOWS], capture_output=True, text=True, check=False
        )
        assert found.returncode == 0, found.stdout + found.stderr


class TestPins:
    """An action is a commit; what it was called is beside it."""

    def test_every_action(self) -> None:
        used = [
            line.strip()
            for path in WORKFLOWS
            for line in path.read_text().splitlines()
            if re.match(r"\s*(- )?uses:", line)
        ]
        assert used
        form = re.compile(r"(- )?uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
        assert [line for line in used if not form.fullmatch(line)] == []

    def test_one_commit_for_each_version(self) -> None:
        text = "\n".join(path.read_text() for path in WORKFLOWS)
        pins = set(re.findall(r"uses: ([\w-]+/[\w-]+)@([0-9a-f]{40}) # (v[\d.]+)", text))
        assert len(pins) == len({name for name, _, _ in pins})


class TestRights:
    """Nothing is allowed that the job does not need, and no key is kept anywhere."""

    def test_none_for_the_whole_workflow(self) -> None:
        assert {path.name: parsed(path)["permissions"] for path in WORKFLOWS} == {
            path.name: {} for path in WORKFLOWS
        }

    def test_of_each_job(self) -> None:
        assert {name: job["permissions"] for name, job in jobs()} == {
            "deploy.deploy": {"contents": "read", "id-token": "write"},
            "deploy.preview": {"contents": "read", "id-token": "write"},
            "drift.issue": {"contents": "read", "issues": "write"},
            "drift.look": {"contents": "read", "id-token": "write"},
            "preview.affected": {"contents": "read"},
            "preview.cloud": {"contents": "read", "id-token": "write", "pull-requests": "write"},
            "preview.comment": {"contents": "read", "pull-requests": "write"},
            "preview.simulated": {"contents": "read", "pull-requests": "write"},
            "test.test": {"contents": "read"},
        }

    def test_a_role_by_oidc_alone(self) -> None:
        signing_in = [
            (name, step)
            for name, step in steps()
            if step.get("uses", "").startswith(CREDENTIALS_ACTIONS)
        ]
        assert {name for name, _ in signing_in} == {
            "deploy.deploy",
            "deploy.preview",
            "drift.look",
            "preview.cloud",
        }
        assert [name for name, step in signing_in if step["with"].keys() & set(KEYS)] == []

    def test_no_secret_is_read(self) -> None:
        text = "\n".join(path.read_text() for path in WORKFLOWS)
        assert "secrets." not in text

    def test_jobs_with_a_role_wait_for_an_environment(self) -> None:
        for name, job in jobs():
            if "id-token" in job["permissions"]:
                assert job["environment"], name

    def test_a_fork_never_gets_a_role(self) -> None:
        job = parsed(ROOT / ".github/workflows/preview.yml")["jobs"]["cloud"]
        assert "github.event.pull_request.head.repo.full_name == github.repository" in job["if"]
        for path in WORKFLOWS:
            assert "pull_request_target" not in path.read_text()

    def test_the_token_stays_out_of_the_checkout(self) -> None:
        for name, step in steps():
            if step.get("uses", "").startswith("actions/checkout"):
                assert step["with"]["persist-credentials"] is False, name


class TestCommands:
    """Every command that a workflow runs exists and takes these options."""

    def test_operations(self) -> None:
        lines = [
            line
            for _, step in steps()
            for line in re.sub(r"\\\n\s*", "", step.get("run", "")).splitlines()
            if "-m operations " in line
        ]
        assert len(lines) >= 6
        for line in lines:
            words = shlex.split(line.partition("-m operations ")[2], comments=True)
            ends = [i for i, word in enumerate(words) if word in ("|", ">", ">>", "||", "&&")]
            stop = next(
                (i for i, word in enumerate(words) if word[:1] in "|>" or word in ("||", "&&")),
                min(ends, default=len(words)),
            )
            words = [word.rstrip(")") for word in words[:stop]]
            command = next(item for item in COMMANDS if item.name == words[0])
            # Raises SystemExit where an option does not exist.
            make_parser(COMMANDS, load=command).parse_args(words)
