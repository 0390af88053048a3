"""Property values: what a program sends, a provider answers and a checkpoint keeps.

Owns the plain Python shape of a value (None, bool, int or float, str, list, dict, and the three
things JSON has no word for: `Secret`, `UNKNOWN`, `ResourceReference`) and its conversion to and
from the protobuf `Struct` in which Pulumi's SDK and providers speak. It leaves alone how values
look in a checkpoint (`checkpoint.py`) and how they are compared (`diffs.py`).

Assets and archives are refused: nothing this engine deploys takes a file as a property, and a
value half understood would be written to the state as something it is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from google.protobuf import struct_pb2

from local_engine.errors import EngineError

SIGNATURE_KEY: Final = "4dabf18193072939515e22adb298388d"
SECRET_SIGNATURE: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105
RESOURCE_SIGNATURE: Final = "5cf8f73096256a8f31e491e813e4eb8e"
OUTPUT_SIGNATURE: Final = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
ASSET_SIGNATURE: Final = "c44067f5952c0a294b673a41bacd8c17"
ARCHIVE_SIGNATURE: Final = "0def7320c3a5731c473e5ecbe6d01bc7"

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
MASK: Final = "[secret]"

PropertyMap = dict[str, Any]
"""Top-level properties by name; each value is a property value as described above."""


class Unknown:
    """A value that only a deployment can tell; there is exactly one, `UNKNOWN`."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Name the constant."""
        return "UNKNOWN"

    def __copy__(self) -> Unknown:
        """Stay the only one."""
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Unknown:
        """Stay the only one."""
        return self


UNKNOWN: Final = Unknown()


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that is stored encrypted and never shown; `repr` keeps it out of logs."""

    value: Any = field(repr=False)


@dataclass(frozen=True, slots=True)
class ResourceReference:
    """A resource as a value: a component has no id, a resource to be created an unknown one."""

    urn: str
    id: str | Unknown | None = None
    package_version: str = ""


def from_struct(struct: struct_pb2.Struct) -> PropertyMap:
    """Read a protobuf `Struct`; keys come out sorted, for protobuf keeps no order."""
    fields = struct.fields
    return {key: from_value(fields[key]) for key in sorted(fields)}


def from_value(value: struct_pb2.Value) -> Any:
    """Read one protobuf `Value`."""
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        text = value.string_value
        return UNKNOWN if text in _UNKNOWN_TEXTS else text
    if kind == "number_value":
        return _number(value.number_value)
    if kind == "bool_value":
        return value.bool_value
    if kind == "list_value":
        return [from_value(item) for item in value.list_value.values]
    if kind == "struct_value":
        return _from_signed(from_struct(value.struct_value))
    return None


def to_struct(
    properties: Mapping[str, Any],
    *,
    keep_secrets: bool = True,
    keep_unknowns: bool = True,
    keep_resources: bool = True,
) -> struct_pb2.Struct:
    """Write properties for a peer, in the words it understands.

    A peer that takes no secrets gets them in clear, one that takes no references gets the
    resource's id, one that takes no unknowns does not get the property at all.
    """
    struct = struct_pb2.Struct()
    writer = _Writer(keep_secrets, keep_unknowns, keep_resources)
    writer.fill_struct(struct, properties)
    return struct


def contains_unknown(value: Any) -> bool:
    """Whether any part of the value is unknown."""
    return any(isinstance(item, Unknown) for item in _walk(value))


def contains_secret(value: Any) -> bool:
    """Whether any part of the value is secret."""
    return any(isinstance(item, Secret) for item in _walk(value))


def strip_secrets(value: Any) -> Any:
    """Return the value in clear, for comparing and for handing to a provider; never to show."""
    return _replace_secrets(value, _in_clear)


def mask(value: Any) -> Any:
    """Return the value with `[secret]` where a secret stands; what every display goes through."""
    return _replace_secrets(value, _masked)


def unwrap(value: Any) -> Any:
    """Return the value without a secret's outermost wrapping."""
    while isinstance(value, Secret):
        value = value.value
    return value


def _number(number: float) -> int | float:
    # Every protobuf number is a double. A whole one becomes an int so that a checkpoint says
    # `5000`, as Pulumi's does, and not `5000.0`; an int in the checkpoint compares equal to it.
    return int(number) if number.is_integer() and abs(number) < 1e21 else number


