"""Differences between properties, in the terms of Pulumi's providers and displays.

Owns equality of values, the comparison of inputs that stands in where a provider does not know
what changed, and the adjustments a program asks for (`ignore_changes`, `replace_on_changes`). It
calls no provider (`providers_client.py`) and chooses no step (`steps_generator.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast

from local_engine import diff_paths
from local_engine.diff_paths import PropertyPath
from local_engine.events import PropertyDiff
from local_engine.property_values import PropertyMap, Secret, strip_secrets

INIT_ERROR_KEY = "#initerror"

_INVERTED = {
    "add": "delete",
    "add-replace": "delete-replace",
    "delete": "add",
    "delete-replace": "add-replace",
}


@dataclass(frozen=True, slots=True)
class DiffResult:
    """A provider's answer to `Diff`; without a detailed diff `detailed` is `None`."""

    changes: Literal["unknown", "none", "some"] = "unknown"
    replace_keys: tuple[str, ...] = ()
    changed_keys: tuple[str, ...] = ()
    detailed: dict[str, PropertyDiff] | None = field(default=None)
    delete_before_replace: bool = False

    @property
    def replaces(self) -> bool:
        """Whether the resource must be replaced: a key says so, or a part of the detail does."""
        return bool(self.replace_keys) or any(
            part.kind.endswith("-replace") for part in (self.detailed or {}).values()
        )


def same_value(left: Any, right: Any) -> bool:
    """Deep equality that keeps `true` apart from `1`, and a secret apart from its clear value."""
    if isinstance(left, dict) and isinstance(right, dict):
        lefts, rights = cast("PropertyMap", left), cast("PropertyMap", right)
        if lefts.keys() == rights.keys():
            return all(same_value(value, rights[key]) for key, value in lefts.items())
        # A property that is null equals one that is absent.
        keys = lefts.keys() | rights.keys()
        return all(same_value(lefts.get(key), rights.get(key)) for key in keys)
    if isinstance(left, list) and isinstance(right, list):
        left_items, right_items = cast("list[Any]", left), cast("list[Any]", right)
        return len(left_items) == len(right_items) and all(
            same_value(a, b) for a, b in zip(left_items, right_items, strict=True)
        )
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, Secret) and isinstance(right, Secret):
        return same_value(left.value, right.value)
    return bool(left == right)


def compare_inputs(old: PropertyMap, new: PropertyMap) -> DiffResult:
    """Compare inputs, secrecy aside: what stands in for a provider that answers "unknown"."""
    old_clear = cast("PropertyMap", strip_secrets(old))
    new_clear = cast("PropertyMap", strip_secrets(new))
    parts = dict(_parts((), old_clear, new_clear))
    if not parts:
        return DiffResult(changes="none")
    changed = sorted({str(path[0]) for path in parts})
    detailed = {
        diff_paths.render(path): PropertyDiff(kind, input_diff=True)
        for path, kind in sorted(parts.items(), key=lambda item: diff_paths.render(item[0]))
    }
    return DiffResult(changes="some", changed_keys=tuple(changed), detailed=detailed)


def invert(result: DiffResult) -> DiffResult:
    """Turn a diff around: what a refresh shows is seen from the provider, not the program."""
    if result.detailed is None:
        return result
    detailed = {
        path: PropertyDiff(_INVERTED.get(part.kind, part.kind), part.input_diff)
        for path, part in result.detailed.items()
    }
    return replace(result, detailed=detailed)


def apply_replace_on_changes(
    result: DiffResult, replace_on_changes: Sequence[str], *, has_init_errors: bool
) -> DiffResult:
    """Turn changes below the named paths into replacements."""
    if result.changes != "some" and not has_init_errors:
        return result
    paths = [path for text in replace_on_changes if (path := diff_paths.parse(text))]

    def forces(text: str) -> bool:
        inner = diff_paths.parse(text)
        return inner is not None and any(diff_paths.contains(path, inner) for path in paths)

    detailed = result.detailed
    if detailed is not None:
        detailed = {
            text: PropertyDiff(_to_replace(part.kind), part.input_diff) if forces(text) else part
            for text, part in detailed.items()
        }
    keys = list(dict.fromkeys([*result.replace_keys, *filter(forces, result.changed_keys)]))
    changes = result.changes
    if has_init_errors and forces(INIT_ERROR_KEY):
        keys.append(INIT_ERROR_KEY)
        changes = "some"
        if detailed is not None:
            detailed[INIT_ERROR_KEY] = PropertyDiff("update-replace", input_diff=False)
    return replace(result, changes=changes, replace_keys=tuple(keys), detailed=detailed)


def ignore_changes(
    new: PropertyMap,
    old: PropertyMap,
    ignored: Sequence[str],
    warn: Callable[[str], None] | None = None,
) -> PropertyMap:
    """Return `new` with the old values at the ignored paths."""
    result = new
    useless: list[str] = []
    for text in ignored:
        path = diff_paths.parse(text)
        if path is None:
            continue
        result, found = diff_paths.reset(path, old, result)
        if not found:
            useless.append(text)
    if useless and warn is not None:
        names = ", ".join(useless)
        warn(f'cannot ignore changes in added or removed elements of the path: "{names}"')
    return result


def _to_replace(kind: str) -> str:
    return kind if kind.endswith("-replace") else f"{kind}-replace"


def _parts(path: PropertyPath, old: Any, new: Any) -> Iterator[tuple[PropertyPath, str]]:
    if isinstance(old, dict) and isinstance(new, dict):
        olds, news = cast("PropertyMap", old), cast("PropertyMap", new)
        for key in sorted(olds.keys() | news.keys()):
            mine, theirs = olds.get(key), news.get(key)
            # Null and absent are the same thing; an unknown is a value.
            if mine is None and theirs is not None:
                yield (*path, key), "add"
            elif theirs is None and mine is not None:
                yield (*path, key), "delete"
            else:
                yield from _parts((*path, key), mine, theirs)
    elif isinstance(old, list) and isinstance(new, list):
        old_items, new_items = cast("list[Any]", old), cast("list[Any]", new)
        shared = min(len(old_items), len(new_items))
        for index in range(shared):
            yield from _parts((*path, index), old_items[index], new_items[index])
        for index in range(shared, len(new_items)):
            yield (*path, index), "add"
        for index in range(shared, len(old_items)):
            yield (*path, index), "delete"
    elif not same_value(old, new):
        yield path, _kind(old, new)


def _kind(old: Any, new: Any) -> str:
    if old is None:
        return "add"
    return "delete" if new is None else "update"
