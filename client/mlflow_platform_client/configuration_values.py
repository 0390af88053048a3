"""Reading one setting's value from text, YAML or JSON.

Owns the conversions and the sentence that says what was found and what is allowed. A secret's value
is never part of that sentence.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast
from urllib.parse import urlsplit

from mlflow_platform_client.masking import mask

if TYPE_CHECKING:
    from mlflow_platform_client.client_settings import Setting

_Number = TypeVar("_Number", int, float)
_TRUE = ("true", "1", "yes", "on")
_FALSE = ("false", "0", "no", "off")


class BadValue(ValueError):  # noqa: N818
    """A value that cannot be used; the text continues "<setting> is …"."""


def parse_value(setting: Setting, value: object) -> object:
    """The value in the setting's own type.

    Raises:
        BadValue: it has no such form, or lies outside what is allowed.
    """
    match setting.kind:
        case "bool":
            return _boolean(value)
        case "int":
            return _within(setting, value, _integer(value))
        case "float":
            return _within(setting, value, _number(value))
        case "tuple[float, ...]":
            return tuple(_within(setting, value, _number(item)) for item in _items(value))
        case "Path":
            return Path(str(value)).expanduser()
        case _:
            return _text(setting, value)


def _text(setting: Setting, value: object) -> str:
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise BadValue(f"a {type(value).__name__}: it must be a text")
    text = str(value).strip()
    if setting.name == "tracking_uri":
        _check_tracking_uri(text)
    return text


def _check_tracking_uri(text: str) -> None:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise BadValue(f"{_shown(text)}: it is no address; write http://host:port") from None
    if parts.scheme in ("http", "https"):
        if not parts.hostname:
            raise BadValue(f"{_shown(text)}: it names no host; write http://host:port")
        if parts.username or parts.password:
            raise BadValue(
                f"{_shown(text)}: user name and password stand in it, where every log shows them; "
                "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD instead"
            )


def _boolean(value: object) -> bool:
    text = str(value).strip().lower()
    if text not in (*_TRUE, *_FALSE):
        raise BadValue(f"{_shown(value)}: it must be true or false")
    return text in _TRUE


def _integer(value: object) -> int:
    number = _number(value)
    if number != int(number):
        raise BadValue(f"{_shown(value)}: it must be a whole number")
    return int(number)


def _number(value: object) -> float:
    try:
        number = math.nan if isinstance(value, bool) else float(str(value))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise BadValue(f"{_shown(value)}: it must be a number")
    return number


def _items(value: object) -> Sequence[object]:
    if isinstance(value, str):
        return value.replace(",", " ").split()
    if isinstance(value, list | tuple):
        return cast("Sequence[object]", value)
    return [value]


def _within(setting: Setting, value: object, number: _Number) -> _Number:
    minimum, maximum = setting.minimum, setting.maximum
    if minimum is not None and number < minimum:
        raise BadValue(f"{_shown(value)}: it must be at least {minimum:g}")
    if maximum is not None and number > maximum:
        raise BadValue(f"{_shown(value)}: it must be at most {maximum:g}")
    return number


def _shown(value: object) -> str:
    return repr(mask(str(value))[:200])
