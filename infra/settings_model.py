"""The settings of the platform: what is served, from where, and by how much.

Owns the frozen classes every other room reads and, beside each attribute, its key, default and
meaning. Parsing, derived values and rules stand in their own files; what concerns running the
platform (telemetry, timeouts, circuit breaker, this machine) stands in `settings_model_running`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from infra.connection_budget import ConnectionBudget
from infra.settings_declaration import AUTO, auto, setting
from infra.settings_model_running import (
    CircuitBreakerSettings,
    LocalSettings,
    RegistrySettings,
    TelemetrySettings,
    TimeoutSettings,
)

Target = Literal["local", "aws", "gcp"]
ServerKind = Literal["uvicorn", "gunicorn"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerSettings:
    """The MLflow server: where it listens, how much it runs, who may call it."""

    host: str = setting(
        "serverHost", "127.0.0.1", "Address the server listens on; 0.0.0.0 is every interface."
    )
    port: int = setting(
        "serverPort", 5000, "TCP port the server listens on.", minimum=1, maximum=65535
    )
    kind: ServerKind = setting(
        "serverKind",
        "uvicorn",
        "Process that serves HTTP: uvicorn offers all of MLflow, gunicorn tracking alone, faster.",
        choices=("uvicorn", "gunicorn"),
    )
    workers: int = auto(
        "serverWorkers",
        "Server processes per replica; auto is one per core up to 4, as far as the database allows.",
        minimum=1,
        maximum=64,
    )
    threads: int = auto(
        "serverThreads",
        "Requests a worker serves at once; auto is 40 for uvicorn (fixed) and 15 for gunicorn.",
        minimum=1,
        maximum=1000,
    )
    replicas_min: int = setting(
        "replicasMin", 1, "Servers that always run; one on this machine.", minimum=1, maximum=100
    )
    replicas_max: int = setting(
        "replicasMax", 1, "Servers that may run under load.", minimum=1, maximum=100
    )
    static_prefix: str = setting(
        "serverStaticPrefix", "", "Path that page, API and health move under, such as /mlflow."
    )
    serve_artifacts: bool = setting(
        "serveArtifacts",
        True,
        "Whether artifacts pass through the server, so clients need no keys.",
    )
    allowed_hosts: tuple[str, ...] = setting(
        "allowedHosts", (), "Host names the server answers to, besides its own and loopback."
    )
    cors_allowed_origins: tuple[str, ...] = setting(
        "corsAllowedOrigins", (), "Origins (scheme://host) of web pages that may call the API."
    )
    tracking_uri: str = setting(
        "trackingUri", "", "Address clients use; empty is where the server listens."
    )
    job_execution: bool = setting(
        "serverJobExecution", False, "Whether MLflow's job runners start; tracking needs none."
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class PoolSettings:
    """The pool of database connections that each worker keeps."""

    size: int = auto(
        "poolSize", "Connections a worker keeps open; auto is one per thread.", minimum=1
    )
    max_overflow: int = auto(
        "poolMaxOverflow",
        "Connections a worker opens beyond poolSize in a burst; auto makes two per thread in all.",
        minimum=1,
    )
    timeout_seconds: int = setting(
        "poolTimeoutSeconds", 30, "Wait for a free connection; fixed at 30 by SQLAlchemy."
    )
    recycle_seconds: int = setting(
        "poolRecycleSeconds",
        1800,
        "Age at which a connection is replaced, below what firewalls drop.",
        minimum=1,
    )
    pre_ping: bool = setting(
        "poolPrePing", True, "Whether a connection is tested before use; MLflow always does."
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class DatabaseSettings:
    """The backend store: the database that holds experiments, runs and metrics."""

    backend_store_uri: str = setting(
        "backendStoreUri",
        "",
        "Database to use: postgresql://… or sqlite:///file; empty lets the platform make one.",
    )  # without its password once loaded
    port: int = setting(
        "databasePort",
        5432,
        "TCP port of the database the platform makes.",
        minimum=1,
        maximum=65535,
        takes_variables=True,
    )
    name: str = setting("databaseName", "mlflow", "Name of the database the platform makes.")
    user: str = setting("databaseUser", "mlflow", "Role that owns the database.")
    max_connections: int = auto(
        "databaseMaxConnections",
        "Connections the database accepts; auto is what is needed here, and 100 for one of yours.",
        minimum=10,
        maximum=10000,
    )
    reserved_connections: int = setting(
        "databaseReservedConnections",
        10,
        "Connections kept for migrations, backups and people.",
        minimum=3,
        maximum=1000,
    )
    host: str = ""  # where it answers; empty: known once it is deployed, or sqlite
    password: str | None = field(default=None, repr=False)  # taken out of backendStoreUri
    engine: Literal["postgresql", "sqlite"] = "postgresql"  # what backendStoreUri names


@dataclass(frozen=True, kw_only=True, slots=True)
class ArtifactSettings:
    """The artifact store: where models and files end up."""

    store: str = setting(
        "artifactStore",
        "",
        "Artifact store: s3://…, gs://… or a folder; empty lets the platform make one.",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class ExperimentSettings:
    """Experiments that clients and checks write to."""

    default: str = setting(
        "defaultExperiment", "Default", "Experiment a client logs to by default."
    )
    name: str = setting(
        "experimentName", "integration-test", "Experiment the four-stage check writes to."
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class AuthenticationSettings:
    """Who may use the server."""

    kind: Literal["off", "basic"] = setting(
        "authentication",
        "off",
        "Whether callers name user and password: off or basic.",
        choices=("off", "basic"),
    )
    admin_username: str = setting("authAdminUsername", "admin", "Name of the first administrator.")
    admin_password: str | None = setting(
        "authAdminPassword",
        "",
        "Password of the first administrator, 12 characters or more; empty lets the platform make one.",
        secret=True,
    )
    cache_ttl_seconds: int = setting(
        "authCacheTtlSeconds",
        60,
        "How long a checked password is remembered; 0 hashes it on every request.",
        minimum=0,
        maximum=3600,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class PlatformSettings:
    """Everything a stack says about the platform, checked."""

    environment: str = setting(
        "environment", AUTO, "Environment in every name and tag; auto is the stack's name."
    )
    target: Target = setting(
        "target",
        "local",
        "Where the platform is deployed.",
        choices=("local", "aws", "gcp"),
    )
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
    connection_budget: ConnectionBudget  # the arithmetic that was checked
    notices: tuple[str, ...] = ()  # what holds but not as a reader may expect
