"""Handing the settings to MLflow, and saying which of them MLflow has no switch for.

Owns the way from `ClientSettings` to the variables MLflow 3 reads (`environment_variables.py` and
`utils/rest_utils.py` there). MLflow reads them anew for each request: they take effect at once.
`set_tracking_uri` is called only when it changes something: it resets MLflow's tracing.
"""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Generator, Mapping, MutableMapping
from typing import Any

from mlflow_platform_client.client_settings import ClientSettings, all_settings

_READ_BY_MLFLOW = ("MLFLOW_TRACKING_", "MLFLOW_EXPERIMENT_", "MLFLOW_HTTP_", "MLFLOW_ARTIFACT_")
_READ_BY_STORES = ("MLFLOW_S3_", "AWS_")


def apply_settings(
    settings: ClientSettings, environ: MutableMapping[str, str] | None = None
) -> tuple[str, ...]:
    """Make MLFlow use these settings, and return the names of the variables that changed."""
    environ = os.environ if environ is None else environ
    changed = [
        name for name, value in mlflow_environment(settings).items() if environ.get(name) != value
    ]
    uri_variable = "MLFLOW_TRACKING_URI"
    for name in changed:
        if name != uri_variable:
            environ[name] = mlflow_environment(settings)[name]
    if settings.tracking_uri and _set_tracking_uri(settings.tracking_uri, environ):
        changed = sorted({*changed, uri_variable})
    return tuple(changed)


def mlflow_environment(settings: ClientSettings) -> dict[str, str]:
    """The variables that MLflow, or the store behind it, reads; empty values are left out."""
    values = {
        item.variable: str(settings.value_of(item.name))
        for item in all_settings()
        if item.variable.startswith((*_READ_BY_MLFLOW, *_READ_BY_STORES))
    }
    return {name: value for name, value in values.items() if value}


def without_a_switch(
    settings: ClientSettings, environ: Mapping[str, str] | None = None
) -> list[str]:
    """What guides want to set and MLflow has no switch for, each with what happens instead."""
    environ = os.environ if environ is None else environ
    one_timeout = f"MLFLOW_HTTP_REQUEST_TIMEOUT ({settings.read_timeout_seconds} s)"
    connect, write = settings.logging.connect_seconds, settings.write_timeout_seconds
    for_connecting = (
        f"connect_seconds ({connect:g} s) holds for the preflight and the logger; MLflow's own "
        f"calls have one timeout for connecting, writing and reading: {one_timeout}"
    )
    for_writing = (
        f"write_timeout_seconds ({write:g} s) has no switch: while a request is written, each "
        f"pause of the network may last as long as {one_timeout}"
    )
    for_artifacts = (
        f"artifact_timeout_seconds ({settings.artifact_timeout_seconds} s) is read for gs:// and "
        f"Azure; through the tracking server {one_timeout} counts, and for s3:// the "
        "connect_timeout and read_timeout of boto3 (60 s each)"
    )
    notes = [for_connecting, for_writing, for_artifacts]
    notes += [
        f"{name} is set and read by nothing: {advice}"
        for name, advice in _READ_BY_NOTHING.items()
        if name in environ
    ]
    return notes


_POOL = "a pool is the server's; its variables are named MLFLOW_SQLALCHEMYSTORE_POOL_…"
_READ_BY_NOTHING = {
    "MLFLOW_ARTIFACT_URI": "an experiment's artifact location is fixed when it is created",
    "MLFLOW_SQLALCHEMY_POOL_SIZE": _POOL,
    "MLFLOW_SQLALCHEMY_MAX_OVERFLOW": _POOL,
    "MLFLOW_SQLALCHEMY_POOL_TIMEOUT": _POOL,
    "MLFLOW_SQLALCHEMY_POOL_RECYCLE": _POOL,
    "MLFLOW_SQLALCHEMY_POOL_PRE_PING": _POOL,
}


@contextlib.contextmanager
def briefly(settings: ClientSettings) -> Generator[None]:
    """For as long as this lasts, let MLflow's own calls fail at once and in time.

    The preflight writes an artifact through MLflow, whose retries would otherwise take many minutes
    to say no. It runs before training, when nothing else uses MLflow.
    """
    wanted = {
        "MLFLOW_HTTP_REQUEST_TIMEOUT": str(max(1, round(settings.preflight_timeout_seconds))),
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _set_tracking_uri(uri: str, environ: MutableMapping[str, str]) -> bool:
    tracking: Any = importlib.import_module("mlflow.tracking")
    if environ is os.environ:
        if tracking.is_tracking_uri_set() and tracking.get_tracking_uri() == uri:
            return False
        tracking.set_tracking_uri(uri)
        return True
    if environ.get("MLFLOW_TRACKING_URI") == uri:
        return False
    environ["MLFLOW_TRACKING_URI"] = uri
    return True
