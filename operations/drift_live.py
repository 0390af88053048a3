"""Drift of what runs: looks at the server, the database and the clouds' own services.

Owns which looks there are and what happens when one cannot see: that is said, with the reason, and
the others go on. Each look compares with what was deployed (the engine's record of the resources
and the stack's outputs), never with another look.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import cast

from operations.drift_findings import Finding, Look
from operations.drift_sight import NotVisible, Seen, Sight
from operations.engine_steps import Steps
from operations.place import Place
from smoke_tests.errors import CouldNotLook

LOOKS: Mapping[str, str] = {
    "server": "operations.drift_live_server",
    "database": "operations.drift_live_database",
    "pool": "operations.drift_live_pool",
    "process": "operations.drift_live_process",
    "kubernetes": "operations.drift_live_kubernetes",
    "aws": "operations.drift_live_aws",
    "security-groups": "operations.drift_live_security_groups",
    "google": "operations.drift_live_google",
}
"""By name: the module whose `look(sight)` looks, or returns None where there is nothing to see."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Live:
    """What all looks saw."""

    findings: tuple[Finding, ...]
    looks: tuple[Look, ...]


def look_at_everything(place: Place, steps: Steps, *, pool: bool = True) -> Live:
    """Look at whatever of the platform can be reached from here."""
    findings: list[Finding] = []
    looks: list[Look] = []
    sight = Sight(place=place, steps=steps)
    for name, module in LOOKS.items():
        if name == "pool" and not pool:
            looks.append(Look(name=name, looked_at="", problem="not asked for (--no-pool)"))
            continue
        place.progress(f"looking at the {name}")
        look = cast("Callable[[Sight], Seen | None]", import_module(module).look)
        try:
            seen = look(sight)
        except (NotVisible, CouldNotLook) as reason:
            looks.append(Look(name=name, looked_at="", problem=place.masker.foreign(str(reason))))
            continue
        if seen is not None:
            findings += seen.findings
            looks.append(Look(name=name, looked_at=seen.looked_at))
    return Live(findings=tuple(findings), looks=tuple(looks))
