"""What is wrong with a stack's settings, said all at once.

Owns `Problem`, `SettingsError` and the masking of secrets in both. A problem names the setting as
the user wrote it, what was found, what is allowed and what to do next; it never shows a password.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MASK = "[secret]"

_PASSWORD_IN_URL = re.compile(r"(?P<before>://[^\s/@:]*:)[^\s]*(?=@)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One thing that is wrong, with the keys it concerns."""

    keys: tuple[str, ...]
    message: str


class SettingsError(ValueError):
    """The settings of a stack cannot be used; `problems` says why, each with its next step."""

    def __init__(self, problems: tuple[Problem, ...], *, stack: str = "") -> None:
        """Gather every problem into one message."""
        self.problems = problems
        self.stack = stack
        super().__init__(self._text())

    def _text(self) -> str:
        count = len(self.problems)
        what = "1 setting needs" if count == 1 else f"{count} settings need"
        where = f" of stack {self.stack}" if self.stack else ""
        lines = [f"{what} correction{where} (Pulumi.{self.stack or '<stack>'}.yaml):"]
        return "\n".join([*lines, *(f"  - {problem.message}" for problem in self.problems)])


def masked_url(text: str) -> str:
    """`text` with the password of a URL in it replaced: `postgresql://mlflow:[secret]@host`."""
    return _PASSWORD_IN_URL.sub(rf"\g<before>{MASK}", text)
