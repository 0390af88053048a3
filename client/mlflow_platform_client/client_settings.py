"""What a training job may set: every value with its default, its variable and its meaning.

Owns `ClientSettings`, the table `all_settings` made from it, and how a value says where it came
from. Reads nothing: `configuration` makes one set of values out of files, variables and arguments,
`configuration_mlflow` hands them to MLflow. The settings about logging are `logging_settings`'.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Any

from mlflow_platform_client.errors import ConfigurationError
from mlflow_platform_client.logging_settings import LoggingSettings, variable_of
from mlflow_platform_client.masking import mask_setting


class Origin(Enum):
    """Which of the four ways a value came by."""

    DEFAULT = "default"
    SERVER = "server"
    FILE = "settings file"
    ENVIRONMENT = "environment"
    ARGUMENT = "argument"


@dataclass(frozen=True, slots=True)
class Source:
    """Where one value came from, and the name it had there."""

    origin: Origin
    name: str = ""

    def __str__(self) -> str:
        """`environment (MLFLOW_TRACKING_URI)`."""
        return f"{self.origin.value} ({self.name})" if self.name else self.origin.value


def _setting(
    default: Any,
    variable: str,
    meaning: str,
    *,
    secret: bool = False,
    minimum: float | None = None,
    maximum: float | None = None,
) -> Any:
    """A field with what `config show`, the documents and the parser need to know about it."""
    return field(
        default=default,
        repr=not secret and "KEY" not in variable,
        metadata={
            "variable": variable,
            "meaning": meaning,
            "secret": secret,
            "minimum": minimum,
            "maximum": maximum,
        },
    )


_OURS = "MLFLOW_PLATFORM_"


@dataclass(frozen=True, kw_only=True, slots=True)
class ClientSettings:
    """Everything a training job may set. Names ending in `_seconds` or `_ms` carry their unit."""

    # Where to
    tracking_uri: str = _setting("", "MLFLOW_TRACKING_URI", "the tracking server's address")
    experiment_name: str = _setting(
        "Default", "MLFLOW_EXPERIMENT_NAME", "the experiment runs are started in"
    )
    # As whom
    username: str = _setting("", "MLFLOW_TRACKING_USERNAME", "user of basic authentication")
    password: str = _setting(
        "", "MLFLOW_TRACKING_PASSWORD", "password of basic authentication", secret=True
    )
    token: str = _setting("", "MLFLOW_TRACKING_TOKEN", "bearer token", secret=True)
    aws_access_key_id: str = _setting("", "AWS_ACCESS_KEY_ID", "for artifacts in s3://")
    aws_secret_access_key: str = _setting(
        "", "AWS_SECRET_ACCESS_KEY", "for artifacts in s3://", secret=True
    )
    s3_endpoint_url: str = _setting("", "MLFLOW_S3_ENDPOINT_URL", "an S3 service other than AWS")
    # How long, how often
    read_timeout_seconds: int = _setting(
        300, "MLFLOW_HTTP_REQUEST_TIMEOUT", "until an answer comes", minimum=1
    )
    write_timeout_seconds: float = _setting(
        300.0, _OURS + "WRITE_TIMEOUT_SECONDS", "until a request is written", minimum=0.001
    )
    artifact_timeout_seconds: int = _setting(
        1800,
        "MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT",
        "one artifact to or from gs:// or Azure",
        minimum=1,
    )
    max_retries: int = _setting(
        7, "MLFLOW_HTTP_REQUEST_MAX_RETRIES", "further attempts of a request", minimum=0, maximum=10
    )
    retry_backoff_factor: int = _setting(
        2,
        "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR",
        "seconds before the second attempt, doubled for each later one",
        minimum=0,
        maximum=120,
    )
    retry_backoff_jitter: float = _setting(
        1.0, "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER", "seconds of chance in each wait", minimum=0
    )
    # Preflight
    health_check_timeout_seconds: float = _setting(
        2.0, _OURS + "HEALTH_CHECK_TIMEOUT_SECONDS", "a slower health answer is noted", minimum=0
    )
    cold_start_timeout_seconds: float = _setting(
        30.0, _OURS + "COLD_START_TIMEOUT_SECONDS", "one health request may take", minimum=0.001
    )
    health_waits_seconds: tuple[float, ...] = _setting(
        (10.0, 20.0, 30.0, 30.0, 30.0),
        _OURS + "HEALTH_WAITS_SECONDS",
        "waits between health requests; one request more than waits",
        minimum=0,
    )
    preflight_timeout_seconds: float = _setting(
        30.0, _OURS + "PREFLIGHT_TIMEOUT_SECONDS", "each later request may take", minimum=0.001
    )
    status_directory: str = _setting(
        "", _OURS + "STATUS_DIRECTORY", "where status files go: a folder, gs:// or s3://"
    )
    logging: LoggingSettings = field(default_factory=LoggingSettings)
    """How values are queued, kept and sent: `logging_settings` owns these."""

    sources: Mapping[str, Source] = field(
        default_factory=dict[str, Source], repr=False, compare=False
    )
    """Where each value came from; a setting that is absent here has its default."""

    def source_of(self, name: str) -> Source:
        """Where the value of one setting came from."""
        return self.sources.get(name, Source(Origin.DEFAULT))

    def secrets(self) -> tuple[str, ...]:
        """The values that must not appear anywhere, for `mask` and `mapped`."""
        names = [item.name for item in all_settings() if item.secret]
        return tuple(filter(None, (str(getattr(self, name)) for name in names)))

    def value_of(self, name: str) -> object:
        """The value of one setting, also of those about logging."""
        return getattr(self if hasattr(self, name) else self.logging, name)

    def printed(self, name: str) -> str:
        """One value as it may be shown."""
        value: Any = self.value_of(name)
        text = ",".join(map("{:g}".format, value)) if isinstance(value, tuple) else str(value)  # pyright: ignore[reportUnknownArgumentType]
        return mask_setting(name, text, self.secrets())

    def require_tracking_uri(self) -> str:
        """The address, or an error that says the four places it could stand in."""
        if not self.tracking_uri:
            raise ConfigurationError(
                "tracking_uri is not set: give --tracking-uri, set MLFLOW_TRACKING_URI, write "
                "mlflow.tracking_uri into the settings file, or name a stack's outputs with "
                "--stack-outputs"
            )
        return self.tracking_uri


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """What one setting is called and what it may hold."""

    name: str
    kind: str  # `str`, `int`, `float`, `bool`, `Path`, `tuple[float, ...]`
    variable: str
    meaning: str = ""
    secret: bool = False
    minimum: float | None = None
    maximum: float | None = None
    is_about_logging: bool = False


@functools.cache
def all_settings() -> tuple[Setting, ...]:
    """Every setting, in the order they are shown."""
    own = (
        Setting(name=item.name, kind=str(item.type), **item.metadata)
        for item in fields(ClientSettings)
        if item.metadata
    )
    logging = (
        Setting(
            name=item.name,
            kind=str(item.type),
            variable=variable_of(item.name),
            is_about_logging=True,
        )
        for item in fields(LoggingSettings)
    )
    return (*own, *logging)
