"""The verbs that need no engine: fast, exact, and one sentence when they refuse."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from local_engine.cli import main
from local_engine.lock import hold_lock, lock_folder
from tests.local_engine.conftest import PASSPHRASE

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(shelf: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run one command in the project's folder; returns exit code, output and errors."""
    for name in list(os.environ):
        if name.startswith("PULUMI_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", PASSPHRASE)
    monkeypatch.chdir(shelf)

    def run_(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        try:
            code = main(arguments)
        except SystemExit as stop:
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run_


class TestStartUp:
    """Asking for help or an output imports neither the SDK nor gRPC nor the cipher."""

    @pytest.mark.parametrize(
        "arguments", [["--help"], ["up", "--help"], ["stack", "output", "count", "-s", "dev"]]
    )
    def test_nothing_heavy_is_imported(self, shelf: Path, arguments: list[str]) -> None:
        heavy = {"pulumi", "grpc", "google.protobuf", "cryptography", "asyncio"}
        code = (
            "import sys; from local_engine.cli import main\n"
            "try:\n    main(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
            f"sys.stderr.write(repr(sorted(set({sorted(heavy)!r}) & set(sys.modules))))"
        )
        environ = {key: value for key, value in os.environ.items() if "PULUMI" not in key}
        environ["PYTHONPATH"] = str(Path(__file__).parents[2])
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            cwd=shelf,
            env=environ,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stderr == "[]"
        assert done.stdout


class TestStackOutput:
    """Outputs as scripts want them; secrets only when asked for."""

    def test_table(self, run: Run) -> None:
        code, out, _ = run("stack", "output", "-s", "dev")
        assert (code, out) == (
            0,
            (
                "Current stack outputs (6):\n"
                "    OUTPUT  VALUE\n"
                "    bundle  [secret]\n"
                "    count   5\n"
                '    nested  {"a":[1,{"b":true}],"c":{}}\n'
                "    ratio   0.25\n"
                "    text    é <&> 語\n"
                "    token   [secret]\n"
            ),
        )

    def test_one_value(self, run: Run) -> None:
        assert run("stack", "output", "text", "-s", "dev")[:2] == (0, "é <&> 語\n")
        assert run("stack", "output", "token", "-s", "dev")[:2] == (0, "[secret]\n")

    def test_secrets_on_request(self, run: Run) -> None:
        code, out, _ = run("-s", "dev", "stack", "output", "--json", "--show-secrets")
        assert code == 0
        assert json.loads(out)["token"] == "swordfish"
        assert json.loads(out)["bundle"] == {"user": "ann", "parts": [1, 2.5, None]}

    def test_hidden_secrets_need_no_passphrase(
        self, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "wrong")
        code, out, _ = run("stack", "output", "--json", "-s", "dev")
        assert (code, json.loads(out)["token"]) == (0, "[secret]")

    def test_wrong_passphrase(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "wrong")
        code, out, err = run("stack", "output", "--show-secrets", "-s", "dev")
        assert (code, out) == (2, "")
        assert err.startswith("error: The passphrase does not open this stack's secrets: set ")

    def test_unknown_output(self, run: Run) -> None:
        code, _, err = run("stack", "output", "nope", "-s", "dev")
        assert (code, err) == (
            2,
            (
                "error: current stack does not have output property 'nope': "
                "it has bundle, count, nested, ratio, text, token.\n"
            ),
        )


class TestConfig:
    """The CLI's config is read, changed and still the CLI's."""

    def test_json(self, run: Run) -> None:
        code, out, _ = run("config", "--json", "-s", "dev")
        assert (code, json.loads(out)) == (
            0,
            {"shelf:size": {"value": "5", "secret": False}, "shelf:token": {"secret": True}},
        )

    def test_secret_written_by_the_cli(self, run: Run) -> None:
        assert run("config", "get", "token", "-s", "dev")[:2] == (0, "swordfish\n")

    def test_secret_from_standard_input_never_reaches_the_file(self, run: Run, shelf: Path) -> None:
        before = (shelf / "Pulumi.dev.yaml").read_text()
        assert run("config", "set", "pin", "--secret", "-s", "dev", stdin="1234-hunter\n")[0] == 0
        after = (shelf / "Pulumi.dev.yaml").read_text()
        assert "hunter" not in after
        assert after.startswith(before.split("encryptionsalt")[0].rstrip("\n"))
        assert run("config", "get", "pin", "-s", "dev")[1] == "1234-hunter\n"
        assert run("config", "rm", "pin", "-s", "dev")[0] == 0
        assert (shelf / "Pulumi.dev.yaml").read_text() == before

    def test_salt_comes_with_the_first_secret(self, run: Run, shelf: Path) -> None:
        (shelf / "Pulumi.new.yaml").write_text("config:\n  shelf:size: 1 # one\n")
        run("config", "set", "size", "2", "-s", "new")
        assert (shelf / "Pulumi.new.yaml").read_text() == 'config:\n  shelf:size: "2" # one\n'
        run("config", "set", "token", "x", "--secret", "-s", "new")
        assert "\nencryptionsalt: v1:" in (shelf / "Pulumi.new.yaml").read_text()

    def test_declared_secret_is_not_stored_in_clear_by_accident(self, run: Run) -> None:
        code, _, err = run("config", "set", "token", "x", "-s", "dev")
        assert (code, err) == (
            2,
            "error: 'token' is declared secret in Pulumi.yaml: pass --secret to encrypt it.\n",
        )

    def test_parts_of_a_value(self, run: Run, shelf: Path) -> None:
        (shelf / "Pulumi.new.yaml").write_text("# ours\nconfig:\n  shelf:size: 1 # one\n")
        for key, value in (("tags.team", "data"), ("tags.size", "3"), ("names[0]", "true")):
            assert run("config", "set", "--path", key, value, "-s", "new")[0] == 0
        run("config", "set", "--path", "tags.key", "--secret", "-s", "new", stdin="hunter2")
        text = (shelf / "Pulumi.new.yaml").read_text()
        assert text.startswith(
            "# ours\nconfig:\n  shelf:size: 1 # one\n  shelf:tags:\n    team: data\n    size: 3\n"
            "    key:\n      secure: v1:"
        )
        assert "hunter2" not in text
        assert run("config", "get", "--path", "tags.key", "-s", "new")[1] == "hunter2\n"
        assert run("config", "get", "names", "-s", "new")[1] == "[true]\n"
        assert run("config", "rm", "--path", "tags.key", "-s", "new")[0] == 0
        assert run("config", "get", "tags", "-s", "new")[1] == '{"size":3,"team":"data"}\n'
        code, _, err = run("config", "set", "--path", "names[5]", "x", "-s", "new")
        assert (code, err) == (2, "error: [5] leaves a gap: the list has 1 items.\n")
        code, _, err = run("config", "set", "--path", "size.x", "1", "-s", "new")
        assert code == 2
        assert err.startswith("error: 'x' needs a mapping to stand in")

    def test_unknown_key(self, run: Run) -> None:
        code, _, err = run("config", "get", "nope", "-s", "dev")
        assert (code, err) == (
            2,
            (
                "error: configuration key 'nope' not found for stack 'dev': "
                "set it with `config set nope VALUE --stack dev`.\n"
            ),
        )


class TestStacks:
    """Making, choosing, exporting and forgetting stacks."""

    def test_choice_stays_in_the_checkout(self, run: Run, shelf: Path) -> None:
        assert run("stack", "output", "count")[0] == 2
        assert run("stack", "select", "dev")[0] == 0
        assert (shelf / ".state" / "selected-stack").read_text() == "dev\n"
        assert run("stack", "output", "count")[:2] == (0, "5\n")
        code, out, _ = run("stack", "ls", "--json")
        assert (code, json.loads(out)) == (
            0,
            [
                {
                    "name": "dev",
                    "current": True,
                    "lastUpdate": "2026-11-21T12:51:08.224209602Z",
                    "resourceCount": 4,
                }
            ],
        )

    def test_select_creates_only_when_told(self, run: Run) -> None:
        code, _, err = run("stack", "select", "new")
        assert code == 2
        assert err.startswith("error: No stack named 'new' in file://")
        assert run("stack", "select", "--create", "--stack", "new")[:2] == (
            0,
            "Created stack 'new'\n",
        )
        assert run("stack", "init", "new")[0] == 2

    def test_export_and_import(self, run: Run, shelf: Path) -> None:
        code, exported, _ = run("stack", "export", "-s", "dev")
        assert (code, json.loads(exported)["version"]) == (0, 3)
        assert "swordfish" not in exported
        assert run("stack", "import", "-s", "dev", stdin=exported)[:2] == (0, "Import complete.\n")
        again = json.loads(run("stack", "export", "-s", "dev")[1])
        before = json.loads(exported)
        for document in (again, before):
            del document["deployment"]["manifest"]["time"]
        assert again == before

    def test_export_in_clear_can_be_imported(self, run: Run) -> None:
        clear = run("stack", "export", "--show-secrets", "-s", "dev")[1]
        assert "swordfish" in clear
        assert run("stack", "import", "-s", "dev", stdin=clear)[0] == 0
        assert run("stack", "output", "token", "--show-secrets", "-s", "dev")[1] == "swordfish\n"
        assert "swordfish" not in run("stack", "export", "-s", "dev")[1]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "standard input is not readable JSON"),
            ("[]", "standard input must be a JSON object"),
            ('{"version": 3}', "standard input has no `deployment`"),
            ('{"version": 9, "deployment": {}}', "standard input has the schema version 9"),
            (
                (
                    '{"version": 3, "deployment": {"resources": [{"urn": "urn:pulumi:x::y::t::n",'
                    ' "type": "t", "custom": false}]}}'
                ),
                "standard input holds 'urn:pulumi:x::y::t::n', which is not of stack 'dev'",
            ),
        ],
    )
    def test_bad_import_changes_nothing(
        self, run: Run, shelf: Path, text: str, message: str
    ) -> None:
        state = shelf / ".state/pulumi/.pulumi/stacks/shelf/dev.json"
        before = state.read_bytes()
        code, _, err = run("stack", "import", "-s", "dev", stdin=text)
        assert code == 2
        assert err.startswith(f"error: {message}")
        assert state.read_bytes() == before

    def test_stack_with_resources_is_not_forgotten(self, run: Run, shelf: Path) -> None:
        code, _, err = run("stack", "rm", "dev", "--yes")
        assert code == 2
        assert err.startswith("error: 'dev' still has 3 resources: run `destroy --stack dev`")
        assert run("stack", "rm", "dev", "--yes", "--force", "--preserve-config")[0] == 0
        assert (shelf / "Pulumi.dev.yaml").exists()
        assert run("stack", "output", "-s", "dev")[0] == 2


