"""What one step changes: the short form for a row (`diff: ~size`) and the lines of `--diff`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from local_engine import diff_paths
from local_engine.display.property_text import (
    MISSING,
    Line,
    at_path,
    changed_keys,
    diff_lines,
    map_lines,
    pair_lines,
)
from local_engine.display.terminal import Terminal
from local_engine.display.wording import GREEN, RED, YELLOW, words
from local_engine.events import PropertyDiff, Step
from local_engine.resource_state import PROVIDER_TYPE_PREFIX, STACK_TYPE, urn_name

_CREATING = {"create", "create-replacement", "import", "import-replacement"}
_DELETING = {"delete", "delete-replaced"}


def shown_op(step: Step) -> str:
    """Return the operation a row shows: what a refresh found, else the step's own."""
    return step.result_op or step.op


def is_stack(step: Step) -> bool:
    """Whether the step is about the stack itself."""
    return step.type == STACK_TYPE


def is_shown(step: Step, *, sames: bool = False) -> bool:
    """Whether Pulumi shows the step.

    Not what stays the same (unless `sames` asks for it, or its protection changed), and not the
    providers nobody wrote.
    """
    if _is_default_provider(step):
        return False
    if sames or shown_op(step) != "same":
        return True
    old, new = step.old, step.new
    return old is not None and new is not None and old.protect != new.protect


def _is_default_provider(step: Step) -> bool:
    return step.type.startswith(PROVIDER_TYPE_PREFIX) and urn_name(step.urn).startswith("default")


def short_diff(step: Step, terminal: Terminal) -> str:
    """Return `[diff: +added-deleted~updated]`, or nothing."""
    old, new = step.old, step.new
    if old is None or new is None or shown_op(step) in ("same", "refresh"):
        return ""
    added, deleted, updated = _changes(step)
    if old.protect != new.protect:
        updated = [*updated, "protect"]
    groups = (("+", GREEN, added), ("-", RED, deleted), ("~", YELLOW, updated))
    text = "".join(
        terminal.paint(color, mark + ",".join(sorted(keys))) for mark, color, keys in groups if keys
    )
    return f"[diff: {text}]" if text else ""


def headline(step: Step, depth: int, terminal: Terminal) -> str:
    """Return the first line of a step in `--diff`: mark, type, operation."""
    look = words(shown_op(step))
    text = f"{' ' * (4 * depth)}{look.mark}{step.type}: ({shown_op(step)})"
    return terminal.paint(look.color, text)


def detail_lines(step: Step, depth: int) -> Iterator[Line]:
    """Yield what stands below the headline: identity, and what changes."""
    op = shown_op(step)
    state = step.old if step.old is not None else step.new
    if state is not None and state.id:
        yield Line("", depth + 1, f"[id={state.id}]")
    yield Line("", depth + 1, f"[urn={step.urn}]")
    yield from _body(step, op, depth + 1)


def _body(step: Step, op: str, indent: int) -> Iterator[Line]:
    old, new = step.old, step.new
    if op in _CREATING and new is not None:
        yield from map_lines(new.inputs, indent)
    elif op in _DELETING and old is not None:
        yield from map_lines(old.inputs, indent)
    elif op in ("same", "read") or old is None or new is None:
        return
    elif step.detailed_diff:
        for path in sorted(step.detailed_diff):
            before, after = _ends(step, path, step.detailed_diff[path])
            yield from pair_lines(path, before, after, indent)
    else:
        lines = list(diff_lines(old.inputs, new.inputs, indent))
        yield from lines or diff_lines(old.outputs, new.outputs, indent)


def _ends(step: Step, path: str, difference: PropertyDiff) -> tuple[Any, Any]:
    """Return the old and new value of one path of a detailed diff."""
    assert step.old is not None  # noqa: S101 - callers have both states
    assert step.new is not None  # noqa: S101
    keys = list(diff_paths.parse(path) or ())
    drift = step.op == "refresh"
    before = at_path(step.old.inputs if difference.input_diff else step.old.outputs, keys)
    after = at_path(step.new.outputs if drift else step.new.inputs, keys)
    if before is MISSING:
        before = at_path(step.old.inputs, keys)
    if difference.kind.startswith("add"):
        before = MISSING
    elif difference.kind.startswith("delete"):
        after = MISSING
    if before is MISSING and after is MISSING:
        return None, None  # a path only the provider can read: the key is shown alone
    return before, after


def _changes(step: Step) -> tuple[list[str], list[str], list[str]]:
    old, new = step.old, step.new
    assert old is not None  # noqa: S101 - callers have both states
    assert new is not None  # noqa: S101
    if not step.detailed_diff:
        changes = changed_keys(old.inputs, new.inputs)
        if not any(changes) and step.op == "refresh":
            changes = changed_keys(old.outputs, new.outputs)
        if step.diffs:
            keep = set(step.diffs)
            changes = tuple([key for key in keys if key in keep] for keys in changes)
        return changes[0], changes[1], changes[2]
    kinds: dict[str, set[str]] = {}
    for path, difference in step.detailed_diff.items():
        parsed = diff_paths.parse(path)
        key = str(parsed[0]) if parsed else path
        if not key.startswith("__"):
            whole = parsed is None or len(parsed) == 1
            kind = difference.kind.partition("-")[0] if whole else "update"
            kinds.setdefault(key, set()).add(kind)
    found: dict[str, list[str]] = {"add": [], "delete": [], "update": []}
    for key, kind in kinds.items():
        found[next(iter(kind)) if len(kind) == 1 else "update"].append(key)
    return found["add"], found["delete"], found["update"]


def display_type(type_: str) -> str:
    """Return a type as Pulumi shows it: `aws:s3/bucket:Bucket` as `aws:s3:Bucket`."""
    package, _, rest = type_.partition(":")
    module, _, name = rest.partition(":")
    head, slash, tail = module.rpartition("/")
    if slash and tail and name and tail.lower() == name.lower():
        return f"{package}:{head}:{name}"
    return type_


def name_of(step: Step) -> str:
    """Return the resource's name, control characters removed."""
    return "".join(char for char in urn_name(step.urn) if char.isprintable())
