"""What an engine counts and does not spell out in its JSON is read from its text, or said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from operations.drift_untold import read_differences
from tests.operations.conftest import Operate, Ran
from tests.operations.engine_stand_in import RecordedEngine, document, step

MIGRATION = "pulumi-python:dynamic/local:Migration"
SERVER = "pulumi-python:dynamic/local:MlflowServer"
INSTANCE = "aws:rds/instance:Instance"

URN = "urn:pulumi:dev::mlflow-platform::mlflow-platform:aws:AwsPlatform${kind}::{name}"

EMBEDDED = """\
Previewing refresh (local):
  pulumi:pulumi:Stack: (same)
    [urn=urn:pulumi:local::mlflow-platform::pulumi:pulumi:Stack::mlflow-platform-local]
        ~ {kind}: (update)
            [id=postgresql+psycopg://mlflow@127.0.0.1:5988/mlflow]
            [urn={urn}]
          ~ revision: "dc11669786a5" => "acf3f17fdcc7"
          ~ environment: {{
              ~ POOL: "10" => "99"
            }}
Resources:
    ~ 1 to update
    9 unchanged
"""


class Refresh:
    """`drift` of an engine that counts more than it shows."""

    def __init__(self, operate: Operate, folder: Path) -> None:
        self._operate, self._folder = operate, folder
        self.engine = RecordedEngine(folder)

    def __call__(self, *steps: dict[str, Any], counted: int, text: str) -> Ran:
        told = document(*steps)
        told["changeSummary"]["update"] = counted
        self.engine.says("refresh", told)
        # The same verb with --diff prints the text.
        program = self._folder / "pulumi"
        script = program.read_text()
        program.write_text(script.replace("for word;", TEXT.format(folder=self._folder), 1))
        (self._folder / "text").write_text(text)
        words = ("drift", "--stack", "dev", "--resources-only", "--json")
        return self._operate(*words, environ=self.engine.environ)


TEXT = """\
case "$*" in *--diff*) cat '{folder}/text'; exit 0 ;; esac
for word;"""


@pytest.fixture
def refresh(operate: Operate, tmp_path: Path) -> Refresh:
    return Refresh(operate, tmp_path)


def text_of(kind: str, name: str) -> str:
    return EMBEDDED.format(kind=kind, urn=URN.format(kind=kind, name=name))


class TestDynamic:
    """A platform on this machine: its providers say that something differs, and not what."""

    def test_found(self, refresh: Refresh) -> None:
        schema = step("refresh", MIGRATION, "schema", before={"revision": "dc"}, after={})
        other = step("refresh", SERVER, "server", before={}, after={})
        ran = refresh(schema, other, counted=1, text=text_of(MIGRATION, "schema"))
        (found,) = ran.document["findings"]
        assert (ran.code, found["severity"], found["subject"]) == (1, "critical", "schema")
        assert [(d["property"], d["expected"], d["found"]) for d in found["differences"]] == [
            ("revision", "dc11669786a5", "acf3f17fdcc7"),
            ("environment", "as deployed", "otherwise"),
        ]
        assert [look["name"] for look in ran.document["looks"]] == ["resources"]

    def test_nothing_counted_asks_no_second_time(self, refresh: Refresh) -> None:
        same = step("refresh", MIGRATION, "schema", before={}, after={})
        ran = refresh(same, counted=0, text=text_of(MIGRATION, "schema"))
        assert (ran.code, ran.document["findings"]) == (0, [])
        assert not [line for line in refresh.engine.asked if "--diff" in line]

    def test_what_was_shown_is_not_counted_again(self, refresh: Refresh) -> None:
        shown = step("update", INSTANCE, "db", before={}, after={"a": 1}, changed=["a"])
        ran = refresh(shown, counted=1, text="")
        assert len(ran.document["findings"]) == 1
        assert not [line for line in refresh.engine.asked if "--diff" in line]


class TestUnclear:
    """A difference that shows nowhere is said: it is no clean answer."""

    @pytest.mark.parametrize("text", ["", "Previewing refresh (dev):\n"])
    def test_text_that_shows_nothing(self, refresh: Refresh, text: str) -> None:
        same = step("refresh", MIGRATION, "schema", before={}, after={})
        ran = refresh(same, counted=2, text=text)
        problems = [look["problem"] for look in ran.document["looks"] if look["problem"]]
        (problem,) = problems
        assert problem == (
            "the engine counts 2 more and does not say what differs: see `refresh --preview-only "
            "--diff` of stack dev"
        )

    def test_a_cloud(self, refresh: Refresh) -> None:
        ran = refresh(step("refresh", INSTANCE, "db", before={}, after={}), counted=1, text="")
        assert "the engine counts 1 more" in ran.document["looks"][1]["problem"]
        assert not [line for line in refresh.engine.asked if "--diff" in line]


class TestText:
    """The text of both engines."""

    @pytest.mark.parametrize("file", ["refresh-local.txt", "refresh-local-pulumi.txt"])
    def test_recorded(self, file: str) -> None:
        """The supervisor killed, the schema at another revision; by both engines."""
        text = (Path(__file__).with_name("recorded") / file).read_text()
        told = {
            urn.rpartition("-mlflow-")[2]: [(d.property, d.expected, d.found) for d in items]
            for urn, items in read_differences(text)
        }
        assert told == {
            "supervisor": [("state", "running", "stopped")],
            "server": [("state", "running", "unsupervised")],
            "database": [("state", "running", "unsupervised")],
            "schema": [("revision", "dc11669786a5", "acf3f17fdcc7")],
        }

    def test_several_resources(self) -> None:
        text = text_of(MIGRATION, "a").replace("Resources:", "") + text_of(SERVER, "b")
        told = dict(read_differences(text))
        assert [urn.rpartition("::")[2] for urn in told] == ["a", "b"]
        assert [item.property for item in told[URN.format(kind=SERVER, name="b")]] == [
            "revision",
            "environment",
        ]

    def test_nothing_differs(self) -> None:
        assert list(read_differences("Resources:\n    9 unchanged\n")) == []
