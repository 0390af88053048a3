"""What `serve` is told: one typed record, and the command line it is read from.

Owns names, defaults and bounds of the options. Names that `mlflow server` has mean what they mean
there; what belongs to this server alone (threads, drain, waiting for the database) is new. Options
of `mlflow server` that are missing here are environment variables of MLflow, which work unchanged
(`MLFLOW_SERVER_ALLOWED_HOSTS`, `MLFLOW_SERVER_CORS_ALLOWED_ORIGINS`, …).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Literal

DEFAULT_THREADS = 15


@dataclass(frozen=True, kw_only=True, slots=True)
class ServeOptions:
    """Everything that decides how the server runs."""

    backend_store_uri: str
    registry_store_uri: str | None = None
    read_replica_backend_store_uri: str | None = None
    default_artifact_root: str | None = None
    artifacts_destination: str | None = None
    serve_artifacts: bool = True
    artifacts_only: bool = False
    host: str = "127.0.0.1"
    port: int = 5000
    kind: Literal["uvicorn", "gunicorn"] = "uvicorn"
    workers: int = 1
    threads: int = DEFAULT_THREADS  # requests one worker serves at once
    static_prefix: str | None = None
    expose_prometheus: str | None = None  # folder of the counters that workers share
    app_name: str | None = None  # `basic-auth`
    enable_workspaces: bool = False
    workspace_store_uri: str | None = None
    trace_archival_config: str | None = None
    secrets_cache_ttl: int | None = None
    secrets_cache_max_size: int | None = None
    keep_alive_seconds: int = 75
    drain_seconds: float = 0.0  # still accepting after SIGTERM
    grace_seconds: int = 30  # for what is in flight after that
    database_wait_seconds: int = 90
    database_login: Literal["password", "aws", "google"] = "password"
    access_log: bool = False


def add_serve_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `serve`."""
    store = parser.add_argument_group("stores")
    store.add_argument("--backend-store-uri", required=True, metavar="URI")
    store.add_argument("--registry-store-uri", metavar="URI")
    store.add_argument("--read-replica-backend-store-uri", metavar="URI")
    store.add_argument("--default-artifact-root", metavar="URI")
    store.add_argument("--artifacts-destination", metavar="URI")
    store.add_argument("--serve-artifacts", action=argparse.BooleanOptionalAction, default=True)
    store.add_argument("--artifacts-only", action="store_true")
    database = parser.add_argument_group("database")
    database.add_argument(
        "--database-wait-seconds",
        type=_whole(0, 3600),
        default=90,
        metavar="SECONDS",
        help="how long a database that may still come is waited for (default: 90)",
    )
    add_login_argument(database)
    serving = parser.add_argument_group("serving")
    serving.add_argument("--host", default="127.0.0.1")
    serving.add_argument("--port", type=_whole(0, 65535), default=5000)
    serving.add_argument(
        "--kind",
        choices=("uvicorn", "gunicorn"),
        default="uvicorn",
        help="uvicorn serves all of MLflow; gunicorn no OTLP traces, gateway and jobs",
    )
    serving.add_argument("--workers", type=_whole(1, 64), default=1)
    serving.add_argument(
        "--threads",
        type=_whole(1, 1000),
        default=DEFAULT_THREADS,
        help=f"requests one worker serves at once (default: {DEFAULT_THREADS})",
    )
    serving.add_argument("--static-prefix", metavar="PATH")
    serving.add_argument("--expose-prometheus", metavar="FOLDER")
    serving.add_argument("--app-name", metavar="NAME", help="an MLflow app, such as basic-auth")
    serving.add_argument("--access-log", action=argparse.BooleanOptionalAction, default=False)
    serving.add_argument("--keep-alive-seconds", type=_whole(1, 3600), default=75)
    ending = parser.add_argument_group("ending")
    ending.add_argument(
        "--drain-seconds",
        type=_seconds,
        default=0.0,
        help="after SIGTERM, still accept for this long: as long as it takes until nobody sends "
        "new requests here (default: 0)",
    )
    ending.add_argument(
        "--grace-seconds",
        type=_whole(1, 3600),
        default=30,
        help="then, wait this long for requests in flight (default: 30)",
    )
    more = parser.add_argument_group("as with `mlflow server`")
    more.add_argument("--enable-workspaces", action=argparse.BooleanOptionalAction, default=False)
    more.add_argument("--workspace-store-uri", metavar="URI")
    more.add_argument("--trace-archival-config", metavar="FILE")
    more.add_argument("--secrets-cache-ttl", type=_whole(10, 300), metavar="SECONDS")
    more.add_argument("--secrets-cache-max-size", type=_whole(1, 10000), metavar="ENTRIES")


def add_login_argument(parser: Any) -> None:
    """Declare where each new database connection gets its password from."""
    parser.add_argument(
        "--database-login",
        choices=("password", "aws", "google"),
        default="password",
        help="what each new connection logs in with: libpq's password, an RDS IAM token (aws) or a "
        "Google access token (google)",
    )


def options_of(arguments: argparse.Namespace) -> ServeOptions:
    """The record of what was parsed."""
    return ServeOptions(
        **{item.name: getattr(arguments, item.name) for item in fields(ServeOptions)}
    )


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {low} to {high}")
        return int(text)

    return read


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 0 to 3600")
    return seconds
