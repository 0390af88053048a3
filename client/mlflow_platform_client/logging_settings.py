"""What a user may set about logging: sizes, times, bounds, and the folder of the spool.

Owns the values of one `TrackingLogger`, their defaults and their rules. Where the values come from
(arguments, environment, files) is `configuration`'s subject; read alone, this file knows the
environment only, under the names in `variable_of`. Limits that MLflow sets are not settings: they
stand in `batching`.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mlflow_platform_client.errors import ConfigurationError

PREFIX = "MLFLOW_PLATFORM_"
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


def default_spool_directory(environ: Mapping[str, str] = os.environ) -> Path:
    """`$XDG_STATE_HOME/mlflow-platform/spool`: it outlives the process, and a reboot."""
    state = environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "mlflow-platform" / "spool"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggingSettings:
    """How one logger queues, keeps and sends. Times carry their unit in the name."""

    spool_directory: Path = field(default_factory=default_spool_directory)
    """Local folder of what is not yet acknowledged; shared by any number of processes."""
    spool_max_mib: int = 1024
    """The folder's bound. Reached, new values wait in memory, then are dropped and counted."""
    spool_delay_ms: int = 100
    """A value handed over is on disk after at most this long."""
    spool_fsync: bool = True
    """On disk means survives a power cut; off, it means survives `kill -9` of the process."""
    durable: bool = False
    """A call returns when its values are on disk (or `max_block_ms` have passed)."""
    queue_max_items: int = 100_000
    """Values held in memory between a call and the disk."""
    max_block_ms: int = 1000
    """The longest a call waits, ever: for room in the queue, or for the disk when durable."""
    flush_seconds: float = 2.0
    """A batch that is not full is sent when its oldest value has waited this long."""
    batch_metrics: int = 1000
    """Metrics in one `log-batch`; MLflow takes 1,000 at most."""
    connect_seconds: float = 10.0
    """To open a connection."""
    artifact_seconds: float = 300.0
    """To upload one text."""
    breaker_failures: int = 5
    """Failures in a row before the server is left alone."""
    breaker_timeout_seconds: float = 5.0
    """A `log-batch` unanswered for this long is a failure; the next one is half as large."""
    breaker_reset_seconds: float = 60.0
    """How long the server is left alone before one trial."""
    close_seconds: float = 30.0
    """At exit: how long to go on sending before leaving the rest to the spool."""
    replay_on_start: bool = True
    """First send what earlier processes left behind for the same server."""
    text_artifact_characters: int = 1000
    """Longer texts become a truncated parameter, not an artifact."""
    text_parameter_characters: int = 100
    """How much of such a text the parameter keeps."""
    slow_request_ms: int = 5000
    """A slower `log-batch` is warned about."""
    slow_artifact_upload_seconds: float = 30.0
    """A slower upload is warned about."""
    slow_model_load_seconds: float = 60.0
    """A slower model load (`Telemetry.timed("model_load")`) is warned about."""

    def __post_init__(self) -> None:
        """Report every problem at once."""
        problems = [*_out_of_range(self)]
        if self.flush_seconds * 1000 < self.spool_delay_ms:
            problems.append(
                f"{variable_of('flush_seconds')} ({self.flush_seconds} s) must not be shorter than "
                f"{variable_of('spool_delay_ms')} ({self.spool_delay_ms} ms): values are sent from "
                "the disk. Raise the first or lower the second."
            )
        if problems:
            raise ConfigurationError(*problems)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> LoggingSettings:
        """Defaults, replaced by what the environment sets."""
        values: dict[str, object] = {"spool_directory": default_spool_directory(environ)}
        problems: list[str] = []
        for setting in dataclasses.fields(cls):
            text = environ.get(variable_of(setting.name), "").strip()
            if not text:
                continue
            try:
                values[setting.name] = _parse(text, str(setting.type))
            except ValueError:
                problems.append(
                    f"{variable_of(setting.name)} is {text!r}, which is not "
                    f"{_ALLOWED[str(setting.type)]}; correct it or unset it."
                )
        if problems:
            raise ConfigurationError(*problems)
        return dataclasses.replace(cls(), **values)  # pyright: ignore[reportArgumentType]


def variable_of(setting: str) -> str:
    """The environment variable of a setting: `MLFLOW_PLATFORM_FLUSH_SECONDS`."""
    return PREFIX + setting.upper()


_ALLOWED = {"int": "a whole number", "float": "a number", "bool": "true or false", "Path": "a path"}

_RANGES: Mapping[str, tuple[float, float]] = {
    "spool_max_mib": (32, 1024 * 1024),  # two lanes hold a segment of 8 MiB each at any time
    "spool_delay_ms": (1, 60_000),
    "queue_max_items": (1, 10_000_000),
    "max_block_ms": (0, 600_000),
    "flush_seconds": (0.01, 3600),
    "batch_metrics": (1, 1000),
    "connect_seconds": (0.1, 600),
    "artifact_seconds": (0.1, 3600),
    "breaker_failures": (1, 1000),
    "breaker_timeout_seconds": (0.1, 3600),
    "breaker_reset_seconds": (0.01, 3600),
    "close_seconds": (0, 86_400),
    "text_artifact_characters": (0, 10_000_000),
    "text_parameter_characters": (0, 5_990),  # "..." added, MLflow keeps 6,000
    "slow_request_ms": (1, 3_600_000),
    "slow_artifact_upload_seconds": (0.1, 86_400),
    "slow_model_load_seconds": (0.1, 86_400),
}


def _out_of_range(settings: LoggingSettings) -> list[str]:
    found: list[str] = []
    for name, (least, most) in _RANGES.items():
        value = getattr(settings, name)
        if not least <= value <= most:
            found.append(
                f"{variable_of(name)} is {value}; allowed is {least:g} to {most:g}. "
                "Set it within these bounds."
            )
    return found


def _parse(text: str, kind: str) -> object:
    if kind == "bool":
        if text.lower() not in _TRUE | _FALSE:
            raise ValueError(text)
        return text.lower() in _TRUE
    if kind == "Path":
        return Path(text).expanduser()
    return int(text) if kind == "int" else float(text)
