"""What MLflow's server process tells its workers through the environment, told to ourselves.

`mlflow server` (mlflow.cli.server and mlflow.server._run_server) turns its options into variables
and starts uvicorn in another process, which imports MLflow a second time. Here the variables are
set in this process before MLflow is imported once. They are private to MLflow, so this module
holds for the versions it was tested with and refuses others.
"""

from __future__ import annotations

import os
import uuid
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import urlsplit

from mlflow_platform_server.errors import CannotStart
from mlflow_platform_server.serve_options import ServeOptions

TESTED_MLFLOW = ("3.17.2",)

PROXIED_ARTIFACTS = "mlflow-artifacts:/"
"""Artifact root of experiments whose clients reach artifacts through the server."""


def check_mlflow_version() -> str:
    """The installed version, when it is one this server was tested with."""
    tested = " or ".join(TESTED_MLFLOW)
    try:
        found = version("mlflow")
    except PackageNotFoundError:
        raise CannotStart(
            f"MLflow is not installed beside this server: install mlflow=={tested}"
        ) from None
    if found not in TESTED_MLFLOW:
        raise CannotStart(
            f"MLflow {found} is installed and this server was tested with {tested} only: it sets "
            f"variables that are private to MLflow; install mlflow=={tested}, or run "
            "`mlflow server`"
        )
    return found


def set_environment(options: ServeOptions) -> None:
    """Make the environment what `mlflow server` with the same options gives its workers."""
    os.environ.update(worker_environment(options))


def worker_environment(options: ServeOptions) -> dict[str, str]:
    """The variables, by MLflow's names (mlflow/server/constants.py, environment_variables.py)."""
    environment = {
        "_MLFLOW_SERVER_FILE_STORE": options.backend_store_uri,
        "_MLFLOW_SERVER_REGISTRY_STORE": options.registry_store_uri or options.backend_store_uri,
        "_MLFLOW_SERVER_ARTIFACT_ROOT": _artifact_root(options),
        # One id per start, shared by the workers: it tells their sandboxes from a former server's.
        "_MLFLOW_SERVER_BOOT_ID": uuid.uuid4().hex,
        # True permits building scorers from code in the database: for job executors alone.
        "_MLFLOW_IN_JOB_EXECUTOR": "false",
        "_MLFLOW_SGI_NAME": options.kind,
    }
    if options.enable_workspaces:
        environment["MLFLOW_ENABLE_WORKSPACES"] = "true"
    if options.serve_artifacts:
        environment["_MLFLOW_SERVER_SERVE_ARTIFACTS"] = "true"
        # MLflow's own default, which its option has.
        environment["_MLFLOW_SERVER_ARTIFACT_DESTINATION"] = (
            options.artifacts_destination or "./mlartifacts"
        )
    if options.artifacts_only:
        environment["_MLFLOW_SERVER_ARTIFACTS_ONLY"] = "true"
    given = {
        "_MLFLOW_SERVER_READ_REPLICA_BACKEND_STORE": options.read_replica_backend_store_uri,
        "_MLFLOW_STATIC_PREFIX": static_prefix(options),
        "prometheus_multiproc_dir": options.expose_prometheus,
        "MLFLOW_SERVER_SECRETS_CACHE_TTL": options.secrets_cache_ttl,
        "MLFLOW_SERVER_SECRETS_CACHE_MAX_SIZE": options.secrets_cache_max_size,
        "MLFLOW_TRACE_ARCHIVAL_CONFIG": options.trace_archival_config,
        "MLFLOW_WORKSPACE_STORE_URI": (
            options.workspace_store_uri if options.enable_workspaces else None
        ),
    }
    return environment | {name: str(value) for name, value in given.items() if value}


def static_prefix(options: ServeOptions) -> str | None:
    """The prefix, in the form that MLflow takes."""
    prefix = options.static_prefix
    if prefix and (not prefix.startswith("/") or prefix.endswith("/") or set("{}") & set(prefix)):
        raise CannotStart(
            f"--static-prefix is {prefix!r}; it begins with /, does not end with one and has no "
            "braces, such as /mlflow"
        )
    return prefix


def _artifact_root(options: ServeOptions) -> str:
    if options.default_artifact_root:
        return options.default_artifact_root
    if options.serve_artifacts:
        return PROXIED_ARTIFACTS
    if urlsplit(options.backend_store_uri).scheme in ("", "file"):
        return options.backend_store_uri
    return "./mlruns"
