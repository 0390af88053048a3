"""One set of client settings out of the four ways to give them.

Owns `resolve_settings` and the order of the four ways. Who speaks last wins:

    1. the server      `clientEnvironment` of a stack's outputs (what the platform recommends)
    2. a settings file `settings.yaml` (`configuration_file`)
    3. the environment variables MLFLOW_… and, where MLflow has none, MLFLOW_PLATFORM_…
    4. the command line, or arguments in code

It changes nothing: `configuration_mlflow` hands the values to MLflow. What the settings are and
mean is `client_settings`' subject.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlflow_platform_client.client_settings import ClientSettings, Origin, Source, all_settings
from mlflow_platform_client.configuration_file import read_settings_file, read_stack_outputs
from mlflow_platform_client.configuration_values import BadValue, parse_value
from mlflow_platform_client.errors import ConfigurationError
from mlflow_platform_client.logging_settings import LoggingSettings, default_spool_directory

_OURS = "MLFLOW_PLATFORM_"


def resolve_settings(
    *,
    settings_file: str | Path | None = None,
    stack_outputs: str | Path | Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    **arguments: object,
) -> ClientSettings:
    """One set of values out of the four ways, each with its origin.

    `settings_file` and `stack_outputs` may also stand in MLFLOW_PLATFORM_SETTINGS_FILE and
    MLFLOW_PLATFORM_STACK_OUTPUTS. `arguments` are settings by name; None means not given.

    Raises:
        ConfigurationError: listing every value that cannot be used, wherever it stands.
    """
    environ = os.environ if environ is None else environ
    settings_file = settings_file or environ.get(_OURS + "SETTINGS_FILE") or None
    stack_outputs = stack_outputs or environ.get(_OURS + "STACK_OUTPUTS") or None
    problems: list[str] = []
    given: dict[str, tuple[object, Source]] = {}
    if stack_outputs is not None:
        given |= read_stack_outputs(stack_outputs, problems)
    if settings_file is not None:
        given |= read_settings_file(Path(settings_file), environ, problems)
    for item in all_settings():
        if value := environ.get(item.variable):
            given[item.name] = (value, Source(Origin.ENVIRONMENT, item.variable))
    names = {item.name for item in all_settings()}
    for name, value in arguments.items():
        if name not in names:
            raise TypeError(f"resolve_settings() got an unexpected setting {name!r}")
        if value is not None:
            given[name] = (value, Source(Origin.ARGUMENT, f"--{name.replace('_', '-')}"))
    values: dict[str, Any] = {}
    about_logging: dict[str, Any] = {"spool_directory": default_spool_directory(environ)}
    for item in all_settings():
        if item.name not in given:
            continue
        value, source = given[item.name]
        try:
            (about_logging if item.is_about_logging else values)[item.name] = parse_value(
                item, value
            )
        except BadValue as bad:
            problems.append(f"{source.name or item.name} is {bad}")
    try:
        values["logging"] = LoggingSettings(**about_logging)
    except ConfigurationError as error:
        problems += error.problems
    if problems:
        raise ConfigurationError(*problems)
    return ClientSettings(**values, sources={name: source for name, (_, source) in given.items()})