def _from_signed(fields: PropertyMap) -> Any:
    signature = fields.get(SIGNATURE_KEY)
    if signature is None:
        return fields
    if signature == SECRET_SIGNATURE:
        return Secret(unwrap(fields.get("value")))
    if signature == OUTPUT_SIGNATURE:
        value = fields.get("value", UNKNOWN)
        return Secret(unwrap(value)) if fields.get("secret") is True else value
    if signature == RESOURCE_SIGNATURE:
        identity = fields.get("id")
        return ResourceReference(
            urn=str(fields.get("urn", "")),
            id=UNKNOWN if identity == "" else identity,
            package_version=str(fields.get("packageVersion", "")),
        )
    if signature in (ASSET_SIGNATURE, ARCHIVE_SIGNATURE):
        raise EngineError(
            "a property holds an asset or archive, which this engine does not deploy: pass the "
            "file's path or text as a plain value, or install the Pulumi CLI "
            "(https://www.pulumi.com/docs/install/) and run it there"
        )
    raise EngineError(
        f"a property has the signature {signature!r}, which this engine does not know: the "
        "Pulumi SDK in use is newer than the one in requirements.txt"
    )


@dataclass(frozen=True, slots=True)
class _Writer:
    keep_secrets: bool
    keep_unknowns: bool
    keep_resources: bool

    def fill_struct(self, struct: struct_pb2.Struct, properties: Mapping[str, Any]) -> None:
        fields = struct.fields
        for key, value in properties.items():
            if not self.keep_unknowns and isinstance(unwrap(value), Unknown):
                continue
            self.fill_value(fields[key], value)

    def fill_value(self, target: struct_pb2.Value, value: Any) -> None:
        # bool before int: it is one.
        if value is None or (isinstance(value, Unknown) and not self.keep_unknowns):
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
            self._fill_secret(target, value)
        elif isinstance(value, ResourceReference):
            self._fill_reference(target, value)
        elif isinstance(value, Mapping):
            target.struct_value.SetInParent()
            self.fill_struct(target.struct_value, cast("Mapping[str, Any]", value))
        elif isinstance(value, (list, tuple)):
            values = target.list_value.values
            target.list_value.SetInParent()
            for item in cast("Iterable[Any]", value):
                self.fill_value(values.add(), item)
        else:
            raise TypeError(f"a property value cannot be a {type(value).__name__}")

    def _fill_secret(self, target: struct_pb2.Value, secret: Secret) -> None:
        if not self.keep_secrets:
            self.fill_value(target, secret.value)
            return
        fields = target.struct_value.fields
        fields[SIGNATURE_KEY].string_value = SECRET_SIGNATURE
        self.fill_value(fields["value"], secret.value)

    def _fill_reference(self, target: struct_pb2.Value, reference: ResourceReference) -> None:
        unknown_id = isinstance(reference.id, Unknown)
        if not self.keep_resources:
            self.fill_value(target, reference.urn if reference.id is None else reference.id)
            return
        fields = target.struct_value.fields
        fields[SIGNATURE_KEY].string_value = RESOURCE_SIGNATURE
        fields["urn"].string_value = reference.urn
        if reference.id is not None:
            # Inside a reference an unknown id is written as an empty one, as it is read above.
            fields["id"].string_value = "" if unknown_id else str(reference.id)
        if reference.package_version:
            fields["packageVersion"].string_value = reference.package_version


def _walk(value: Any) -> Iterable[Any]:
    stack = [value]
    while stack:
        item = stack.pop()
        yield item
        if isinstance(item, Secret):
            stack.append(item.value)
        elif isinstance(item, ResourceReference):
            stack.append(item.id)
        elif isinstance(item, Mapping):
            stack.extend(cast("Mapping[str, Any]", item).values())
        elif isinstance(item, list):
            stack.extend(cast("list[Any]", item))


def _in_clear(value: Any) -> Any:
    return value


def _masked(_: Any) -> Any:
    return MASK


def _replace_secrets(value: Any, replacement: Callable[[Any], Any]) -> Any:
    if isinstance(value, Secret):
        return _replace_secrets(replacement(value.value), replacement)
    if isinstance(value, Mapping):
        items = cast("Mapping[str, Any]", value).items()
        return {key: _replace_secrets(inner, replacement) for key, inner in items}
    if isinstance(value, list):
        return [_replace_secrets(item, replacement) for item in cast("list[Any]", value)]
    return value
