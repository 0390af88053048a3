"""A stack's settings: read, checked and derived before anything is deployed.

Owns the way in: `load_settings` for a mapping of texts (what tests and tools have), `from_pulumi`
for the running program. All problems are reported together, in one `SettingsError`. Loading needs
no cloud SDK, no network and no Pulumi.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import replace

from infra.settings_declarations import BY_KEY, NAMESPACE
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
from infra.settings_notices import notices
from infra.settings_parsing import Problem, parse, qualified
from infra.settings_rules import broken_rules
from infra.settings_secrecy import secrets_in_clear

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
    encrypted: Collection[str] | None = None,
) -> PlatformSettings:
    """Read the settings of a stack.

    Args:
        values: texts by key, without the namespace; lists as JSON, as Pulumi hands them over.
        stack: the stack's name, the default of `environment`.
        environ: what `${VAR}` refers to; the process's environment by default.
        cores: processors of this machine, for derived numbers; counted by default.
        encrypted: keys whose values were encrypted where they came from; by default nobody knows,
            and passwords in clear are let through.

    Raises:
        SettingsError: with every problem found.
    """
    environ = os.environ if environ is None else environ
    parsed = parse(values, environ)
    settings, problems = derive(parsed, stack=stack, cores=cores or os.cpu_count() or 1)
    problems = [*parsed.problems, *problems]
    problems += _well_founded(broken_rules(settings, parsed), problems)
    if encrypted is not None:
        problems += secrets_in_clear(values, encrypted)
    if problems:
        raise SettingsError(stack, tuple(problems))
    return replace(settings, notices=notices(settings, parsed, environ))


def _well_founded(broken: list[Problem], unreadable: list[Problem]) -> list[Problem]:
    """What rules say of values that could be read.

    A value that could not be read was replaced by its default: a rule that weighed it misleads. A
    rule's sentence names every setting it weighed.
    """
    keys = [key for key in BY_KEY if any(item.setting == qualified(key) for item in unreadable)]
    return [item for item in broken if not any(key in str(item) for key in keys)]


def from_pulumi() -> PlatformSettings:
    """Read the settings of the stack whose program is running.

    Raises:
        pulumi.RunError: with every problem found; the engine shows it without a traceback.
    """
    import pulumi
    from pulumi.runtime.config import CONFIG, is_config_secret

    prefix = f"{NAMESPACE}:"
    # Pulumi's own Config class answers for one known key at a time; unknown keys show only here.
    values = {
        key.removeprefix(prefix): str(value)
        for key, value in CONFIG.get().items()
        if key.startswith(prefix)
    }
    encrypted = {key for key in values if is_config_secret(f"{prefix}{key}")}
    try:
        settings = load_settings(values, stack=pulumi.get_stack(), encrypted=encrypted)
    except SettingsError as error:
        raise pulumi.RunError(str(error)) from None
    for notice in settings.notices:
        pulumi.log.warn(notice)
    return settings
