"""Stacks as tests write them: settings by key, without a file, an environment or a real machine."""

from __future__ import annotations

from collections.abc import Mapping

from infra.database_endpoint import DatabaseEndpoint
from infra.mlflow_server import MlflowServer, ServerWiring, render
from infra.settings import PlatformSettings, SettingsError, load_settings

CORES = 4

DATABASE = DatabaseEndpoint(host="127.0.0.1", port=5432, name="mlflow", user="mlflow")

DATABASE_URL = (
    "postgresql+psycopg://mlflow@127.0.0.1:5432/mlflow?application_name=mlflow&connect_timeout=10"
    "&keepalives_idle=5&keepalives_interval=5&keepalives_count=2&tcp_user_timeout=15000"
)


def stack(
    values: Mapping[str, str] | None = None,
    /,
    environ: Mapping[str, str] | None = None,
    **more: str,
) -> PlatformSettings:
    """The settings of a stack that sets these keys and nothing else."""
    return load_settings(
        {**(values or {}), **more}, stack="test", environ=environ or {}, cores=CORES
    )


def problems(
    values: Mapping[str, str] | None = None,
    /,
    environ: Mapping[str, str] | None = None,
    **more: str,
) -> list[str]:
    """What is wrong with such a stack, as the user reads it; empty when nothing is."""
    try:
        stack(values, environ, **more)
    except SettingsError as error:
        return [str(problem) for problem in error.problems]
    return []


def wiring(**changes: object) -> ServerWiring:
    """What the local target provides: a database, a folder, a password file."""
    parts: dict[str, object] = {
        "backend_store": DATABASE,
        "artifact_root": "/srv/artifacts",
        "password_file": "/srv/pgpass",
        "auth_config_file": "/srv/basic_auth.ini",
        **changes,
    }
    return ServerWiring(**parts)  # type: ignore[arg-type]


def server(
    values: Mapping[str, str] | None = None, /, wired: ServerWiring | None = None, **more: str
) -> MlflowServer:
    """The server of such a stack."""
    return render(stack(values, **more), wired or wiring())
