"""How a setting is declared: once, beside the attribute that holds it.

Owns `setting()`, which attaches key, default, meaning and limits to a dataclass field, and
`declarations()`, which reads them back. Pulumi.yaml, docs/settings.md and the parser all follow
these declarations; tests compare them, so a setting cannot exist in one place alone. It reads no
values and knows no rule that spans two settings.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, Literal, get_type_hints

PROJECT = "mlflow-platform"
AUTO = "auto"
"""The value of a setting that is derived.

Pulumi wants every declared key set or defaulted, so "not set" needs a word of its own.
"""

Kind = Literal["text", "integer", "flag", "list", "auto_integer"]
Value = str | int | bool | tuple[str, ...]

_METADATA = "setting"


@dataclass(frozen=True, kw_only=True, slots=True)
class Declaration:
    """One setting, as Pulumi.yaml declares it and the parser reads it."""

    key: str  # as the user writes it, without the project's namespace
    kind: Kind
    default: Value
    meaning: str  # one line; Pulumi.yaml's description
    minimum: int | None = None
    maximum: int | None = None
    choices: tuple[str, ...] = ()
    secret: bool = False  # the whole value is a secret
    takes_variables: bool = False  # Pulumi's type is string, so that `${VAR}` reaches the program
    group: str = ""  # attribute of PlatformSettings; empty: PlatformSettings itself
    attribute: str = ""

    @property
    def name(self) -> str:
        """As the user writes it in Pulumi.<stack>.yaml."""
        return f"{PROJECT}:{self.key}"

    @property
    def pulumi_type(self) -> str:
        """Type in Pulumi.yaml."""
        if self.kind == "list":
            return "array"
        if self.takes_variables or self.kind in ("text", "auto_integer"):
            return "string"
        return "boolean" if self.kind == "flag" else "integer"

    @property
    def pulumi_default(self) -> object:
        """Default in Pulumi.yaml: of the type that Pulumi checks."""
        if isinstance(self.default, tuple):
            return list(self.default)
        return self.default_text if self.pulumi_type == "string" else self.default

    @property
    def default_text(self) -> str:
        """The default as a user would type it."""
        if isinstance(self.default, bool):
            return "true" if self.default else "false"
        if isinstance(self.default, tuple):
            return f"[{', '.join(self.default)}]"
        return str(self.default)

    @property
    def allowed(self) -> str:
        """What may stand there, in words."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        if self.kind == "flag":
            return "true or false"
        if self.kind == "list":
            return "a list of texts"
        if self.kind == "text":
            return "text"
        limits = "a whole number"
        if self.minimum is not None and self.maximum is not None:
            limits += f" from {self.minimum} to {self.maximum}"
        elif self.minimum is not None:
            limits += f" of at least {self.minimum}"
        return limits if self.kind == "integer" else f"{limits}, or auto"


def setting(
    key: str,
    default: Value,
    meaning: str,
    *,
    kind: Kind | None = None,
    minimum: int | None = None,
    maximum: int | None = None,
    choices: tuple[str, ...] = (),
    secret: bool = False,
    takes_variables: bool = False,
) -> Any:
    """Declare a dataclass field that a key of the configuration fills."""
    declaration = Declaration(
        key=key,
        kind=kind or _kind_of(default),
        default=default,
        meaning=meaning,
        minimum=minimum,
        maximum=maximum,
        choices=choices,
        secret=secret,
        takes_variables=takes_variables,
    )
    return field(repr=not secret, metadata={_METADATA: declaration})


def auto(key: str, meaning: str, *, minimum: int, maximum: int | None = None) -> Any:
    """Declare a number that is derived unless it is set."""
    return setting(key, AUTO, meaning, kind="auto_integer", minimum=minimum, maximum=maximum)


def declarations(model: type, group: str = "") -> Iterator[Declaration]:
    """Every setting of a settings class and of the classes in it, in order."""
    hints = get_type_hints(model)
    for item in fields(model):
        declared = item.metadata.get(_METADATA)
        if isinstance(declared, Declaration):
            yield _placed(declared, group, item.name)
        elif is_dataclass(hints[item.name]) and not group:
            yield from declarations(hints[item.name], item.name)


def _placed(declared: Declaration, group: str, attribute: str) -> Declaration:
    return replace(declared, group=group, attribute=attribute)


def _kind_of(default: Value) -> Kind:
    if isinstance(default, bool):
        return "flag"
    if isinstance(default, int):
        return "integer"
    return "list" if isinstance(default, tuple) else "text"
