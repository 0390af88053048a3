"""Every setting of the platform: its key, kind, default, bounds and meaning.

Owns the one table that Pulumi.yaml's `config:` and docs/settings.md repeat (tests hold them to it);
what clouds have stands in tables of their own beside it.
Pulumi requires a value for every typed key without a default, so what is derived has the default
`auto`. A number's source stands in its description or in docs/settings.md.
"""

from __future__ import annotations

from infra.settings_declarations_aws import AWS_DECLARATIONS
from infra.settings_declarations_cloud import CLOUD_DECLARATIONS
from infra.settings_declarations_gcp import GCP_DECLARATIONS
from infra.settings_declarations_kubernetes import KUBERNETES_DECLARATIONS
from infra.settings_kinds import (
    AUTO,
    NAMESPACE,
    Declaration,
    array,
    boolean,
    derived,
    integer,
    secret,
    string,
)

__all__ = ["AUTO", "BY_KEY", "DECLARATIONS", "NAMESPACE", "Declaration"]

DECLARATIONS: tuple[Declaration, ...] = (
    # What is deployed, and where
    string("target", "local", "Where the platform runs: local, aws or gcp.", "local", "aws", "gcp"),
    Declaration(
        "environment",
        "string",
        AUTO,
        "Name of the environment, part of every resource's name; auto: the stack's name.",
        derived=True,
    ),
    # Tracking server
    string("serverHost", "127.0.0.1", "Interface the server listens on; 0.0.0.0 for all."),
    integer("serverPort", 5000, "Port the server listens on.", 1, 65535),
    string(
        "serverSize",
        "medium",
        "Team the server is made for: small, medium or large; workers, threads, CPUs, memory.",
        "small",
        "medium",
        "large",
    ),
    string(
        "serverKind",
        "uvicorn",
        "What serves HTTP: uvicorn (all of MLflow) or gunicorn (no OTLP traces, gateway, jobs).",
        "uvicorn",
        "gunicorn",
    ),
    derived(
        "serverWorkers",
        "Worker processes; auto: 1, 2 or 4 by size, no more than cores here, in the budget.",
        1,
        64,
    ),
    derived(
        "serverThreads",
        "Requests one worker serves at once; auto: 10 (small) or 15.",
        1,
        1000,
    ),
    derived("serverCpus", "Processors of one server (not local); auto: one per worker.", 1, 64),
    derived(
        "serverMemoryMib",
        "Memory of one server (not local); auto: 384 and 256 per worker, 512 more with jobs.",
        256,
        262144,
    ),
    derived(
        "serverKeepAliveSeconds",
        "How long an idle connection is kept; auto: 75, on aws longer than "
        "serverRequestTimeoutSeconds.",
        1,
        3600,
    ),
    derived(
        "serverDrainSeconds",
        "After SIGTERM, requests are still taken for this long; auto: 10 on aws, otherwise 0.",
        0,
        600,
    ),
    derived(
        "serverGraceSeconds",
        "Then, requests in flight may take this long; auto: 30, 8 on gcp (Cloud Run kills at 10).",
        1,
        3600,
    ),
    boolean("serverAccessLog", False, "One log line for each request (Prometheus counts anyway)."),
    integer("serverReplicas", 1, "Servers at their most (autoscaling's maximum).", 1, 1000),
    string("serverStaticPrefix", "", "Prefix of UI, API and health, such as /mlflow."),
    Declaration(
        "serveArtifacts",
        "boolean",
        AUTO,
        "Clients reach artifacts through the server; auto: true, but false on gcp (32 MiB).",
        derived=True,
    ),
    array("allowedHosts", "Host headers accepted beside the server's own names."),
    array("corsAllowedOrigins", "Web origins that may call the API from a browser."),
    string("trackingUri", "", "Address clients use; empty: where the server listens."),
    boolean("serverJobExecution", False, "Run MLflow's job runner beside the server (180 MB)."),
    string(
        "serverTrackingStore",
        "fast",
        "How PostgreSQL is written: one round trip a call (fast), or MLflow's own way (mlflow).",
        "fast",
        "mlflow",
    ),
    # Backend store and pool
    secret(
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
    string("databaseName", "mlflow", "Name of the provisioned database."),
    string("databaseUser", "mlflow", "User of the provisioned database."),
    derived(
        "databaseMaxConnections",
        "PostgreSQL's max_connections; auto: what the budget needs, or 100 where it is not ours.",
        10,
        262121,
    ),
    integer(
        "databaseReservedConnections",
        10,
        "Connections kept free for people, backups and migrations.",
        3,
        1000,
    ),
    boolean(
        "databaseTuning", True, "The schema gets the indexes that MLflow lacks; off: none of ours."
    ),
    derived(
        "poolSize",
        "Connections a worker keeps open; auto: half its threads, or what the database allows.",
    ),
    derived(
        "poolMaxOverflow",
        "More that it opens for a burst, 1 or more (0 is MLflow's word for unset); auto: two per "
        "thread less poolSize.",
    ),
    integer("poolTimeoutSeconds", 30, "Longest wait for a connection; MLflow fixes it at 30 s."),
    integer("poolRecycleSeconds", 1800, "Age at which a connection is replaced."),
    boolean("poolPrePing", True, "Connections are tested before use; MLflow always does."),
    # Artifact store
    string(
        "artifactStore",
        "",
        "Existing artifact store: s3://, gs:// or a folder; empty: the platform provisions one.",
    ),
    # Experiments
    string("defaultExperiment", "Default", "Experiment a training job logs to by default."),
    string("experimentName", "integration-test", "Experiment the four-stage check writes to."),
    # Authentication
    string(
        "authentication",
        "off",
        "Who may use the server: everybody (off), users with a password (basic) or who signs in at "
        "the load balancer (oidc).",
        "off",
        "basic",
        "oidc",
    ),
    string("authAdminUsername", "admin", "Administrator's name with basic authentication."),
    secret("authAdminPassword", "Administrator's password, 12 characters or more; empty: made."),
    integer(
        "authCacheTtlSeconds",
        60,
        "How long a checked password is remembered; 0 hashes it on every request.",
        0,
        3600,
    ),
    # Telemetry
    boolean(
        "prometheusEnabled",
        True,
        "The server answers /metrics for Prometheus.",
        takes_variables=True,
    ),
    boolean(
        "datadogEnabled", False, "Metrics also go to Datadog (not local).", takes_variables=True
    ),
    boolean(
        "cloudwatchEnabled",
        False,
        "Metrics also go to CloudWatch (target aws).",
        takes_variables=True,
    ),
    integer(
        "collectionIntervalSeconds", 60, "How often metrics are collected (not local).", 1, 3600
    ),
    integer("slowQueryMs", 1000, "A database query slower than this is logged.", 1),
    integer(
        "slowResponseMs",
        5000,
        "An answer slower than this is a warning of clients and raises the latency alarm.",
        1,
        3_600_000,
    ),
    integer(
        "slowArtifactUploadSeconds",
        30,
        "An artifact upload slower than this is a warning of clients.",
        1,
        86_400,
    ),
    integer(
        "slowModelLoadSeconds",
        60,
        "A model load slower than this is a warning of clients.",
        1,
        86_400,
    ),
    # Timeouts
    integer(
        "clientConnectTimeoutSeconds",
        10,
        "Client: to establish a connection (preflight and logger; MLflow's own calls wait longer).",
        1,
        600,
    ),
    integer("clientReadTimeoutSeconds", 300, "Client: to read an answer."),
    integer(
        "clientWriteTimeoutSeconds", 300, "Client: to write a request; as clientReadTimeoutSeconds."
    ),
    integer("serverRequestTimeoutSeconds", 600, "Load balancer: longest request (not local)."),
    integer("serverArtifactTimeoutSeconds", 1800, "Server: longest artifact transfer."),
    integer("serverQueryTimeoutSeconds", 30, "Server: longest database statement."),
    integer("healthCheckTimeoutSeconds", 2, "A health check answers within this.", 1, 10),
    # Circuit breaker (clients)
    boolean("circuitBreakerEnabled", True, "Clients stop calling a server that does not answer."),
    integer("circuitBreakerFailureThreshold", 5, "Failures in a row before it opens.", 1, 1000),
    integer("circuitBreakerTimeoutSeconds", 5, "A call longer than this is a failure.", 1, 3600),
    integer(
        "circuitBreakerResetSeconds",
        60,
        "How long it stays open before one call is tried.",
        1,
        3600,
    ),
    # Model registry
    boolean("registryEnabled", True, "The server keeps registered models."),
    string("registryStoreUri", "", "The registry's own database; empty: the backend store."),
    # The platform on one machine
    string("localStateDir", ".state", "Folder of data, logs and generated secrets."),
    string("localPostgresBinDir", "", "PostgreSQL's binaries; empty: those of the wheel."),
    string("localServiceUser", "", "Who PostgreSQL runs as when root deploys; empty: chosen."),
    boolean("localPurgeOnDestroy", False, "Destroying the stack deletes its data too."),
    *KUBERNETES_DECLARATIONS,
    *CLOUD_DECLARATIONS,
    *AWS_DECLARATIONS,
    *GCP_DECLARATIONS,
)

BY_KEY = {declaration.key: declaration for declaration in DECLARATIONS}
