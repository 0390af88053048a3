"""Tracking a training job can rely on, around MLflow's own client.

    from mlflow_platform_client import TrackingLogger, preflight

    run = preflight()  # raises PreflightFailed before training, or returns the run
    with TrackingLogger(run) as logger:  # never blocks training, never loses a metric
        logger.log_metric("loss", 0.1, step=1)

Owns the public names; everything below is loaded when first used, so that importing this package
costs a few milliseconds and MLflow is loaded by whoever needs it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow_platform_client.client_settings import ClientSettings, Origin
    from mlflow_platform_client.configuration import resolve_settings
    from mlflow_platform_client.errors import (
        ArtifactStoreFailed,
        AuthenticationFailed,
        CircuitOpen,
        ConfigurationError,
        PreflightFailed,
        RequestRejected,
        ServerFailed,
        ServerUnreachable,
        SpoolError,
        StatusFileError,
        TrackingError,
    )
    from mlflow_platform_client.findings import Finding, PreflightReport, TrackedRun
    from mlflow_platform_client.logging_settings import LoggingSettings
    from mlflow_platform_client.masking import MaskingFilter, mask, mask_handlers
    from mlflow_platform_client.prometheus_export import PrometheusCollector
    from mlflow_platform_client.request_logging import RequestLogger, RequestRecord
    from mlflow_platform_client.rl_data import normalize_rl_data
    from mlflow_platform_client.status_reading import TrackingStatus, read_tracking_status
    from mlflow_platform_client.tracking_logger import TrackingLogger
    from mlflow_platform_client.training_preflight import preflight

__all__ = [
    "ArtifactStoreFailed",
    "AuthenticationFailed",
    "CircuitOpen",
    "ClientSettings",
    "ConfigurationError",
    "Finding",
    "LoggingSettings",
    "MaskingFilter",
    "Origin",
    "PreflightFailed",
    "PreflightReport",
    "PrometheusCollector",
    "RequestLogger",
    "RequestRecord",
    "RequestRejected",
    "ServerFailed",
    "ServerUnreachable",
    "SpoolError",
    "StatusFileError",
    "TrackedRun",
    "TrackingError",
    "TrackingLogger",
    "TrackingStatus",
    "mask",
    "mask_handlers",
    "normalize_rl_data",
    "preflight",
    "read_tracking_status",
    "resolve_settings",
]

_WHERE = {
    "ClientSettings": "client_settings",
    "Finding": "findings",
    "LoggingSettings": "logging_settings",
    "MaskingFilter": "masking",
    "Origin": "client_settings",
    "PreflightReport": "findings",
    "PrometheusCollector": "prometheus_export",
    "RequestLogger": "request_logging",
    "RequestRecord": "request_logging",
    "TrackedRun": "findings",
    "TrackingLogger": "tracking_logger",
    "TrackingStatus": "status_reading",
    "mask": "masking",
    "mask_handlers": "masking",
    "normalize_rl_data": "rl_data",
    "preflight": "training_preflight",
    "read_tracking_status": "status_reading",
    "resolve_settings": "configuration",
}


def __getattr__(name: str) -> object:
    """Load a public name when it is first asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{_WHERE.get(name, 'errors')}")
    value = getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
