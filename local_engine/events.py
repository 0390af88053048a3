"""What happens during a deployment, as data: a display renders it, `preview --json` prints it.

Owns the events and the step they speak of; it decides nothing and prints nothing. A step's states
may hold secrets: every reader shows values through `property_values.mask`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from local_engine.property_values import PropertyMap
from local_engine.resource_state import ResourceState

OP_SAME = "same"
OP_CREATE = "create"
OP_UPDATE = "update"
OP_DELETE = "delete"
OP_REPLACE = "replace"
OP_CREATE_REPLACEMENT = "create-replacement"
OP_DELETE_REPLACED = "delete-replaced"
OP_READ = "read"
OP_READ_REPLACEMENT = "read-replacement"
OP_REFRESH = "refresh"
OP_DISCARD = "discard"
OP_DISCARD_REPLACED = "discard-replaced"
OP_IMPORT = "import"
OP_IMPORT_REPLACEMENT = "import-replacement"
OP_REMOVE_PENDING_REPLACE = "remove-pending-replace"

Severity = Literal["debug", "info", "info#err", "warning", "error"]


@dataclass(frozen=True, slots=True)
class PropertyDiff:
    """One path of a detailed diff: `add`, `delete`, `update`, or those with `-replace`."""

    kind: str
    input_diff: bool


@dataclass(kw_only=True, slots=True, eq=False)
class Step:
    """One thing the engine does or would do to one resource, in Pulumi's names.

    `new` is filled in as the step runs: its id and outputs stand when `StepFinished` is sent.
    After a `refresh` step `result_op` tells what was found: `same`, `update` (it drifted) or
    `delete` (it is gone). `logical` is false for the halves of a replacement that only
    `replace` stands for in Pulumi's one-line displays.
    """

    op: str
    urn: str
    type: str
    provider: str = ""
    old: ResourceState | None = None
    new: ResourceState | None = None
    diffs: list[str] = field(default_factory=list)
    replace_keys: list[str] = field(default_factory=list)
    detailed_diff: dict[str, PropertyDiff] | None = None
    logical: bool = True
    result_op: str = ""

    @property
    def state(self) -> ResourceState | None:
        """The state that a display shows: the new one, or the old one where it goes away."""
        return self.new if self.new is not None else self.old


@dataclass(frozen=True, slots=True)
class ProgramStarted:
    """The user's program begins to run; `preview` tells whether anything will be changed."""

    kind: str
    preview: bool


@dataclass(frozen=True, slots=True)
class StepStarted:
    """A step begins."""

    step: Step


@dataclass(frozen=True, slots=True)
class StepFinished:
    """A step ended; `error` is its sentence when it failed."""

    step: Step
    seconds: float
    error: str | None = None


@dataclass(frozen=True, slots=True)
class ResourceOutputs:
    """The outputs of a component or the stack were registered; `step` is the one that made it."""

    step: Step
    outputs: PropertyMap
    old_outputs: PropertyMap


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """A line for the user; `info#err` is what the program or a provider wrote to stderr.

    An `ephemeral` line is a provider's status, shown while its resource is worked on and then
    forgotten. `urn` is empty for the deployment as a whole.
    """

    severity: Severity
    urn: str
    message: str
    ephemeral: bool = False


@dataclass(frozen=True, slots=True)
class UpdateFinished:
    """The deployment ended.

    `changes` counts resources by operation, `same` included. `outputs` are the stack's, absent
    when the program did not get that far.
    """

    changes: dict[str, int]
    seconds: float
    outputs: dict[str, Any] | None
    succeeded: bool


Event = ProgramStarted | StepStarted | StepFinished | ResourceOutputs | Diagnostic | UpdateFinished
