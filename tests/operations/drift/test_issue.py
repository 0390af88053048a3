"""One issue for each environment: opened, kept up to date, closed, and never a second one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operations.drift_findings import Difference, Drift, Finding, Look
from operations.drift_issue_text import Mark, read_mark
from operations.drift_report import code
from tests.operations.conftest import Operate, Ran
from tests.operations.github_stand_in import TOKEN, StandIn, github

BACKUP = Finding(
    severity="critical",
    look="resources",
    kind="aws:rds/instance:Instance",
    subject="mlops-platform-dev-mlflow-database-instance",
    identity="db-1",
    what="changed",
    differences=(Difference(property="backupRetentionPeriod", expected="7", found="1"),),
)
SCHEMA = Finding(
    severity="critical",
    look="database",
    kind="schema",
    subject="schema",
    identity="",
    what="differs",
    differences=(Difference(property="revision", expected="b", found="a"),),
)
RESOURCES = Look(name="resources", looked_at="137 resources compared by the engine")
DATABASE = Look(name="database", looked_at="schema b; 3 settings in force")


def drift(*findings: Finding, looks: tuple[Look, ...] = (RESOURCES, DATABASE)) -> Drift:
    return Drift(
        stack="dev",
        environment="dev",
        looked_at="2026-11-21T18:00:00+00:00",
        findings=findings,
        looks=looks,
    )


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    with github() as running:
        yield running


class Settle:
    """`drift-issue` with a report that is written for it."""

    def __init__(self, operate: Operate, stand_in: StandIn, folder: Path) -> None:
        self._operate, self._stand_in, self._file = operate, stand_in, folder / "drift.json"

    def __call__(self, report: Drift | Mapping[str, object], *more: str, **environ: str) -> Ran:
        document = (
            {"stack": report.stack, "problem": None, **report.document()}
            if isinstance(report, Drift)
            else report
        )
        self._file.write_text(json.dumps(document))
        ran = self._operate(
            "drift-issue",
            *("--stack", "dev", "--report", str(self._file), "--json", *more),
            environ={**self._stand_in.environment, **environ},
        )
        assert TOKEN not in ran.out + ran.err
        return ran


@pytest.fixture
def settle(operate: Operate, stand_in: StandIn, tmp_path: Path) -> Settle:
    return Settle(operate, stand_in, tmp_path)


class TestLife:
    """Opened with the first finding, commented on when it changes, closed when it is over."""

    def test_whole(self, settle: Settle, stand_in: StandIn) -> None:
        opened = settle(drift(BACKUP)).document
        assert (opened["action"], opened["issue"]) == ("opened", 1)
        issue = stand_in.issues[0]
        assert issue["title"] == "Drift: dev"
        assert issue["labels"] == [{"name": "drift"}]
        assert "| `backupRetentionPeriod` | `7` | `1` |" in issue["body"]

        before = len(stand_in.writes)
        assert settle(drift(BACKUP)).document["action"] == "unchanged"
        assert len(stand_in.writes) == before

        assert settle(drift(BACKUP, SCHEMA)).document["action"] == "updated"
        assert stand_in.comments_of(1)[0] == (
            "dev has drifted: 2 findings (2 critical).\n\n"
            "- new: `database: schema schema differs revision`"
        )
        assert "| `revision` | `b` | `a` |" in issue["body"]

        assert settle(drift(SCHEMA)).document["action"] == "updated"
        assert stand_in.comments_of(1)[1].endswith(
            "- over: `resources: aws:rds/instance:Instance "
            "mlops-platform-dev-mlflow-database-instance changed backupRetentionPeriod`"
        )

        assert settle(drift()).document["action"] == "closed"
        assert issue["state"] == "closed"
        assert stand_in.comments_of(1)[2] == (
            "The drift is over. No drift of dev: it is as it was deployed. "
            "2026-11-21T18:00:00+00:00"
        )

        again = settle(drift()).document
        assert (again["action"], again["issue"]) == ("nothing to do", None)
        assert len(stand_in.issues) == 1

    def test_drift_that_comes_back_is_a_new_issue(self, settle: Settle, stand_in: StandIn) -> None:
        settle(drift(BACKUP))
        settle(drift())
        assert settle(drift(BACKUP)).document["issue"] == 2
        assert [issue["state"] for issue in stand_in.issues] == ["closed", "open"]

    def test_a_stack_that_is_not_called_as_its_environment(
        self, operate: Operate, stand_in: StandIn, tmp_path: Path
    ) -> None:
        """`dev` and `gcp-dev` are both the environment dev, and have an issue each."""
        for stack in ("dev", "gcp-dev"):
            report = replace(drift(BACKUP), stack=stack)
            (tmp_path / stack).write_text(json.dumps({"stack": stack, **report.document()}))
            words = ("--stack", stack, "--report", str(tmp_path / stack))
            assert operate("drift-issue", *words, environ=stand_in.environment).code == 0
        titles = [issue["title"] for issue in stand_in.open]
        assert titles == ["Drift: dev", "Drift: gcp-dev (environment dev)"]

    def test_another_value_is_a_change(self, settle: Settle, stand_in: StandIn) -> None:
        settle(drift(BACKUP))
        worse = replace(
            BACKUP,
            differences=(Difference(property="backupRetentionPeriod", expected="7", found="0"),),
        )
        assert settle(drift(worse)).document["action"] == "updated"
        assert "The same things differ, by other values." in stand_in.comments_of(1)[0]

    def test_the_run_is_named(self, settle: Settle, stand_in: StandIn) -> None:
        settle(drift(BACKUP), GITHUB_SERVER_URL="https://github.example", GITHUB_RUN_ID="7")
        address = "https://github.example/acme/mlflow-platform/actions/runs/7"
        assert f"[Seen by this run]({address})" in stand_in.issues[0]["body"]


class TestOneIssue:
    """Never two open ones for an environment, and never somebody else's."""

    def test_a_second_one_is_closed(self, settle: Settle, stand_in: StandIn) -> None:
        settle(drift(BACKUP))
        stand_in.add_issue(**{k: v for k, v in stand_in.issues[0].items() if k != "number"})
        done = settle(drift(BACKUP)).document
        assert (done["issue"], done["closed_duplicates"]) == (1, [2])
        assert [issue["number"] for issue in stand_in.open] == [1]
        assert stand_in.comments_of(2) == ["#1 is about the same stack."]

    def test_others_are_left_alone(self, settle: Settle, stand_in: StandIn) -> None:
        labels = [{"name": "drift"}]
        other = Mark(stack="prod", fingerprint="x", keys=()).comment()
        ours = Mark(stack="dev", fingerprint="x", keys=()).comment()
        stand_in.add_issue(body=other, labels=labels)
        stand_in.add_issue(body="somebody's own", labels=labels)
        stand_in.add_issue(body=ours, labels=labels, pull_request={})
        stand_in.add_issue(body=ours, labels=[])
        assert settle(drift()).document["action"] == "nothing to do"
        assert settle(drift(BACKUP)).document["issue"] == 5
        assert len(stand_in.open) == 5

    def test_found_behind_many_others(self, settle: Settle, stand_in: StandIn) -> None:
        settle(drift(BACKUP))
        for _ in range(250):
            stand_in.add_issue(body="another", labels=[{"name": "drift"}])
        assert settle(drift(BACKUP)).document["action"] == "unchanged"

    def test_a_dropped_label_is_put_there(self, settle: Settle, stand_in: StandIn) -> None:
        stand_in.drops_labels = True
        settle(drift(BACKUP))
        assert settle(drift(BACKUP)).document["action"] == "unchanged"
        assert len(stand_in.issues) == 1


