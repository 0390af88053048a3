"""Every setting of the platform: its key, kind, default, bounds and meaning.

Owns the one table that Pulumi.yaml's `config:` and docs/settings.md repeat (tests hold them to it).
Pulumi requires a value for every typed key without a default, so what is derived has the default
`auto`. A number's source stands in its description or in docs/settings.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

NAMESPACE = "mlflow-platform"

AUTO = "auto"
"""Value of a setting that is derived from the others."""

Kind = Literal["string", "integer", "boolean", "array"]


@dataclass(frozen=True, slots=True)
class Declaration:
    """One setting as the user writes it under `mlflow-platform:`."""

    key: str
    kind: Kind
    default: str | int | bool | tuple[str, ...]
    description: str
    minimum: int | None = None
    maximum: int | None = None
    choices: tuple[str, ...] = ()
    derived: bool = False  # takes `auto` beside a value of its kind
    secret: bool = False
    takes_variables: bool = False  # guides write `${VAR:-default}` here

    @property
    def pulumi_type(self) -> str:
        """Type in Pulumi.yaml.

        Pulumi checks it before the program sees the value: `auto` is no integer and `${VAR}` is
        neither integer nor boolean, so a setting that takes them is a string there.
        """
        return "string" if self.derived or self.takes_variables else self.kind

    @property
    def default_text(self) -> str:
        """The default as a user writes it."""
        if isinstance(self.default, bool):
            return "true" if self.default else "false"
        return "[]" if isinstance(self.default, tuple) else str(self.default)

    @property
    def pulumi_default(self) -> str | int | bool | list[str]:
        """Default in Pulumi.yaml, of the type that Pulumi checks."""
        if isinstance(self.default, tuple):
            return list(self.default)
        return self.default_text if self.pulumi_type == "string" else self.default


def _string(key: str, default: str, description: str, *choices: str) -> Declaration:
    return Declaration(key, "string", default, description, choices=choices)


def _secret(key: str, description: str) -> Declaration:
    return Declaration(key, "string", "", description, secret=True)


def _integer(
    key: str, default: int, description: str, minimum: int = 1, maximum: int | None = None
) -> Declaration:
    return Declaration(key, "integer", default, description, minimum, maximum)


def _derived(
    key: str, description: str, minimum: int = 1, maximum: int | None = None
) -> Declaration:
    return Declaration(key, "integer", AUTO, description, minimum, maximum, derived=True)


def _boolean(
    key: str, default: bool, description: str, *, takes_variables: bool = False
) -> Declaration:
    return Declaration(key, "boolean", default, description, takes_variables=takes_variables)


def _array(key: str, description: str) -> Declaration:
    return Declaration(key, "array", (), description)


DECLARATIONS: tuple[Declaration, ...] = (
    # What is deployed, and where
    _string(
        "target", "local", "Where the platform runs: local, aws or gcp.", "local", "aws", "gcp"
    ),
    Declaration(
        "environment",
        "string",
        AUTO,
        "Name of the environment, part of every resource's name; auto: the stack's name.",
        derived=True,
    ),
    # Tracking server
    _string("serverHost", "127.0.0.1", "Interface the server listens on; 0.0.0.0 for all."),
    _integer("serverPort", 5000, "Port the server listens on.", 1, 65535),
    _string(
        "serverKind",
        "uvicorn",
        "What serves HTTP: uvicorn (all of MLflow) or gunicorn (faster; no OTLP, gateway, jobs).",
        "uvicorn",
        "gunicorn",
    ),
    _derived(
        "serverWorkers", "Server processes; auto: one per core, up to 4, in the budget.", 1, 64
    ),
    _derived(
        "serverThreads",
        "Requests one worker serves at once; auto: 40 (uvicorn, not settable) or 15 (gunicorn).",
    ),
    _integer("serverReplicas", 1, "Servers at their most (autoscaling's maximum).", 1, 1000),
    _string("serverStaticPrefix", "", "Prefix of UI, API and health, such as /mlflow."),
    _boolean("serveArtifacts", True, "Clients reach artifacts through the server."),
    _array("allowedHosts", "Host headers accepted beside the server's own names."),
    _array("corsAllowedOrigins", "Web origins that may call the API from a browser."),
    _string("trackingUri", "", "Address clients use; empty: where the server listens."),
    _boolean("serverJobExecution", False, "Run MLflow's job runner beside the server (180 MB)."),
    # Backend store and pool
    _secret(
        "backendStoreUri",
        "Existing database, postgresql:// or sqlite:///; empty: the platform provisions one.",
    ),
    Declaration(
        "databasePort",
        "integer",
        5432,
        "Port of the provisioned database.",
        1,
        65535,
        takes_variables=True,
    ),
    _string("databaseName", "mlflow", "Name of the provisioned database."),
    _string("databaseUser", "mlflow", "User of the provisioned database."),
    _derived(
        "databaseMaxConnections",
        "PostgreSQL's max_connections; auto: what the budget needs, or 100 where it is not ours.",
        10,
        262143,
    ),
    _integer(
        "databaseReservedConnections",
        10,
        "Connections kept free for people, backups and migrations.",
        3,
        1000,
    ),
    _derived(
        "poolSize",
        "Connections a worker keeps open; auto: half its threads, or what the database allows.",
    ),
    _derived(
        "poolMaxOverflow",
        "More that it opens for a burst, 1 or more (0 is MLflow's word for unset); auto: two per "
        "thread less poolSize.",
    ),
    _integer("poolTimeoutSeconds", 30, "Longest wait for a connection; MLflow fixes it at 30 s."),
    _integer("poolRecycleSeconds", 1800, "Age at which a connection is replaced."),
    _boolean("poolPrePing", True, "Connections are tested before use; MLflow always does."),
    # Artifact store
    _string(
        "artifactStore",
        "",
        "Existing artifact store: s3://, gs:// or a folder; empty: the platform provisions one.",
    ),
    # Experiments
    _string("defaultExperiment", "Default", "Experiment a training job logs to by default."),
    _string("experimentName", "integration-test", "Experiment the four-stage check writes to."),
    # Authentication
    _string(
        "authentication",
        "off",
        "Who may use the server: everybody (off) or users with a password (basic).",
        "off",
        "basic",
    ),
    _string("authAdminUsername", "admin", "Administrator's name with basic authentication."),
    _secret("authAdminPassword", "Administrator's password, 12 characters or more; empty: made."),
    _integer(
        "authCacheTtlSeconds",
        60,
        "How long a checked password is remembered; 0 hashes it on every request.",
        0,
        3600,
    ),
    # Telemetry
    _boolean(
        "prometheusEnabled",
        True,
        "The server answers /metrics for Prometheus.",
        takes_variables=True,
    ),
    _boolean(
        "datadogEnabled", False, "Metrics also go to Datadog (not local).", takes_variables=True
    ),
    _boolean(
        "cloudwatchEnabled",
        False,
        "Metrics also go to CloudWatch (target aws).",
        takes_variables=True,
    ),
    _integer(
        "collectionIntervalSeconds", 60, "How often metrics are collected (not local).", 1, 3600
    ),
    _integer("slowQueryMs", 1000, "A database query slower than this is logged.", 1),
    _integer(
        "slowResponseMs",
        5000,
        "An answer slower than this is a warning of clients and raises the latency alarm.",
        1,
        3_600_000,
    ),
    _integer(
        "slowArtifactUploadSeconds",
        30,
        "An artifact upload slower than this is a warning of clients.",
        1,
        86_400,
    ),
    _integer(
        "slowModelLoadSeconds",
        60,
        "A model load slower than this is a warning of clients.",
        1,
        86_400,
    ),
    # Timeouts
    _integer(
        "clientConnectTimeoutSeconds",
        10,
        "Client: to establish a connection (preflight and logger; MLflow's own calls wait longer).",
        1,
        600,
    ),
    _integer("clientReadTimeoutSeconds", 300, "Client: to read an answer."),
    _integer(
        "clientWriteTimeoutSeconds", 300, "Client: to write a request; as clientReadTimeoutSeconds."
    ),
    _integer("serverRequestTimeoutSeconds", 600, "Load balancer: longest request (not local)."),
    _integer("serverArtifactTimeoutSeconds", 1800, "Server: longest artifact transfer."),
    _integer("serverQueryTimeoutSeconds", 30, "Server: longest database statement."),
    _integer("healthCheckTimeoutSeconds", 2, "A health check answers within this.", 1, 10),
    # Circuit breaker (clients)
    _boolean("circuitBreakerEnabled", True, "Clients stop calling a server that does not answer."),
    _integer("circuitBreakerFailureThreshold", 5, "Failures in a row before it opens.", 1, 1000),
    _integer("circuitBreakerTimeoutSeconds", 5, "A call longer than this is a failure.", 1, 3600),
    _integer(
        "circuitBreakerResetSeconds",
        60,
        "How long it stays open before one call is tried.",
        1,
        3600,
    ),
    # Model registry
    _boolean("registryEnabled", True, "The server keeps registered models."),
    _string("registryStoreUri", "", "The registry's own database; empty: the backend store."),
    # The platform on one machine
    _string("localStateDir", ".state", "Folder of data, logs and generated secrets."),
    _string("localPostgresBinDir", "", "PostgreSQL's binaries; empty: those of the wheel."),
    _string("localServiceUser", "", "Who PostgreSQL runs as when root deploys; empty: chosen."),
    _boolean("localPurgeOnDestroy", False, "Destroying the stack deletes its data too."),
)

BY_KEY = {declaration.key: declaration for declaration in DECLARATIONS}
