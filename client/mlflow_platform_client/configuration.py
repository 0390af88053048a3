"""The client's settings: every value, what it means, and where it came from.

Owns `ClientSettings` and `resolve_settings`, which makes one set of values out of the four ways of
seed 001. Who speaks last wins:

    1. the server      `clientEnvironment` of a stack's outputs (what the platform recommends)
    2. a settings file `settings.yaml` as in seed 001 (`configuration_file`)
    3. the environment variables MLFLOW_… and, where MLflow has none, MLFLOW_PLATFORM_…
    4. the command line, or arguments in code

It changes nothing: `configuration_mlflow` hands the values to MLflow.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from enum import Enum
from pathlib import Path
from typing import Any, cast

from mlflow_platform_client.configuration_values import BadValue, parse_value
from mlflow_platform_client.errors import ConfigurationError
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
        repr=not secret,
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
    connect_timeout_seconds: float = _setting(
        10.0, _OURS + "CONNECT_TIMEOUT_SECONDS", "until a connection stands", minimum=0.001
    )
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
    # Logging
    queue_max_items: int = _setting(
        200_000, _OURS + "QUEUE_MAX_ITEMS", "values held in memory", minimum=1
    )
    max_block_ms: float = _setting(
        50.0, _OURS + "MAX_BLOCK_MS", "longest a logging call may hold up training", minimum=0
    )
    flush_interval_seconds: float = _setting(
        2.0, _OURS + "FLUSH_INTERVAL_SECONDS", "longest a value waits for others", minimum=0
    )
    exit_flush_seconds: float = _setting(
        60.0, _OURS + "EXIT_FLUSH_SECONDS", "longest the flush at exit may take", minimum=0
    )
    spool_directory: str = _setting(
        "", _OURS + "SPOOL_DIRECTORY", "where values wait on disk while the server is away"
    )
    max_text_length: int = _setting(
        1000, _OURS + "MAX_TEXT_LENGTH", "longer texts become a truncated parameter", minimum=0
    )
    truncated_text_length: int = _setting(
        100, _OURS + "TRUNCATED_TEXT_LENGTH", "characters kept of such a text", minimum=1
    )
    # Circuit breaker
    circuit_breaker_enabled: bool = _setting(
        True, _OURS + "CIRCUIT_BREAKER_ENABLED", "stop asking a server that keeps failing"
    )
    circuit_breaker_failure_threshold: int = _setting(
        5, _OURS + "CIRCUIT_BREAKER_FAILURE_THRESHOLD", "failures in a row", minimum=1
    )
    circuit_breaker_timeout_seconds: float = _setting(
        5.0, _OURS + "CIRCUIT_BREAKER_TIMEOUT_SECONDS", "a slower call counts as failed", minimum=0
    )
    circuit_breaker_reset_seconds: float = _setting(
        60.0, _OURS + "CIRCUIT_BREAKER_RESET_SECONDS", "until the server is asked again", minimum=0
    )
    # Telemetry
    telemetry_enabled: bool = _setting(
        True, _OURS + "TELEMETRY_ENABLED", "measure this client itself"
    )
    slow_response_ms: float = _setting(
        5000.0, _OURS + "SLOW_RESPONSE_MS", "warn of a slower answer", minimum=0
    )
    slow_query_ms: float = _setting(
        1000.0, _OURS + "SLOW_QUERY_MS", "warn of a slower search", minimum=0
    )
    slow_artifact_upload_seconds: float = _setting(
        30.0, _OURS + "SLOW_ARTIFACT_UPLOAD_SECONDS", "warn of a slower upload", minimum=0
    )
    slow_model_load_seconds: float = _setting(
        60.0, _OURS + "SLOW_MODEL_LOAD_SECONDS", "warn of a slower model load", minimum=0
    )

    sources: Mapping[str, Source] = field(
        default_factory=dict[str, Source], repr=False, compare=False
    )
    """Where each value came from; a setting that is absent here has its default."""

    def source_of(self, name: str) -> Source:
        """Where the value of one setting came from."""
        return self.sources.get(name, Source(Origin.DEFAULT))

    def secrets(self) -> tuple[str, ...]:
        """The values that must not appear anywhere, for `mask` and `mapped`."""
        names = [item.name for item in setting_fields() if item.metadata["secret"]]
        return tuple(value for name in names if (value := str(getattr(self, name))))

    def printed(self, name: str) -> str:
        """One value as it may be shown."""
        value: Any = getattr(self, name)
        text = " ".join(f"{item:g}" for item in value) if type(value) is tuple else str(value)
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


def setting_fields() -> tuple[Field[Any], ...]:
    """Every setting, in the order they are shown."""
    return tuple(item for item in fields(ClientSettings) if item.metadata)


def resolve_settings(
    *,
    settings_file: str | Path | None = None,
    stack_outputs: str | Path | Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    **arguments: object,
) -> ClientSettings:
    """One set of values out of the four ways, each with its origin.

    `settings_file` and `stack_outputs` may also stand in MLFLOW_PLATFORM_SETTINGS_FILE and
    MLFLOW_PLATFORM_STACK_OUTPUTS. `arguments` are settings by name; None means not given.

    Raises:
        ConfigurationError: listing every value that cannot be used, wherever it stands.
    """
    from mlflow_platform_client.configuration_file import read_settings_file, read_stack_outputs

    environ = os.environ if environ is None else environ
    settings_file = settings_file or environ.get(_OURS + "SETTINGS_FILE") or None
    stack_outputs = stack_outputs or environ.get(_OURS + "STACK_OUTPUTS") or None
    problems: list[str] = []
    given: dict[str, tuple[object, Source]] = {}
    if stack_outputs is not None:
        given |= read_stack_outputs(stack_outputs, problems)
    if settings_file is not None:
        given |= read_settings_file(Path(settings_file), environ, problems)
    for item in setting_fields():
        if value := environ.get(item.metadata["variable"]):
            source = Source(Origin.ENVIRONMENT, item.metadata["variable"])
            given[item.name] = (value, source)
    names = {item.name for item in setting_fields()}
    for name, value in arguments.items():
        if name not in names:
            raise TypeError(f"resolve_settings() got an unexpected setting {name!r}")
        if value is not None:
            given[name] = (value, Source(Origin.ARGUMENT, f"--{name.replace('_', '-')}"))
    values: dict[str, Any] = {}
    for item in setting_fields():
        if item.name in given:
            value, source = given[item.name]
            try:
                values[item.name] = parse_value(item, value)
            except BadValue as bad:
                problems.append(f"{source.name or item.name} is {bad}")
    if problems:
        raise ConfigurationError(*problems)
    return ClientSettings(**values, sources={name: source for name, (_, source) in given.items()})
