"""Property paths: `tags.owner`, `ports[0]`, `["a.b"]`, `*`, as `ignore_changes` writes them.

Owns reading a path, writing it back in Pulumi's form, asking whether one contains another, and
putting the old value of a path back into new inputs. What is done with a path is `diff.py`'s.
"""

from __future__ import annotations

import re
from typing import Any, cast

from local_engine.property_values import PropertyMap, Secret

PropertyPath = tuple[str | int, ...]

_PLAIN_KEY = re.compile(r"^[A-Za-z0-9_]+$")
_PIECE = re.compile(
    r"""\.?(?P<name>[^.\[\]]+)
      | \[\s*(?P<index>\d+)\s*\]
      | \[\s*"(?P<quoted>(?:[^"\\]|\\.)*)"\s*\]
      | \[\s*(?P<star>\*)\s*\]""",
    re.VERBOSE,
)


def parse(text: str) -> PropertyPath | None:
    """Read a path; `None` where the text is not one (such a path is then ignored, as Pulumi does).

    `root.` in front of a bracket and a leading dot are accepted as the SDKs write them.
    """
    path: list[str | int] = []
    position = 0
    while position < len(text):
        match = _PIECE.match(text, position)
        if match is None:
            return None
        if match["name"] is not None:
            path.append(match["name"])
        elif match["index"] is not None:
            path.append(int(match["index"]))
        elif match["quoted"] is not None:
            path.append(re.sub(r"\\(.)", r"\1", match["quoted"]))
        else:
            path.append("*")
        position = match.end()
    return tuple(path) or None


def render(path: PropertyPath) -> str:
    """Write a path as Pulumi does: dots between plain names, brackets for the rest."""
    text = ""
    for key in path:
        if isinstance(key, int):
            text += f"[{key}]"
        elif _PLAIN_KEY.match(key) or not key:
            text += f".{key}" if text else key
        else:
            quoted = key.replace('"', '\\"')
            text += f'["{quoted}"]'
    return text


def contains(outer: PropertyPath, inner: PropertyPath) -> bool:
    """Whether `inner` is `outer` or lies below it; `*` in `outer` stands for any key."""
    return len(inner) >= len(outer) and all(
        mine == "*" or (type(mine) is type(theirs) and mine == theirs)
        for mine, theirs in zip(outer, inner, strict=False)
    )


def reset(path: PropertyPath, old: PropertyMap, new: PropertyMap) -> tuple[PropertyMap, bool]:
    """Put the value at `path` in `old` into a copy of `new`.

    A path that leads nowhere on both sides is fine. The second result is false where one side has
    an element that the other has not and none can be made up: the path is then without effect.
    """
    changed, found = _reset(path, old, new, False, False)
    return (cast("PropertyMap", changed), True) if found else (new, False)


def _reset(
    path: PropertyPath, old: Any, new: Any, old_secret: bool, new_secret: bool
) -> tuple[Any, bool]:
    if isinstance(new, Secret):
        inner, found = _reset(path, old, new.value, old_secret, True)
        return Secret(inner), found
    if isinstance(old, Secret):
        return _reset(path, old.value, new, True, new_secret)
    key, rest = path[0], path[1:]
    if key == "*":
        return _reset_all(rest, old, new, old_secret, new_secret)
    if isinstance(key, int):
        return _reset_index(key, rest, old, new, old_secret, new_secret)
    return _reset_key(key, rest, old, new, old_secret, new_secret)


def _restored(value: Any, old_secret: bool, new_secret: bool) -> Any:
    return Secret(value) if old_secret and not new_secret else value


def _reset_index(
    index: int, rest: PropertyPath, old: Any, new: Any, old_secret: bool, new_secret: bool
) -> tuple[Any, bool]:
    if not isinstance(old, list) or not isinstance(new, list):
        return new, not isinstance(old, list) and not isinstance(new, list)
    olds, news = cast("list[Any]", old), cast("list[Any]", new)
    if index >= len(olds) or index >= len(news):
        return news, not rest and index >= len(olds) and index >= len(news)
    if rest:
        value, found = _reset(rest, olds[index], news[index], old_secret, new_secret)
    else:
        value, found = _restored(olds[index], old_secret, new_secret), True
    return [*news[:index], value, *news[index + 1 :]], found


def _reset_key(
    key: str, rest: PropertyPath, old: Any, new: Any, old_secret: bool, new_secret: bool
) -> tuple[Any, bool]:
    olds = cast("PropertyMap | None", old if isinstance(old, dict) else None)
    news = cast("PropertyMap | None", new if isinstance(new, dict) else None)
    unchanged: Any = cast("Any", new)
    if rest:
        if olds is None or news is None:
            return unchanged, olds is None and news is None
        if key not in news:
            return news, key not in olds
        value, found = _reset(rest, olds.get(key), news[key], old_secret, new_secret)
        return {**news, key: value}, found
    if olds is not None and key in olds:
        if news is None:
            return unchanged, False
        return {**news, key: _restored(olds[key], old_secret, new_secret)}, True
    if news is not None:
        return {name: value for name, value in news.items() if name != key}, True
    return unchanged, True


def _reset_all(
    rest: PropertyPath, old: Any, new: Any, old_secret: bool, new_secret: bool
) -> tuple[Any, bool]:
    unchanged: Any = new
    if isinstance(old, dict) and isinstance(new, dict):
        olds, news = cast("PropertyMap", old), cast("PropertyMap", new)
        if not rest:
            return {k: _restored(v, old_secret, new_secret) for k, v in olds.items()}, True
        result = dict(news)
        for key, value in olds.items():
            if key not in news:
                return unchanged, False
            result[key], found = _reset(rest, value, news[key], old_secret, new_secret)
            if not found:
                return unchanged, False
        return result, True
    if isinstance(old, list) and isinstance(new, list):
        old_items, new_items = cast("list[Any]", old), cast("list[Any]", new)
        items = list(new_items)
        for index, (mine, theirs) in enumerate(zip(old_items, new_items, strict=False)):
            if rest:
                items[index], found = _reset(rest, mine, theirs, old_secret, new_secret)
                if not found:
                    return unchanged, False
            else:
                items[index] = _restored(mine, old_secret, new_secret)
        return items, len(old_items) == len(new_items)
    return new, not rest and isinstance(new, (dict, list))