class TestState:
    """What the state says can be put right without touching what it speaks of."""

    TWO = "urn:pulumi:dev::shelf::shelf:index:Shelf$shelf:index:Shelf::two"
    ONE = "urn:pulumi:dev::shelf::shelf:index:Shelf::one"

    def resources(self, run: Run) -> dict[str, bool]:
        exported = json.loads(run("stack", "export", "-s", "dev")[1])
        entries = exported["deployment"]["resources"]
        return {entry["urn"]: entry.get("protect", False) for entry in entries}

    def test_unprotect(self, run: Run) -> None:
        assert self.resources(run)[self.TWO]
        assert run("state", "unprotect", self.TWO, "-s", "dev", "-y")[0] == 0
        assert not any(self.resources(run).values())

    def test_delete(self, run: Run) -> None:
        code, _, err = run("state", "delete", self.ONE, "-s", "dev", "-y")
        assert code == 2
        assert "cannot be forgotten before what depends on it: " in err
        code, _, err = run("state", "delete", self.TWO, "-s", "dev", "-y")
        assert (code, err) == (
            2,
            f"error: '{self.TWO}' is protected: unprotect it, or pass --force.\n",
        )
        assert run("state", "delete", self.TWO, "-s", "dev", "-y", "--force")[0] == 0
        assert self.TWO not in self.resources(run)

    def test_consent_is_needed(self, run: Run) -> None:
        assert run("state", "unprotect", "--all", "-s", "dev")[0] == 2
        assert self.resources(run)[self.TWO]


