"""Parts of a configuration value: `config set --path tags.team`, `names[0]`.

Owns finding, setting and removing a part of a list or mapping, and Pulumi's reading of a part's
text: `true` is a boolean there and `3` a number, while a whole value stays the text it is.
"""

from __future__ import annotations

import copy
import re
from typing import Any, cast

from local_engine.errors import EngineError

Part = str | int


def split_path(text: str) -> tuple[str, list[Part]]:
    """Return the key of a path and the way to the part below it.

    Raises:
        EngineError: not a path.
    """
    from local_engine import diff_paths

    path = diff_paths.parse(text)
    if not path or not isinstance(path[0], str) or "*" in path:
        raise EngineError(f"'{text}' is not a path: write it like key.part or key[0].")
    return path[0], list(path[1:])


def coerce(text: str) -> str | int | bool:
    """Read a part's text: booleans and whole numbers are what they look like."""
    if text in ("true", "false"):
        return text == "true"
    if re.fullmatch(r"0|-?[1-9][0-9]*", text) and -(2**63) <= int(text) < 2**64:
        return int(text)
    return text


def with_part(value: Any, path: list[Part], part: Any) -> Any:
    """Return a copy of `value` with `part` at `path`; lists and mappings on the way are made.

    Raises:
        EngineError: something on the way is neither, or an index leaves a gap.
    """
    if not path:
        return part
    step, rest = path[0], path[1:]
    if isinstance(step, int):
        items = _container(value, list, step)
        if step > len(items):
            raise EngineError(f"[{step}] leaves a gap: the list has {len(items)} items.")
        inner = items[step] if step < len(items) else None
        items[step : step + 1] = [with_part(inner, rest, part)]
        return items
    fields = _container(value, dict, step)
    fields[step] = with_part(fields.get(step), rest, part)
    return fields


def part_of(value: Any, path: list[Part]) -> Any:
    """Return the part at `path`.

    Raises:
        KeyError: there is none.
    """
    for step in path:
        if isinstance(step, int) and isinstance(value, list):
            items = cast("list[Any]", value)
            if step >= len(items):
                raise KeyError(step)
            value = items[step]
        elif isinstance(step, str) and isinstance(value, dict):
            value = cast("dict[str, Any]", value)[step]
        else:
            raise KeyError(step)
    return value


def without_part(value: Any, path: list[Part]) -> Any:
    """Return a copy of `value` without the part at `path`.

    Raises:
        KeyError: there is none.
    """
    changed = copy.deepcopy(value)
    holder = part_of(changed, path[:-1])
    part_of(holder, path[-1:])
    del holder[path[-1]]
    return changed


def _container(value: Any, kind: type, step: Part) -> Any:
    if value is None or value == "":
        return kind()
    if not isinstance(value, kind):
        what = "list" if kind is list else "mapping"
        raise EngineError(f"'{step}' needs a {what} to stand in, and there is another value there.")
    return copy.deepcopy(value)
