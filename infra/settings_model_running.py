"""The settings of the platform in operation: what is measured, how long is waited, where it lives.

Owns telemetry, timeouts, circuit breaker, registry and this machine's folders, each with key,
default and meaning beside it. The server, its database and its callers stand in `settings_model`.
"""

from __future__ import annotations

from dataclasses import dataclass

from infra.settings_declaration import setting


@dataclass(frozen=True, kw_only=True, slots=True)
class TelemetrySettings:
    """What is measured, where it goes, and from when on it is slow."""

    prometheus: bool = setting(
        "prometheusEnabled",
        True,
        "Whether the server counts requests at /metrics for Prometheus.",
        takes_variables=True,
    )
    datadog: bool = setting(
        "datadogEnabled",
        False,
        "Whether metrics go to Datadog; its agent reads /metrics instead.",
        takes_variables=True,
    )
    cloudwatch: bool = setting(
        "cloudwatchEnabled",
        False,
        "Whether metrics go to CloudWatch; target aws only.",
        takes_variables=True,
    )
    collection_interval_seconds: int = setting(
        "telemetryCollectionIntervalSeconds", 60, "Seconds between two scrapes.", minimum=5
    )
    slow_query_ms: int = setting(
        "slowQueryMs", 1000, "A database statement that takes longer is logged.", minimum=1
    )
    slow_artifact_upload_seconds: int = setting(
        "slowArtifactUploadSeconds", 30, "An artifact upload that takes longer is slow.", minimum=1
    )
    slow_model_load_seconds: int = setting(
        "slowModelLoadSeconds", 60, "Loading a model that takes longer is slow.", minimum=1
    )
    slow_response_ms: int = setting(
        "slowResponseMs", 5000, "An answer of the server that takes longer is slow.", minimum=1
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class TimeoutSettings:
    """How long each side waits."""

    client_connect_seconds: int = setting(
        "clientConnectTimeoutSeconds", 10, "A client's wait for a connection.", minimum=1
    )
    client_read_seconds: int = setting(
        "clientReadTimeoutSeconds", 300, "A client's wait for an answer.", minimum=1
    )
    client_write_seconds: int = setting(
        "clientWriteTimeoutSeconds",
        300,
        "A client's wait while sending; MLflow has one timeout for both ways.",
        minimum=1,
    )
    server_request_seconds: int = setting(
        "serverRequestTimeoutSeconds",
        600,
        "The longest request: gunicorn's worker timeout, or the load balancer's.",
        minimum=1,
    )
    server_artifact_seconds: int = setting(
        "serverArtifactTimeoutSeconds", 1800, "The longest transfer of one artifact.", minimum=1
    )
    server_query_seconds: int = setting(
        "serverQueryTimeoutSeconds",
        30,
        "The longest database statement of the server; PostgreSQL cancels it then.",
        minimum=1,
    )
    health_check_seconds: int = setting(
        "healthCheckTimeoutSeconds", 2, "The longest answer to a health check.", minimum=1
    )
    pool_acquisition_seconds: int = 30  # poolTimeoutSeconds under the name of the client's side


@dataclass(frozen=True, kw_only=True, slots=True)
class CircuitBreakerSettings:
    """When a client stops calling a server that does not answer, and tries again."""

    enabled: bool = setting(
        "circuitBreakerEnabled", True, "Whether a client stops calling a server that fails."
    )
    failure_threshold: int = setting(
        "circuitBreakerFailureThreshold", 5, "Failures in a row that open the circuit.", minimum=1
    )
    timeout_seconds: int = setting(
        "circuitBreakerTimeoutSeconds", 5, "A call that takes longer is a failure.", minimum=1
    )
    reset_seconds: int = setting(
        "circuitBreakerResetSeconds", 60, "Pause before an open circuit is tried again.", minimum=1
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class RegistrySettings:
    """The model registry."""

    enabled: bool = setting(
        "registryEnabled", True, "Whether models can be registered; MLflow always lets them."
    )
    store_uri: str = setting(
        "registryStoreUri", "", "Database of the registry; empty is the backend store."
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalSettings:
    """The platform on this machine."""

    state_dir: str = setting(
        "localStateDir", ".state", "Folder for data, logs and passphrase, from the checkout."
    )
    postgres_bin_dir: str = setting(
        "localPostgresBinDir", "", "Folder with postgres and initdb; empty is the wheel's."
    )
    service_user: str = setting(
        "localServiceUser", "", "User PostgreSQL runs as under root; empty is postgres or nobody."
    )
    purge_on_destroy: bool = setting(
        "localPurgeOnDestroy", False, "Whether destroy deletes database and artifacts as well."
    )
