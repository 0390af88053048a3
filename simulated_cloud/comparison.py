"""Whether two values mean the same to a cloud, and where they differ.

Owns what may differ without meaning anything: how a JSON document is written (whitespace, key
order, one item with or without its list), the order of a list that the API treats as a set, a
number written as text, and what an API adds to an object that the program left out. Maps (tags,
for one) are compared whole: an entry more is a difference.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Literal, cast

from simulated_cloud.property_values import Secret, Unknown
from simulated_cloud.sdk_schema import ANY, Shape

Change = Literal["add", "delete", "update"]


def same(
    wanted: Any, found: Any, shape: Shape = ANY, *, ordered: bool = False, whole: bool = True
) -> bool:
    """Whether `found` is what `wanted` asks for.

    With `whole=False`, objects in `found` may have properties that `wanted` does not mention: that
    is how an API answers. Lists are compared as sets unless `ordered`.
    """
    if isinstance(wanted, Secret):
        return same(wanted.value, found, shape, ordered=ordered, whole=whole)
    if isinstance(found, Secret):
        return same(wanted, found.value, shape, ordered=ordered, whole=whole)
    if isinstance(wanted, Unknown) or isinstance(found, Unknown):
        return False
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        one, other = cast("Mapping[str, Any]", wanted), cast("Mapping[str, Any]", found)
        fields = shape.fields()
        partial = shape.kind in ("object", "any") and not whole
        keys = set(one) if partial else {*one, *other}
        return all(
            same(
                one.get(key),
                other.get(key),
                fields.get(key, shape.item or ANY),
                ordered=ordered,
                whole=whole,
            )
            for key in keys
        )
    if isinstance(wanted, list) and isinstance(found, list):
        item = shape.item or ANY
        ones, others = cast("list[Any]", wanted), list(cast("list[Any]", found))
        if len(ones) != len(others):
            return False
        if ordered:
            pairs = zip(ones, others, strict=True)
            return all(same(a, b, item, ordered=ordered, whole=whole) for a, b in pairs)
        for one in ones:
            match = next((o for o in others if same(one, o, item, whole=whole)), None)
            if match is None and one is not None:
                return False
            others.remove(match)
        return True
    return wanted == found or _same_text(wanted, found)


def in_words(wanted: Any, found: Any) -> Any:
    """Return `found`, which is what `wanted` asks for, in the words of `wanted`.

    What the API added to an object stays: a program may read it.
    """
    if isinstance(wanted, Secret):
        return Secret(in_words(wanted.value, found))
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        one, other = cast("Mapping[str, Any]", wanted), cast("Mapping[str, Any]", found)
        said = {key: in_words(value, other.get(key)) for key, value in one.items()}
        return {**{key: value for key, value in other.items() if value is not None}, **said}
    if isinstance(wanted, list) and isinstance(found, list):
        others = list(cast("list[Any]", found))
        said_: list[Any] = []
        for one in cast("list[Any]", wanted):
            match = next((o for o in others if same(one, o, whole=False)), one)
            if match in others:
                others.remove(match)
            said_.append(in_words(one, match))
        return said_
    return wanted


def _same_text(one: Any, other: Any) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return str(one).lower() == str(other).lower() and None not in (one, other)
    if isinstance(one, str) and isinstance(other, str):
        if one[:1] in ("{", "[") and other[:1] in ("{", "["):
            return _document(one) == _document(other) is not None
        return False
    if isinstance(one, (int, float)) and isinstance(other, str):
        return str(one) == other
    if isinstance(one, str) and isinstance(other, (int, float)):
        return one == str(other)
    # Absent and empty are one thing to the APIs and to the real provider.
    return one in (None, [], {}) and other in (None, [], {})


def _document(text: str) -> Any:
    try:
        return _normal(json.loads(text))
    except ValueError:
        return None


def _normal(value: Any) -> Any:
    """Return a JSON value with lists as sorted ones, a single item without its list."""
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value).items()
        return {key: _normal(item) for key, item in items}
    if isinstance(value, list):
        members = [_normal(item) for item in cast("list[Any]", value)]
        if len(members) == 1:
            return members[0]
        return sorted(members, key=lambda member: json.dumps(member, sort_keys=True))
    return value


def differences(
    old: Any, new: Any, path: str, shape: Shape = ANY, *, ordered: Collection[str] = ()
) -> Iterator[tuple[str, Change]]:
    """Yield the paths at which `new` asks for something else than `old`, as finely as they go."""
    old, new = _bare(old), _bare(new)
    if same(old, new, shape, ordered=path in ordered):
        return
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        one, other = cast("Mapping[str, Any]", old), cast("Mapping[str, Any]", new)
        fields = shape.fields()
        for key in sorted({*one, *other}):
            inner = f"{path}.{key}" if key.isidentifier() else f'{path}["{key}"]'
            item = fields.get(key, shape.item or ANY)
            yield from differences(one.get(key), other.get(key), inner, item)
    elif isinstance(old, list) and isinstance(new, list):
        ones, others = cast("list[Any]", old), cast("list[Any]", new)
        item = shape.item or ANY
        for index in range(max(len(ones), len(others))):
            pair = [items[index] if index < len(items) else None for items in (ones, others)]
            yield from differences(pair[0], pair[1], f"{path}[{index}]", item)
    elif old is None:
        yield path, "add"
    elif new is None:
        yield path, "delete"
    else:
        yield path, "update"


def _bare(value: Any) -> Any:
    return value.value if isinstance(value, Secret) else value
