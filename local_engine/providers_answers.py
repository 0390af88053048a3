"""What a provider answers, in the engine's terms.

Owns the records that checks, diffs, creations, updates and reads come back as, and secrets that a
provider echoes without knowing them for such. It makes no calls: those are in
`providers_client.py` and `providers_configuration.py`; failures are in `providers_errors.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from local_engine.diff import DiffResult
from local_engine.events import PropertyDiff
from local_engine.property_values import PropertyMap, Secret, contains_secret, strip_secrets
from local_engine.resource_state import ResourceState

# In the order of Pulumi's `PropertyDiff.Kind` and `DiffResponse.DiffChanges`.
_KINDS = ("add", "add-replace", "delete", "delete-replace", "update", "update-replace")
_CHANGES = ("unknown", "none", "some")


@dataclass(frozen=True, slots=True)
class CheckFailure:
    """One input that the provider does not take."""

    property: str
    reason: str


@dataclass(frozen=True, slots=True)
class Applied:
    """What a create, update or read left behind.

    With `init_errors` the resource exists but did not get ready; it is kept and tried again.
    `outputs` of `None` after a read mean that the resource is gone.
    """

    id: str
    outputs: PropertyMap | None
    inputs: PropertyMap | None = None
    init_errors: list[str] = field(default_factory=list[str])
    refresh_before_update: bool = False


def refuse_check(failures: Sequence[CheckFailure], state: ResourceState) -> list[str]:
    """Return one sentence for each refused input, in Pulumi's words and without its value."""
    return [
        f"{state.type} resource '{state.name}': property {failure.property} value "
        f"has a problem: {failure.reason}"
        if failure.property
        else f"{state.type} resource '{state.name}' has a problem: {failure.reason}"
        for failure in failures
    ]


def keep_secret(answered: PropertyMap, sent: PropertyMap) -> PropertyMap:
    """Mark what was sent secret as secret in the answer of a provider that knows no secrets."""
    result = dict(answered)
    for key, value in sent.items():
        if key not in result:
            continue
        answer = result[key]
        if isinstance(answer, dict) and isinstance(value, dict):
            result[key] = keep_secret(cast("PropertyMap", answer), cast("PropertyMap", value))
        elif not isinstance(answer, Secret) and contains_secret(value):
            result[key] = Secret(strip_secrets(answer))
    return result


def check_failures(answer: Any) -> list[CheckFailure]:
    """Return what a check refused."""
    return [CheckFailure(failure.property, failure.reason) for failure in answer.failures]


def diff_result(answer: Any) -> DiffResult:
    """Return the answer to a diff in the engine's terms."""
    detailed = None
    if answer.hasDetailedDiff:
        detailed = {
            path: PropertyDiff(_KINDS[int(part.kind)], part.inputDiff)
            for path, part in sorted(answer.detailedDiff.items())
        }
    changes: Any = _CHANGES[int(answer.changes)]
    return DiffResult(
        changes=changes,
        replace_keys=tuple(answer.replaces),
        changed_keys=tuple(answer.diffs),
        detailed=detailed,
        delete_before_replace=answer.deleteBeforeReplace,
    )
