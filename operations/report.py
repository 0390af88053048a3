"""What a command has to say, whatever it did.

Owns the shape that the command line prints as text or as JSON. A command fills one in; it neither
prints nor masks: both happen in one place (`command_line`), so no command can forget the masking.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from smoke_tests.terminal import Colour

ExitCode = Literal[0, 1, 2]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a text report."""

    text: str = ""
    colour: Colour | None = None


class Report(Protocol):
    """The result of a command."""

    @property
    def exit_code(self) -> ExitCode:
        """0: clean; 1: something was found; 2: could not look."""
        ...

    def document(self) -> Mapping[str, object]:
        """For a machine: plain values under names in snake case, units in the names."""
        ...

    def lines(self) -> Iterable[Line]:
        """For a person."""
        ...
