"""The schema of a resource type, read from the type annotations of its Pulumi SDK.

Owns the translation of an SDK's `…Args` class (what a program may pass, and must) and resource
class (what it gets back) into camelCase names and plain shapes. The SDK is generated from the real
provider's schema, so what is accepted here is what the real provider accepts. It judges no values
(`input_check.py` does).
"""

from __future__ import annotations

import collections.abc
import enum
import importlib
import inspect
import re
import typing
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal

import pulumi

# What reads the SDK's annotations is not in the SDK's public interface; it is what the SDK itself
# uses on every resource, and this version is pinned.
_types: Any = importlib.import_module("pulumi._types")

Kind = Literal["string", "integer", "number", "boolean", "any", "list", "map", "object"]


@dataclass(frozen=True, slots=True)
class Shape:
    """What a value may be."""

    kind: Kind
    item: Shape | None = None
    arguments: type | None = None

    def fields(self) -> Mapping[str, Shape]:
        """Return the properties of an object."""
        return _fields(self.arguments) if self.arguments else {}

    def required(self) -> frozenset[str]:
        """Return the properties an object cannot do without."""
        return _required(self.arguments) if self.arguments else frozenset()


ANY = Shape("any")


@dataclass(frozen=True, slots=True)
class ResourceSchema:
    """What a resource type takes and gives."""

    inputs: Mapping[str, Shape]
    required: frozenset[str]
    outputs: frozenset[str]


@cache
def resource_schema(sdk: str, token: str) -> ResourceSchema | None:
    """Return the schema of a type (`aws:rds/instance:Instance`) in its SDK, None if it has none."""
    module_path, _, class_name = token.partition(":")[2].rpartition(":")
    module_name = _snake_case(module_path.partition("/")[0])
    path = sdk if module_name in ("index", "") else f"{sdk}.{module_name}"
    try:
        with warnings.catch_warnings():
            # The SDK warns of its own deprecated types when it loads them beside others.
            warnings.simplefilter("ignore", DeprecationWarning)
            module = importlib.import_module(path)
            getattr(module, class_name, None)
        resource = getattr(module, class_name)
        # Where an argument of another resource has that name already, the SDK calls it `InitArgs`.
        arguments = getattr(module, f"{class_name}InitArgs", None)
        arguments = arguments or getattr(module, f"{class_name}Args")
    except (ImportError, AttributeError):
        return None
    return ResourceSchema(
        inputs=_fields(arguments),
        required=_required(arguments),
        outputs=frozenset(_types.resource_types(resource)),
    )


@cache
def _fields(arguments: type) -> Mapping[str, Shape]:
    return {name: _shape(type_) for name, type_ in _types.input_type_types(arguments).items()}


@cache
def _required(arguments: type) -> frozenset[str]:
    names: dict[str, str] = _types.input_type_py_to_pulumi_names(arguments)
    parameters = inspect.signature(arguments).parameters
    return frozenset(
        names[name]
        for name, parameter in parameters.items()
        if parameter.default is inspect.Parameter.empty and name in names
    )


def _shape(annotation: Any) -> Shape:
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, UnionType):
        return _union(annotation)
    if origin in (collections.abc.Sequence, list):
        return Shape("list", item=_shape(typing.get_args(annotation)[0]))
    if origin in (collections.abc.Mapping, dict):
        return Shape("map", item=_shape(typing.get_args(annotation)[1]))
    return _plain(annotation) if isinstance(annotation, type) else ANY


def _plain(type_: type) -> Shape:
    kinds: dict[type, Kind] = {str: "string", bool: "boolean", int: "integer", float: "number"}
    if type_ in kinds:
        return Shape(kinds[type_])
    if issubclass(type_, enum.Enum):
        return Shape("string" if issubclass(type_, str) else "number")
    return Shape("object", arguments=type_) if _types.is_input_type(type_) else ANY


def _union(annotation: Any) -> Shape:
    """Return what remains of a union without the ways a program may pass a value later."""
    shapes: list[Shape] = []
    for member in typing.get_args(annotation):
        origin = typing.get_origin(member) or member
        if origin is NoneType or origin in (pulumi.Output, collections.abc.Awaitable):
            continue
        shape = _shape(member)
        if shape not in shapes:
            shapes.append(shape)
    return shapes[0] if len(shapes) == 1 else ANY


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda match: f"_{match[1].lower()}", name)
