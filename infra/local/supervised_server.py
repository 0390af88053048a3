"""What PostgreSQL and the MLflow server have in common under supervisord.

Owns the questions asked of both in the same way (is it looked after, does it run with the
definition of its resource, may it have its port) and the way back to the previous definition where
a new one does not come up. What a definition is, and when a server counts as ready, each says for
itself.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

from infra.local.errors import LocalPlatformError
from infra.local.layout import Layout
from infra.local.leftovers import Trace, find
from infra.local.ports import problem_with_port
from infra.local.program import Program
from infra.local.provider import Properties
from infra.local.supervision import Supervision

ServerState = Literal[
    "running",
    "starting",
    "silent",
    "refusing",
    "stopped",
    "restarting",
    "unsupervised",
    "changed",
]


@dataclass(frozen=True)
class SupervisedServer(ABC):
    """The server that a resource's properties describe."""

    props: Properties

    name: ClassVar[str]
    """What supervisord and its log call it."""

    port_setting: ClassVar[str]
    """The setting that chooses its port."""

    @property
    def layout(self) -> Layout:
        """Its stack's folders."""
        return Layout(Path(self.props["directory"]))

    @property
    def supervision(self) -> Supervision:
        """What keeps it alive."""
        return Supervision(self.layout)

    @cached_property
    @abstractmethod
    def trace(self) -> Trace:
        """How its processes are recognised, whoever started them."""

    @cached_property
    @abstractmethod
    def program(self) -> Program:
        """What supervisord runs."""

    @abstractmethod
    def start(self) -> None:
        """Make it run as described and wait until it serves; unchanged is left alone.

        Raises:
            LocalPlatformError: it does not come up, with the cause and its last words.
        """

    @abstractmethod
    def judge(self, uptime_seconds: int) -> ServerState:
        """How a living server with the right definition is, judged by asking it."""

    def change(self) -> None:
        """Start it with another definition, or again; put the previous one back where that fails.

        Raises:
            LocalPlatformError: it does not come up, and what runs instead.
        """
        before = self.supervision.running_definition(self.name)
        try:
            self.start()
        except LocalPlatformError as error:
            if before is None or before == self.supervision.running_definition(self.name):
                raise
            self.supervision.apply(before)
            raise LocalPlatformError(
                f"{error}\n  The server is started again with its previous definition."
            ) from error

    def discard(self) -> None:
        """Stop it and take it out of supervisord's hands; its data stays."""
        self.supervision.discard(self.name, self.trace)

    def state(self) -> ServerState:
        """How it is."""
        report = self.supervision.report(self.name)
        if report is None or not report.alive:
            if report is not None and report.failing:
                return "restarting"
            return "unsupervised" if find(self.trace) else "stopped"
        if self.supervision.running_definition(self.name) != self.program:
            return "changed"
        return self.judge(report.uptime_seconds)

    def port_problem(self) -> str | None:
        """Why it cannot have its port; None when it can or already has."""
        return problem_with_port(
            self.props["host"], self.props["port"], setting=self.port_setting, ours=self.trace
        )
