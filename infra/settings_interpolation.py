"""`${VAR}` and `${VAR:-default}` in a setting's value, as in a shell.

Owns the substitution and its one error: a variable that is neither set nor given a default. `$${`
stands for a literal `${`; any other dollar sign is left alone, since passwords hold them. What a
variable holds is not substituted again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_REFERENCE = re.compile(
    r"(?P<escape>\$\$\{)|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}"
)


class UnsetVariableError(ValueError):
    """A value names an environment variable that is not set and gives no default."""

    def __init__(self, name: str) -> None:
        """`name` is the variable's."""
        super().__init__(name)
        self.name = name


def interpolate(text: str, environ: Mapping[str, str]) -> str:
    """The text with its references replaced; an empty variable counts as unset, as in a shell.

    Raises:
        UnsetVariableError: a reference has neither a value nor a default.
    """

    def replace(match: re.Match[str]) -> str:
        if match["escape"]:
            return "${"
        value = environ.get(match["name"], "")
        if value:
            return value
        if match["default"] is None:
            raise UnsetVariableError(match["name"])
        return match["default"]

    return _REFERENCE.sub(replace, text)
