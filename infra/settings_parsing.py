"""From the text of a configuration value to the type its declaration asks for.

Owns the reading of one value at a time: whole numbers, true and false, lists, choices, and limits.
Variables are already replaced (`settings_interpolation`); whether two values suit each other is
the rules' business.
"""

from __future__ import annotations

import json
import re
from typing import cast

from infra.settings_declaration import AUTO, Declaration, Value

_WHOLE_NUMBER = re.compile(r"[-+]?[0-9]{1,18}")


class UnreadableValueError(ValueError):
    """The text is not of the declared type; the message says what is allowed."""


def parse(declaration: Declaration, text: str) -> Value:
    """The value of a setting.

    Raises:
        UnreadableValueError: the text is none of what is allowed.
    """
    match declaration.kind:
        case "flag":
            return _flag(declaration, text)
        case "integer":
            return _integer(declaration, text)
        case "auto_integer":
            return AUTO if text.strip() == AUTO else _integer(declaration, text)
        case "list":
            return _list(declaration, text)
        case "text":
            return _text(declaration, text)


def _flag(declaration: Declaration, text: str) -> bool:
    if text.strip() not in ("true", "false"):
        raise UnreadableValueError(f"set {declaration.allowed}")
    return text.strip() == "true"


def _integer(declaration: Declaration, text: str) -> int:
    if not _WHOLE_NUMBER.fullmatch(text.strip()):
        raise UnreadableValueError(f"set {declaration.allowed}")
    number = int(text)
    below = declaration.minimum is not None and number < declaration.minimum
    above = declaration.maximum is not None and number > declaration.maximum
    if below or above:
        raise UnreadableValueError(f"set {declaration.allowed}")
    return number


def _list(declaration: Declaration, text: str) -> tuple[str, ...]:
    """A list arrives as JSON, as Pulumi hands objects over."""
    try:
        items: object = json.loads(text) if text.strip() else []
    except ValueError:
        items = None
    if not isinstance(items, list):
        raise UnreadableValueError(f"set {declaration.allowed}, such as [first, second]")
    values = cast("list[object]", items)
    if not all(isinstance(item, str) and item.strip() for item in values):
        raise UnreadableValueError(
            f"set {declaration.allowed}; one of its items is empty or no text"
        )
    return tuple(str(item).strip() for item in values)


def _text(declaration: Declaration, text: str) -> str:
    if declaration.choices and text not in declaration.choices:
        raise UnreadableValueError(f"set {declaration.allowed}")
    if "\n" in text or "\0" in text:
        raise UnreadableValueError("set one line of text")
    # A password may begin or end with a blank; a name or an address may not.
    return text if declaration.secret else text.strip()
