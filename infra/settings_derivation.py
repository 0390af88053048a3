"""From parsed values to the typed settings of a stack, with everything derived filled in.

Owns the assembly: which parsed value becomes which attribute, and the taking apart of an existing
backend store. The numbers behind `auto` are `settings_derived_numbers`'; whether they fit is for
`settings_rules` to say.
"""

from __future__ import annotations

from typing import cast

from infra.connection_budget import ConnectionBudget
from infra.settings_database import ExternalDatabase, parse_backend_store
from infra.settings_declarations import AUTO
from infra.settings_derivation_cloud import derive_aws, derive_cloud
from infra.settings_derivation_gcp import derive_gcp
from infra.settings_derivation_kubernetes import derive_kubernetes
from infra.settings_derived_numbers import Place, derive_budget
from infra.settings_model import (
    ArtifactSettings,
    AuthenticationKind,
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
    SizeName,
    Target,
    TelemetrySettings,
    TimeoutSettings,
    TrackingStore,
)
from infra.settings_parsing import Parsed, Problem, qualified
from infra.settings_server_size import shape_of


def derive(parsed: Parsed, *, stack: str, cores: int) -> tuple[PlatformSettings, list[Problem]]:
    """Assemble the settings, deriving what is `auto`."""
    problems: list[Problem] = []
    external: ExternalDatabase | None = None
    if uri := parsed.text("backendStoreUri"):
        try:
            external = parse_backend_store(uri)
        except ValueError as error:
            problems.append(Problem(qualified("backendStoreUri"), str(error)))
    budget = derive_budget(
        parsed,
        Place(
            target=parsed.text("target"),
            engine=external.engine if external else "postgresql",
            external=external is not None,
            cores=cores,
        ),
    )
    shape = shape_of(parsed, workers=budget.workers, target=parsed.text("target"))
    environment = stack if parsed.text("environment") == AUTO else parsed.text("environment")
    settings = PlatformSettings(
        environment=environment,
        target=cast("Target", parsed.text("target")),
        server=ServerSettings(
            host=parsed.text("serverHost"),
            port=parsed.number("serverPort"),
            size=cast("SizeName", parsed.text("serverSize")),
            kind=cast("ServerKind", parsed.text("serverKind")),
            workers=budget.workers,
            threads=budget.threads,
            cpus=shape.cpus,
            memory_mib=shape.memory_mib,
            keep_alive_seconds=shape.keep_alive_seconds,
            drain_seconds=shape.drain_seconds,
            grace_seconds=shape.grace_seconds,
            access_log=parsed.flag("serverAccessLog"),
            replicas=budget.replicas,
            static_prefix=parsed.text("serverStaticPrefix"),
            serve_artifacts=_serve_artifacts(parsed),
            allowed_hosts=parsed.names("allowedHosts"),
            cors_allowed_origins=parsed.names("corsAllowedOrigins"),
            tracking_uri=parsed.text("trackingUri").rstrip("/"),
            job_execution=parsed.flag("serverJobExecution"),
            tracking_store=cast("TrackingStore", parsed.text("serverTrackingStore")),
        ),
        pool=PoolSettings(
            size=budget.pool_size,
            max_overflow=budget.max_overflow,
            timeout_seconds=parsed.number("poolTimeoutSeconds"),
            recycle_seconds=parsed.number("poolRecycleSeconds"),
            pre_ping=parsed.flag("poolPrePing"),
        ),
        database=_database(parsed, external, budget),
        artifacts=ArtifactSettings(store=parsed.text("artifactStore")),
        experiment=ExperimentSettings(
            default=parsed.text("defaultExperiment"), name=parsed.text("experimentName")
        ),
        authentication=AuthenticationSettings(
            kind=cast("AuthenticationKind", parsed.text("authentication")),
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
        kubernetes=derive_kubernetes(parsed),
        cloud=derive_cloud(parsed, environment),
        aws=derive_aws(parsed),
        gcp=derive_gcp(parsed),
        connection_budget=None if external and external.engine == "sqlite" else budget,
    )
    return settings, problems


def _database(
    parsed: Parsed, external: ExternalDatabase | None, budget: ConnectionBudget
) -> DatabaseSettings:
    if external is None:
        external = ExternalDatabase(
            engine="postgresql",
            uri="",
            host="127.0.0.1" if parsed.text("target") == "local" else "",  # known when it is made
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
        tuning=parsed.flag("databaseTuning"),
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


def _serve_artifacts(parsed: Parsed) -> bool:
    """As written; Cloud Run alone answers 413 to an upload of more than 32 MiB."""
    written = parsed.flag_or_auto("serveArtifacts")
    return parsed.text("target") != "gcp" if written is None else written