class TestWhatIsNotKnown:
    """Nothing is closed on the word of a look that saw nothing."""

    def test_a_look_that_is_blind_now(self, settle: Settle, stand_in: StandIn) -> None:
        settle(drift(BACKUP, SCHEMA))
        blind = (RESOURCES, Look(name="database", looked_at="", problem="no way to it"))
        done = settle(drift(looks=blind)).document
        assert done["action"] == "kept open"
        assert done["not_looked_at_again"] == ["database: schema schema differs revision"]
        assert stand_in.issues[0]["state"] == "open"
        settle(drift(BACKUP, looks=blind))
        assert stand_in.comments_of(1)[0].endswith(
            "- not looked at this time: `database: schema schema differs revision`"
        )

    def test_what_is_unseen_is_remembered(self, settle: Settle, stand_in: StandIn) -> None:
        """The last thing that was seen ends; what nobody could look at since may still be there."""
        settle(drift(BACKUP, SCHEMA))
        blind = (RESOURCES, Look(name="database", looked_at="", problem="no way to it"))
        settle(drift(BACKUP, looks=blind))
        done = settle(drift(looks=blind)).document
        assert done["action"] == "kept open"
        assert done["not_looked_at_again"] == ["database: schema schema differs revision"]
        assert stand_in.issues[0]["state"] == "open"
        assert settle(drift()).document["action"] == "closed"

    def test_a_report_of_nothing(self, settle: Settle, stand_in: StandIn) -> None:
        settle(drift(BACKUP))
        ran = settle({"stack": "dev", "problem": "the engine is missing"})
        assert ran.code == 2
        assert "says that nobody could look: the engine is missing\n" in ran.err
        assert stand_in.issues[0]["state"] == "open"

    @pytest.mark.parametrize(
        ("document", "said"),
        [
            (
                {"stack": "prod"},
                "is about stack 'prod' and --stack is 'dev': give the report of that stack",
            ),
            ({"stack": "dev"}, "is no report of drift: it has no 'findings'"),
            (
                {"stack": "dev", "findings": 3, "looks": []},
                "is no report of drift: it is written otherwise (findings is no list)",
            ),
        ],
    )
    def test_another_report(
        self, settle: Settle, stand_in: StandIn, document: dict[str, Any], said: str
    ) -> None:
        ran = settle(document)
        assert (ran.code, stand_in.asked) == (2, [])
        assert ran.err.endswith(f"{said}\n")


