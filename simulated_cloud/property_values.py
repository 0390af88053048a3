"""Property values on the wire: what an engine sends a provider and gets back.

Owns their plain Python shape (None, bool, int or float, str, list, dict, and the three things JSON
has no word for: `Secret`, `UNKNOWN`, `ResourceReference`), their conversion from and to protobuf,
and the two things a provider does with secrets: take them off before it calls an API, and put them
back where they were. What values mean is each resource type's affair.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from google.protobuf import struct_pb2

from simulated_cloud.errors import Refusal

SIGNATURE_KEY: Final = "4dabf18193072939515e22adb298388d"
SECRET_SIGNATURE: Final = "1b47061264138c4ac30d75fd1eb44270"
RESOURCE_SIGNATURE: Final = "5cf8f73096256a8f31e491e813e4eb8e"
OUTPUT_SIGNATURE: Final = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
UNKNOWN_TEXT: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_UNKNOWN_TEXTS: Final = frozenset(
    {
        UNKNOWN_TEXT,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)

Properties = dict[str, Any]
"""Properties by their camelCase name."""


class Unknown:
    """A value that only a deployment can tell; there is exactly one, `UNKNOWN`."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Name the constant."""
        return "UNKNOWN"


UNKNOWN: Final = Unknown()


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that is never shown; `repr` keeps it out of messages."""

    value: Any = field(repr=False)


@dataclass(frozen=True, slots=True)
class ResourceReference:
    """A resource as a value; a component has no id, a resource to be created an unknown one."""

    urn: str
    id: str | Unknown | None = None


def from_struct(struct: struct_pb2.Struct) -> Properties:
    """Read a protobuf `Struct`."""
    fields = struct.fields
    return {key: from_value(fields[key]) for key in sorted(fields)}


def from_value(value: struct_pb2.Value) -> Any:
    """Read one protobuf `Value`; whole numbers are ints, as the API that gets them expects."""
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        text = value.string_value
        return UNKNOWN if text in _UNKNOWN_TEXTS else text
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    if kind == "bool_value":
        return value.bool_value
    if kind == "list_value":
        return [from_value(item) for item in value.list_value.values]
    if kind == "struct_value":
        return _from_signed(from_struct(value.struct_value))
    return None


def to_struct(properties: Mapping[str, Any]) -> struct_pb2.Struct:
    """Write properties for the engine."""
    struct = struct_pb2.Struct()
    for key, value in properties.items():
        _fill(struct.fields[key], value)
    return struct


def contains_unknown(value: Any) -> bool:
    """Whether any part of the value is unknown."""
    if isinstance(value, Secret):
        return contains_unknown(value.value)
    if isinstance(value, ResourceReference):
        return value.id is UNKNOWN
    if isinstance(value, Mapping):
        return any(map(contains_unknown, cast("Mapping[str, Any]", value).values()))
    if isinstance(value, list):
        return any(map(contains_unknown, cast("list[Any]", value)))
    return value is UNKNOWN


def clear(value: Any) -> Any:
    """Return the value as an API takes it: secrets in clear, a resource as its id.

    What the engine says with null is absent: the SDK sends no null of its own.
    """
    if isinstance(value, Secret):
        return clear(value.value)
    if isinstance(value, ResourceReference):
        return value.urn if value.id is None else value.id
    if isinstance(value, Mapping):
        items = cast("Mapping[str, Any]", value).items()
        return {key: clear(item) for key, item in items if item is not None}
    if isinstance(value, list):
        return [clear(item) for item in cast("list[Any]", value)]
    return value


def hide(value: Any, pattern: Any) -> Any:
    """Return a clear `value` with secrets where `pattern` has them."""
    if isinstance(pattern, Secret):
        return value if isinstance(value, Secret) else Secret(value)
    if isinstance(value, Mapping) and isinstance(pattern, Mapping):
        known = cast("Mapping[str, Any]", pattern)
        items = cast("Mapping[str, Any]", value).items()
        return {key: hide(item, known.get(key)) for key, item in items}
    if isinstance(value, list) and isinstance(pattern, list):
        items_, known_ = cast("list[Any]", value), cast("list[Any]", pattern)
        if len(items_) != len(known_):
            # Which item was the secret one cannot be told any more.
            secret = any(hide(None, item) is not None for item in known_)
            return Secret(items_) if secret else items_
        return [hide(item, known_item) for item, known_item in zip(items_, known_, strict=True)]
    return value


def _from_signed(fields: Properties) -> Any:
    signature = fields.get(SIGNATURE_KEY)
    if signature is None:
        return fields
    if signature == SECRET_SIGNATURE:
        return Secret(fields.get("value"))
    if signature == OUTPUT_SIGNATURE:
        value = fields.get("value", UNKNOWN)
        return Secret(value) if fields.get("secret") is True else value
    if signature == RESOURCE_SIGNATURE:
        identity = fields.get("id")
        return ResourceReference(
            str(fields.get("urn", "")), UNKNOWN if identity == "" else identity
        )
    raise Refusal("assets and archives are not part of the simulated cloud: pass a plain value")


def _fill(target: struct_pb2.Value, value: Any) -> None:
    # bool before int: it is one.
    if value is None:
        target.null_value = struct_pb2.NULL_VALUE
    elif isinstance(value, bool):
        target.bool_value = value
    elif isinstance(value, str):
        target.string_value = value
    elif isinstance(value, (int, float)):
        target.number_value = value
    elif isinstance(value, Unknown):
        target.string_value = UNKNOWN_TEXT
    elif isinstance(value, Secret):
        fields = target.struct_value.fields
        fields[SIGNATURE_KEY].string_value = SECRET_SIGNATURE
        _fill(fields["value"], value.value)
    elif isinstance(value, ResourceReference):
        fields = target.struct_value.fields
        fields[SIGNATURE_KEY].string_value = RESOURCE_SIGNATURE
        fields["urn"].string_value = value.urn
        if value.id is not None:
            fields["id"].string_value = "" if isinstance(value.id, Unknown) else value.id
    elif isinstance(value, Mapping):
        target.struct_value.SetInParent()
        for key, item in cast("Mapping[str, Any]", value).items():
            _fill(target.struct_value.fields[key], item)
    elif isinstance(value, (list, tuple)):
        target.list_value.SetInParent()
        for item in cast("Iterable[Any]", value):
            _fill(target.list_value.values.add(), item)
    else:
        raise TypeError(f"a property value cannot be a {type(value).__name__}")
