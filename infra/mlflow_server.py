"""The one definition of the MLflow server, rendered by every target.

Owns the command line, the environment and the shutdown time of the server: the local target
supervises what is rendered here, Kubernetes and Cloud Run put it in a container. What runs is
`mlflow_platform_server` (image/), which serves MLflow's own application. It leaves alone where the
parts come from (a `ServerWiring` says which database, which artifact root and which files exist in
this place), what the server is called (`server_address`) and how it is asked for its health
(`server_probes`).

Facts the definition rests on (MLflow 3.17):

- Credentials never stand in a URL or an argument: psycopg reads the password from `PGPASSFILE`
  or `PGPASSWORD`, or the server takes a token for each connection.
- What is unknown before a deployment stands nowhere in it: a database that is still to be made has
  no host here, and libpq reads `PGHOST`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from infra.database_endpoint import DatabaseEndpoint
from infra.server_address import allowed_hosts
from infra.server_probes import Probe, probes
from infra.settings import PlatformSettings
from infra.settings_database import parse_backend_store

FAREWELL_SECONDS = 5
"""What a server needs beside draining and the requests in flight: closing, its last words."""

DATABASE_WAIT_SECONDS = 90
"""A database that may still come is waited for this long; within the startup probe's patience."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerWiring:
    """What a target has made for the server to use."""

    backend_store: DatabaseEndpoint | str  # a database, or `sqlite:///…`
    artifact_root: str  # folder, `s3://…` or `gs://…`
    password_file: str | None = None  # libpq's PGPASSFILE; None: PGPASSWORD comes as a secret
    database_login: Literal["password", "aws", "google"] = "password"
    auth_config_file: str | None = None  # where the target writes `MlflowServer.auth_config`
    prometheus_dir: str | None = None  # scratch folder shared by the workers' counters


@dataclass(frozen=True, kw_only=True, slots=True)
class MlflowServer:
    """A rendered server: everything a target needs to run one, and nothing of the target."""

    command: tuple[str, ...]  # starts with `python -m mlflow_platform_server serve`
    environment: dict[str, str] = field(default_factory=dict[str, str])  # nothing secret
    secret_environment: tuple[str, ...] = ()  # names whose values the target supplies
    auth_config: str | None = None  # text of the file at MLFLOW_AUTH_CONFIG_PATH
    startup: Probe
    readiness: Probe
    liveness: Probe
    drain_seconds: int  # of them, still taking requests: no pre-stop pause is needed
    graceful_shutdown_seconds: int  # from SIGTERM to the end, at most
    schema_tuning: bool  # the migration adds the indexes that MLflow lacks

    @property
    def migration_command(self) -> tuple[str, ...]:
        """Upgrades and tunes the schema of the same backend store; to run before any server."""
        tuning = "on" if self.schema_tuning else "off"
        return self._on_the_same_store("migrate", "--schema-tuning", tuning)

    def retention_command(self, days: int, server_address: str | None = None) -> tuple[str, ...]:
        """Removes for good what users deleted at least `days` ago, with its artifacts.

        Artifacts that clients reach through the server are removed through it, at
        `server_address`; others where they are. MLflow wants a tracking URI in any case.
        """
        tracking = server_address or self._option("--backend-store-uri") or ""
        command = self._on_the_same_store("gc", "--older-than", f"{days}d")
        command += ("--tracking-uri", tracking)
        destination = self._option("--artifacts-destination")
        return (*command, "--artifacts-destination", destination) if destination else command

    def _on_the_same_store(self, verb: str, *options: str) -> tuple[str, ...]:
        command = ["python", "-m", "mlflow_platform_server", verb, *options]
        if login := self._option("--database-login"):
            command += ["--database-login", login]
        return (*command, "--backend-store-uri", self._option("--backend-store-uri") or "")

    def _option(self, name: str) -> str | None:
        return self.command[self.command.index(name) + 1] if name in self.command else None


def render(settings: PlatformSettings, wiring: ServerWiring) -> MlflowServer:
    """The server that `settings` ask for, using what `wiring` provides."""
    server = settings.server
    return MlflowServer(
        command=_command(settings, wiring),
        environment=_environment(settings, wiring),
        secret_environment=_secret_environment(settings, wiring),
        auth_config=_auth_config(settings, wiring),
        drain_seconds=server.drain_seconds,
        graceful_shutdown_seconds=server.drain_seconds + server.grace_seconds + FAREWELL_SECONDS,
        schema_tuning=settings.database.tuning,
        **probes(settings),
    )


def _command(settings: PlatformSettings, wiring: ServerWiring) -> tuple[str, ...]:
    server = settings.server
    command = [
        *("python", "-m", "mlflow_platform_server", "serve"),
        *("--backend-store-uri", _store_uri(wiring.backend_store)),
        *("--host", server.host, "--port", str(server.port)),
        *("--kind", server.kind),
        *("--workers", str(server.workers), "--threads", str(server.threads)),
        *("--keep-alive-seconds", str(server.keep_alive_seconds)),
        *("--drain-seconds", str(server.drain_seconds)),
        *("--grace-seconds", str(server.grace_seconds)),
        *("--database-wait-seconds", str(DATABASE_WAIT_SECONDS)),
    ]
    if registry := _registry_store(settings, wiring):
        command += ["--registry-store-uri", registry]
    if wiring.database_login != "password":
        command += ["--database-login", wiring.database_login]
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
    if server.access_log:
        command += ["--access-log"]
    return tuple(command)


def _environment(settings: PlatformSettings, wiring: ServerWiring) -> dict[str, str]:
    environment = {
        "MLFLOW_SERVER_ALLOWED_HOSTS": ",".join(allowed_hosts(settings)),
        # No call home: a platform that holds a company's experiments reports to nobody.
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        # Each of many threads would keep a heap of its own that it seldom needs.
        "MALLOC_ARENA_MAX": "2",
        # Job runners and schedulers cost a process of 180 MB that tracking does not use.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": _flag(settings.server.job_execution),
        "MLFLOW_PLATFORM_TRACKING_STORE": settings.server.tracking_store,
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
    by_password = wiring.database_login == "password" and not wiring.password_file
    if isinstance(wiring.backend_store, DatabaseEndpoint) and by_password:
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
