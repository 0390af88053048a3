"""What tests of a whole logger share: settings that make it quick, and a way to make one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlflow_platform_client.logging_settings import LoggingSettings
from mlflow_platform_client.tracking_logger import TrackingLogger
from tests.client.fake_tracking import FakeTracking

URI = "http://127.0.0.1:1"


def quick(folder: Path, **values: Any) -> LoggingSettings:
    """No waiting for its own sake; failures are tried again at once."""
    given = {
        "spool_directory": folder / "spool",
        "spool_fsync": False,
        "spool_delay_ms": 1,
        "flush_seconds": 0.01,
        "breaker_reset_seconds": 0.05,
        "close_seconds": 20.0,
        **values,
    }
    return LoggingSettings(**given)


def logger_on(server: FakeTracking, folder: Path, **values: Any) -> TrackingLogger:
    return TrackingLogger("run1", tracking_uri=URI, server=server, settings=quick(folder, **values))
