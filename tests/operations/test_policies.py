"""`operations policies`: a preview in, findings and an exit code out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from policies.rules import RULES
from tests.operations.conftest import Operate

SQL = "gcp:sql/databaseInstance:DatabaseInstance"
URN = f"urn:pulumi:trial::mlflow-platform::{SQL}::database"


def preview(path: Path, *, public: bool, environment: str = "trial") -> str:
    """The preview of a stack with one database."""
    labels = dict.fromkeys(("project", "service", "environment", "managed-by"), "x")
    database: dict[str, Any] = {
        "settings": {
            "userLabels": labels,
            "ipConfiguration": {
                "ipv4Enabled": public,
                "privateNetwork": "network",
                "sslMode": "ENCRYPTED_ONLY",
            },
            "backupConfiguration": {"enabled": True, "pointInTimeRecoveryEnabled": True},
        }
    }
    document = {
        "config": {"mlflow-platform:environment": environment},
        "steps": [{"op": "create", "newState": {"urn": URN, "type": SQL, "inputs": database}}],
    }
    file = path / "preview.json"
    file.write_text(json.dumps(document))
    return str(file)


class TestOutcome:
    """0 where every rule is kept, 1 where one is not, 2 where there was nothing to look at."""

    def test_kept(self, operate: Operate, tmp_path: Path) -> None:
        ran = operate("policies", "--stack", "trial", "--preview", preview(tmp_path, public=False))
        always = sum(not rule.production_only for rule in RULES)
        assert ran.code == 0
        assert ran.out == f"trial (trial, no production): {always} rules, 1 resources, all kept\n"

    def test_broken(self, operate: Operate, tmp_path: Path) -> None:
        ran = operate("policies", "--stack", "trial", "--preview", preview(tmp_path, public=True))
        assert ran.code == 1
        assert ran.out.splitlines()[0] == (
            f"gcp-database-private: {SQL} 'database': `settings.ipConfiguration.ipv4Enabled` is "
            "true: the database would have an address on the internet; set false"
        )
        assert ran.out.splitlines()[1].endswith("1 resources, 1 not kept")

    def test_production_has_more_rules(self, operate: Operate, tmp_path: Path) -> None:
        file = preview(tmp_path, public=False, environment="prod")
        ran = operate("policies", "--stack", "trial", "--preview", file, "--json")
        assert ran.code == 1
        assert ran.document["is_production"] is True
        assert ran.document["rules"] == [rule.name for rule in RULES]
        assert [found["rule"] for found in ran.document["findings"]] == [
            "gcp-database-backups-kept",
            "protected-in-state",
            "gcp-database-protected",
            "gcp-database-protected-here",
            "gcp-backups-outlive",
        ]

    def test_no_such_file(self, operate: Operate, tmp_path: Path) -> None:
        ran = operate("policies", "--stack", "trial", "--preview", str(tmp_path / "absent"))
        assert ran.code == 2
        assert ran.err == (
            f"error: --preview is {str(tmp_path / 'absent')!r}, and it cannot be read (No such "
            "file or directory): write it with `pulumi preview --json --show-sames`\n"
        )

    def test_a_preview_of_what_changes_alone(self, operate: Operate, tmp_path: Path) -> None:
        """Without `--show-sames` a stack that breaks every rule and stays so looks clean."""
        file = tmp_path / "preview.json"
        file.write_text(json.dumps({"steps": [], "changeSummary": {"same": 12}}))
        for command in ("policies", "cost"):
            ran = operate(command, "--stack", "trial", "--preview", str(file))
            assert (ran.code, ran.out) == (2, "")
            assert ran.err == (
                "error: the preview of 'trial' leaves out what stays the same (12 resources): "
                "make it with `pulumi preview --json --show-sames`\n"
            )

    def test_a_preview_that_failed(self, operate: Operate, tmp_path: Path) -> None:
        file = Path(preview(tmp_path, public=False))
        document = json.loads(file.read_text())
        document["diagnostics"] = [{"message": "no such region\n", "severity": "error"}]
        for steps in (document["steps"], None):  # it failed on the way, or before the first one
            if steps is None:
                del document["steps"]
            file.write_text(json.dumps(document))
            self.refused(operate, str(file))

    @staticmethod
    def refused(operate: Operate, file: str) -> None:
        for command in ("policies", "cost"):
            ran = operate(command, "--stack", "trial", "--preview", file)
            assert (ran.code, ran.out) == (2, "")
            assert ran.err == (
                "error: the preview of 'trial' failed (no such region): mend that first\n"
            )

    def test_no_preview_in_it(self, operate: Operate, tmp_path: Path) -> None:
        file = tmp_path / "other.json"
        file.write_text("{}")
        ran = operate("policies", "--stack", "trial", "--preview", str(file))
        assert (ran.code, ran.out) == (2, "")
        assert ran.err == (
            f"error: --preview is {str(file)!r}, and it holds no preview: write it with `pulumi "
            "preview --json --show-sames`\n"
        )
