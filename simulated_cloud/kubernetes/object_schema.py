"""Whether a manifest is what its kind's schema allows, each problem with the field's path.

Owns the judgement by shape, as strict server-side validation makes it: unknown fields, missing
required ones, values of another kind. Values that a preview cannot know are let through. What an
API server judges beyond shapes is in `object_rules.py`, and all of it on a real one.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from simulated_cloud.errors import InputProblem
from simulated_cloud.kubernetes.object_kinds import Kind, Schema
from simulated_cloud.property_values import ResourceReference, Secret, Unknown

_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}

_QUANTITY = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?")


def problems(value: Any, kind: Kind) -> Iterator[InputProblem]:
    """Yield everything in a manifest that the kind does not allow."""
    yield from _value(value, kind.schema, "", kind)


def _value(value: Any, schema: Schema, path: str, kind: Kind) -> Iterator[InputProblem]:
    if isinstance(value, Secret):
        yield from _value(value.value, schema, path, kind)
        return
    if value is None or isinstance(value, (Unknown, ResourceReference)):
        return
    reference = schema.get("$ref")
    if reference == "api.resource.Quantity":
        yield from _quantity(value, path)
        return
    if reference is not None:
        yield from _value(value, kind.definitions[reference], path, kind)
        return
    if schema.get("format") == "int-or-string" or schema.get("x-kubernetes-int-or-string"):
        if not isinstance(value, (int, str)) or isinstance(value, bool):
            yield _wrong(path, "an integer or a string", value)
        return
    wanted = schema.get("type")
    if wanted is None:
        return
    right = isinstance(value, _TYPES[wanted])
    if not right or (isinstance(value, bool) and wanted != "boolean"):
        yield _wrong(path, f"{'an' if wanted[0] in 'aio' else 'a'} {wanted}", value)
    elif wanted == "array":
        for index, item in enumerate(cast("list[Any]", value)):
            yield from _value(item, schema.get("items", {}), f"{path}[{index}]", kind)
    elif wanted == "object":
        yield from _object(cast("dict[str, Any]", value), schema, path, kind)
    else:
        yield from _limits(value, schema, path)


def _object(
    value: Mapping[str, Any], schema: Schema, path: str, kind: Kind
) -> Iterator[InputProblem]:
    known: Mapping[str, Schema] | None = schema.get("properties")
    inner = f"{path}." if path else ""
    for name in schema.get("required", ()):
        if value.get(name) is None:
            yield InputProblem(f"{inner}{name}", f"{inner}{name}: Required value")
    values: Any = schema.get("additionalProperties")
    for name, item in value.items():
        if known is not None and name in known:
            yield from _value(item, known[name], f"{inner}{name}", kind)
        elif isinstance(values, Mapping):
            yield from _value(item, cast("Schema", values), f'{path}["{name}"]', kind)
        elif known is not None and not schema.get("x-kubernetes-preserve-unknown-fields"):
            near = difflib.get_close_matches(name, known, n=1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            yield InputProblem(
                f"{inner}{name}", f"{inner}{name}: field not declared in schema{hint}"
            )


def _limits(value: Any, schema: Schema, path: str) -> Iterator[InputProblem]:
    allowed: list[Any] = schema.get("enum") or []
    if allowed and value not in allowed:
        names = ", ".join(f'"{item}"' for item in allowed)
        yield InputProblem(path, f'{path}: Unsupported value: "{value}": supported values: {names}')
    if isinstance(value, str):
        if len(value) < schema.get("minLength", 0):
            yield InputProblem(path, f"{path}: Required value")
        if len(value) > schema.get("maxLength", len(value)):
            yield InputProblem(
                path, f"{path}: Too long: may not be more than {schema['maxLength']} bytes"
            )
        if "pattern" in schema and not re.search(schema["pattern"], value):
            yield InputProblem(
                path, f'{path}: Invalid value: "{value}": should match {schema["pattern"]}'
            )


def _quantity(value: Any, path: str) -> Iterator[InputProblem]:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number and not (isinstance(value, str) and _QUANTITY.fullmatch(value)):
        yield InputProblem(
            path, f'{path}: Invalid value: "{value}": quantities must match the regular expression'
        )


def _wrong(path: str, wanted: str, value: Any) -> InputProblem:
    names = {bool: "a boolean", dict: "an object", list: "an array", str: "a string"}
    found = names.get(type(value), "a number")
    return InputProblem(path, f"{path}: Invalid value: takes {wanted}, not {found}")
