"""What a simulated cloud answers instead of doing what it was asked.

Owns the three ways a provider says no; how they go over the wire is `resource_provider.py`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


class Refusal(Exception):  # noqa: N818 (it is an answer)
    """The cloud refuses this call; the message is for the person who wrote the program."""


class NotSupported(Refusal):
    """The simulated cloud has no such type, function or option: it never pretends to."""


class NotReady(Refusal):
    """The resource was made (or changed) and did not become ready: it stays in the state."""

    def __init__(self, identity: str, outputs: dict[str, Any], reasons: Sequence[str]) -> None:
        """Say what was made and why it is not ready."""
        super().__init__("; ".join(reasons))
        self.identity = identity
        self.outputs = outputs
        self.reasons = tuple(reasons)


@dataclass(frozen=True, slots=True)
class InputProblem:
    """One thing wrong with an input, found before anything is called."""

    property: str
    """Name of the property as the program's language-neutral schema spells it; empty for none."""
    reason: str
