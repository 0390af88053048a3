"""The servers that are compared: the default, the platform's profile, the default with one change.

Owns how each is called and nothing of how it is measured. The profile is whatever
`infra.mlflow_server.render` says at this commit, with the settings of a stack that sets none.
The ablation's variants differ from the default in the one thing their name says.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.server_comparison.default_environment import beside, default_python
from infra.database_endpoint import DatabaseEndpoint
from infra.mlflow_server import MlflowServer, ServerWiring, render
from infra.settings import PlatformSettings, load_settings

ROOT = Path(__file__).resolve().parents[2]
DEFAULT, PROFILE = "default", "profile"
NO_DELAY = Path(__file__).with_name("no_delay")


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a server is to run."""

    folder: Path  # its own, and its working directory
    port: int
    database_port: int
    database: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Launch:
    """How a server is called."""

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    artifacts: Path  # where it keeps what is uploaded


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """A server to be measured."""

    name: str
    meaning: str
    launch: Callable[[Place, Path], Launch]  # the second: the work folder
    migration: Callable[[Place, Path], Launch] | None = None  # of MLflow's schema to its own


def default(
    name: str = DEFAULT,
    meaning: str = "`mlflow server` as it comes, with psycopg2",
    *,
    driver: str = "postgresql+psycopg2",
    options: tuple[str, ...] = (),
    environment: Mapping[str, str] | None = None,
    packages: tuple[str, ...] = (),
    patches: tuple[Path, ...] = (),
) -> Variant:
    """The default server, with what an ablation changes in it."""

    def launch(place: Place, work: Path) -> Launch:
        store = f"{driver}://mlflow@127.0.0.1:{place.database_port}/{place.database}"
        path = [*patches, *(beside(work, package) for package in packages)]
        return Launch(
            command=(
                *(str(default_python(work)), "-m", "mlflow", "server"),
                *("--backend-store-uri", store, "--port", str(place.port), *options),
            ),
            environment={
                **({"PYTHONPATH": ":".join(map(str, path))} if path else {}),
                **(environment or {}),
            },
            artifacts=place.folder / "mlartifacts",
        )

    return Variant(name=name, meaning=meaning, launch=launch)


def profile(
    name: str = PROFILE,
    meaning: str = "what `infra.mlflow_server` renders for a stack without settings",
    *,
    settings: Mapping[str, str] | None = None,
) -> Variant:
    """The platform's server."""

    def launched(place: Place, command: tuple[str, ...], environment: Mapping[str, str]) -> Launch:
        return Launch(
            command=(sys.executable, *command[1:]),
            # Where the package of the server's entry point lies in a checkout.
            environment={"PYTHONPATH": str(ROOT / "image"), **environment},
            artifacts=place.folder / "artifacts",
        )

    def launch(place: Place, _work: Path) -> Launch:
        server = rendered_profile(place, settings or {})
        return launched(place, server.command, server.environment)

    def migration(place: Place, _work: Path) -> Launch:
        server = rendered_profile(place, settings or {})
        return launched(place, server.migration_command, {})

    return Variant(name=name, meaning=meaning, launch=launch, migration=migration)


def profile_settings(place: Place, settings: Mapping[str, str]) -> PlatformSettings:
    """A stack's settings, but for the port."""
    return load_settings({"serverPort": str(place.port), **settings}, stack="local", environ={})


def rendered_profile(place: Place, settings: Mapping[str, str]) -> MlflowServer:
    """The definition that every target deploys, for a place here."""
    database = DatabaseEndpoint(
        host="127.0.0.1", port=place.database_port, name=place.database, user="mlflow"
    )
    checked = profile_settings(place, settings)
    prometheus = str(place.folder / "prometheus") if checked.telemetry.prometheus else None
    wiring = ServerWiring(
        backend_store=database,
        artifact_root=str(place.folder / "artifacts"),
        prometheus_dir=prometheus,
    )
    return render(checked, wiring)


def compared(settings: Mapping[str, str] | None = None) -> tuple[Variant, Variant]:
    """The two of the comparison; `settings` are those of our stack."""
    if not settings:
        return default(), profile()
    given = ", ".join(f"{key}: {value}" for key, value in settings.items())
    meaning = f"what `infra.mlflow_server` renders for a stack with {given}"
    return default(), profile(meaning=meaning, settings=settings)


def ablation() -> tuple[Variant, ...]:
    """The default, and the default with one thing changed at a time."""
    large_pool = {
        "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": "40",
        "MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW": "40",
    }
    no_jobs = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    return (
        default(),
        default("tcp_nodelay", "its sockets get TCP_NODELAY", patches=(NO_DELAY,)),
        default("uvloop", "with uvloop installed", packages=("uvloop",)),
        default("httptools", "with httptools installed", packages=("httptools",)),
        default(
            "psycopg3",
            "with psycopg 3 in place of psycopg2",
            driver="postgresql+psycopg",
            packages=("psycopg[binary]",),
        ),
        default("large_pool", "with a pool of 40 + 40 connections", environment=large_pool),
        default("no_jobs", "without job execution", environment=no_jobs),
        default("one_worker", "with one worker", options=("--workers", "1")),
        default(
            "gunicorn",
            "with gunicorn, two workers of 15 threads",
            options=("--workers", "2", "--gunicorn-opts", "--worker-class gthread --threads 15"),
        ),
        default(
            "all_of_it",
            "with uvloop, httptools, psycopg 3, the large pool, two workers and no job execution",
            driver="postgresql+psycopg",
            options=("--workers", "2"),
            environment=large_pool | no_jobs,
            packages=("uvloop", "httptools", "psycopg[binary]"),
        ),
        profile(),
    )
