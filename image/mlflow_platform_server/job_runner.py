"""MLflow's job runner beside the server, where jobs are asked for.

Owns what `mlflow server` does for `MLFLOW_SERVER_ENABLE_JOB_EXECUTION`: the checks before the start
and the runner's process after it (180 MB). Off unless the variable says true, because a tracking
server does not need it; MLflow's own default is on.
"""

from __future__ import annotations

import logging
import os
import secrets
import tempfile
from pathlib import Path

from mlflow_platform_server.errors import CannotStart
from mlflow_platform_server.mlflow_environment import worker_environment
from mlflow_platform_server.serve_options import ServeOptions

logger = logging.getLogger("mlflow_platform_server")

SWITCH = "MLFLOW_SERVER_ENABLE_JOB_EXECUTION"

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where MLflow keeps its queue


def jobs_wanted() -> bool:
    """Whether jobs are switched on; what is unset becomes off, for the workers too."""
    return os.environ.setdefault(SWITCH, "false").lower() in ("true", "1")


def prepare_jobs(options: ServeOptions) -> bool:
    """Check that jobs can run and set what workers and runner share; false: they cannot."""
    from mlflow.environment_variables import MLFLOW_SQL_TRACE_ROLLUPS_ENABLED
    from mlflow.exceptions import MlflowException
    from mlflow.server.jobs.executor_registry import validate_executor_config
    from mlflow.server.jobs.utils import _check_requirements, get_job_execution_engine
    from mlflow.tracing import trace_rollup_service

    try:
        if not options.artifacts_only:
            trace_rollup_service.validate_sql_trace_rollup_startup(options.backend_store_uri)
        try:
            _check_requirements(options.backend_store_uri)
        except Exception as error:
            if MLFLOW_SQL_TRACE_ROLLUPS_ENABLED.get():
                raise
            logger.warning("jobs are switched on and cannot run: %s", error)
            return False
        validate_executor_config()
        get_job_execution_engine()
        if MLFLOW_SQL_TRACE_ROLLUPS_ENABLED.get():
            trace_rollup_service.validate_and_resolve_sql_trace_rollup_schedule()
    except MlflowException as error:
        raise CannotStart(f"{SWITCH} is true: {error.message}") from None
    if options.app_name == "basic-auth":
        # The runner's way through authentication.
        os.environ["_MLFLOW_INTERNAL_GATEWAY_AUTH_TOKEN"] = secrets.token_hex(32)
    os.environ["_MLFLOW_HUEY_STORAGE_PATH"] = tempfile.mkdtemp(
        dir=SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else None
    )
    return True


def start_job_runner(options: ServeOptions) -> None:
    """Start the runner; it ends by itself when this process does."""
    from mlflow.server.jobs.utils import _launch_job_execution_runner

    server = f"http://{options.host}:{options.port}"
    environment = {
        **worker_environment(options),
        **{name: os.environ[name] for name in os.environ if name.startswith("_MLFLOW_")},
        "MLFLOW_BACKEND_STORE_URI": options.backend_store_uri,
        "MLFLOW_TRACKING_URI": server,
    }
    if options.default_artifact_root:
        environment["MLFLOW_DEFAULT_ARTIFACT_ROOT"] = options.default_artifact_root
    environment.setdefault("MLFLOW_GATEWAY_URI", os.environ.get("MLFLOW_GATEWAY_URI", server))
    _launch_job_execution_runner(environment, os.getpid())
