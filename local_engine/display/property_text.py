"""Property values and their differences as text, in Pulumi's layout, secrets as `[secret]`.

Everything that shows a value comes through here, and here every value is masked before anything
else is done with it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple, cast

from local_engine.display.wording import GREEN, RED, YELLOW
from local_engine.property_values import ResourceReference, Secret, Unknown, mask

_MISSING = object()


class Line(NamedTuple):
    """One line of a difference: its mark (`+`, `-`, `~` or blank), indent and text."""

    mark: str
    indent: int
    text: str

    @property
    def color(self) -> str:
        """The colour of the mark."""
        return {"+": GREEN, "-": RED, "~": YELLOW}.get(self.mark, "")

    def __str__(self) -> str:
        """Return the line without colour; marks stand left of the text, as in Pulumi."""
        return f"{' ' * (4 * self.indent - 2)}{self.mark or ' '} {self.text}"


def value_lines(key: str, value: Any, indent: int, mark: str = "") -> Iterator[Line]:
    """Yield a property with everything in it."""
    yield from _value(key, mask(value), indent, mark)


def map_lines(properties: dict[str, Any], indent: int, mark: str = "") -> Iterator[Line]:
    """Yield a property map, keys aligned; internal properties are left out."""
    shown = _shown(properties)
    width = max((len(key) for key in shown), default=0)
    for key in sorted(shown):
        yield from value_lines(key.ljust(width), shown[key], indent, mark)


def diff_lines(old: dict[str, Any], new: dict[str, Any], indent: int) -> Iterator[Line]:
    """Yield what differs between two property maps; equal properties are left out."""
    before, after = _shown(old), _shown(new)
    changed = {key for key in {*before, *after} if _differs(before, after, key)}
    width = max((len(key) for key in changed), default=0)
    for key in sorted(changed):
        yield from pair_lines(
            key, before.get(key, _MISSING), after.get(key, _MISSING), indent, width
        )


def outputs_lines(old: dict[str, Any], new: dict[str, Any], indent: int) -> Iterator[Line]:
    """Yield every output, marked where it changed; nothing is marked on a first deployment."""
    before, after = _shown(old), _shown(new)
    keys = {*before, *after} if before else {*after}
    width = max((len(key) for key in keys), default=0)
    for key in sorted(keys):
        if before and _differs(before, after, key):
            yield from pair_lines(
                key, before.get(key, _MISSING), after.get(key, _MISSING), indent, width
            )
        else:
            yield from value_lines(key.ljust(width), after[key], indent)


def pair_lines(key: str, old: Any, new: Any, indent: int, width: int = 0) -> Iterator[Line]:
    """Yield one property's change, down to the part that changed."""
    label = key.ljust(width)
    if old is _MISSING:
        yield from value_lines(label, new, indent, "+")
    elif new is _MISSING:
        yield from value_lines(label, old, indent, "-")
    elif isinstance(old, dict) and isinstance(new, dict):
        yield Line("~", indent, f"{label}: {{")
        before, after = cast("dict[str, Any]", old), cast("dict[str, Any]", new)
        yield from diff_lines(before, after, indent + 1)
        yield Line("", indent, "}")
    elif isinstance(old, list) and isinstance(new, list):
        yield Line("~", indent, f"{label}: [")
        before = {f"[{index}]": item for index, item in enumerate(cast("list[Any]", old))}
        after = {f"[{index}]": item for index, item in enumerate(cast("list[Any]", new))}
        yield from diff_lines(before, after, indent + 1)
        yield Line("", indent, "]")
    else:
        yield Line("~", indent, f"{label}: {_scalar(mask(old))} => {_scalar(mask(new))}")


def changed_keys(
    old: dict[str, Any], new: dict[str, Any]
) -> tuple[list[str], list[str], list[str]]:
    """Return the top-level properties that were added, deleted and updated."""
    before, after = _shown(old), _shown(new)
    added = sorted(after.keys() - before.keys())
    deleted = sorted(before.keys() - after.keys())
    both = before.keys() & after.keys()
    return added, deleted, sorted(key for key in both if before[key] != after[key])


def at_path(properties: dict[str, Any], path: list[str | int]) -> Any:
    """Return the value at a path, or MISSING."""
    value: Any = properties
    for step in path:
        while isinstance(value, Secret):
            value = value.value
        if isinstance(value, dict) and step in value:
            value = cast("dict[Any, Any]", value)[step]
        elif (
            isinstance(value, list)
            and isinstance(step, int)
            and step < len(cast("list[Any]", value))
        ):
            value = cast("list[Any]", value)[step]
        else:
            return _MISSING
    return value


MISSING = _MISSING


def _shown(properties: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in properties.items() if not key.startswith("__")}


def _differs(before: dict[str, Any], after: dict[str, Any], key: str) -> bool:
    old, new = before.get(key, _MISSING), after.get(key, _MISSING)
    return old is _MISSING or new is _MISSING or bool(old != new)


def _value(label: str, value: Any, indent: int, mark: str) -> Iterator[Line]:
    if isinstance(value, dict) and value:
        yield Line(mark, indent, f"{label}: {{")
        inner = cast("dict[str, Any]", value)
        width = max(len(key) for key in inner)
        for key in sorted(inner):
            yield from _value(key.ljust(width), inner[key], indent + 1, mark)
        yield Line(mark, indent, "}")
    elif isinstance(value, list) and value:
        yield Line(mark, indent, f"{label}: [")
        for index, item in enumerate(cast("list[Any]", value)):
            yield from _value(f"[{index}]", item, indent + 1, mark)
        yield Line(mark, indent, "]")
    else:
        yield Line(mark, indent, f"{label}: {_scalar(value)}")


def _scalar(value: Any) -> str:
    if value is None:
        return "<null>"
    if isinstance(value, Unknown):
        return "[unknown]"
    if isinstance(value, ResourceReference):
        return value.urn if isinstance(value.id, Unknown | None) else f"{value.urn} ({value.id})"
    if value == "[secret]":
        return "[secret]"
    if isinstance(value, dict | list):
        return json.dumps(_plain(value), ensure_ascii=False)
    return json.dumps(value, ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in cast("list[Any]", value)]
    return value if isinstance(value, str | int | float | bool | None) else _scalar(value)
