"""The environment variables a training job sets to use this platform.

Owns the mapping from the platform's client settings to the variables that are really read, so
that a stack's output can be pasted into a job as it is. `MLFLOW_…` is read by MLflow's own client,
`MLFLOW_PLATFORM_…` by the client library (`client/mlflow_platform_client`), which has switches that
MLflow lacks. It holds no credentials: a user name and a password come from wherever the job keeps
its secrets.
"""

from __future__ import annotations

from infra.server_address import tracking_uri
from infra.settings import PlatformSettings

LIBRARY = "MLFLOW_PLATFORM_"


def client_environment(settings: PlatformSettings) -> dict[str, str]:
    """Variables for a client of the platform that `settings` describe."""
    return _read_by_mlflow(settings) | _read_by_the_library(settings)


def _read_by_mlflow(settings: PlatformSettings) -> dict[str, str]:
    """MLflow's client has one timeout for connecting, writing and reading; the longest counts."""
    timeouts = settings.timeouts
    return {
        "MLFLOW_TRACKING_URI": tracking_uri(settings),
        "MLFLOW_EXPERIMENT_NAME": settings.experiment.default,
        "MLFLOW_HTTP_REQUEST_TIMEOUT": str(
            max(
                timeouts.client_connect_seconds,
                timeouts.client_read_seconds,
                timeouts.client_write_seconds,
            )
        ),
        "MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT": str(timeouts.server_artifact_seconds),
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }


def _read_by_the_library(settings: PlatformSettings) -> dict[str, str]:
    timeouts, breaker = settings.timeouts, settings.circuit_breaker
    values = {
        "CONNECT_SECONDS": timeouts.client_connect_seconds,
        "WRITE_TIMEOUT_SECONDS": timeouts.client_write_seconds,
        "HEALTH_CHECK_TIMEOUT_SECONDS": timeouts.health_check_seconds,
        "BREAKER_FAILURES": breaker.failure_threshold,
        "BREAKER_TIMEOUT_SECONDS": breaker.timeout_seconds,
        "BREAKER_RESET_SECONDS": breaker.reset_seconds,
        "SLOW_REQUEST_MS": settings.telemetry.slow_response_ms,
        "SLOW_ARTIFACT_UPLOAD_SECONDS": settings.telemetry.slow_artifact_upload_seconds,
        "SLOW_MODEL_LOAD_SECONDS": settings.telemetry.slow_model_load_seconds,
    }
    return {f"{LIBRARY}{name}": str(value) for name, value in values.items()}
