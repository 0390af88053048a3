"""YAML as Pulumi's CLI reads it, so that both engines see the same configuration.

PyYAML follows YAML 1.1: it takes `yes` and `on` for booleans, `1e3` for text and `12:30` for a
number of seconds. The CLI's library follows 1.2 there, and refuses a key given twice where PyYAML
lets the last one win in silence. This file owns those differences and nothing else.
"""

from __future__ import annotations

import datetime
import math
import re
from typing import Any, cast

import yaml

from local_engine.errors import EngineError

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _GoYamlLoader(_Loader):
    """The safe loader with the scalar rules of go-yaml v3."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = key_node.value if isinstance(key_node.value, str) else repr(key_node.value)
            if key in seen:
                line = key_node.start_mark.line + 1
                raise yaml.MarkedYAMLError(None, None, f"{key!r} is set twice (line {line})", None)
            seen.add(key)
        mapping: dict[Any, Any] = _Loader.construct_mapping(self, node, deep=deep)
        return mapping


def _resolve(tag: str, pattern: str, first: str) -> None:
    _GoYamlLoader.add_implicit_resolver(
        f"tag:yaml.org,2002:{tag}", re.compile(rf"^(?:{pattern})$"), list(first)
    )


_resolve("bool", "true|True|TRUE|false|False|FALSE", "tTfF")
_resolve("null", "~|null|Null|NULL|", "~nN\0")
_GoYamlLoader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^$"), [""])
_resolve("merge", "<<", "<")
_resolve("timestamp", r"\d{4}-\d\d?-\d\d?(?:(?:[Tt]|[ \t]+)\d\d?:\d\d:\d\d.*)?", "0123456789")
_resolve("int", r"[-+]?(?:0b[01_]+|0o[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)", "-+0123456789")
_resolve(
    "float",
    r"[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)"
    r"|\.(?:nan|NaN|NAN)",
    "-+0123456789.",
)


def _int(loader: Any, node: Any) -> int | float | str:
    text = cast("str", loader.construct_scalar(node)).replace("_", "")
    sign = -1 if text.startswith("-") else 1
    digits = text.lstrip("+-")
    for prefix, base in (("0b", 2), ("0o", 8), ("0x", 16)):
        if digits.startswith(prefix):
            return sign * int(digits[2:], base)
    # A leading zero means octal to Go's ParseInt; where the digits are not octal, go-yaml falls
    # through to a float.
    if len(digits) > 1 and digits.startswith("0"):
        return sign * (int(digits, 8) if set(digits) <= set("01234567") else float(digits))
    value = sign * int(digits)
    return value if -(2**63) <= value < 2**64 else float(value)


def _float(loader: Any, node: Any) -> float:
    text = cast("str", loader.construct_scalar(node)).lower().replace("_", "")
    if text.endswith(".inf"):
        return -math.inf if text.startswith("-") else math.inf
    return math.nan if text == ".nan" else float(text)


def _timestamp(loader: Any, node: Any) -> str:
    text = cast("str", loader.construct_scalar(node))
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        return text
    moment = moment.replace(tzinfo=moment.tzinfo or datetime.UTC)
    zone = "+0000 UTC" if not moment.utcoffset() else moment.strftime("%z %z")
    fraction = f".{moment.microsecond:06d}".rstrip("0") if moment.microsecond else ""
    return f"{moment:%Y-%m-%d %H:%M:%S}{fraction} {zone}"


_GoYamlLoader.add_constructor("tag:yaml.org,2002:int", _int)
_GoYamlLoader.add_constructor("tag:yaml.org,2002:float", _float)
_GoYamlLoader.add_constructor("tag:yaml.org,2002:timestamp", _timestamp)


def read_mapping(text: str, source: str) -> dict[str, Any]:
    """Parse `text` as one YAML mapping; an empty document is an empty mapping.

    Raises:
        EngineError: not YAML, a key twice, keys that are not text, or not a mapping.
    """
    try:
        loaded = yaml.load(text.removeprefix("\ufeff"), Loader=_GoYamlLoader)  # noqa: S506
    except (yaml.YAMLError, RecursionError, ValueError, TypeError) as error:
        raise EngineError(f"{source} is not valid YAML: {_one_line(error)}.") from None
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise EngineError(
            f"{source} must be a mapping of keys to values, but it is a "
            f"{type(loaded).__name__}: begin it with `name:` or `config:`."
        )
    mapping = cast("dict[object, Any]", loaded)
    _require_text_keys(mapping, source)
    return cast("dict[str, Any]", mapping)


def compose(text: str) -> Any:
    """Return the node tree of `text`, whose marks say where each value stands."""
    loader: Any = _GoYamlLoader(text)
    try:
        return loader.get_single_node()
    finally:
        loader.dispose()


def _require_text_keys(value: object, source: str) -> None:
    stack: list[object] = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            for key, inner in cast("dict[object, object]", item).items():
                if not isinstance(key, str):
                    raise EngineError(
                        f"{source} has the key {key!r}, which YAML reads as a "
                        f"{type(key).__name__}: put it in quotes."
                    )
                stack.append(inner)
        elif isinstance(item, list):
            stack.extend(cast("list[object]", item))


def _one_line(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError):
        where = f" at line {error.problem_mark.line + 1}" if error.problem_mark else ""
        return f"{error.problem or error.context or 'it cannot be parsed'}{where}"
    return " ".join(str(error).split()) or type(error).__name__