class TestCancel:
    """A dead update's lock goes at once, a living one's only by force."""

    def test_nothing_to_cancel(self, run: Run) -> None:
        assert run("cancel", "dev")[:2] == (
            0,
            "Stack 'dev' is not locked: there is nothing to cancel.\n",
        )

    def test_living_process_keeps_its_lock(self, run: Run, shelf: Path) -> None:
        root = shelf / ".state" / "pulumi"
        with hold_lock(root, "shelf", "dev") as file:
            code, _, err = run("cancel", "-s", "dev", "--yes")
            assert (code, file.exists()) == (2, True)
            assert f"Process {os.getpid()} on this host still updates stack 'dev'" in err
            assert run("cancel", "-s", "dev", "--yes", "--force")[0] == 0
            assert not file.exists()

    def test_another_hosts_lock_needs_consent(self, run: Run, shelf: Path) -> None:
        folder = lock_folder(shelf / ".state" / "pulumi", "shelf", "dev")
        folder.mkdir(parents=True)
        (folder / "x.json").write_text('{"pid": 1, "hostname": "elsewhere"}')
        code, _, err = run("cancel", "-s", "dev")
        assert code == 2
        assert "pass --yes to go on without confirmation" in err
        assert run("cancel", "-s", "dev", "--yes")[0] == 0
        assert list(folder.iterdir()) == []


