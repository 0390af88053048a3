"""What kinds of settings there are, and how Pulumi.yaml declares each of them.

Owns the shape of one declaration and a short way to write each kind down. The settings themselves
stand in `settings_declarations`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

NAMESPACE = "mlflow-platform"

AUTO = "auto"
"""Value of a setting that is derived from the others."""

Kind = Literal["string", "integer", "boolean", "array"]


@dataclass(frozen=True, slots=True)
class Declaration:
    """One setting as the user writes it under `mlflow-platform:`."""

    key: str
    kind: Kind
    default: str | int | bool | tuple[str, ...]
    description: str
    minimum: int | None = None
    maximum: int | None = None
    choices: tuple[str, ...] = ()
    derived: bool = False  # takes `auto` beside a value of its kind
    secret: bool = False
    takes_variables: bool = False  # guides write `${VAR:-default}` here

    @property
    def pulumi_type(self) -> str:
        """Type in Pulumi.yaml.

        Pulumi checks it before the program sees the value: `auto` is no integer and `${VAR}` is
        neither integer nor boolean, so a setting that takes them is a string there.
        """
        return "string" if self.derived or self.takes_variables else self.kind

    @property
    def default_text(self) -> str:
        """The default as a user writes it."""
        if isinstance(self.default, bool):
            return "true" if self.default else "false"
        return "[]" if isinstance(self.default, tuple) else str(self.default)

    @property
    def pulumi_default(self) -> str | int | bool | list[str]:
        """Default in Pulumi.yaml, of the type that Pulumi checks."""
        if isinstance(self.default, tuple):
            return list(self.default)
        return self.default_text if self.pulumi_type == "string" else self.default


def string(key: str, default: str, description: str, *choices: str) -> Declaration:
    """A text, or one of `choices`."""
    return Declaration(key, "string", default, description, choices=choices)


def secret(key: str, description: str) -> Declaration:
    """A text that never enters a message."""
    return Declaration(key, "string", "", description, secret=True)


def integer(
    key: str, default: int, description: str, minimum: int = 1, maximum: int | None = None
) -> Declaration:
    """A whole number within bounds."""
    return Declaration(key, "integer", default, description, minimum, maximum)


def derived(
    key: str, description: str, minimum: int = 1, maximum: int | None = None
) -> Declaration:
    """A whole number, or `auto`."""
    return Declaration(key, "integer", AUTO, description, minimum, maximum, derived=True)


def boolean(
    key: str, default: bool, description: str, *, takes_variables: bool = False
) -> Declaration:
    """True or false."""
    return Declaration(key, "boolean", default, description, takes_variables=takes_variables)


def array(key: str, description: str) -> Declaration:
    """A list of texts."""
    return Declaration(key, "array", (), description)
