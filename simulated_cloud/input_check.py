"""Whether a program's inputs are what the resource type takes.

Owns the judgement by shape: unknown names (with the nearest known one), missing required ones,
values of the wrong kind, each with its path. What a value may be beyond its kind (a name's rule, a
range) is said by the resource type's own `check`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any, cast

from simulated_cloud.errors import InputProblem
from simulated_cloud.property_values import ResourceReference, Secret, Unknown
from simulated_cloud.sdk_schema import ResourceSchema, Shape

_PYTHON: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "list": (list,),
    "map": (dict,),
    "object": (dict,),
}
_WORDS = {
    "string": "a string",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "list": "a list",
    "map": "a map",
    "object": "an object",
}


def problems(inputs: Mapping[str, Any], schema: ResourceSchema) -> Iterator[InputProblem]:
    """Yield everything in `inputs` that the schema does not allow."""
    yield from _fields(inputs, "", schema.inputs, schema.required)


def _fields(
    values: Mapping[str, Any], path: str, known: Mapping[str, Shape], required: frozenset[str]
) -> Iterator[InputProblem]:
    prefix = f"{path}." if path else ""
    for name in sorted(required - values.keys()):
        yield InputProblem(f"{prefix}{name}", f"Missing required argument: `{prefix}{name}`")
    for name, value in values.items():
        shape = known.get(name)
        if shape is None:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f": did you mean `{prefix}{near[0]}`?" if near else ""
            yield InputProblem(f"{prefix}{name}", f"Unknown argument: `{prefix}{name}`{hint}")
        else:
            yield from _value(value, f"{prefix}{name}", shape)


def _value(value: Any, path: str, shape: Shape) -> Iterator[InputProblem]:
    if isinstance(value, Secret):
        yield from _value(value.value, path, shape)
        return
    if value is None or isinstance(value, (Unknown, ResourceReference)) or shape.kind == "any":
        return
    wrong = not isinstance(value, _PYTHON[shape.kind])
    if wrong or (isinstance(value, bool) and shape.kind != "boolean"):
        yield InputProblem(path, f"`{path}` takes {_WORDS[shape.kind]}, not {_describe(value)}")
    elif shape.kind == "list" and shape.item:
        for index, item in enumerate(cast("list[Any]", value)):
            yield from _value(item, f"{path}[{index}]", shape.item)
    elif shape.kind == "map" and shape.item:
        for key, item in cast("dict[str, Any]", value).items():
            yield from _value(item, f'{path}["{key}"]', shape.item)
    elif shape.kind == "object":
        given = cast("dict[str, Any]", value)
        yield from _fields(given, path, shape.fields(), shape.required())


def _describe(value: Any) -> str:
    for kind, types in _PYTHON.items():
        if isinstance(value, types) and not (isinstance(value, bool) and kind != "boolean"):
            return _WORDS[kind]
    return "this value"
