"""What the live looks cannot see is said, and required where that is asked."""

from __future__ import annotations

from tests.operations.conftest import Operate
from tests.operations.drift.conftest import (
    Live,
)


class TestWhatCannotBeSeen:
    """It is said, and it is exit code 2 where it was required."""

    def test_said(self, live: Live) -> None:
        ran = live()
        assert ran.code == 0
        problems = {look["name"]: look["problem"] for look in ran.document["looks"]}
        assert problems["database"] == "the stack exports no databaseHost"
        assert problems["server"] != ""
        assert "kubernetes" not in problems  # nothing was deployed to a cluster

    def test_required(self, live: Live, operate: Operate) -> None:
        live.engine.refreshes()
        for words, code in (("database", 2), ("all", 2), ("google", 0)):
            ran = operate("drift", "--stack", "dev", "--require", words, environ=live.environ)
            assert ran.code == code, words
            assert "- database: not looked at: the stack exports no databaseHost\n" in ran.out
            assert ran.out.startswith("No drift of dev in what could be looked at.\n")
