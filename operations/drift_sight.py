"""What a look at the running platform is given, and what it gives back.

Owns the shapes that the files `drift_live_*` share: the place, the resources as they were deployed,
and the comparison of two sets of named values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from infra.outputs import PlatformOutputs
from infra.settings import PlatformSettings
from operations.drift_findings import Difference, Finding, Severity
from operations.engine_steps import State, Step, Steps
from operations.place import Place


class NotVisible(Exception):  # noqa: N818  # an answer, not a defect
    """That cannot be seen from here; the text says why, without secrets."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What one look saw."""

    looked_at: str  # in words, with the values that were found
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Sight:
    """Where a look stands."""

    place: Place
    steps: Steps

    @property
    def outputs(self) -> PlatformOutputs:
        """What the deployed stack exports."""
        outputs = self.place.outputs
        if outputs is None:
            raise NotVisible("no stack is named")
        return outputs

    @property
    def settings(self) -> PlatformSettings:
        """What the stack's file asks for."""
        settings = self.place.settings
        if settings is None:
            raise NotVisible("no stack is named")
        return settings

    def must_be_real(self) -> None:
        """Refuse to take somebody's machine for a simulated stack's.

        A stack on attached providers has addresses that nobody gave it: at one of them may stand
        another's database, and in a cloud another's project of that name.

        Raises:
            NotVisible: nothing of this stack is where its outputs say.
        """
        if self.outputs.target != "local" and self.place.environ.get("PULUMI_DEBUG_PROVIDERS"):
            raise NotVisible(
                "the stack's providers are attached ones (PULUMI_DEBUG_PROVIDERS), so nothing runs "
                "where its outputs say"
            )

    def deployed(self, type_token: str) -> list[tuple[Step, State]]:
        """The resources of a type as they were deployed."""
        return [
            (step, step.old)
            for step in self.steps.resources
            if step.type == type_token and step.old
        ]


def differing(expected: Mapping[str, str], found: Mapping[str, str | None]) -> list[Difference]:
    """What of `expected` is otherwise in `found`, or not there."""
    return [
        Difference(property=name, expected=value, found=found.get(name) or "nothing")
        for name, value in sorted(expected.items())
        if found.get(name) != value
    ]


def finding(
    look: str,
    subject: str,
    differences: list[Difference],
    *,
    severity: Severity = "warning",
    kind: str | None = None,
    identity: str = "",
    note: str = "",
) -> list[Finding]:
    """One finding for these differences; none where there are none."""
    if not differences:
        return []
    return [
        Finding(
            severity=severity,
            look=look,
            kind=kind or look,
            subject=subject,
            identity=identity,
            what="differs",
            differences=tuple(differences),
            note=note,
        )
    ]
