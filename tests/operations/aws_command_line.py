"""A line of the AWS command line, read by boto3's own descriptions of the services.

Owns the step from `aws rds describe-db-instances --db-instance-identifier x` to the operation and
its arguments, as the command line takes it: the same models describe both. An operation, an option
or a query that does not exist is an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import botocore.session
import jmespath
from botocore import xform_name

HIGH_LEVEL = {("s3", "ls"): {"--recursive", "--summarize", "--human-readable"}}
"""Commands that the command line makes of several operations."""

GLOBAL = {"--query", "--output", "--region", "--profile", "--no-cli-pager"}


class NoSuchThingError(AssertionError):
    """The line is no command of AWS's."""


@dataclass(frozen=True)
class Call:
    """One operation with its arguments."""

    service: str
    operation: str  # as a boto3 client's method
    arguments: dict[str, Any]
    query: str | None


def parse(words: Sequence[str]) -> Call | None:
    """The call that a line makes; None for a high-level command, whose options are checked."""
    program, service, command, *rest = words
    if program != "aws":
        raise NoSuchThingError(program)
    options, positional = _options(rest)
    if (service, command) in HIGH_LEVEL:
        unknown = options.keys() - HIGH_LEVEL[service, command] - GLOBAL
        if unknown or len(positional) != 1 or not positional[0].startswith("s3://"):
            raise NoSuchThingError(f"aws {service} {command} takes no {unknown or positional}")
        return None
    if positional:
        raise NoSuchThingError(f"{positional} belongs to no option")
    model = _service(service)
    names = {xform_name(name, "-"): name for name in model.operation_names}
    if command not in names:
        raise NoSuchThingError(f"aws {service} has no {command}")
    operation = model.operation_model(names[command])
    members = {} if operation.input_shape is None else operation.input_shape.members
    by_option = {f"--{xform_name(name, '-')}": name for name in members}
    arguments: dict[str, Any] = {}
    for option, values in options.items():
        if option in GLOBAL:
            continue
        if option not in by_option:
            raise NoSuchThingError(f"aws {service} {command} has no {option}")
        name = by_option[option]
        arguments[name] = _value(members[name], values)
    required = [] if operation.input_shape is None else operation.input_shape.required_members
    if missing := [name for name in required if name not in arguments]:
        raise NoSuchThingError(f"aws {service} {command} needs {missing}")
    query = options.get("--query", [None])[0]
    if query is not None:
        jmespath.compile(query)
    return Call(service, command.replace("-", "_"), arguments, query)


def _value(shape: Any, values: list[str]) -> Any:
    if shape.type_name == "list":
        return [_value(shape.member, [value]) for value in values]
    if shape.type_name == "boolean":
        return True
    (value,) = values
    if shape.type_name in ("integer", "long"):
        return int(value)
    if shape.enum and value not in shape.enum:
        raise NoSuchThingError(f"{value!r} is none of {shape.enum}")
    return value


def _options(words: Sequence[str]) -> tuple[dict[str, list[str]], list[str]]:
    options: dict[str, list[str]] = {}
    positional: list[str] = []
    current: list[str] = positional
    for word in words:
        if word.startswith("--"):
            current = options.setdefault(word, [])
        else:
            current.append(word)
    return options, positional


@cache
def _service(name: str) -> Any:
    session = botocore.session.get_session()
    if name not in session.get_available_services():
        raise NoSuchThingError(f"AWS has no service {name}")
    return session.get_service_model(name)