class TestRefusals:
    """What GitHub refuses is told in a sentence, and the token in none."""

    def test_no_token(self, settle: Settle, stand_in: StandIn) -> None:
        ran = settle(drift(BACKUP), GITHUB_TOKEN="")
        assert (ran.code, stand_in.asked) == (2, [])
        assert ran.err == (
            "error: GITHUB_TOKEN is not set: in a workflow, give the step "
            "`env: GITHUB_TOKEN: ${{ github.token }}`\n"
        )

    def test_a_wrong_token(self, settle: Settle) -> None:
        ran = settle(drift(BACKUP), GITHUB_TOKEN="ghs_somebody_elses_token")
        assert ran.code == 2
        assert ran.err == (
            "error: GitHub answered 401 to GET /issues (Bad credentials): "
            "GITHUB_TOKEN is not valid\n"
        )

    def test_no_repository(self, settle: Settle) -> None:
        ran = settle(drift(BACKUP), "--repository", "mlflow-platform")
        assert ran.err == (
            "error: the repository is 'mlflow-platform': it must be `owner/name` (--repository or "
            "GITHUB_REPOSITORY)\n"
        )

    def test_a_read_is_tried_again(self, settle: Settle, stand_in: StandIn) -> None:
        stand_in.failing += [502]
        assert settle(drift(BACKUP)).document["action"] == "opened"

    def test_a_write_is_not(self, settle: Settle, stand_in: StandIn) -> None:
        settle(drift(BACKUP))
        stand_in.asked.clear()
        stand_in.failing_writes += [502]
        worse = drift(BACKUP, SCHEMA)
        ran = settle(worse)
        assert ran.code == 2
        assert ran.err.startswith("error: GitHub answered 502 to POST /issues/1/comments")
        assert stand_in.writes == ["POST /issues/1/comments"]
        # The text still says what it said, so that the next run makes the comment.
        assert settle(worse).document["action"] == "updated"

    def test_nobody_answers(self, settle: Settle) -> None:
        ran = settle(drift(BACKUP), GITHUB_API_URL="http://127.0.0.1:1")
        assert ran.code == 2
        assert ran.err == (
            "error: 127.0.0.1:1 did not answer GET /issues (ConnectionError): try again\n"
        )


class TestText:
    """Others' words are words: no mention, no markup, no end of the hidden mark, never too long."""

    def test_values_are_code(self, settle: Settle, stand_in: StandIn) -> None:
        evil = Difference(property="tags", expected="a|b", found="@everyone `rm` <!-- --> \n# big")
        settle(drift(replace(BACKUP, differences=(evil,))))
        body = stand_in.issues[0]["body"]
        assert "| `` @everyone `rm` <!-- --> # big `` |" in body
        assert "| `a\\|b` |" in body

    def test_a_value_that_looks_like_a_mark(self, settle: Settle, stand_in: StandIn) -> None:
        forged = Mark(stack="dev", fingerprint="x", keys=()).comment()
        settle(drift(replace(BACKUP, note=forged, subject=forged)))
        assert settle(drift(replace(BACKUP, note=forged, subject=forged))).document["issue"] == 1
        assert len(stand_in.issues) == 1

    def test_a_mark_holds_anything(self) -> None:
        mark = Mark(stack="dev", fingerprint="f", keys=("--> <b>", "{}", '"'))
        assert mark.comment().count("-->") == 1
        assert read_mark(f"text\n{mark.comment()}\nmore") == mark

    @given(st.text(), st.lists(st.text(), max_size=4), st.text())
    def test_a_mark_is_read_back(self, stack: str, keys: list[str], before: str) -> None:
        mark = Mark(stack=stack, fingerprint="f", keys=tuple(keys))
        assert mark.comment().count("--") == 2
        assert read_mark(f"{before}\n{mark.comment()}") == mark

    @given(st.text())
    def test_a_code_span_ends_where_it_should(self, text: str) -> None:
        """One line, no cell of a table begins in it, and no run of backticks inside closes it."""
        span = code(text)
        assert "\n" not in span
        assert not re.search(r"(?<!\\)\|", span)
        if span:
            fence = re.match(r"`+", span)
            assert fence is not None
            inside = span[len(fence[0]) : -len(fence[0])]
            assert fence[0] not in re.findall(r"`+", inside)

    @pytest.mark.parametrize("body", ["", "<!-- mlflow-platform-drift {} -->", "<!-- other -->"])
    def test_no_mark(self, body: str) -> None:
        assert read_mark(body) is None

    def test_a_long_report_is_cut(self, settle: Settle, stand_in: StandIn) -> None:
        many = [replace(BACKUP, subject=f"{number}-{'x' * 200}") for number in range(150)]
        assert settle(drift(*many)).document["action"] == "opened"
        body = stand_in.issues[0]["body"]
        assert len(body) <= 65_536
        assert "more lines: see the job's summary." in body
        assert read_mark(body) is not None
        assert settle(drift(*many)).document["action"] == "unchanged"
