"""What database and server share under supervisord: the way back from a change that fails."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from infra.local.errors import LocalPlatformError
from infra.local.layout import Layout, interpreter
from infra.local.leftovers import MARK, Trace
from infra.local.program import Program
from infra.local.supervised_server import ServerState, SupervisedServer
from infra.local.supervision import Supervision

SLEEP = "import time; time.sleep(600)"


@dataclass(frozen=True)
class Sleeper(SupervisedServer):
    """A server that comes up unless its properties say that it does not."""

    name: ClassVar[str] = "sleeper"
    port_setting: ClassVar[str] = "serverPort"

    @property
    def trace(self) -> Trace:
        return Trace(mark=self.supervision.mark("sleeper"), grace_seconds=2)

    @property
    def program(self) -> Program:
        return Program(
            name="sleeper",
            command=(interpreter(), "-c", SLEEP),
            environment={MARK: self.trace.mark, "SETTING": self.props["setting"]},
            directory="/",
            trace=self.trace,
            settle_seconds=0,
        )

    def start(self) -> None:
        self.supervision.apply(self.program)
        if self.props["setting"] == "bad":
            raise LocalPlatformError("it does not come up")

    def judge(self, uptime_seconds: int) -> ServerState:
        return "running"


class TestAChangeThatDoesNotComeUp:
    """The previous definition runs again, and the sentence says so: database and server alike."""

    @pytest.fixture
    def layout(self, tmp_path: Path) -> Iterator[Layout]:
        layout = Layout(tmp_path)
        Supervision(layout).ensure_running()
        yield layout
        Supervision(layout).shut_down()

    def sleeper(self, layout: Layout, setting: str) -> Sleeper:
        return Sleeper({"directory": str(layout.root), "setting": setting})

    def test_the_previous_one_is_put_back(self, layout: Layout) -> None:
        good, bad = self.sleeper(layout, "good"), self.sleeper(layout, "bad")
        good.start()
        with pytest.raises(LocalPlatformError) as caught:
            bad.change()
        assert str(caught.value) == (
            "it does not come up\n  The server is started again with its previous definition."
        )
        assert (good.state(), bad.state()) == ("running", "changed")

    def test_without_a_previous_one_there_is_nothing_to_put_back(self, layout: Layout) -> None:
        with pytest.raises(LocalPlatformError, match=r"^it does not come up$"):
            self.sleeper(layout, "bad").change()
