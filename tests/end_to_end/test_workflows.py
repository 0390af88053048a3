"""The workflows' jobs as a runner would run them: on the simulated cloud, and on a GitHub here."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import simulated_cloud
from simulated_cloud import SimulatedCloud
from simulated_cloud.file_store import FileStore
from tests.end_to_end.github_runner import Runner, checkout
from tests.end_to_end.stack_on_cloud import StackOnCloud
from tests.operations.github_stand_in import StandIn, github

pytestmark = pytest.mark.slow

BUCKET = "gcp:storage/bucket:Bucket"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedCloud]:
    with simulated_cloud.running(tmp_path_factory.mktemp("cloud")) as running:
        yield running


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    with github() as running:
        yield running


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


class TestPreview:
    """A pull request that renames the database: the reviewer reads that first."""

    def test_simulated(self, tmp_path: Path, stand_in: StandIn) -> None:
        workspace = checkout(tmp_path / "workspace")
        checkout(workspace / "base")
        edit(
            workspace / "Pulumi.gcp-dev.yaml",
            "mlflow-platform:databaseTier: db-custom-1-3840",
            "mlflow-platform:databaseTier: db-custom-2-7680\n"
            "  mlflow-platform:databaseName: tracking",
        )
        runner = Runner(workspace, tmp_path / "temp", values={"matrix.stack": "gcp-dev"})
        try:
            assert runner.run("preview", "simulated") == 0, runner.said
        finally:
            words = ["-m", "simulated_cloud", "stop", "--state", str(runner.temp / "cloud")]
            subprocess.run([sys.executable, *words], check=True, capture_output=True)
        assert runner.summary.startswith("### `gcp-dev`: 3 updated, 1 replaced, ")
        assert "🔴 **1 resource that holds data is replaced or deleted:**" in runner.summary
        assert "- **replaced `mlops-platform-dev-mlflow-database-database`**" in runner.summary
        assert "Every rule of `policies/` is kept." in runner.summary
        assert "Monthly cost: $" in runner.summary

        stand_in.add_issue(title="rename the database")
        values = {
            "github.token": stand_in.environment["GITHUB_TOKEN"],
            "github.event.pull_request.number": "1",
            "needs.affected.outputs.stacks": '["gcp-dev"]',
        }
        comment = Runner(workspace, tmp_path / "comment", stand_in.environment, values)
        (tmp_path / "temp" / "summaries").rename(comment.temp / "summaries")
        for _ in range(2):
            assert comment.run("preview", "comment") == 0, comment.said
        (text,) = stand_in.comments_of(1)
        assert "## What this changes\n\n### `gcp-dev`: 3 updated, 1 replaced, " in text


class TestDrift:
    """A bucket whose versions somebody switched off: an issue, until it is as it was."""

    def settle(self, stand_in: StandIn, stack: StackOnCloud, folder: Path) -> Runner:
        """Both jobs, as the schedule runs them."""
        workspace = folder / "workspace"
        values = {
            "matrix.stack": stack.name,
            "vars.PULUMI_BACKEND_URL": f"file://{stack.state}",
            "github.token": stand_in.environment["GITHUB_TOKEN"],
        }
        names = len(list(folder.glob("look*")))
        look = Runner(workspace, folder / f"look{names}", dict(stack.environment), values)
        assert look.run("drift", "look") == 0, look.said
        issue = Runner(workspace, folder / f"issue{names}", stand_in.environment, values)
        (look.temp / "drift").rename(issue.temp / "drift")
        assert issue.run("drift", "issue") == 0, issue.said
        return look

    def test_life(self, cloud: SimulatedCloud, tmp_path: Path, stand_in: StandIn) -> None:
        checkout(tmp_path / "workspace")
        stack = StackOnCloud("gcp-dev", cloud, tmp_path / "state")
        stack.up()
        runner = self.settle(stand_in, stack, tmp_path)
        assert runner.summary.startswith("**No drift of gcp-dev in what could be looked at.**\n")
        assert stand_in.issues == []

        store = cloud.store("gcp")
        identity, bucket = next(iter(store.list(BUCKET).items()))
        self.put(store, identity, bucket, versioning=False)
        runner = self.settle(stand_in, stack, tmp_path)
        assert "| `versioning.enabled` | `true` | `false` |" in runner.summary
        self.settle(stand_in, stack, tmp_path)
        assert [issue["title"] for issue in stand_in.open] == ["Drift: gcp-dev (environment dev)"]
        assert stand_in.comments == []

        self.put(store, identity, bucket, versioning=True)
        self.settle(stand_in, stack, tmp_path)
        assert stand_in.open == []
        (said,) = stand_in.comments_of(1)
        assert said.startswith("The drift is over. No drift of gcp-dev")

    def put(
        self, store: FileStore, identity: str, bucket: dict[str, Any], *, versioning: bool
    ) -> None:
        store.put(BUCKET, identity, {**bucket, "versioning": {"enabled": versioning}})

    def test_nobody_could_look(self, tmp_path: Path, stand_in: StandIn) -> None:
        """Then the job is red, and no issue is opened or closed."""
        workspace = checkout(tmp_path / "workspace")
        values = {"matrix.stack": "gcp-dev", "vars.PULUMI_BACKEND_URL": f"file://{tmp_path}/none"}
        environ = {"PULUMI_CONFIG_PASSPHRASE": "x"}
        look = Runner(workspace, tmp_path / "look", environ, values)
        assert look.run("drift", "look") == 1
        report = json.loads((look.temp / "drift" / "gcp-dev.json").read_text())
        assert report["outcome"] == "could_not_look"
        values["github.token"] = stand_in.environment["GITHUB_TOKEN"]
        issue = Runner(workspace, tmp_path / "issue", stand_in.environment, values)
        (look.temp / "drift").rename(issue.temp / "drift")
        assert issue.run("drift", "issue") == 2
        assert stand_in.asked == []
