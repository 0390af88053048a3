"""Whole commands on a small program: consent, lock, state, history, exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]

PROGRAM = """\
import os
import pulumi

config = pulumi.Config()


class Shelf(pulumi.ComponentResource):
    def __init__(self, name):
        super().__init__("shelf:index:Shelf", name, {"size": config.require_int("size")})
        self.register_outputs({})


if config.get_bool("broken"):
    raise ValueError("no wood")
for index in range(config.require_int("size")):
    Shelf(f"shelf-{index}")
if os.environ.get("GATE"):
    with open(os.environ["GATE"], "w") as gate:  # opens when somebody reads
        gate.write("here")
    open(os.environ["GATE"] + ".never").read()
pulumi.export("size", config.require_int("size"))
pulumi.export("key", pulumi.Output.secret("hunter2"))
"""


class Shop:
    """A project folder and the commands run in it, from a clean environment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "Pulumi.yaml").write_text(
            "name: shop\nruntime: python\nconfig: {size: {type: integer, default: 2}}\n"
        )
        (folder / "__main__.py").write_text(PROGRAM)
        (folder / "Pulumi.dev.yaml").write_text("config: {}\n")
        self.state = folder / ".state" / "pulumi" / ".pulumi"

    def environment(self, **more: str) -> dict[str, str]:
        clean = {key: value for key, value in os.environ.items() if not key.startswith("PULUMI_")}
        return {**clean, "PYTHONPATH": str(CHECKOUT), **more}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "local_engine", *arguments, "--stack", "dev"],
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def resources(self) -> list[str]:
        text = (self.state / "stacks" / "shop" / "dev.json").read_text()
        latest = json.loads(text)["checkpoint"]["latest"]
        return [entry["urn"].rpartition("::")[2] for entry in latest.get("resources", [])]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


class TestLifeOfAStack:
    """Preview writes nothing, up makes the stack, a second one changes nothing, destroy ends it."""

    def test_from_preview_to_removal(self, shop: Shop) -> None:
        preview = shop.run("preview")
        assert (preview.returncode, preview.stderr) == (0, "")
        assert "    + 3 to create\n" in preview.stdout
        assert not (shop.folder / ".state").exists()

        up = shop.run("up", "--yes")
        assert (up.returncode, up.stderr) == (0, "")
        assert up.stdout.startswith("Created stack 'dev'\nPreviewing update (dev):\n")
        assert "\nUpdating (dev):\n" in up.stdout
        assert "    key : [secret]\n    size: 2\n" in up.stdout
        assert "    + 3 created\n" in up.stdout
        assert sorted(shop.resources()) == ["shelf-0", "shelf-1", "shop-dev"]
        state = (shop.state / "stacks" / "shop" / "dev.json").read_text()
        assert "hunter2" not in state + up.stdout
        assert (shop.folder / ".state" / "passphrase").stat().st_mode & 0o777 == 0o600
        assert (shop.folder / "Pulumi.dev.yaml").read_text() == "config: {}\n"
        assert list((shop.state / "locks").rglob("*.json")) == []
        (history,) = (shop.state / "history" / "shop" / "dev").glob("*.history.json")
        record = json.loads(history.read_text())
        assert (record["kind"], record["result"], record["config"]) == (
            "update",
            "succeeded",
            {"shop:size": "2"},
        )

        same = shop.run("preview", "--expect-no-changes", "--json")
        assert same.returncode == 0
        assert json.loads(same.stdout)["changeSummary"] == {"same": 3}

        shop.run("config", "set", "size", "3")
        changed = shop.run("preview", "--expect-no-changes")
        assert changed.returncode == 1
        assert changed.stderr == "error: no changes were expected but changes were proposed\n"

        gone = shop.run("destroy", "--yes", "--skip-preview", "--remove")
        assert gone.returncode == 0
        assert gone.stdout.endswith("Stack 'dev' has been removed!\n")
        assert not (shop.state / "stacks" / "shop" / "dev.json").exists()


class TestFailures:
    """A failed program leaves the state as it was and says what failed."""

    def test_program_that_raises(self, shop: Shop) -> None:
        shop.run("config", "set", "broken", "true")
        failed = shop.run("up", "--yes", "--skip-preview")
        assert failed.returncode == 1
        assert "ValueError: no wood" in failed.stdout
        # The preview already fails: the update does not begin.
        stopped = shop.run("up", "--yes")
        assert stopped.returncode == 1
        assert "Updating" not in stopped.stdout

    def test_mistyped_configuration_starts_nothing(self, shop: Shop) -> None:
        shop.run("config", "set", "size", "many")
        refused = shop.run("up", "--yes")
        assert (refused.returncode, refused.stdout) == (2, "")
        assert refused.stderr == (
            "error: Stack 'dev' with configuration key 'size' must be of type 'integer': "
            "correct it in Pulumi.dev.yaml.\n"
        )
        assert not (shop.folder / ".state").exists()


class TestCrash:
    """A killed update leaves a lock and a state that the next one takes over."""

    def start(self, shop: Shop) -> subprocess.Popen[str]:
        gate = shop.folder / "gate"
        os.mkfifo(gate)
        os.mkfifo(f"{gate}.never")
        process = subprocess.Popen(
            [sys.executable, "-m", "local_engine", "up", "-s", "dev", "-y", "-f"],
            cwd=shop.folder,
            env=shop.environment(GATE=str(gate)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert gate.read_text() == "here"
        return process

    def test_killed(self, shop: Shop) -> None:
        process = self.start(shop)
        process.kill()
        process.communicate()
        again = shop.run("up", "--yes", "--skip-preview")
        assert again.returncode == 0, again.stdout
        assert f"(pid {process.pid})" in again.stderr
        assert "is taken over: that process no longer runs" in again.stderr
        assert sorted(shop.resources()) == ["shelf-0", "shelf-1", "shop-dev"]

    def test_interrupted(self, shop: Shop) -> None:
        process = self.start(shop)
        process.send_signal(signal.SIGINT)
        # Opens when the program reads; from there on it can go on, and finds that it shall not.
        (shop.folder / "gate.never").write_text("")
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 1
        assert "warning: cancelling: what has begun is finished and saved" in output
        assert "error: update canceled" in output
        assert list((shop.state / "locks").rglob("*.json")) == []
        assert shop.run("up", "--yes", "--skip-preview").returncode == 0
