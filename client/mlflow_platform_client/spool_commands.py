"""`python -m mlflow_platform_client spool list | replay`: the spool from a command line.

Owns two functions that return data and the few lines that parse, print and choose an exit code.
0: nothing is left in the spool (`list`), everything went (`replay`). 1: something is left, or was
refused. 2: could not look. A session that a living process owns is listed and left alone.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlflow_platform_client.errors import ConfigurationError, SpoolError, TrackingError
from mlflow_platform_client.logging_settings import LoggingSettings, default_spool_directory
from mlflow_platform_client.spool import Spool, bytes_in, is_owned, read_facts, without_credentials


@dataclass(frozen=True)
class Listed:
    """One session of the spool."""

    folder: str
    tracking_uri: str
    host: str
    pid: int
    created: str
    owned: bool
    records: int | None
    """Values not acknowledged; None while a process owns the session."""
    bytes: int


@dataclass(frozen=True)
class Listing:
    """The spool at one moment."""

    directory: str
    sessions: tuple[Listed, ...]
    rejected: Mapping[str, int]
    """Refused items by file."""
    bytes: int


def list_spool(directory: Path) -> Listing:
    """What lies in the spool; claims a session only to count it."""
    spool = Spool(directory)
    sessions: list[Listed] = []
    for folder in spool.sessions():
        facts = read_facts(folder)
        if facts is None:
            continue
        owned, records = is_owned(folder), None
        if not owned and (session := spool.claim(folder)) is not None:
            records = session.pending
            session.close()
        sessions.append(
            Listed(
                folder=str(folder),
                owned=owned or records is None,
                records=records,
                bytes=bytes_in(folder),
                **facts._asdict(),
            )
        )
    rejected: dict[str, int] = {}
    for path in sorted(spool.rejected.glob("*.jsonl")):
        with path.open("rb") as file:
            rejected[str(path)] = sum(1 for _ in file)
    return Listing(str(directory), tuple(sessions), rejected, bytes_in(directory))


@dataclass(frozen=True)
class ReplayedSession:
    """What became of one session."""

    folder: str
    tracking_uri: str
    sent: int
    left: int
    rejected: int
    reason: str


def replay_spool(
    settings: LoggingSettings,
    *,
    tracking_uri: str | None = None,
    seconds: float = 600.0,
    most_failures: int = 3,
) -> tuple[ReplayedSession, ...]:
    """Send what dead processes left; to the server each session names, or to this one.

    A server that fails `most_failures` times in a row is left; credentials are the environment's.
    """
    # MLflow is loaded here, by the command that needs it, and not by `list`.
    from mlflow_platform_client.delivery import Urgency
    from mlflow_platform_client.replay import Courier, Replayed, replay_batches, replay_texts
    from mlflow_platform_client.telemetry import Telemetry
    from mlflow_platform_client.tracking_server import connect

    until = time.monotonic() + seconds
    spool = Spool(settings.spool_directory, fsync=settings.spool_fsync)

    def gives_up(error: TrackingError, failures: int) -> bool:
        return failures >= most_failures or not error.is_transient or time.monotonic() > until

    results: list[ReplayedSession] = []
    for session in spool.orphans(None):
        uri = tracking_uri or session.facts.tracking_uri
        server = connect(uri, connect_seconds=settings.connect_seconds)
        courier = Courier(server, settings, Telemetry(), Urgency())
        parts: list[Replayed] = [replay_batches(courier, spool, session, gives_up)]
        if not parts[0].left and session.texts.pending:
            parts.append(replay_texts(courier, spool, session, gives_up))
        results.append(
            ReplayedSession(
                str(session.folder),
                without_credentials(uri),
                sum(part.sent for part in parts),
                session.pending,
                sum(part.rejected for part in parts),
                parts[-1].reason,
            )
        )
    return tuple(results)


def requeue_rejected(settings: LoggingSettings) -> int:
    """Make a session of what was refused, so that it is sent again; returns how many items.

    Items that never became a record (a bad name, a value that is no number) stay in their file.
    """
    from mlflow_platform_client.dead_letters import read_dead_letters
    from mlflow_platform_client.record_encoding import KIND_NAMES

    kinds = {name: kind for kind, name in KIND_NAMES.items()}
    spool = Spool(settings.spool_directory, fsync=settings.spool_fsync)
    moved = 0
    for path in sorted(spool.rejected.glob("*.jsonl")):
        if is_owned(spool.folder / path.stem):
            continue  # its process may be adding to the file
        lines: dict[str, dict[str, list[str]]] = defaultdict(lambda: {"batches": [], "texts": []})
        kept: list[str] = []
        for item in read_dead_letters(path):
            if "record" not in item:
                kept.append(json.dumps(item))
                continue
            kind = kinds[item["kind"]]
            lane = "texts" if kind == "x" else "batches"
            line = f"{kind}\t{item['run_id']}\t{item['record']}"
            lines[item["tracking_uri"]][lane].append(line)
        for uri, by_lane in lines.items():
            session = spool.create(uri)
            for lane, records in ((session.batches, by_lane["batches"]),
                                  (session.texts, by_lane["texts"])):  # fmt: skip
                if records:
                    lane.append(records)
                    moved += len(records)
            session.close()
        # Only now: a crash before this line sends them twice, which the server keeps once.
        if kept:
            path.write_text("\n".join(kept) + "\n", encoding="utf-8")
        else:
            path.unlink()
    return moved


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
