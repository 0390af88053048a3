"""What the engine remembers: one resource's state, an interrupted operation, a whole stack.

Owns the shapes, named after the fields of Pulumi's checkpoint (version 3), and the few facts that
are derived from them: a URN's parts and a resource's ties to others. It knows nothing of JSON,
files or encryption (`checkpoint.py`), nor of how a state comes about (`deployment.py`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from local_engine.property_values import PropertyMap

STACK_TYPE = "pulumi:pulumi:Stack"
PROVIDER_TYPE_PREFIX = "pulumi:providers:"

OperationKind = Literal["creating", "updating", "deleting", "reading", "importing"]


@dataclass(kw_only=True, slots=True, eq=False)
class ResourceState:
    """One resource as the checkpoint keeps it (Pulumi's `ResourceV3`).

    Compared by identity: during a replacement two states share a URN. `extra` keeps the fields of
    a checkpoint that this engine does not use, under their JSON names, so that none is lost.
    """

    urn: str
    type: str
    custom: bool = False
    delete: bool = False
    id: str = ""
    inputs: PropertyMap = field(default_factory=dict)
    outputs: PropertyMap = field(default_factory=dict)
    parent: str = ""
    protect: bool = False
    taint: bool = False
    external: bool = False
    dependencies: list[str] = field(default_factory=list)
    init_errors: list[str] = field(default_factory=list)
    provider: str = ""
    property_dependencies: dict[str, list[str]] = field(default_factory=dict)
    pending_replacement: bool = False
    additional_secret_outputs: list[str] = field(default_factory=list)
    aliases: list[str] = field(default_factory=list)
    custom_timeouts: dict[str, float] = field(default_factory=dict)
    """Seconds by `create`, `update`, `delete`, `read`; absent when the default holds."""
    import_id: str = ""
    retain_on_delete: bool = False
    deleted_with: str = ""
    replace_with: list[str] = field(default_factory=list)
    created: datetime | None = None
    modified: datetime | None = None
    source_position: str = ""
    stack_trace: list[dict[str, Any]] = field(default_factory=list)
    ignore_changes: list[str] = field(default_factory=list)
    hide_diff: list[str] = field(default_factory=list)
    replace_on_changes: list[str] = field(default_factory=list)
    replacement_trigger: Any = None
    refresh_before_update: bool = False
    view_of: str = ""
    resource_hooks: dict[str, list[str]] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def is_provider(self) -> bool:
        """Whether the resource is a provider's configuration, not a thing a provider made."""
        return self.type.startswith(PROVIDER_TYPE_PREFIX)

    @property
    def name(self) -> str:
        """The name the program gave."""
        return urn_name(self.urn)

    @property
    def provider_urn(self) -> str:
        """The URN in the provider reference, empty where there is none."""
        return self.provider.rpartition("::")[0]

    def depends_on(self) -> Iterator[str]:
        """Every URN that must stand before this resource in a checkpoint, some more than once."""
        if self.provider:
            yield self.provider_urn
        if self.parent:
            yield self.parent
        yield from self.dependencies
        for urns in self.property_dependencies.values():
            yield from urns
        if self.deleted_with:
            yield self.deleted_with
        yield from self.replace_with

    def copy(self, **changes: Any) -> ResourceState:
        """Return a shallow copy with `changes` applied."""
        return dataclasses.replace(self, **changes)


@dataclass(frozen=True, slots=True)
class Operation:
    """Something that was begun at a provider and not seen to end."""

    kind: OperationKind
    resource: ResourceState


@dataclass(kw_only=True, slots=True)
class Manifest:
    """When and by what a checkpoint was written; `extra` keeps fields of other writers."""

    time: datetime | None = None
    magic: str = ""
    version: str = ""
    plugins: list[dict[str, Any]] = field(default_factory=list)


@dataclass(kw_only=True, slots=True)
class Snapshot:
    """A whole stack: its resources in dependency order and what was under way.

    `secrets_provider` is the checkpoint's `secrets_providers` object as it stands there (type and
    state, which for a passphrase holds the salt); the engine passes it through.
    """

    manifest: Manifest = field(default_factory=Manifest)
    secrets_provider: dict[str, Any] | None = None
    resources: list[ResourceState] = field(default_factory=list[ResourceState])
    pending_operations: list[Operation] = field(default_factory=list[Operation])
    metadata: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def outputs(self) -> PropertyMap:
        """The stack's outputs, empty before a first deployment."""
        for state in self.resources:
            if state.type == STACK_TYPE and not state.delete:
                return state.outputs
        return {}


def urn_name(urn: str) -> str:
    """Return the name part of a URN, which may itself hold `::`."""
    parts = urn.split("::", 3)
    return parts[3] if len(parts) == 4 else urn


def urn_qualified_type(urn: str) -> str:
    """Return the chain of types, parents first, joined by `$`."""
    parts = urn.split("::", 3)
    return parts[2] if len(parts) == 4 else ""


def urn_type(urn: str) -> str:
    """Return the resource's own type."""
    return urn_qualified_type(urn).rpartition("$")[2]


def make_urn(stack: str, project: str, parent: str, type_: str, name: str) -> str:
    """Build a URN; a parent that is not the stack contributes its types."""
    chain = urn_qualified_type(parent)
    qualified = f"{chain}${type_}" if chain and chain != STACK_TYPE else type_
    return f"urn:pulumi:{stack}::{project}::{qualified}::{name}"
