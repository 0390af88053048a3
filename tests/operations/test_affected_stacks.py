"""Which stacks a change is previewed on: all that it may change, and no others."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from operations.affected_stacks import affected, cloud_stacks
from tests.operations.conftest import Operate

TARGETS = {"dev": "aws", "prod": "aws", "gcp-dev": "gcp", "gcp-prod": "gcp"}
EVERY = ("dev", "gcp-dev", "gcp-prod", "prod")
ROOT = Path(__file__).resolve().parents[2]


class TestAffected:
    """A path belongs to a target, to none, or, where nobody knows, to all."""

    @pytest.mark.parametrize(
        ("path", "stacks"),
        [
            ("Pulumi.dev.yaml", ("dev",)),
            ("Pulumi.local.yaml", ()),
            ("Pulumi.yaml", EVERY),
            ("__main__.py", EVERY),
            ("requirements.txt", EVERY),
            ("infra/naming.py", EVERY),
            ("infra/aws/rds.py", ("dev", "prod")),
            ("infra/kubernetes/deployment.py", ("dev", "prod")),
            ("infra/settings_rules_aws_network.py", ("dev", "prod")),
            ("infra/settings_model_gcp.py", ("gcp-dev", "gcp-prod")),
            ("infra/gcp/cloud_sql.py", ("gcp-dev", "gcp-prod")),
            ("infra/local/postgres.py", ()),
            ("docs/aws.md", ()),
            ("README.md", ()),
            ("tests/infra/aws/test_rds.py", ()),
            (".github/workflows/test.yml", ()),
            ("a_new_room/file.py", EVERY),
            ("", ()),
        ],
    )
    def test_one_path(self, path: str, stacks: tuple[str, ...]) -> None:
        assert affected([path], TARGETS) == stacks

    def test_several_paths(self) -> None:
        assert affected(["docs/a.md", "infra/aws/s3.py", "Pulumi.gcp-dev.yaml"], TARGETS) == (
            "dev",
            "gcp-dev",
            "prod",
        )

    def test_every_room_of_the_program_is_thought_of(self) -> None:
        """What lies in infra/ and in the checkout's folder affects somebody, or says why not."""
        harmless = set((ROOT / "infra" / "local").rglob("*.py"))
        for path in (ROOT / "infra").rglob("*.py"):
            if path not in harmless:
                assert affected([str(path.relative_to(ROOT))], TARGETS), path


class TestStacks:
    """The stacks are those whose files name a cloud."""

    def test_of_this_project(self) -> None:
        assert cloud_stacks(ROOT) == TARGETS

    def test_command(self, operate: Operate, monkeypatch: pytest.MonkeyPatch) -> None:
        ran = operate("affected-stacks", "infra/gcp/gcs.py", "--json")
        assert (ran.code, ran.document["stacks"]) == (0, ["gcp-dev", "gcp-prod"])
        monkeypatch.setattr("sys.stdin", io.StringIO("docs/a.md\nPulumi.prod.yaml\n"))
        assert operate("affected-stacks").out == "prod\n"

    def test_where_nothing_is_installed(self) -> None:
        """A pipeline asks this first, before it installs anything."""
        words = ["-S", "-m", "operations", "affected-stacks", "infra/aws/rds.py"]
        done = subprocess.run(
            [sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert done.stdout == "dev\nprod\n"
