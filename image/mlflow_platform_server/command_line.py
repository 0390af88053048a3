"""`python -m mlflow_platform_server`: serve, upgrade the schema, remove deleted runs, ask.

Owns the commands and their exit codes: 0 ended as told, 1 could not start or failed (one sentence
on standard error), 2 the command line cannot be understood.
"""

from __future__ import annotations

import argparse
import signal
import sys
from types import FrameType
from typing import NoReturn

from mlflow_platform_server.errors import CannotStart
from mlflow_platform_server.serve_options import (
    ServeOptions,
    add_login_argument,
    add_serve_arguments,
    options_of,
)


def main(arguments: list[str] | None = None) -> int:
    """Run the command that is named."""
    parser = argparse.ArgumentParser(
        prog="mlflow_platform_server",
        description="MLflow's tracking server, started once and shared by its workers.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    add_serve_arguments(
        commands.add_parser("serve", help="run the server", description="Run the server.")
    )
    migrating = commands.add_parser(
        "migrate",
        help="bring the schema to what this MLflow wants",
        description="Make or upgrade MLflow's schema. Run it alone, with no server running.",
    )
    migrating.add_argument("--backend-store-uri", required=True, metavar="URI")
    migrating.add_argument(
        "--schema-tuning",
        choices=("on", "off"),
        default="on",
        help="indexes that MLflow lacks: made (on) or taken away (off); default on",
    )
    add_login_argument(migrating)
    collecting = commands.add_parser(
        "gc",
        help="remove deleted runs for good",
        description="Run `mlflow gc`; its own options, such as --older-than 30d, are passed on.",
    )
    collecting.add_argument("--backend-store-uri", required=True, metavar="URI")
    add_login_argument(collecting)
    health = commands.add_parser(
        "health",
        help="ask a server on this machine whether it is alive",
        description="Ask a server on this machine whether it is alive; exit 1 when it is not.",
    )
    health.add_argument("--port", type=int, default=5000)
    health.add_argument("--static-prefix", metavar="PATH", default="")
    parsed, others = parser.parse_known_args(arguments)
    if others and parsed.command != "gc":
        parser.error(f"unrecognized arguments: {' '.join(others)}")
    try:
        if parsed.command == "health":
            return _health(parsed.port, parsed.static_prefix)
        if parsed.command == "gc":
            return _collect(parsed.backend_store_uri, parsed.database_login, others)
        if parsed.command == "migrate":
            tuned = parsed.schema_tuning == "on"
            return _migrate(parsed.backend_store_uri, parsed.database_login, tuned=tuned)
        return _serve(options_of(parsed))
    except CannotStart as error:
        sys.stderr.write(f"mlflow_platform_server: {error}\n")
        return 1


def _serve(options: ServeOptions) -> int:
    # As process 1 of a container we would otherwise not even be ended by SIGTERM.
    signal.signal(signal.SIGTERM, _leave)
    from mlflow_platform_server.serving import serve

    return serve(options)


def _migrate(uri: str, token: str, *, tuned: bool) -> int:
    from mlflow_platform_server.migration import migrate

    migrate(uri, token, tuned=tuned)
    return 0


def _collect(uri: str, token: str, others: list[str]) -> int:
    from mlflow_platform_server.garbage_collection import collect_garbage

    collect_garbage(uri, token, others)
    return 0


def _health(port: int, prefix: str) -> int:
    from http.client import HTTPConnection, HTTPException

    try:
        connection = HTTPConnection("127.0.0.1", port, timeout=4)
        connection.request("GET", f"{prefix}/health")
        status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        raise CannotStart(f"nothing healthy answers on port {port}: {error}") from None
    if status != 200:
        raise CannotStart(f"the server on port {port} answers {status} to {prefix}/health")
    return 0


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)
