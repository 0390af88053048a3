"""Reading a stack: which engine is asked, in which environment, and what its answer gives."""

from __future__ import annotations

import json
import os
import stat
import sys
from dataclasses import MISSING, fields
from pathlib import Path

import pytest

from infra.outputs import PlatformOutputs, camel_case
from smoke_tests.errors import CouldNotLook
from smoke_tests.masking import Masker
from smoke_tests.stack_target import read_stack
from tests.smoke_tests.conftest import Check
from tests.smoke_tests.stand_in_mlflow import StandInMlflow


def outputs(**known: object) -> dict[str, object]:
    """A whole set of outputs, as a deployed stack exports them."""
    required = {
        camel_case(item.name): f"some {item.name}"
        for item in fields(PlatformOutputs)
        if item.default is MISSING
    }
    return required | known


class Engine:
    """A `pulumi` in a folder of its own that records its call and prints what it is told."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.environ = {"PATH": str(folder)}
        self.project = folder

    def says(self, text: str, *, error: str = "", code: int = 0) -> None:
        script = self._folder / "pulumi"
        script.write_text(
            f"#!{sys.executable}\nimport json, os, sys\n"
            f"record = {{'argv': sys.argv[1:], 'cwd': os.getcwd(), 'env': dict(os.environ)}}\n"
            f"json.dump(record, open({str(self._folder / 'call')!r}, 'w'))\n"
            f"print({text!r}); print({error!r}, file=sys.stderr); sys.exit({code})\n"
        )
        script.chmod(script.stat().st_mode | stat.S_IXUSR)

    @property
    def call(self) -> dict:
        return json.loads((self._folder / "call").read_text())

    def read(self, name: str, masker: Masker | None = None, **environ: str) -> PlatformOutputs:
        return read_stack(
            name,
            environ=self.environ | environ,
            masker=masker or Masker(),
            project_directory=self.project,
        )


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return Engine(tmp_path)


class TestCall:
    """The engine is asked for all outputs, in the project's folder, without a prompt."""

    def test_command_and_folder(self, engine: Engine):
        engine.says(json.dumps(outputs(trackingUri="http://h")))
        assert engine.read("dev").tracking_uri == "http://h"
        assert engine.call["argv"] == (
            ["--non-interactive", "stack", "output", "--json", "--show-secrets", "--stack", "dev"]
        )
        assert os.path.realpath(engine.call["cwd"]) == os.path.realpath(engine.project)

    def test_local_stack_keeps_its_state_in_the_checkout(self, engine: Engine):
        engine.says(json.dumps(outputs()))
        engine.read("local")
        found = engine.call["env"]
        assert found["PULUMI_BACKEND_URL"] == f"file://{engine.project}/.state/pulumi"
        assert found["PULUMI_CONFIG_PASSPHRASE_FILE"] == f"{engine.project}/.state/passphrase"

    def test_users_own_settings_win(self, engine: Engine):
        engine.says(json.dumps(outputs()))
        engine.read("local", PULUMI_BACKEND_URL="file:///x", PULUMI_CONFIG_PASSPHRASE="p")
        found = engine.call["env"]
        assert found["PULUMI_BACKEND_URL"] == "file:///x"
        assert "PULUMI_CONFIG_PASSPHRASE_FILE" not in found

    def test_other_stacks_use_the_users_login(self, engine: Engine):
        engine.says(json.dumps(outputs()))
        engine.read("dev")
        assert "PULUMI_BACKEND_URL" not in engine.call["env"]

    def test_any_stack_found_in_the_checkout_is_read_there(self, engine: Engine):
        """`make up STACK=team` deploys to this machine too when its target is local."""
        kept = engine.project / ".state/pulumi/.pulumi/stacks/mlflow-platform/team.json"
        kept.parent.mkdir(parents=True)
        kept.touch()
        engine.says(json.dumps(outputs()))
        engine.read("team")
        found = engine.call["env"]
        assert found["PULUMI_BACKEND_URL"] == f"file://{engine.project}/.state/pulumi"

    def test_embedded_engine_where_it_was_asked_for(self, engine: Engine):
        """`make ENGINE=embedded` deploys with it although the Pulumi CLI is on PATH."""
        package = engine.project / "local_engine"
        package.mkdir()
        (package / "__main__.py").write_text(
            f"import json; print(json.dumps({outputs()!r} | {{'target': 'embedded'}}))"
        )
        engine.says(json.dumps(outputs()))
        assert engine.read("local", MLFLOW_PLATFORM_ENGINE="embedded").target == "embedded"

    def test_embedded_engine_without_pulumi(self, engine: Engine):
        package = engine.project / "local_engine"
        package.mkdir()
        (package / "__main__.py").write_text(
            f"import json, sys; print(json.dumps({outputs()!r} | {{'target': sys.argv[1:]}}))"
        )
        assert engine.read("local").target == (
            ["stack", "output", "--json", "--show-secrets", "--stack", "local"]
        )


class TestRefusals:
    """What cannot be read is one sentence, without any output of the stack in it."""

    def test_engine_refuses(self, engine: Engine):
        engine.says("", error="error: no stack named 'dev' found", code=255)
        with pytest.raises(CouldNotLook) as raised:
            engine.read("dev")
        assert str(raised.value) == (
            "--stack is 'dev', and its outputs cannot be read (no stack named 'dev' found): "
            "deploy it with `make up STACK=dev`, or give the tracking URI instead"
        )

    def test_not_json(self, engine: Engine):
        engine.says("adminPassword: very-secret")
        with pytest.raises(CouldNotLook, match="did not print JSON") as raised:
            engine.read("dev")
        assert "very-secret" not in str(raised.value)

    def test_not_deployed(self, engine: Engine):
        engine.says("{}")
        with pytest.raises(CouldNotLook, match=r"the stack exports no .*trackingUri"):
            engine.read("dev")


class TestWholeCommand:
    """`--stack` supplies address, experiment and credentials."""

    def test_outputs_are_used_and_masked(
        self,
        check: Check,
        engine: Engine,
        stand_in: StandInMlflow,
    ):
        password = "password-of-the-stack"
        engine.says(
            json.dumps(
                outputs(
                    trackingUri=stand_in.uri,
                    experimentName="from-the-stack",
                    authentication="basic",
                    authAdminUsername="admin",
                    authAdminPassword=password,
                )
            )
        )
        ran = check("--stack", "dev", environ=engine.environ)
        assert ran.code == 0, ran.everything
        assert "Created experiment: from-the-stack" in ran.out
        assert stand_in.requests[0].headers["authorization"].startswith("Basic YWRtaW46")
        assert password not in ran.everything

    def test_argument_wins_over_the_stacks_address(
        self, check: Check, engine: Engine, stand_in: StandInMlflow
    ):
        engine.says(json.dumps(outputs(trackingUri="http://elsewhere", experimentName="e")))
        ran = check(stand_in.uri, "--stack", "dev", "--experiment", "f", environ=engine.environ)
        assert ran.code == 0, ran.everything
        assert "Created experiment: f" in ran.out
