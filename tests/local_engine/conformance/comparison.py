"""Whether two engines did the same with the same program.

Owns what "the same" means: equal states, preview steps and provider calls, as many of each. Engines
run independent steps at once, so of the order only that is compared which is determined: between
calls to things of which one depends on the other. How a failure is numbered is each command line's
own.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping
from typing import Any

from tests.local_engine.conformance.fake_cloud import CHANGING_CALLS
from tests.local_engine.conformance.observations import Outcome, State, name_of


def differences(one: Outcome, other: Outcome) -> list[str]:
    """Return what two engines did differently with the same program, one line each."""
    found: list[str] = []
    # Which failure has which code is each command line's own: the embedded engine keeps to the
    # house's 0, 1, 2; Pulumi has more (7 where --expect-no-changes found some).
    if bool(one.exit_code) != bool(other.exit_code):
        found.append(f"exit code: {one.exit_code} and {other.exit_code}")
    if one.changes != other.changes:
        found.append(f"history: {one.changes} and {other.changes}")
    if one.summary != other.summary:
        found.append(f"preview's summary: {one.summary} and {other.summary}")
    found += _unequal("checkpoint", _by_identity(one.resources), _by_identity(other.resources))
    found += _unequal("step", _by_identity(one.steps or []), _by_identity(other.steps or []))
    # Pulumi keeps an interrupted creation on record for ever; ours is settled by its success.
    found += [
        f"pending: {op}" for op in one.pending_operations if op not in other.pending_operations
    ]
    found += _unequal("call", _numbered(one.calls), _numbered(other.calls))
    if not found:
        found += _unequal("order", dict(constrained_order(one)), dict(constrained_order(other)))
    return [f"{line}   ({one.engine} and {other.engine})" for line in found]


def constrained_order(outcome: Outcome) -> Iterable[tuple[str, list[str]]]:
    """Yield, for every two things of which one depends on the other, their calls in order."""
    ties = _ties(outcome.resources)
    calls = [c for c in outcome.calls if c["call"] in CHANGING_CALLS]
    names = sorted({c["name"] for c in calls})
    for one, other in itertools.combinations_with_replacement(names, 2):
        if one == other or one in ties.get(other, ()) or other in ties.get(one, ()):
            both = [c for c in calls if c["name"] in {one, other}]
            yield f"{one}, {other}", [f"{c['call']} {c['id']}" for c in both]


def _ties(resources: list[State]) -> dict[str, set[str]]:
    ties: dict[str, set[str]] = {}
    for state in resources:
        direct = {*state.get("dependencies", []), state.get("parent", "")} - {""}
        name = name_of(state["urn"])
        known = ties.setdefault(name, set())
        for urn in direct:
            known |= {name_of(urn)} | ties.get(name_of(urn), set())
    return ties


def _by_identity(items: Iterable[State]) -> dict[str, State]:
    """Key states and steps by what identifies them; their order is judged elsewhere."""
    return {
        f"{item.get('op', '')}{item['urn']}{' (to be deleted)' if item.get('delete') else ''}": item
        for item in items
    }


def _numbered(items: Iterable[Any]) -> dict[str, int]:
    counted: dict[str, int] = {}
    for item in items:
        key = json.dumps(item, sort_keys=True)
        counted[key] = counted.get(key, 0) + 1
    return counted


def _unequal(what: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterable[str]:
    for key in sorted({*one, *other}):
        left, right = one.get(key), other.get(key)
        if left == right:
            continue
        if isinstance(left, dict) and isinstance(right, dict):
            for field_ in sorted({*left, *right}):
                if left.get(field_) != right.get(field_):
                    yield f"{what} {key}, {field_}: {left.get(field_)} and {right.get(field_)}"
        else:
            yield f"{what} {key}: {left} and {right}"
