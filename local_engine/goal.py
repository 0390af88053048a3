"""What a program asks for: one resource as it shall be, read from its registration.

Owns reading a `RegisterResource` request into a `Goal` (options inherited from the parent
included) and refusing what this engine does not do. How a goal is reached is for
`steps_generator.py`.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from local_engine.errors import EngineError
from local_engine.property_values import PropertyMap, from_struct, from_value
from local_engine.providers_host import INSTALL_HINT

_UNIT_SECONDS = {
    "h": 3600.0,
    "m": 60.0,
    "s": 1.0,
    "ms": 1e-3,
    "us": 1e-6,
    "µs": 1e-6,
    "ns": 1e-9,
}
_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(h|ms|m|s|us|µs|ns)")


@dataclass(frozen=True, slots=True)
class Alias:
    """An earlier identity of a resource: a URN, or the parts in which it differed."""

    urn: str = ""
    name: str = ""
    type: str = ""
    stack: str = ""
    project: str = ""
    parent: str = ""
    no_parent: bool = False


@dataclass(kw_only=True, slots=True)
class Goal:
    """One resource as the program wants it."""

    type: str
    name: str
    custom: bool = False
    properties: PropertyMap = field(default_factory=dict)
    parent: str = ""
    protect: bool | None = None
    dependencies: list[str] = field(default_factory=list[str])
    provider: str = ""
    property_dependencies: dict[str, list[str]] = field(default_factory=dict)
    delete_before_replace: bool | None = None
    ignore_changes: list[str] = field(default_factory=list[str])
    additional_secret_outputs: list[str] = field(default_factory=list[str])
    aliases: list[Alias] = field(default_factory=list[Alias])
    import_id: str = ""
    custom_timeouts: dict[str, float] = field(default_factory=dict)
    replace_on_changes: list[str] = field(default_factory=list[str])
    replacement_trigger: Any = None
    retain_on_delete: bool | None = None
    deleted_with: str = ""
    replace_with: list[str] = field(default_factory=list[str])
    hide_diff: list[str] = field(default_factory=list[str])
    source_position: str = ""

    @property
    def package(self) -> str:
        """The package of the type, which names the provider."""
        return self.type.partition(":")[0]


def goal_from(request: Any, parent: Goal | None, project_root: Path) -> Goal:
    """Read a `RegisterResource` request; `parent` is the goal of its parent, if it had one.

    Raises:
        EngineError: the registration asks for something this engine does not do.
    """
    _refuse(request)
    type_ = request.type
    if request.custom and type_.count(":") != 2:
        raise EngineError(f"Type '{type_}' is not a valid type token (e.g. 'pkg:module:Type')")
    before_replace = None
    if request.deleteBeforeReplaceDefined or request.deleteBeforeReplace:
        before_replace = request.deleteBeforeReplace
    properties = from_struct(request.object)
    dependencies = list(dict.fromkeys(request.dependencies))
    if request.propertyDependencies:
        by_property = {
            key: list(dict.fromkeys(value.urns))
            for key, value in request.propertyDependencies.items()
        }
    else:
        by_property = {key: list(dependencies) for key in properties}
    for key in properties:
        by_property.setdefault(key, [])
    goal = Goal(
        type=type_,
        name=request.name,
        custom=request.custom,
        properties=properties,
        parent=request.parent,
        protect=request.protect if request.HasField("protect") else None,
        dependencies=dependencies,
        provider=request.provider,
        property_dependencies=dict(sorted(by_property.items())),
        delete_before_replace=before_replace,
        ignore_changes=list(request.ignoreChanges),
        additional_secret_outputs=list(request.additionalSecretOutputs),
        aliases=[Alias(urn=urn) for urn in request.aliasURNs]
        + [_alias(a) for a in request.aliases],
        import_id=request.importId,
        custom_timeouts=_timeouts(request),
        replace_on_changes=list(request.replaceOnChanges),
        replacement_trigger=(
            from_value(request.replacement_trigger)
            if request.HasField("replacement_trigger")
            else None
        ),
        retain_on_delete=request.retainOnDelete if request.HasField("retainOnDelete") else None,
        deleted_with=request.deletedWith,
        replace_with=list(request.replace_with),
        hide_diff=list(request.hideDiffs),
        source_position=source_position(request, project_root),
    )
    if parent is not None:
        _inherit(goal, parent)
    return goal


def source_position(request: Any, project_root: Path) -> str:
    """Return where the program asked, relative to the project, in Pulumi's notation."""
    if not request.HasField("sourcePosition"):
        return ""
    position = request.sourcePosition
    path = urlsplit(str(position.uri)).path
    if not path:
        return ""
    relative = os.path.relpath(path, project_root).replace(os.sep, "/")
    column = f",{position.column}" if position.column else ""
    return f"project:///{relative}#{position.line}{column}"


def seconds(duration: str) -> float:
    """Read a duration such as `5m` or `1h30m`.

    Raises:
        EngineError: not a duration.
    """
    pieces = _DURATION.findall(duration)
    if not pieces or "".join(number + unit for number, unit in pieces) != duration:
        raise EngineError(
            f"unable to parse customTimeout Value {duration}: write a number and a unit, like 5m"
        )
    total = sum((float(number) * _UNIT_SECONDS[unit] for number, unit in pieces), 0.0)
    return int(total) if total.is_integer() else total


def _timeouts(request: Any) -> dict[str, float]:
    if not request.HasField("customTimeouts"):
        return {}
    given = request.customTimeouts
    return {
        name: seconds(text)
        for name in ("create", "update", "delete", "read")
        if (text := getattr(given, name, ""))
    }


def _alias(alias: Any) -> Alias:
    if alias.WhichOneof("alias") != "spec":
        return Alias(urn=alias.urn)
    spec = alias.spec
    return Alias(
        name=spec.name,
        type=spec.type,
        stack=spec.stack,
        project=spec.project,
        parent=spec.parentUrn,
        no_parent=spec.noParent,
    )


def _inherit(goal: Goal, parent: Goal) -> None:
    goal.deleted_with = goal.deleted_with or parent.deleted_with
    if goal.protect is None:
        goal.protect = parent.protect
    if goal.retain_on_delete is None:
        goal.retain_on_delete = parent.retain_on_delete


def _refuse(request: Any) -> None:
    what = ""
    if request.remote:
        what = f"`{request.type}` is a component that a provider builds (a remote component)"
    elif request.packageRef:
        what = f"`{request.type}` comes from a parameterized package"
    elif request.transforms:
        what = f"`{request.name}` has transforms (`transforms=` or `register_resource_transform`)"
    elif request.importId:
        what = f"`{request.name}` shall be imported (`import_={request.importId!r}`)"
    elif request.HasField("hooks") and any(
        getattr(request.hooks, hook.name) for hook in request.hooks.DESCRIPTOR.fields
    ):
        what = f"`{request.name}` has resource hooks"
    elif request.envVarMappings:
        what = f"`{request.name}` maps environment variables for its provider"
    elif len(getattr(request, "state_migrations", ())) > 0:
        what = f"`{request.name}` has state migrations"
    if what:
        raise EngineError(f"{what}, which this engine does not do: {INSTALL_HINT}")
