"""`python -m mlflow_platform_client spool list | replay`: the spool from a command line.

Owns the arguments, what is printed and the exit code. 0: nothing is left in the spool (`list`),
everything went (`replay`). 1: something is left, or was refused. 2: could not look. The looking is
`spool_listing`'s, the sending `spool_replay`'s.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from mlflow_platform_client.errors import ConfigurationError, SpoolError
from mlflow_platform_client.logging_settings import LoggingSettings, default_spool_directory
from mlflow_platform_client.spool_listing import list_spool


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `spool`, for the command line of the package."""
    commands = parser.add_subparsers(dest="spool_command", required=True)
    for name, text in (
        ("list", "what processes keep, and what the server refused"),
        ("replay", "send what dead processes left behind"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("--directory", type=Path, help="the spool (default: the setting's)")
        command.add_argument("--json", action="store_true", help="print JSON")
        if name == "replay":
            command.add_argument("--tracking-uri", help="send to this server instead")
            command.add_argument("--seconds", type=float, default=600.0, help="at most so long")
            command.add_argument(
                "--rejected", action="store_true", help="send refused items again as well"
            )


def run(arguments: argparse.Namespace) -> int:
    """Execute parsed arguments; returns the exit code."""
    try:
        settings = LoggingSettings.from_environment()
        if arguments.directory is not None:
            settings = dataclasses.replace(settings, spool_directory=arguments.directory)
        if not settings.spool_directory.is_dir():
            if settings.spool_directory == default_spool_directory():
                _print("no spool: nothing was ever kept", arguments.json, {"sessions": []})
                return 0
            sys.stderr.write(
                f"error: the spool {settings.spool_directory} does not exist; name an existing "
                "folder with --directory or in MLFLOW_PLATFORM_SPOOL_DIRECTORY.\n"
            )
            return 2
        if arguments.spool_command == "list":
            return _run_list(settings.spool_directory, as_json=arguments.json)
        return _run_replay(settings, arguments)
    except (SpoolError, ConfigurationError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2


def _run_list(directory: Path, *, as_json: bool) -> int:
    listing = list_spool(directory)
    lines = [f"{directory}: {len(listing.sessions)} sessions, {listing.bytes:,} bytes"]
    for session in listing.sessions:
        state = (
            f"owned by process {session.pid} on {session.host}"
            if session.records is None
            else f"{session.records:,} values left"
        )
        age = _age(session.created)
        name = Path(session.folder).name
        lines.append(f"  {name}  {state}, {age} old, for {session.tracking_uri}")
    lines += [f"  refused: {count:,} in {path}" for path, count in listing.rejected.items()]
    _print("\n".join(lines), as_json, dataclasses.asdict(listing))
    return 1 if listing.rejected or any(session.records for session in listing.sessions) else 0


def _run_replay(settings: LoggingSettings, arguments: argparse.Namespace) -> int:
    # MLflow is loaded here, by the command that needs it, and not by `list`.
    from mlflow_platform_client.spool_replay import replay_spool, requeue_rejected

    requeued = requeue_rejected(settings) if arguments.rejected else 0
    done = replay_spool(settings, tracking_uri=arguments.tracking_uri, seconds=arguments.seconds)
    lines = [f"{requeued} refused items queued again"] if requeued else []
    for session in done:
        outcome = f"{session.sent:,} sent, {session.left:,} left, {session.rejected:,} refused"
        reason = f" ({session.reason})" if session.reason else ""
        lines.append(f"{Path(session.folder).name} -> {session.tracking_uri}: {outcome}{reason}")
    if not done:
        lines.append("nothing to replay: no session without a living owner")
    found = {"requeued": requeued, "sessions": [dataclasses.asdict(session) for session in done]}
    _print("\n".join(lines), arguments.json, found)
    return 1 if any(session.left or session.rejected for session in done) else 0


def _age(created: str) -> str:
    try:
        then = datetime.datetime.fromisoformat(created)
    except ValueError:
        return "unknown"
    seconds = int((datetime.datetime.now(datetime.UTC) - then).total_seconds())
    return str(datetime.timedelta(seconds=max(0, seconds)))


def _print(text: str, as_json: bool, data: Mapping[str, object]) -> None:
    sys.stdout.write((json.dumps(data, indent=2) if as_json else text) + os.linesep)
