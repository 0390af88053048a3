"""The platform's settings as plain, frozen, typed values.

Owns the shape every other room reads; says nothing of where a value came from (`settings_parsing`),
what it defaults to (`settings_declarations`) or which values go together (`settings_rules`).
Units stand in the names. Nothing here imports Pulumi or a cloud SDK.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from infra.connection_budget import ConnectionBudget
from infra.settings_model_aws import AwsSettings
from infra.settings_model_cloud import CloudSettings
from infra.settings_model_gcp import GcpSettings
from infra.settings_model_kubernetes import KubernetesSettings

Target = Literal["local", "aws", "gcp"]
TrackingStore = Literal["fast", "mlflow"]
ServerKind = Literal["uvicorn", "gunicorn"]
SizeName = Literal["small", "medium", "large"]
DatabaseEngine = Literal["postgresql", "sqlite"]
AuthenticationKind = Literal["off", "basic", "oidc"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerSettings:
    """The tracking server: where it listens and how it serves."""

    host: str  # interface it binds
    port: int
    size: SizeName  # of the team; what is not given follows from it
    kind: ServerKind  # what serves HTTP
    workers: int  # processes
    threads: int  # requests one worker serves at once
    cpus: int  # of one server, where a cluster or a cloud is asked for them
    memory_mib: int
    keep_alive_seconds: int  # an idle connection is kept open
    drain_seconds: int  # still taking requests after SIGTERM
    grace_seconds: int  # then, for those in flight
    access_log: bool  # one line per request
    replicas: int  # most servers at once, each with its own workers
    static_prefix: str  # "" or "/mlflow": in front of UI, API and health
    serve_artifacts: bool  # clients reach artifacts through the server
    allowed_hosts: tuple[str, ...]  # Host headers accepted beside the server's own names
    cors_allowed_origins: tuple[str, ...]  # web origins that may call the API
    tracking_uri: str  # what clients use; "" = where the server listens
    job_execution: bool  # MLflow's job runner (180 MB more)
    tracking_store: TrackingStore  # who writes metrics, parameters, tags and runs


@dataclass(frozen=True, kw_only=True, slots=True)
class PoolSettings:
    """Database connections one worker keeps (SQLAlchemy's QueuePool)."""

    size: int  # kept open
    max_overflow: int  # opened for a burst, closed after it
    timeout_seconds: int  # longest wait for a connection
    recycle_seconds: int  # age at which a connection is replaced
    pre_ping: bool  # tested before use


@dataclass(frozen=True, kw_only=True, slots=True)
class DatabaseSettings:
    """The backend store: experiments, runs, parameters, metrics."""

    engine: DatabaseEngine
    backend_store_uri: str  # without password; "" = the platform provisions it
    host: str
    port: int
    name: str
    user: str
    password: str | None = field(repr=False)  # of an external database; None = provisioned
    ssl_mode: str | None  # libpq's sslmode, of an external database
    max_connections: int
    reserved_connections: int  # kept free for people, backups and migrations
    tuning: bool  # the schema gets the indexes that MLflow lacks


@dataclass(frozen=True, kw_only=True, slots=True)
class ArtifactSettings:
    """Where models and files are kept."""

    store: str  # folder, `s3://…` or `gs://…`; "" = provisioned


@dataclass(frozen=True, kw_only=True, slots=True)
class ExperimentSettings:
    """Experiments by name."""

    default: str  # what a training job logs to unless it says otherwise
    name: str  # what the four-stage check writes to


@dataclass(frozen=True, kw_only=True, slots=True)
class AuthenticationSettings:
    """Who may use the server."""

    kind: AuthenticationKind
    admin_username: str
    admin_password: str | None = field(repr=False)  # None = generated
    cache_ttl_seconds: int  # how long a checked password is remembered; 0 = hashed every time


@dataclass(frozen=True, kw_only=True, slots=True)
class TelemetrySettings:
    """What is measured, where it goes and what counts as slow."""

    prometheus: bool  # /metrics on the server
    datadog: bool
    cloudwatch: bool
    collection_interval_seconds: int
    slow_query_ms: int
    slow_response_ms: int
    slow_artifact_upload_seconds: int
    slow_model_load_seconds: int


@dataclass(frozen=True, kw_only=True, slots=True)
class TimeoutSettings:
    """How long each side waits."""

    client_connect_seconds: int
    client_read_seconds: int
    client_write_seconds: int
    server_request_seconds: int
    server_artifact_seconds: int
    server_query_seconds: int
    health_check_seconds: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CircuitBreakerSettings:
    """When a client stops calling a server that does not answer."""

    enabled: bool
    failure_threshold: int  # failures in a row before it opens
    timeout_seconds: int  # a call longer than this is a failure
    reset_seconds: int  # open for this long, then one call is tried


@dataclass(frozen=True, kw_only=True, slots=True)
class RegistrySettings:
    """The model registry."""

    enabled: bool
    store_uri: str  # "" = the backend store


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalSettings:
    """The platform on one machine."""

    state_dir: str  # of data, logs and generated secrets; relative to the project
    postgres_bin_dir: str  # "" = the binaries of the wheel
    service_user: str  # who PostgreSQL runs as when root deploys; "" = postgres or nobody
    purge_on_destroy: bool  # destroy deletes the data too


@dataclass(frozen=True, kw_only=True, slots=True)
class PlatformSettings:
    """Everything a stack decides."""

    environment: str  # part of every name: `local`, `dev`, `prod`
    target: Target
    server: ServerSettings
    pool: PoolSettings
    database: DatabaseSettings
    artifacts: ArtifactSettings
    experiment: ExperimentSettings
    authentication: AuthenticationSettings
    telemetry: TelemetrySettings
    timeouts: TimeoutSettings
    circuit_breaker: CircuitBreakerSettings
    registry: RegistrySettings
    local: LocalSettings
    kubernetes: KubernetesSettings
    cloud: CloudSettings
    aws: AwsSettings
    gcp: GcpSettings
    connection_budget: ConnectionBudget | None  # None: sqlite has no connections to count
    notices: tuple[str, ...] = ()  # what holds, but not as a reader may expect
