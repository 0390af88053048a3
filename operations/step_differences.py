"""What differs between a step's two states, in words that a reader can follow.

Owns one thing: lists of named values (environment variables, flags of a database, parameters) are
compared by name. The engines compare them by position, so that one flag more at the beginning
reads as if every flag had changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from operations.engine_steps import ABSENT, SECRET, State, Step, shown, shown_pair
from operations.secret_variables import hidden_at
from policies.encryption import names_a_secret
from smoke_tests.json_document import as_document

VALUES = frozenset({"name", "value", "valueSource", "valueFrom", "applyMethod"})
"""All that an item of such a list has."""

_POSITION = re.compile(r"\[\d+\]")


@dataclass(frozen=True, slots=True)
class Changed:
    """One property before and after."""

    path: str
    before: str
    after: str


def differences(step: Step, paths: tuple[str, ...]) -> tuple[Changed, ...]:
    """The properties at these paths; those of a list of named items by their names."""
    lists: dict[str, bool] = {}
    found: list[Changed] = []
    for path in sorted(paths):
        prefix = _named_list(step, path)
        if prefix is None:
            found.append(Changed(path, *_values(step, path)))
        else:
            lists[prefix] = step.changed.get(path, True)
    for prefix, is_input in lists.items():
        by_name = list(_by_name(step, prefix, inputs_first=is_input))
        found += by_name or [
            Changed(path, *_values(step, path)) for path in sorted(paths) if path.startswith(prefix)
        ]
    return tuple(sorted(found, key=lambda item: item.path))


def _values(step: Step, path: str) -> tuple[str, str]:
    first = step.changed.get(path, True)
    before, after = (
        hidden_at(state, path, state.at(path, inputs_first=first)) if state else ABSENT
        for state in (step.old, step.new)
    )
    return shown_pair(before, after)


def _named_list(step: Step, path: str) -> str | None:
    """The innermost list on the way to `path` whose items have names of their own."""
    starts = [match.start() for match in _POSITION.finditer(path)]
    for start in reversed(starts):
        prefix = path[:start]
        states = [state for state in (step.old, step.new) if state is not None]
        if states and all(_items(state, prefix, inputs_first=True) is not None for state in states):
            return prefix
    return None


def _items(state: State, prefix: str, *, inputs_first: bool) -> dict[str, dict[str, object]] | None:
    """The items of a list by name; None where they have none, or share one."""
    value = state.at(prefix, inputs_first=inputs_first)
    if value is ABSENT or value is None:
        return {}
    if not isinstance(value, list):
        return None
    named: dict[str, dict[str, object]] = {}
    for item in cast("list[object]", value):
        document = as_document(item)
        name = document.get("name") if document is not None else None
        if document is None or not isinstance(name, str) or name in named:
            return None
        if document.keys() - VALUES:
            return None  # an item with parts of its own, such as a container
        named[name] = {key: one for key, one in document.items() if key != "name"}
    return named


def _by_name(step: Step, prefix: str, *, inputs_first: bool) -> Iterator[Changed]:
    before, after = (
        (_items(state, prefix, inputs_first=inputs_first) or {}) if state else {}
        for state in (step.old, step.new)
    )
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name):
            old, new = (_item(name, items.get(name)) for items in (before, after))
            yield Changed(f"{prefix}[{name}]", old, new)


def _item(name: str, item: dict[str, object] | None) -> str:
    """An item without its name: its value, where it has nothing else to say."""
    if item is None:
        return "nothing"
    if names_a_secret(name):
        item = {key: SECRET if key == "value" else one for key, one in item.items()}
    return shown(item["value"]) if "value" in item else shown(item)