class TestRefusals:
    """What cannot start says why in one sentence and exits with 2."""

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["nonsense"], "error: argument COMMAND: invalid choice: 'nonsense'"),
            (["up", "--targt", "x"], "error: unrecognized arguments: --targt"),
            (["up", "-p", "0"], "error: argument -p/--parallel: '0' is not a number of at least 1"),
            (["stack", "output", "-C", "/nowhere"], "error: --cwd /nowhere is not a folder"),
            (["up", "-s", "dev"], "error: --yes or --skip-preview or --preview-only must be"),
            (["up", "-s", "gone", "-y"], "error: No stack named 'gone': neither "),
            (["refresh", "-s", "gone", "-y"], "error: No stack named 'gone' in file://"),
            (["destroy", "-s", "a b", "-y"], "error: The stack name 'a b' is not usable"),
            (["up", "-s", "organization/dev"], "error: --yes or --skip-preview"),
        ],
    )
    def test_one_sentence(self, run: Run, arguments: list[str], message: str) -> None:
        code, out, err = run(*arguments)
        assert (code, out) == (2, "")
        assert err.startswith(message)
        assert err.count("\n") == 1

    def test_locked_stack(self, run: Run, shelf: Path) -> None:
        with hold_lock(shelf / ".state" / "pulumi", "shelf", "dev"):
            code, _, err = run("up", "-s", "dev", "-y")
        assert code == 2
        assert err.startswith("error: Stack 'dev' is locked by ")

    def test_backend_that_is_no_folder(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://bucket")
        code, _, err = run("stack", "ls")
        assert code == 2
        assert err.startswith("error: The backend 's3' is not a folder")

    def test_truncated_state(self, run: Run, shelf: Path) -> None:
        state = shelf / ".state/pulumi/.pulumi/stacks/shelf/dev.json"
        state.write_bytes(state.read_bytes()[:1000])
        code, _, err = run("up", "-s", "dev", "-y", "-f")
        assert code == 2
        assert "is not readable JSON (1000 bytes): copy dev.json.bak over it" in err
        assert state.stat().st_size == 1000
