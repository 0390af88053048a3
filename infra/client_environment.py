"""The environment variables a training job sets to use this platform.

Owns the mapping from the platform's client settings to the variables MLflow's client really
reads, so that a stack's output can be pasted into a job as it is. It holds no credentials: a
user name and a password come from wherever the job keeps its secrets.
"""

from __future__ import annotations

from infra.server_address import tracking_uri
from infra.settings import PlatformSettings


def client_environment(settings: PlatformSettings) -> dict[str, str]:
    """Variables for a client of the platform that `settings` describe.

    MLflow's client has one timeout for connecting and reading (`MLFLOW_HTTP_REQUEST_TIMEOUT`), so
    the longer of the two settings counts; artifacts have their own.
    """
    timeouts = settings.timeouts
    return {
        "MLFLOW_TRACKING_URI": tracking_uri(settings),
        "MLFLOW_EXPERIMENT_NAME": settings.experiment.default,
        "MLFLOW_HTTP_REQUEST_TIMEOUT": str(
            max(timeouts.client_connect_seconds, timeouts.client_read_seconds)
        ),
        "MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT": str(timeouts.server_artifact_seconds),
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
