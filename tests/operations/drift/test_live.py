"""What the live looks cannot see is said, and required where that is asked."""

from __future__ import annotations

from operations.drift_live_process import expected_environment
from operations.engine_steps import State
from tests.operations.conftest import Operate
from tests.operations.drift.conftest import (
    Live,
)
from tests.operations.engine_stand_in import step

SOMETHING = step("refresh", "random:index/randomPassword:RandomPassword", "p", before={}, after={})


class TestWholeValues:
    """A long value, an empty one and one with spaces are compared as they are."""

    def test_environment(self) -> None:
        values = {
            "HOSTS": ",".join(f"host{n}.example.com" for n in range(40)),
            "NONE": "",
            "S": "a  b",
        }
        state = State(
            id="x",
            inputs={"environment": values},
            outputs={},
            parent="",
            protect=False,
            retained=False,
        )
        assert expected_environment(state) == values


class TestWhatCannotBeSeen:
    """It is said, and it is exit code 2 where it was required."""

    def test_said(self, live: Live) -> None:
        ran = live(SOMETHING)
        assert ran.code == 0
        problems = {look["name"]: look["problem"] for look in ran.document["looks"]}
        assert problems["database"] == "the stack exports no databaseHost"
        assert problems["server"] != ""
        assert "kubernetes" not in problems  # nothing was deployed to a cluster

    def test_required(self, live: Live, operate: Operate) -> None:
        live.engine.refreshes(SOMETHING)
        for words, code in (("database", 2), ("all", 2), ("google", 0)):
            ran = operate("drift", "--stack", "dev", "--require", words, environ=live.environ)
            assert ran.code == code, words
            assert "- database: not looked at: the stack exports no databaseHost\n" in ran.out
            assert ran.out.startswith("No drift of dev in what could be looked at.\n")
