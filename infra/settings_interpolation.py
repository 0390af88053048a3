"""`${VAR}` and `${VAR:-default}` in a setting's value, as in a shell.

Owns the substitution and its two errors: variables that are neither set nor given a default, and
a `${` that is no reference. `$${` stands for a literal `${`; any other dollar sign is left alone,
since passwords hold them. What a variable holds is not substituted again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_REFERENCE = re.compile(
    r"(?P<escape>\$\$\{)"
    r"|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^{}]*))?\}"
    r"|(?P<malformed>\$\{[^}]*\}?)"
)


class InterpolationError(ValueError):
    """A value's references cannot be replaced; the message says what to do, without the value."""


class UnsetVariableError(InterpolationError):
    """A value names environment variables that are not set and gives no default."""

    def __init__(self, names: tuple[str, ...]) -> None:
        """`names` are the variables'."""
        one = len(names) == 1
        super().__init__(
            f"names the environment {'variable' if one else 'variables'} {', '.join(names)}, which "
            f"{'is' if one else 'are'} not set: set {'it' if one else 'them'}, or give a default "
            f"with ${{{names[0]}:-default}}"
        )
        self.names = names


class MalformedReferenceError(InterpolationError):
    """A value has a `${` that begins no reference to an environment variable."""

    def __init__(self) -> None:
        """The text is left out: a password may be what holds the `${`."""
        super().__init__(
            "has a ${…} that is no reference: write ${NAME} or ${NAME:-default} with the name of "
            "an environment variable (other settings cannot be referred to), and $${ for the "
            "characters themselves"
        )


def literal_part(text: str) -> str:
    """What of the text does not come from the environment: references give their defaults."""
    return _REFERENCE.sub(lambda match: "${" if match["escape"] else match["default"] or "", text)


def interpolate(text: str, environ: Mapping[str, str]) -> str:
    """The text with its references replaced; an empty variable counts as unset, as in a shell.

    Raises:
        InterpolationError: a reference is malformed, or has neither a value nor a default.
    """
    unset: list[str] = []

    def replace(match: re.Match[str]) -> str:
        if match["escape"]:
            return "${"
        if match["malformed"]:
            raise MalformedReferenceError
        value = environ.get(match["name"], "") or match["default"]
        if value is None:
            unset.append(match["name"])
            return ""
        return value

    replaced = _REFERENCE.sub(replace, text)
    if unset:
        raise UnsetVariableError(tuple(dict.fromkeys(unset)))
    return replaced
