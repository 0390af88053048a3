"""A settings file (`mlflow:` and its sections), and a stack's outputs.

Owns the names a value has there and its unit (the file counts the circuit breaker in milliseconds).
In a file, `mlflow:` holds the client's settings and `environment:` variables for it; what belongs
to the server (`server:`, `cli:`, `databases:`, …) is the platform's business and is passed over.
`${NAME}` and `${NAME:-default}` are filled in from the environment.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from mlflow_platform_client.client_settings import Origin, Source, all_settings
from mlflow_platform_client.masking import mask

Given = dict[str, tuple[object, Source]]

_FILE_NAMES = {
    "default_experiment": "experiment_name",
    "timeouts.client.connect_timeout": "connect_seconds",
    "timeouts.client.read_timeout": "read_timeout_seconds",
    "timeouts.client.write_timeout": "write_timeout_seconds",
    "timeouts.server.artifact_timeout": "artifact_timeout_seconds",
    "timeouts.integration_config.circuit_breaker_timeout": "breaker_timeout_seconds",
    "timeouts.integration_config.health_check_timeout": "health_check_timeout_seconds",
    "circuit_breaker.failure_threshold": "breaker_failures",
    "circuit_breaker.timeout": "breaker_timeout_seconds",
    "circuit_breaker.reset_timeout": "breaker_reset_seconds",
    "telemetry.thresholds.slow_artifact_upload_s": "slow_artifact_upload_seconds",
    "telemetry.thresholds.slow_model_load_s": "slow_model_load_seconds",
}
_IN_MILLISECONDS = ("circuit_breaker.timeout", "circuit_breaker.reset_timeout")
# The server's and the platform's part of such a file.
_NOT_THE_CLIENTS = (
    "backend_store_uri", "artifact_store", "server", "auth", "registry", "gateway", "alerts",
    "timeouts.server", "timeouts.integration_config", "integration_config", "telemetry",
    "circuit_breaker.telemetry",
)  # fmt: skip
_REFERENCE = re.compile(r"\$\{([A-Za-z_]\w*)(?::-([^}]*))?\}")


def read_settings_file(path: Path, environ: Mapping[str, str], problems: list[str]) -> Given:
    """The client's values in a YAML file; what cannot be used is added to `problems`."""
    import yaml

    try:
        loaded: object = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        problems.append(
            f"the settings file is {str(path)!r}: it cannot be read ({error.strerror}); name one "
            "that exists with --settings-file"
        )
        return {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        where = getattr(error, "problem_mark", None)
        line = "" if where is None else f" near line {where.line + 1}"
        problems.append(f"the settings file is {str(path)!r}: it is no YAML{line}")
        return {}
    if not isinstance(loaded, dict):
        problems.append(f"the settings file is {str(path)!r}: it must hold a section `mlflow:`")
        return {}
    document = cast("dict[str, Any]", loaded)
    given: Given = {}
    variables = _section(document, "environment", path, problems)
    given |= _from_variables(
        {name: _filled(value, environ) for name, value in variables.items()},
        Origin.FILE,
        f"{path.name}: environment.",
    )
    for key, value in _flattened(_section(document, "mlflow", path, problems)):
        filled = _filled(value, environ)
        if filled is None or filled == "" or _is_not_the_clients(key):
            continue
        name = _setting_named(key)
        if name is None:
            problems.append(_unknown(key, path))
            continue
        if key in _IN_MILLISECONDS:
            filled = _in_seconds(filled)
        if key == "default_experiment" and "experiment_name" in given:
            continue
        given[name] = (filled, Source(Origin.FILE, f"{path.name}: mlflow.{key}"))
    return given


def read_stack_outputs(outputs: str | Path | Mapping[str, object], problems: list[str]) -> Given:
    """The values a stack recommends: `pulumi stack output --json`, as a file or already read."""
    where = "stack outputs"
    document: object = outputs
    if not isinstance(outputs, Mapping):
        where = str(outputs)
        try:
            document = json.loads(Path(outputs).read_text(encoding="utf-8"))
        except OSError as error:
            problems.append(
                f"--stack-outputs is {where!r}: it cannot be read ({error.strerror}); write it "
                f"with `pulumi stack output --json > {where}`"
            )
            return {}
        except ValueError:
            problems.append(
                f"--stack-outputs is {where!r}: it is no JSON; write it with "
                f"`pulumi stack output --json > {where}`"
            )
            return {}
    found = document.get("clientEnvironment") if isinstance(document, Mapping) else None  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    if not isinstance(found, Mapping):
        problems.append(
            f"--stack-outputs is {where!r}: it has no clientEnvironment; the stack was deployed by "
            "another program, or its last `up` failed"
        )
        return {}
    variables = cast("Mapping[str, object]", found)
    return _from_variables(variables, Origin.SERVER, "clientEnvironment.")


def _from_variables(variables: Mapping[str, object], origin: Origin, prefix: str) -> Given:
    """Values under the names of environment variables; other variables are none of ours."""
    by_variable = {item.variable: item.name for item in all_settings()}
    return {
        by_variable[name]: (value, Source(origin, f"{prefix}{name}"))
        for name, value in variables.items()
        if name in by_variable and value not in (None, "")
    }


def _section(
    document: dict[str, Any], name: str, path: Path, problems: list[str]
) -> dict[str, Any]:
    section: object = document.get(name) or {}
    if isinstance(section, dict):
        return cast("dict[str, Any]", section)
    problems.append(f"{path.name}: {name} is a {type(section).__name__}: it must be a section")
    return {}


def _flattened(section: Mapping[str, object], prefix: str = "") -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    for key, value in section.items():
        path = f"{prefix}{key}"
        if isinstance(value, dict) and not _is_not_the_clients(path):
            found += _flattened(cast("dict[str, Any]", value), f"{path}.")
        else:
            found.append((path, cast("object", value)))
    return found


def _is_not_the_clients(key: str) -> bool:
    if key in _FILE_NAMES or any(name.startswith(f"{key}.") for name in _FILE_NAMES):
        return False
    return any(key == name or key.startswith(f"{name}.") for name in _NOT_THE_CLIENTS)


def _setting_named(key: str) -> str | None:
    names = {item.name for item in all_settings()}
    return _FILE_NAMES.get(key, key if key in names else None)


def _unknown(key: str, path: Path) -> str:
    known = [*_FILE_NAMES, *(item.name for item in all_settings()), *_NOT_THE_CLIENTS]
    near = difflib.get_close_matches(key, known, n=1)
    advice = f"did you mean mlflow.{near[0]}?" if near else "`config show` lists what there is"
    return f"{path.name}: mlflow.{mask(key)} is not known: {advice}"


def _filled(value: object, environ: Mapping[str, str]) -> object:
    if not isinstance(value, str):
        return value
    return _REFERENCE.sub(lambda match: environ.get(match[1]) or match[2] or "", value)


def _in_seconds(value: object) -> object:
    try:
        return float(str(value)) / 1000
    except ValueError:
        return value
