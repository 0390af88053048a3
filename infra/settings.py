"""A stack's settings: read, checked and derived before anything is deployed.

Owns the way in: `load_settings` for a mapping of texts (what tests and tools have), `from_pulumi`
for the running program. All problems are reported together, in one `SettingsError`. Loading needs
no cloud SDK, no network and no Pulumi.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from infra.settings_declarations import NAMESPACE
from infra.settings_derivation import derive
from infra.settings_model import (
    ArtifactSettings,
    AuthenticationSettings,
    CircuitBreakerSettings,
    DatabaseSettings,
    ExperimentSettings,
    LocalSettings,
    PlatformSettings,
    PoolSettings,
    RegistrySettings,
    ServerSettings,
    TelemetrySettings,
    TimeoutSettings,
)
from infra.settings_parsing import Problem, parse
from infra.settings_rules import broken_rules

__all__ = [
    "ArtifactSettings",
    "AuthenticationSettings",
    "CircuitBreakerSettings",
    "DatabaseSettings",
    "ExperimentSettings",
    "LocalSettings",
    "PlatformSettings",
    "PoolSettings",
    "Problem",
    "RegistrySettings",
    "ServerSettings",
    "SettingsError",
    "TelemetrySettings",
    "TimeoutSettings",
    "from_pulumi",
    "load_settings",
]


class SettingsError(ValueError):
    """The settings cannot be deployed; `problems` says everything that is wrong with them."""

    def __init__(self, stack: str, problems: tuple[Problem, ...]) -> None:
        """`stack` names the file to edit."""
        self.problems = problems
        lines = "\n".join(f"  - {problem}" for problem in problems)
        many = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__(f"{many} in the settings of Pulumi.{stack}.yaml:\n{lines}")


def load_settings(
    values: Mapping[str, str],
    *,
    stack: str,
    environ: Mapping[str, str] | None = None,
    cores: int | None = None,
) -> PlatformSettings:
    """Read the settings of a stack.

    Args:
        values: texts by key, without the namespace; lists as JSON, as Pulumi hands them over.
        stack: the stack's name, the default of `environment`.
        environ: what `${VAR}` refers to; the process's environment by default.
        cores: processors of this machine, for derived numbers; counted by default.

    Raises:
        SettingsError: with every problem found.
    """
    environ = os.environ if environ is None else environ
    parsed = parse(values, environ)
    settings, problems = derive(parsed, stack=stack, cores=cores or os.cpu_count() or 1)
    problems = [*parsed.problems, *problems]
    # A value that could not be read was replaced by its default: rules about it would mislead.
    unreadable = {problem.setting for problem in problems}
    problems += [
        problem for problem in broken_rules(settings, parsed) if problem.setting not in unreadable
    ]
    if problems:
        raise SettingsError(stack, tuple(problems))
    return settings


def from_pulumi() -> PlatformSettings:
    """Read the settings of the stack whose program is running.

    Raises:
        pulumi.RunError: with every problem found; the engine shows it without a traceback.
    """
    import pulumi
    from pulumi.runtime.config import CONFIG

    prefix = f"{NAMESPACE}:"
    # Pulumi's own Config class answers for one known key at a time; unknown keys show only here.
    values = {
        key.removeprefix(prefix): str(value)
        for key, value in CONFIG.get().items()
        if key.startswith(prefix)
    }
    try:
        return load_settings(values, stack=pulumi.get_stack())
    except SettingsError as error:
        raise pulumi.RunError(str(error)) from None
