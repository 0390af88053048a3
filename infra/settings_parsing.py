"""From the text of a stack's configuration to typed values, every mistake collected.

Owns the reading of single settings: unknown keys, interpolation, kinds, bounds and choices. What
settings mean together is `settings_rules`' subject. A secret's value never enters a message.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from infra.settings_declarations import AUTO, BY_KEY, DECLARATIONS, NAMESPACE, Declaration
from infra.settings_guide_names import advice_for, variables_without_effect
from infra.settings_interpolation import interpolate

Value = str | int | bool | tuple[str, ...]

MOST_SHOWN = 60
"""Characters of a wrong value that a message repeats: enough to find it by."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake: the setting as the user wrote it, and a sentence that says what to do."""

    setting: str
    message: str

    def __str__(self) -> str:
        """The line a user reads."""
        return f"{self.setting}: {self.message}"


@dataclass(slots=True)
class Parsed:
    """Values by key, defaults filled in; `given` holds the keys the user set himself."""

    values: dict[str, Value] = field(default_factory=dict[str, Value])
    given: set[str] = field(default_factory=set[str])
    problems: list[Problem] = field(default_factory=list[Problem])

    def text(self, key: str) -> str:
        """A string setting."""
        value = self.values[key]
        return value if isinstance(value, str) else ""

    def number(self, key: str) -> int:
        """An integer setting that is not derived."""
        value = self.values[key]
        return value if isinstance(value, int) else 0

    def number_or_auto(self, key: str) -> int | None:
        """A derived integer setting; None for `auto`."""
        value = self.values[key]
        return None if value == AUTO else self.number(key)

    def flag(self, key: str) -> bool:
        """A boolean setting."""
        return self.values[key] is True

    def flag_or_auto(self, key: str) -> bool | None:
        """A derived boolean setting; None for `auto`."""
        value = self.values[key]
        return None if value == AUTO else bool(value)

    def names(self, key: str) -> tuple[str, ...]:
        """An array setting."""
        value = self.values[key]
        return value if isinstance(value, tuple) else ()


def parse(values: Mapping[str, str], environ: Mapping[str, str]) -> Parsed:
    """Read every setting; a value that cannot be read is replaced by its default."""
    parsed = Parsed()
    parsed.problems += _unknown(values) + _unread_variables(environ)
    for declaration in DECLARATIONS:
        text = values.get(declaration.key)
        parsed.values[declaration.key] = declaration.default
        if text is None:
            continue
        try:
            value = _convert(declaration, interpolate(str(text), environ))
        except ValueError as error:
            parsed.problems.append(Problem(qualified(declaration.key), str(error)))
        else:
            parsed.values[declaration.key] = value
            if value != declaration.default:
                parsed.given.add(declaration.key)
    return parsed


def qualified(key: str) -> str:
    """A key as the user writes it: `mlflow-platform:poolSize`."""
    return f"{NAMESPACE}:{key}"


def problem(key: str, message: str) -> Problem:
    """A mistake in the setting of that key."""
    return Problem(qualified(key), message)


def command_to_encrypt(key: str, target: str) -> str:
    """What a user types to keep a setting as a secret; a stack on this machine needs no CLI."""
    engine = "python -m local_engine" if target == "local" else "pulumi"
    return f"`{engine} config set --secret {key}`"


def _unknown(values: Mapping[str, str]) -> list[Problem]:
    return [
        Problem(qualified(key), f"is not a setting; {advice_for(key)}")
        for key in sorted(values.keys() - BY_KEY.keys())
    ]


def _unread_variables(environ: Mapping[str, str]) -> list[Problem]:
    return [
        Problem(
            name,
            "is set in the environment, but no version of MLflow reads it: unset it and set "
            f"{qualified(key)} in the stack's configuration",
        )
        for name, key in variables_without_effect(environ).items()
    ]


def _convert(declaration: Declaration, text: str) -> Value:
    """Raises ValueError with the sentence for the user."""
    shown = "a secret" if declaration.secret else _shortened(repr(text))
    if declaration.derived and text == AUTO:
        return AUTO
    match declaration.kind:
        case "boolean":
            return _boolean(text, shown)
        case "integer":
            return _integer(declaration, text, shown)
        case "array":
            return _array(text, shown)
        case "string":
            return _string(declaration, text, shown)


def _shortened(text: str) -> str:
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"


def _string(declaration: Declaration, text: str, shown: str) -> str:
    # A password may begin or end with a blank; a name or an address may not.
    text = text if declaration.secret else text.strip()
    if declaration.choices and text not in declaration.choices:
        raise ValueError(f"is {shown}; allowed are {' or '.join(declaration.choices)}")
    if not text.isprintable():
        raise ValueError("has a line break or an unprintable character; write one line")
    return text


def _boolean(text: str, shown: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(f"is {shown}; write true or false")
    return text == "true"


def _integer(declaration: Declaration, text: str, shown: str) -> int:
    auto = ", or auto" if declaration.derived else ""
    low, high = declaration.minimum, declaration.maximum
    span = f"from {low} to {high}" if high is not None else f"of {low} or more"
    try:
        # Not int() alone: it takes "1_000", " 7 " and digits of other scripts.
        number = int(text) if text.isascii() and text.lstrip("-").isdigit() else None
    except ValueError:
        number = None
    if number is None:
        raise ValueError(f"is {shown}; write a whole number {span}{auto}")
    if (low is not None and number < low) or (high is not None and number > high):
        raise ValueError(f"is {_shortened(str(number))}; write a whole number {span}{auto}")
    return number


def _array(text: str, shown: str) -> tuple[str, ...]:
    try:
        items: object = json.loads(text) if text.strip() else []
    except (ValueError, RecursionError):  # the second for a thousand brackets
        items = None
    if not isinstance(items, list):
        raise ValueError(f"is {shown}; write a list of texts")  # noqa: TRY004 - a value
    texts: list[object] = items  # pyright: ignore[reportUnknownVariableType]  # JSON
    if not all(isinstance(item, str) and item.strip() and item.isprintable() for item in texts):
        raise ValueError(f"is {shown}; every item must be a text of one line that is not empty")
    return tuple(str(item).strip() for item in texts)
