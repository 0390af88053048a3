"""The settings of a stack: read, completed and checked before anything is deployed.

Owns the public way in: `load_settings` for a mapping of texts, `from_pulumi` for the running
program. Both return frozen `PlatformSettings` in which every derived value is filled in, or raise
one error that lists every problem. Loading imports no cloud SDK, not even pulumi, and opens no
connection.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, get_type_hints

from infra.connection_budget import ConnectionBudget
from infra.settings_declaration import AUTO, PROJECT, Declaration, Value, declarations
from infra.settings_model import (
    ArtifactSettings,
    AuthenticationSettings,
    DatabaseSettings,
    ExperimentSettings,
    PlatformSettings,
    PoolSettings,
    ServerSettings,
)
from infra.settings_model_running import (
    CircuitBreakerSettings,
    LocalSettings,
    RegistrySettings,
    TelemetrySettings,
    TimeoutSettings,
)
from infra.settings_parsing import UnreadableValueError, parse
from infra.settings_problems import Problem, SettingsError

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


def load_settings(
    values: Mapping[str, str], *, stack: str, environ: Mapping[str, str]
) -> PlatformSettings:
    """The settings that `values` (key without namespace → text) and the defaults amount to.

    Raises:
        SettingsError: with every problem found.
    """
    del environ
    problems: list[Problem] = []
    groups: dict[str, dict[str, Any]] = {}
    for declaration in declarations(PlatformSettings):
        value: Value = declaration.default
        if declaration.key in values:
            try:
                value = parse(declaration, values[declaration.key])
            except UnreadableValueError as error:
                problems.append(
                    Problem(keys=(declaration.key,), message=_message(declaration, error))
                )
        groups.setdefault(declaration.group, {})[declaration.attribute] = value
    if problems:
        raise SettingsError(tuple(problems), stack=stack)
    _derive(groups, stack)
    budget = ConnectionBudget(
        replicas=groups["server"]["replicas_max"],
        workers=groups["server"]["workers"],
        threads=groups["server"]["threads"],
        pool_size=groups["pool"]["size"],
        max_overflow=groups["pool"]["max_overflow"],
        max_connections=groups["database"]["max_connections"],
        reserved=groups["database"]["reserved_connections"],
    )
    hints = get_type_hints(PlatformSettings)
    built = {
        item.name: hints[item.name](**groups[item.name])
        for item in fields(PlatformSettings)
        if is_dataclass(hints[item.name]) and item.name in groups
    }
    return PlatformSettings(**groups[""], **built, connection_budget=budget)


def from_pulumi() -> PlatformSettings:
    """The settings of the stack whose program is running.

    Raises:
        pulumi.RunError: with every problem found, printed by the engine without a traceback.
    """
    import pulumi
    from pulumi.runtime import config

    given = {**config.get_config_env(), **config.CONFIG.get()}
    prefix = f"{PROJECT}:"
    values = {
        key.removeprefix(prefix): str(text) for key, text in given.items() if key.startswith(prefix)
    }
    try:
        return load_settings(values, stack=pulumi.get_stack(), environ=os.environ)
    except SettingsError as error:
        raise pulumi.RunError(str(error)) from None


def _derive(groups: dict[str, dict[str, Any]], stack: str) -> None:
    top, server, pool, database = groups[""], groups["server"], groups["pool"], groups["database"]
    if top["environment"] == AUTO:
        top["environment"] = stack
    if server["threads"] == AUTO:
        server["threads"] = 40 if server["kind"] == "uvicorn" else 15
    if server["workers"] == AUTO:
        server["workers"] = min(os.cpu_count() or 1, 4)
    if pool["size"] == AUTO:
        pool["size"] = max(10, server["threads"])
    if pool["max_overflow"] == AUTO:
        pool["max_overflow"] = max(1, 2 * server["threads"] - pool["size"])
    needed = server["replicas_max"] * server["workers"] * (pool["size"] + pool["max_overflow"])
    if database["max_connections"] == AUTO:
        total = needed + database["reserved_connections"]
        database["max_connections"] = max(100, -(-total // 20) * 20)
    if top["target"] == "local" and not database["backend_store_uri"]:
        database["host"] = "127.0.0.1"
    if database["backend_store_uri"].startswith("sqlite:"):
        database["engine"] = "sqlite"
    groups["authentication"]["admin_password"] = groups["authentication"]["admin_password"] or None


def _message(declaration: Declaration, error: UnreadableValueError) -> str:
    return f"{declaration.name}: {error}"
