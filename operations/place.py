"""The platform that a command is about: a stack, or a server at an address.

Owns the reading of a stack (outputs and settings, once each and only when asked for) and what every
command needs beside it: the environment, the clock, the masker and a way to say what is going on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from operations.stack_settings import read_settings
from smoke_tests.connecting import Door, choose_target, open_door
from smoke_tests.errors import CouldNotLook
from smoke_tests.masking import Masker
from smoke_tests.retrying import Clock, Patience
from smoke_tests.stack_target import read_stack
from smoke_tests.target import Target

if TYPE_CHECKING:
    from infra.outputs import PlatformOutputs
    from infra.settings import PlatformSettings


def _silent(_text: str) -> None:
    pass


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a command works."""

    stack: str | None  # its name
    url: str | None  # of a server that no stack of ours deployed
    environ: Mapping[str, str]
    masker: Masker = field(default_factory=Masker)
    clock: Clock = field(default_factory=Clock)
    progress: Callable[[str], None] = _silent  # shown on a terminal, and gone with the next line
    show: Callable[[str], None] = _silent  # a line to stay, before the report: a plan

    @cached_property
    def outputs(self) -> PlatformOutputs | None:
        """What the stack exports; None where only an address was given.

        Raises:
            CouldNotLook: the stack cannot be read.
        """
        if self.stack is None:
            return None
        return read_stack(self.stack, environ=self.environ, masker=self.masker)

    @cached_property
    def settings(self) -> PlatformSettings | None:
        """What the stack's file asks for, with everything derived; None without a stack.

        Raises:
            CouldNotLook: the settings cannot be read.
        """
        if self.stack is None:
            return None
        return read_settings(self.stack, environ=self.environ, masker=self.masker)

    @cached_property
    def target(self) -> Target:
        """The tracking server's address.

        Raises:
            CouldNotLook: there is none.
        """
        stack_uri = self.outputs.tracking_uri if self.outputs else None
        return choose_target(
            ("--url", self.url),
            (f"output trackingUri of stack {self.stack}", stack_uri),
            ("MLFLOW_TRACKING_URI", self.environ.get("MLFLOW_TRACKING_URI")),
            masker=self.masker,
            otherwise=CouldNotLook(
                "no platform is named: give a stack with --stack or an address with --url"
            ),
        )

    def door(self, patience: Patience) -> Door:
        """The way to the tracking server, as the user that the smoke tests are.

        Raises:
            CouldNotLook: credentials are missing.
        """
        return open_door(
            self.target,
            outputs=self.outputs,
            patience=patience,
            environ=self.environ,
            clock=self.clock,
            masker=self.masker,
        )
