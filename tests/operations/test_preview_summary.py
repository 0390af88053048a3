"""A preview's summary: what loses data first and in bold, and exit code 1 for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from operations.data_resources import HOLDS_DATA
from tests.operations.conftest import Operate, Ran
from tests.operations.engine_stand_in import RecordedEngine, document, step
from tests.operations.github_stand_in import StandIn, github

INSTANCE = "aws:rds/instance:Instance"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"


class Summarize:
    """`preview-summary` of a preview that is written for it."""

    def __init__(self, operate: Operate, folder: Path) -> None:
        self._operate, self._file = operate, folder / "preview.json"

    def __call__(self, *steps: dict[str, Any], text: str | None = None, more: str = "") -> Ran:
        self._file.write_text(json.dumps(document(*steps)) if text is None else text)
        words = ["preview-summary", "--stack", "dev", "--preview", str(self._file), *more.split()]
        return self._operate(*words)


@pytest.fixture
def summarize(operate: Operate, tmp_path: Path) -> Summarize:
    return Summarize(operate, tmp_path)


@pytest.fixture
def no_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Resources here have no more properties than a test is about: they keep few rules."""
    monkeypatch.setattr("operations.preview_summary.RULES", ())
    monkeypatch.setattr("operations.preview_summary.cost_of_change", lambda *_: None)


@pytest.mark.usefixtures("no_rules")
class TestSummary:
    """What a reviewer reads."""

    def test_data_is_lost(self, summarize: Summarize) -> None:
        ran = summarize(
            step("same", ALARM, "alarm", before={}, after={}),
            step("create", ALARM, "new", after={"threshold": 1}),
            step(
                "replace",
                INSTANCE,
                "db",
                before={"engine": "postgres", "dbName": "mlflow"},
                after={"engine": "postgres", "dbName": "other"},
                changed=["dbName"],
                because=["dbName"],
            ),
            step("delete", "aws:s3/bucket:Bucket", "artifacts", before={}, protect=True),
            step("delete", "aws:kms/key:Key", "key", before={}, retainOnDelete=True),
        )
        assert ran.code == 1
        assert ran.out == (
            "### `dev`: 1 created, 1 replaced, 2 deleted, 1 unchanged\n"
            "\n"
            "🔴 **3 resources that hold data are replaced or deleted:**\n"
            "\n"
            "- **replaced `db`** (aws:rds/instance:Instance): **every run, metric and model "
            "version**, because of `dbName`\n"
            "- **deleted `artifacts`** (aws:s3/bucket:Bucket): **the artifacts of every run** "
            "(protected: a deployment refuses it)\n"
            "- **deleted `key`** (aws:kms/key:Key): **what decrypts the database, the artifacts "
            "and the secrets** (kept in the cloud, and forgotten here)\n"
            "\n"
            "Every rule of `policies/` is kept.\n"
            "\n"
            "<details><summary>All 4 changes</summary>\n"
            "\n"
            "| | Resource | Properties |\n"
            "|---|---|---|\n"
            "| created | `new`<br>aws:cloudwatch/metricAlarm:MetricAlarm |  |\n"
            "| replaced | `db`<br>aws:rds/instance:Instance | `dbName` `mlflow` → `other` |\n"
            "| deleted | `artifacts`<br>aws:s3/bucket:Bucket |  |\n"
            "| deleted | `key`<br>aws:kms/key:Key |  |\n"
            "\n"
            "</details>\n"
        )

    def test_protection_changes(self, summarize: Summarize) -> None:
        ran = summarize(
            step(
                "update",
                INSTANCE,
                "db",
                before={"deletionProtection": True},
                after={"deletionProtection": False},
                changed=["deletionProtection"],
            ),
            step("update", ALARM, "a", before={}, after={"threshold": 2}, changed=["threshold"]),
        )
        assert ran.code == 0
        assert ran.out.startswith(
            "### `dev`: 2 updated, 0 unchanged\n\n"
            "🟠 Protection or access changes:\n\n"
            "- `db` (aws:rds/instance:Instance): `deletionProtection` `true` → `false`\n\n"
            "Every rule of `policies/` is kept.\n\n"
            "No resource that holds data is replaced or deleted.\n"
        )

    def test_no_changes(self, summarize: Summarize) -> None:
        ran = summarize(step("same", INSTANCE, "db", before={}, after={}))
        assert ran.code == 0
        assert ran.out == (
            "### `dev`: no changes (1 resources)\n\n"
            "Every rule of `policies/` is kept.\n\n"
            "No resource that holds data is replaced or deleted.\n\n"
        )

    def test_a_preview_of_changes_alone(self, summarize: Summarize) -> None:
        """Pulumi's CLI leaves out what stays the same unless it is told otherwise."""
        told = document(step("create", ALARM, "a", after={}))
        told["changeSummary"]["same"] = 12
        ran = summarize(text=json.dumps(told))
        assert "12 unchanged" in ran.out
        assert (
            "Rules and cost are about what changes alone: the preview leaves out the rest "
            "(`--show-sames` prints it).\n"
        ) in ran.out
        assert "is kept" not in ran.out

    def test_what_is_kept_alone_is_no_loss(self, summarize: Summarize) -> None:
        ran = summarize(step("delete", "aws:kms/key:Key", "k", before={}, retainOnDelete=True))
        assert ran.code == 0

    @pytest.mark.parametrize("kind", sorted(HOLDS_DATA))
    @pytest.mark.parametrize("op", ["replace", "delete"])
    def test_everything_that_holds_data(self, summarize: Summarize, kind: str, op: str) -> None:
        ran = summarize(step(op, kind, "x", before={}, after={} if op == "replace" else None))
        assert ran.code == 1
        assert f"**{HOLDS_DATA[kind]}**" in ran.out

    def test_nothing_that_is_created(self, summarize: Summarize) -> None:
        ran = summarize(*(step("create", kind, "x", after={}) for kind in HOLDS_DATA))
        assert ran.code == 0

    def test_many_changes_are_cut(self, summarize: Summarize) -> None:
        ran = summarize(*(step("create", ALARM, f"a{n}", after={}) for n in range(100)))
        assert "| … | 40 more | |" in ran.out

    def test_json(self, summarize: Summarize) -> None:
        ran = summarize(step("delete", INSTANCE, "db", before={}), more="--json")
        told = ran.document
        assert (ran.code, told["outcome"], told["counts"]) == (1, "found", {"deleted": 1})
        assert told["data_lost"][0]["holds"] == "every run, metric and model version"
        assert told["markdown"].startswith("### `dev`: 1 deleted, 0 unchanged\n")

    def test_a_preview_is_made(self, operate: Operate, tmp_path: Path) -> None:
        engine = RecordedEngine(tmp_path)
        engine.previews(step("create", ALARM, "a", after={}))
        ran = operate("preview-summary", "--stack", "dev", environ=engine.environ)
        assert ran.code == 0
        assert engine.asked == ["--non-interactive preview --json --show-sames --stack dev"]


