"""One resource as JSON: the names, order and omissions of the CLI's `ResourceV3`.

Owns the table of fields, in both directions. A field it does not know is kept under its own name, a
timestamp keeps the digits it was written with.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, cast

from local_engine.property_json import Path, PropertyDecoder
from local_engine.resource_state import ResourceState

# JSON name, attribute, in the order the CLI writes them.
_FIELDS = (
    ("urn", "urn"),
    ("custom", "custom"),
    ("delete", "delete"),
    ("id", "id"),
    ("type", "type"),
    ("inputs", "inputs"),
    ("outputs", "outputs"),
    ("parent", "parent"),
    ("protect", "protect"),
    ("taint", "taint"),
    ("external", "external"),
    ("dependencies", "dependencies"),
    ("initErrors", "init_errors"),
    ("provider", "provider"),
    ("propertyDependencies", "property_dependencies"),
    ("pendingReplacement", "pending_replacement"),
    ("additionalSecretOutputs", "additional_secret_outputs"),
    ("aliases", "aliases"),
    ("customTimeouts", "custom_timeouts"),
    ("importID", "import_id"),
    ("retainOnDelete", "retain_on_delete"),
    ("deletedWith", "deleted_with"),
    ("replaceWith", "replace_with"),
    ("created", "created"),
    ("modified", "modified"),
    ("sourcePosition", "source_position"),
    ("stackTrace", "stack_trace"),
    ("ignoreChanges", "ignore_changes"),
    ("hideDiff", "hide_diff"),
    ("replaceOnChanges", "replace_on_changes"),
    ("replacementTrigger", "replacement_trigger"),
    ("refreshBeforeUpdate", "refresh_before_update"),
    ("viewOf", "view_of"),
    ("resourceHooks", "resource_hooks"),
)
_ALWAYS = {"urn", "custom", "type"}
_PROPERTIES = {"inputs", "outputs", "replacementTrigger"}
_TIMES = {"created", "modified"}
_TYPES: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("urn", "id", "type", "parent", "provider", "importID"), str),
    **dict.fromkeys(("deletedWith", "sourcePosition", "viewOf"), str),
    **dict.fromkeys(("custom", "delete", "protect", "taint", "external"), bool),
    **dict.fromkeys(("pendingReplacement", "retainOnDelete", "refreshBeforeUpdate"), bool),
    **dict.fromkeys(("inputs", "outputs", "propertyDependencies"), dict),
    **dict.fromkeys(("customTimeouts", "resourceHooks"), dict),
    **dict.fromkeys(("dependencies", "initErrors", "additionalSecretOutputs", "aliases"), list),
    **dict.fromkeys(("replaceWith", "stackTrace", "ignoreChanges", "hideDiff"), list),
    "replaceOnChanges": list,
}


class _Timestamp(datetime):
    """A moment that remembers the nanoseconds it was written with."""

    text: str = ""


def resource_json(state: ResourceState, encode: Callable[[str, Any], Any]) -> dict[str, Any]:
    """Return one resource as the CLI writes it; `encode` turns the named properties into JSON."""
    encoded: dict[str, Any] = {}
    for name, attribute in _FIELDS:
        value: Any = getattr(state, attribute)
        if name in _TIMES:
            value = _time_text(value)
        elif name in _PROPERTIES and value is not None:
            value = encode(name, value)
        if value or name in _ALWAYS or (name == "replacementTrigger" and value is not None):
            encoded[name] = value
    encoded.update(state.extra)
    return encoded


def read_resource(raw: Any, decoder: PropertyDecoder, place: str = "") -> ResourceState:
    """Return the state of one resource; unknown fields go to `extra`.

    Raises:
        KeyError: a field that must be there is not.
        TypeError: a field is of another kind.
    """
    fields = dict(cast("Mapping[str, Any]", raw))
    names = dict(_FIELDS)
    state = ResourceState(urn=fields["urn"], type=fields["type"])
    for name, value in fields.items():
        attribute = names.get(name)
        if attribute is None:
            state.extra[name] = value
        elif value is not None:
            expected = _TYPES.get(name)
            if expected is not None and not isinstance(value, expected):
                raise TypeError(f"`{name}` of {fields['urn']} is a {type(value).__name__}")
            setattr(state, attribute, read_time(value) if name in _TIMES else value)
    # After the loop, because the place of a secret includes the resource's delete flag.
    for name in _PROPERTIES & fields.keys():
        path = place_of(state, place, name)
        setattr(state, names[name], decoder.decode(fields[name], path))
    if state.inputs is None or state.outputs is None:  # pyright: ignore[reportUnnecessaryComparison]
        state.inputs, state.outputs = state.inputs or {}, state.outputs or {}
    return state


def place_of(state: ResourceState, place: str, name: str) -> Path:
    """Return where a property stands, as `CiphertextMemory` knows it; `place` is for operations."""
    return (f"{state.urn}{' (to be deleted)' if state.delete else ''}", f"{place}{name}")


def features_of(state: ResourceState) -> set[str]:
    """Return what a reader must know so that it does not drop a field of this state."""
    present = {
        "refreshBeforeUpdate": state.refresh_before_update,
        "views": bool(state.view_of),
        "hooks": bool(state.resource_hooks),
        "taint": state.taint,
        "replaceWith": bool(state.replace_with),
    }
    return {name for name, there in present.items() if there}


def read_time(text: object) -> datetime | None:
    """Read a timestamp; the zero time of Go is none."""
    if not isinstance(text, str):
        return None
    # Go writes up to nine digits of a second, Python reads six.
    match = re.fullmatch(r"(.*?)(?:\.(\d+))?(Z|[-+]\d\d:\d\d)?", text)
    head, digits, zone = match.groups() if match else (text, None, None)
    if head.startswith("0001-"):
        return None
    parsed = datetime.fromisoformat(f"{head}.{(digits or '0')[:6]:0<6}{zone or 'Z'}")
    stamp = _Timestamp(*parsed.timetuple()[:6], parsed.microsecond, parsed.tzinfo)
    stamp.text = text
    return stamp


def _time_text(moment: datetime | None) -> str | None:
    if isinstance(moment, _Timestamp):
        return moment.text
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
