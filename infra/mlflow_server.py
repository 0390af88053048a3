"""The one definition of the MLflow server, rendered by every target.

Owns the command line, the environment and the shutdown time of `mlflow server`: the local target
supervises what is rendered here, Kubernetes and Cloud Run put it in a container. It leaves alone
where the parts come from (a `ServerWiring` says which database, which artifact root and which
files exist in this place), what the server is called (`server_address`) and how it is asked for
its health (`server_probes`).

Facts the definition rests on (MLflow 3.17):

- Credentials never stand in a URL or an argument: psycopg reads the password from `PGPASSFILE`
  or `PGPASSWORD`.
- `--allowed-hosts` is refused together with `--gunicorn-opts`; the environment variable works
  with both server kinds.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from infra.database_endpoint import DatabaseEndpoint
from infra.server_address import allowed_hosts, bracketed
from infra.server_probes import Probe, probes
from infra.settings import PlatformSettings
from infra.settings_database import parse_backend_store

KEEP_ALIVE_SECONDS = 75
"""Above the 60 s after which load balancers (ALB's default) and clients drop an idle connection.

With uvicorn's own 5 s the server closes first, and a client that reuses the connection at that
moment sees a reset.
"""

GUNICORN_SILENCE_SECONDS = 120
"""After this long without a sign of life gunicorn replaces a worker.

Not a limit on a request: a worker with threads gives its sign beside them. It must outlast the
worker's start, which imports all of MLflow on a machine that may be busy.
"""

GRACEFUL_SHUTDOWN_SECONDS = 30
"""Requests in flight at SIGTERM are answered; after this many seconds the rest are cut off."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerWiring:
    """What a target has made for the server to use."""

    backend_store: DatabaseEndpoint | str  # a database, or `sqlite:///…`
    artifact_root: str  # folder, `s3://…` or `gs://…`
    password_file: str | None = None  # libpq's PGPASSFILE; None: PGPASSWORD comes as a secret
    auth_config_file: str | None = None  # where the target writes `MlflowServer.auth_config`
    prometheus_dir: str | None = None  # scratch folder shared by the workers' counters


@dataclass(frozen=True, kw_only=True, slots=True)
class MlflowServer:
    """A rendered server: everything a target needs to run one, and nothing of the target."""

    command: tuple[str, ...]  # starts with `python -m mlflow server`
    environment: dict[str, str] = field(default_factory=dict[str, str])  # nothing secret
    secret_environment: tuple[str, ...] = ()  # names whose values the target supplies
    auth_config: str | None = None  # text of the file at MLFLOW_AUTH_CONFIG_PATH
    startup: Probe
    readiness: Probe
    liveness: Probe
    graceful_shutdown_seconds: int = GRACEFUL_SHUTDOWN_SECONDS

    @property
    def migration_command(self) -> tuple[str, ...]:
        """`mlflow db upgrade` for the same backend store, to run alone before any server."""
        store = self.command[self.command.index("--backend-store-uri") + 1]
        return ("python", "-m", "mlflow", "db", "upgrade", store)


def render(settings: PlatformSettings, wiring: ServerWiring) -> MlflowServer:
    """The server that `settings` ask for, using what `wiring` provides."""
    return MlflowServer(
        command=_command(settings, wiring),
        environment=_environment(settings, wiring),
        secret_environment=_secret_environment(settings, wiring),
        auth_config=_auth_config(settings, wiring),
        **probes(settings),
    )


def _command(settings: PlatformSettings, wiring: ServerWiring) -> tuple[str, ...]:
    server = settings.server
    command = [
        "python",
        "-m",
        "mlflow",
        "server",
        "--backend-store-uri",
        _store_uri(wiring.backend_store),
        "--host",
        # MLflow hands gunicorn one text `host:port`, and uvicorn the two apart.
        bracketed(server.host) if server.kind == "gunicorn" else server.host,
        "--port",
        str(server.port),
        "--workers",
        str(server.workers),
    ]
    if registry := _registry_store(settings, wiring):
        command += ["--registry-store-uri", registry]
    if server.serve_artifacts:
        command += ["--serve-artifacts", "--artifacts-destination", wiring.artifact_root]
    else:
        command += ["--no-serve-artifacts", "--default-artifact-root", wiring.artifact_root]
    if server.static_prefix:
        command += ["--static-prefix", server.static_prefix]
    if settings.telemetry.prometheus and wiring.prometheus_dir:
        command += ["--expose-prometheus", wiring.prometheus_dir]
    if settings.authentication.kind == "basic":
        command += ["--app-name", "basic-auth"]
    return (*command, *_process_options(settings))


def _process_options(settings: PlatformSettings) -> tuple[str, str]:
    """Options of the process that serves HTTP.

    The option and its value are joined by `=`: the value begins with dashes, which a command-line
    parser would otherwise read as the next option.
    """
    if settings.server.kind == "gunicorn":
        options = (
            f"--worker-class gthread --threads {settings.server.threads}"
            f" --timeout {GUNICORN_SILENCE_SECONDS}"
            f" --graceful-timeout {GRACEFUL_SHUTDOWN_SECONDS}"
            f" --keep-alive {KEEP_ALIVE_SECONDS}"
        )
        return ("--gunicorn-opts", options)
    options = (
        f"--timeout-keep-alive {KEEP_ALIVE_SECONDS}"
        f" --timeout-graceful-shutdown {GRACEFUL_SHUTDOWN_SECONDS}"
    )
    return ("--uvicorn-opts", options)


def _environment(settings: PlatformSettings, wiring: ServerWiring) -> dict[str, str]:
    environment = {
        "MLFLOW_SERVER_ALLOWED_HOSTS": ",".join(allowed_hosts(settings)),
        # No call home: a platform that holds a company's experiments reports to nobody.
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        # Job runners and schedulers cost a process of 180 MB that tracking does not use.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": _flag(settings.server.job_execution),
        # The server is itself a client of the store it serves artifacts from.
        "MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT": str(settings.timeouts.server_artifact_seconds),
        # SQLite too: its pool deadlocks as PostgreSQL's does when it is too small.
        "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": str(settings.pool.size),
        "MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW": str(settings.pool.max_overflow),
        "MLFLOW_SQLALCHEMYSTORE_POOL_RECYCLE": str(settings.pool.recycle_seconds),
    }
    if settings.server.cors_allowed_origins:
        environment["MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"] = ",".join(
            settings.server.cors_allowed_origins
        )
    if isinstance(wiring.backend_store, DatabaseEndpoint):
        environment["PGOPTIONS"] = f"-c statement_timeout={settings.timeouts.server_query_seconds}s"
        if wiring.password_file:
            environment["PGPASSFILE"] = wiring.password_file
    if settings.authentication.kind == "basic":
        if not wiring.auth_config_file:
            # MLflow would keep its users in a sqlite file wherever it happens to run.
            raise ValueError("basic authentication needs a place for its configuration file")
        environment["MLFLOW_AUTH_CONFIG_PATH"] = wiring.auth_config_file
        environment["MLFLOW_AUTH_ADMIN_USERNAME"] = settings.authentication.admin_username
    return environment


def _secret_environment(settings: PlatformSettings, wiring: ServerWiring) -> tuple[str, ...]:
    names: list[str] = []
    if isinstance(wiring.backend_store, DatabaseEndpoint) and not wiring.password_file:
        names.append("PGPASSWORD")
    if settings.authentication.kind == "basic":
        names += ["MLFLOW_FLASK_SERVER_SECRET_KEY", "MLFLOW_AUTH_ADMIN_PASSWORD"]
    return tuple(names)


def _auth_config(settings: PlatformSettings, wiring: ServerWiring) -> str | None:
    """MLflow's `basic_auth.ini`, without the password (that comes by environment).

    Users are kept in the backend store: one database to back up, and no user without its runs.
    The cache turns 6 requests a second into 132: without it each request hashes the password
    anew. Its price: a changed password is accepted by other workers until the cache expires.
    """
    if settings.authentication.kind != "basic":
        return None
    return "\n".join(
        (
            "[mlflow]",
            "default_permission = READ",
            # The parser of this file takes a single % for a reference of its own.
            f"database_uri = {_store_uri(wiring.backend_store).replace('%', '%%')}",
            f"auth_cache_ttl_seconds = {settings.authentication.cache_ttl_seconds}",
            "",
        )
    )


def _registry_store(settings: PlatformSettings, wiring: ServerWiring) -> str:
    """Another database of the backend store's server, or a sqlite file; empty: no other."""
    uri, backend = settings.registry.store_uri, wiring.backend_store
    if isinstance(backend, DatabaseEndpoint) and uri and not uri.startswith("sqlite:"):
        return replace(backend, name=parse_backend_store(uri).name).url()
    return uri


def _store_uri(store: DatabaseEndpoint | str) -> str:
    return store if isinstance(store, str) else store.url()


def _flag(value: bool) -> str:
    return "true" if value else "false"