class TestPolicies:
    """A rule that the change breaks stops it; one that was not kept before stops nobody now."""

    def test_rules_that_are_not_kept(self, summarize: Summarize) -> None:
        public, private = {"publiclyAccessible": True}, {"publiclyAccessible": False}
        ran = summarize(
            step("update", INSTANCE, "db", before=private, after=public, changed=["x"]),
            more="--json",
        )
        broken = {item["rule"]: item for item in ran.document["policies_broken"]}
        fresh = [item["rule"] for item in broken.values() if item["is_new"]]
        assert (ran.code, len(fresh)) == (1, 1)
        assert fresh == ["aws-database-private"]
        told = ran.document["markdown"]
        assert f"🔴 **1 rule broken by this change:**\n\n- `{fresh[0]}`: " in told
        # What the same instance breaks with and without the change stops nobody now.
        again = summarize(step("same", INSTANCE, "db", before=public, after=public), more="--json")
        assert again.code == 0
        assert f"{len(broken)} rules are not kept before it either." in again.document["markdown"]


class TestCost:
    """The monthly difference, in a sentence; its parts folded away."""

    def test_a_larger_database(self, summarize: Summarize) -> None:
        def instance(name: str) -> dict[str, Any]:
            return {"instanceClass": name, "region": "eu-central-1", "engine": "postgres"}

        small, large = instance("db.t4g.small"), instance("db.m7g.large")
        region = {"region": "eu-central-1"}
        ran = summarize(
            step("same", "pulumi:providers:aws", "aws", before=region, after=region),
            step("update", INSTANCE, "db", before=small, after=large, changed=["instanceClass"]),
            more="--json",
        )
        cost = ran.document["monthly_usd"]
        assert 0 < cost["before"] < cost["after"]
        assert cost["difference"] == round(cost["after"] - cost["before"], 2)
        told = ran.document["markdown"]
        assert f"(**+${cost['difference']:,.2f}**), list prices" in told
        assert "<details><summary>What costs more or less</summary>\n\n| Item | " in told


