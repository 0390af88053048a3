"""What the user leaves to the platform: numbers derived so that the connection budget holds.

Owns the arithmetic behind `auto` and the assembly of the typed settings. A number the user gave is
never changed here; whether it fits is for `settings_rules` to say.
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from infra.connection_budget import CONNECTIONS_PER_REQUEST, ConnectionBudget
from infra.settings_database import ExternalDatabase, parse_backend_store
from infra.settings_declarations import AUTO
from infra.settings_model import (
    ArtifactSettings,
    AuthenticationSettings,
    CircuitBreakerSettings,
    DatabaseEngine,
    DatabaseSettings,
    ExperimentSettings,
    LocalSettings,
    PlatformSettings,
    PoolSettings,
    RegistrySettings,
    ServerKind,
    ServerSettings,
    Target,
    TelemetrySettings,
    TimeoutSettings,
)
from infra.settings_parsing import Parsed, Problem, qualified

UVICORN_THREADS = 40
"""Threads in which a uvicorn worker runs MLflow's API: AnyIO's default limiter, with no switch."""

GUNICORN_THREADS = 15
"""With them the pool of 10 + 20 that suits a small team serves every request (2 × 15 = 30)."""

SMALLEST_POOL = 10
MOST_WORKERS = 4
CLOUD_WORKERS = 2
"""The deploying machine's cores say nothing of a container's; two survive the loss of one."""

POSTGRESQL_DEFAULT_MAX_CONNECTIONS = 100


def derive(parsed: Parsed, *, stack: str, cores: int) -> tuple[PlatformSettings, list[Problem]]:
    """Assemble the settings, deriving what is `auto`."""
    problems: list[Problem] = []
    external: ExternalDatabase | None = None
    if uri := parsed.text("backendStoreUri"):
        try:
            external = parse_backend_store(uri)
        except ValueError as error:
            problems.append(Problem(qualified("backendStoreUri"), str(error)))
    sqlite = external is not None and external.engine == "sqlite"

    target = cast("Target", parsed.text("target"))
    kind = cast("ServerKind", parsed.text("serverKind"))
    threads = parsed.number_or_auto("serverThreads") or (
        UVICORN_THREADS if kind == "uvicorn" else GUNICORN_THREADS
    )
    pool = _pool(parsed, threads)
    stores = 1 + (not parsed.text("registryStoreUri")) + (parsed.text("authentication") == "basic")
    budget = ConnectionBudget(
        replicas=parsed.number("serverReplicas"),
        workers=1,
        threads=threads,
        pool_size=pool.size,
        max_overflow=pool.max_overflow,
        stores=stores,
        max_connections=parsed.number_or_auto("databaseMaxConnections")
        or POSTGRESQL_DEFAULT_MAX_CONNECTIONS,
        reserved_connections=parsed.number("databaseReservedConnections"),
    )
    wanted_workers = parsed.number_or_auto("serverWorkers")
    provisioned = external is None and parsed.number_or_auto("databaseMaxConnections") is None
    if wanted_workers is None:
        most = 1 if sqlite else min(cores, MOST_WORKERS) if target == "local" else CLOUD_WORKERS
        wanted_workers = most if provisioned else _workers_that_fit(budget, most)
    budget = replace(budget, workers=wanted_workers)
    if provisioned:
        budget = _with_room(budget)

    settings = PlatformSettings(
        environment=stack if parsed.text("environment") == AUTO else parsed.text("environment"),
        target=target,
        server=ServerSettings(
            host=parsed.text("serverHost"),
            port=parsed.number("serverPort"),
            kind=kind,
            workers=wanted_workers,
            threads=threads,
            replicas=parsed.number("serverReplicas"),
            static_prefix=parsed.text("serverStaticPrefix"),
            serve_artifacts=parsed.flag("serveArtifacts"),
            allowed_hosts=parsed.names("allowedHosts"),
            cors_allowed_origins=parsed.names("corsAllowedOrigins"),
            tracking_uri=parsed.text("trackingUri").rstrip("/"),
            job_execution=parsed.flag("serverJobExecution"),
        ),
        pool=pool,
        database=_database(parsed, external, budget),
        artifacts=ArtifactSettings(store=parsed.text("artifactStore")),
        experiment=ExperimentSettings(
            default=parsed.text("defaultExperiment"), name=parsed.text("experimentName")
        ),
        authentication=AuthenticationSettings(
            kind="basic" if parsed.text("authentication") == "basic" else "off",
            admin_username=parsed.text("authAdminUsername"),
            admin_password=parsed.text("authAdminPassword") or None,
            cache_ttl_seconds=parsed.number("authCacheTtlSeconds"),
        ),
        telemetry=_telemetry(parsed),
        timeouts=_timeouts(parsed),
        circuit_breaker=CircuitBreakerSettings(
            enabled=parsed.flag("circuitBreakerEnabled"),
            failure_threshold=parsed.number("circuitBreakerFailureThreshold"),
            timeout_seconds=parsed.number("circuitBreakerTimeoutSeconds"),
            reset_seconds=parsed.number("circuitBreakerResetSeconds"),
        ),
        registry=RegistrySettings(
            enabled=parsed.flag("registryEnabled"), store_uri=parsed.text("registryStoreUri")
        ),
        local=LocalSettings(
            state_dir=parsed.text("localStateDir"),
            postgres_bin_dir=parsed.text("localPostgresBinDir"),
            service_user=parsed.text("localServiceUser"),
            purge_on_destroy=parsed.flag("localPurgeOnDestroy"),
        ),
        connection_budget=None if sqlite else budget,
    )
    return settings, problems


def _pool(parsed: Parsed, threads: int) -> PoolSettings:
    enough = CONNECTIONS_PER_REQUEST * threads
    overflow = parsed.number_or_auto("poolMaxOverflow")
    size = parsed.number_or_auto("poolSize")
    if size is None:
        # Half of what is ever wanted stays open: the rest is for bursts, and costs a connection
        # set-up each time.
        size = max(SMALLEST_POOL, threads // 2, enough - overflow if overflow is not None else 0)
    if overflow is None:
        # One at the least: MLflow takes 0 for "not set", and SQLAlchemy's own 10 would apply.
        overflow = max(1, enough - size)
    return PoolSettings(
        size=size,
        max_overflow=overflow,
        timeout_seconds=parsed.number("poolTimeoutSeconds"),
        recycle_seconds=parsed.number("poolRecycleSeconds"),
        pre_ping=parsed.flag("poolPrePing"),
    )


def _workers_that_fit(budget: ConnectionBudget, most: int) -> int:
    """As many workers as the database has room for; one at the least, which a rule then judges."""
    fitting = [n for n in range(1, most + 1) if replace(budget, workers=n).fits_the_database]
    return max(fitting, default=1)


def _with_room(budget: ConnectionBudget) -> ConnectionBudget:
    """The budget on a database of ours, which gets the connections that are wanted.

    Counted for pools as large as they can sensibly be, not as they are set: a changed pool is then
    an update of the server alone, and PostgreSQL is not restarted for it.
    """
    largest_pool = CONNECTIONS_PER_REQUEST * budget.threads
    largest = budget.replicas * budget.workers * budget.stores * largest_pool
    needed = max(budget.wanted, largest) + budget.reserved_connections
    rounded = -(-needed // 20) * 20
    return replace(budget, max_connections=max(POSTGRESQL_DEFAULT_MAX_CONNECTIONS, rounded))


def _database(
    parsed: Parsed, external: ExternalDatabase | None, budget: ConnectionBudget
) -> DatabaseSettings:
    if external is None:
        external = ExternalDatabase(
            engine="postgresql",
            uri="",
            host="127.0.0.1",
            port=parsed.number("databasePort"),
            name=parsed.text("databaseName"),
            user=parsed.text("databaseUser"),
        )
    return DatabaseSettings(
        engine=cast("DatabaseEngine", external.engine),
        backend_store_uri=external.uri,
        host=external.host,
        port=external.port,
        name=external.name,
        user=external.user,
        password=external.password,
        ssl_mode=external.ssl_mode,
        max_connections=budget.max_connections,
        reserved_connections=budget.reserved_connections,
    )


def _telemetry(parsed: Parsed) -> TelemetrySettings:
    return TelemetrySettings(
        prometheus=parsed.flag("prometheusEnabled"),
        datadog=parsed.flag("datadogEnabled"),
        cloudwatch=parsed.flag("cloudwatchEnabled"),
        collection_interval_seconds=parsed.number("collectionIntervalSeconds"),
        slow_query_ms=parsed.number("slowQueryMs"),
        slow_response_ms=parsed.number("slowResponseMs"),
        slow_artifact_upload_seconds=parsed.number("slowArtifactUploadSeconds"),
        slow_model_load_seconds=parsed.number("slowModelLoadSeconds"),
    )


def _timeouts(parsed: Parsed) -> TimeoutSettings:
    return TimeoutSettings(
        client_connect_seconds=parsed.number("clientConnectTimeoutSeconds"),
        client_read_seconds=parsed.number("clientReadTimeoutSeconds"),
        client_write_seconds=parsed.number("clientWriteTimeoutSeconds"),
        server_request_seconds=parsed.number("serverRequestTimeoutSeconds"),
        server_artifact_seconds=parsed.number("serverArtifactTimeoutSeconds"),
        server_query_seconds=parsed.number("serverQueryTimeoutSeconds"),
        health_check_seconds=parsed.number("healthCheckTimeoutSeconds"),
    )
