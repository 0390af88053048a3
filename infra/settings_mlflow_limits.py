"""What MLflow 3.17 offers no switch for, as rules: refused in words, never silently ignored.

Owns one small function per limit, each with the value that is in force and what to do instead. A
new MLflow version that grows the switch makes its rule go away.
"""

from __future__ import annotations

from collections.abc import Iterator

from infra.settings_model import PlatformSettings
from infra.settings_parsing import Parsed, Problem, command_to_encrypt, problem

SHORTEST_ADMIN_PASSWORD = 12
"""MLflow refuses to create its administrator with fewer characters."""

MLFLOW_OLD_DEFAULT_PASSWORD = "password1234"  # noqa: S105 - refused, not used


def request_timeout_is_settable(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """A load balancer limits a request's time; uvicorn does not, nor gunicorn with threads."""
    if "serverRequestTimeoutSeconds" in parsed.given and settings.target == "local":
        yield problem(
            "serverRequestTimeoutSeconds",
            f"is {settings.timeouts.server_request_seconds} and mlflow-platform:target is local, "
            "where no load balancer stands before the server and neither uvicorn nor gunicorn's "
            "threads limit a request's time: leave it out (serverQueryTimeoutSeconds limits each "
            "database statement)",
        )


def pool_timeout_is_settable(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """MLflow passes no pool timeout, so SQLAlchemy's default is in force."""
    del parsed
    if settings.pool.timeout_seconds != 30:
        yield problem(
            "poolTimeoutSeconds",
            f"is {settings.pool.timeout_seconds}; MLflow has no switch for it and SQLAlchemy's "
            "30 s are in force: leave it at 30. The connection budget sees to it that no request "
            "waits that long",
        )


def pre_ping_is_settable(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """MLflow always tests a connection before use."""
    del parsed
    if not settings.pool.pre_ping:
        yield problem(
            "poolPrePing",
            "is false; MLflow always tests a connection before use and has no switch for it: "
            "leave it at true (it is what lets a database restart cost nothing)",
        )


def registry_is_settable(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """The registry is part of the server."""
    del parsed
    if not settings.registry.enabled:
        yield problem(
            "registryEnabled",
            "is false; MLflow's server always serves its registry and has no switch for it: leave "
            "it at true, and restrict it with mlflow-platform:authentication",
        )


def client_timeouts_are_settable(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """MLflow's client has one timeout for reading and writing."""
    del parsed
    timeouts = settings.timeouts
    if timeouts.client_write_seconds != timeouts.client_read_seconds:
        yield problem(
            "clientWriteTimeoutSeconds",
            f"is {timeouts.client_write_seconds} and clientReadTimeoutSeconds is "
            f"{timeouts.client_read_seconds}; MLflow's client has one timeout for both "
            "(MLFLOW_HTTP_REQUEST_TIMEOUT): set them to the same number",
        )


def circuit_breaker_is_settable(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """MLflow's client has none, the platform's client library always has one."""
    del parsed
    if not settings.circuit_breaker.enabled:
        yield problem(
            "circuitBreakerEnabled",
            "is false; the client library always stops calling a server that does not answer and "
            "has no switch for it: leave it at true, and raise circuitBreakerFailureThreshold if "
            "it stops too early",
        )


def admin_password_is_accepted(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """The server would not start with a password that MLflow refuses."""
    del parsed
    password = settings.authentication.admin_password
    if password is None:
        return
    if settings.authentication.kind != "basic":
        return
    if len(password) < SHORTEST_ADMIN_PASSWORD or password == MLFLOW_OLD_DEFAULT_PASSWORD:
        yield problem(
            "authAdminPassword",
            f"has {len(password)} characters or is MLflow's old default; MLflow takes "
            f"{SHORTEST_ADMIN_PASSWORD} or more: choose another with "
            f"{command_to_encrypt('authAdminPassword', settings.target)}, or remove it and one is "
            "made",
        )


def jobs_need_uvicorn(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """MLflow serves its job API from the ASGI side only."""
    del parsed
    if settings.server.job_execution and settings.server.kind == "gunicorn":
        yield problem(
            "serverJobExecution",
            "is true and mlflow-platform:serverKind is gunicorn, which does not serve the job API: "
            "set serverKind to uvicorn",
        )


MLFLOW_LIMITS = (
    request_timeout_is_settable,
    pool_timeout_is_settable,
    pre_ping_is_settable,
    registry_is_settable,
    client_timeouts_are_settable,
    circuit_breaker_is_settable,
    admin_password_is_accepted,
    jobs_need_uvicorn,
)