class TestCouldNotRead:
    """What is no preview has no summary."""

    @pytest.mark.parametrize("text", ["", "[]", "{}", "Previewing update (dev)"])
    def test_no_preview(self, summarize: Summarize, text: str) -> None:
        ran = summarize(text=text)
        assert (ran.code, ran.out) == (2, "")
        assert ran.err.endswith(
            "and it holds no preview: write it with `pulumi preview --json --show-sames`\n"
        )

    def test_a_preview_that_failed(self, summarize: Summarize) -> None:
        told = {"steps": [], "diagnostics": [{"severity": "error", "message": "3 problems\n"}]}
        ran = summarize(text=json.dumps(told))
        assert ran.code == 2
        assert ran.err == "error: the preview of 'dev' failed (3 problems): mend that first\n"


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    with github() as running:
        yield running


class TestComment:
    """One comment on a pull request, edited with each push."""

    def comment(self, operate: Operate, stand_in: StandIn, folder: Path, *more: str) -> Ran:
        words = ("preview-comment", "--summaries", str(folder), "--pull-request", "1", "--json")
        return operate(*words, *more, environ=stand_in.environment)

    def write(self, folder: Path, stack: str, code: int, markdown: str | None) -> None:
        told = {"stack": stack, "exit_code": code, "problem": "no credentials"}
        (folder / f"{stack}.json").write_text(json.dumps({**told, "markdown": markdown}))

    def test_life(self, operate: Operate, stand_in: StandIn, tmp_path: Path) -> None:
        stand_in.add_issue(title="a change")
        stand_in.add_comment(1, "<!-- mlflow-platform-preview -->\nmine", "User")
        self.write(tmp_path, "dev", 0, "### dev")
        self.write(tmp_path, "prod", 1, "### prod")
        self.write(tmp_path, "gcp-dev", 2, None)
        assert self.comment(operate, stand_in, tmp_path).document["action"] == "made"
        assert stand_in.comments_of(1)[1] == (
            "<!-- mlflow-platform-preview -->\n## What this changes\n\n"
            "### gcp-dev: ⚠ no credentials\n\n### prod\n\n### dev"
        )
        assert self.comment(operate, stand_in, tmp_path).document["action"] == "unchanged"
        self.write(tmp_path, "prod", 0, "### prod, again")
        assert self.comment(operate, stand_in, tmp_path).document["action"] == "edited"
        assert len(stand_in.comments) == 2
        assert stand_in.comments_of(1)[0].endswith("mine")

    def test_a_job_that_made_no_summary(
        self, operate: Operate, stand_in: StandIn, tmp_path: Path
    ) -> None:
        stand_in.add_issue(title="a change")
        self.write(tmp_path, "dev", 0, "### dev")
        self.comment(operate, stand_in, tmp_path, "--expect", '["dev", "prod"]')
        assert stand_in.comments_of(1)[0].endswith(
            "### prod: ⚠ its job made no summary: see there\n\n### dev"
        )
        ran = self.comment(operate, stand_in, tmp_path, "--expect", "prod")
        assert (ran.code, ran.err) == (
            2,
            "error: --expect is 'prod': it must be a JSON list such as [\"dev\"]\n",
        )

    def test_no_longer_than_github_takes(
        self, operate: Operate, stand_in: StandIn, tmp_path: Path
    ) -> None:
        stand_in.add_issue(title="a change")
        self.write(tmp_path, "dev", 0, "x" * 70_000)
        self.comment(operate, stand_in, tmp_path)
        text = stand_in.comments_of(1)[0]
        assert len(text) == 65_536
        assert text.endswith("… cut off: see the jobs' summaries.")

    def test_nothing_to_say(self, operate: Operate, stand_in: StandIn, tmp_path: Path) -> None:
        ran = self.comment(operate, stand_in, tmp_path)
        assert (ran.code, stand_in.asked) == (2, [])
        assert ran.err == f"error: --summaries is '{tmp_path}': there is no *.json in it\n"

    def test_something_else(self, operate: Operate, stand_in: StandIn, tmp_path: Path) -> None:
        (tmp_path / "a.json").write_text("[]")
        ran = self.comment(operate, stand_in, tmp_path)
        assert (ran.code, stand_in.asked) == (2, [])
        assert "is no summary of a preview" in ran.err
