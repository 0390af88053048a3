"""Sends a whole spool by command: what dead processes left, and, when asked, what was refused.

Owns `replay_spool` (which session goes to which server, and when to leave a server that fails) and
`requeue_rejected` (refused items become a session again). Both return data; printing and exit codes
are `spool_commands`'. How one session is emptied is `replay`'s business; a session that a living
process owns is left alone, and so is the file of its refused items.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from dataclasses import dataclass

from mlflow_platform_client import tracking_server
from mlflow_platform_client.dead_letters import read_dead_letters
from mlflow_platform_client.delivery import Urgency
from mlflow_platform_client.errors import TrackingError
from mlflow_platform_client.logging_settings import LoggingSettings
from mlflow_platform_client.record_encoding import KIND_NAMES
from mlflow_platform_client.replay import Courier, Replayed, replay_batches, replay_texts
from mlflow_platform_client.spool import Spool, is_owned, without_credentials
from mlflow_platform_client.telemetry import Telemetry


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
    until = time.monotonic() + seconds
    spool = Spool(settings.spool_directory, fsync=settings.spool_fsync)

    def gives_up(error: TrackingError, failures: int) -> bool:
        return failures >= most_failures or not error.is_transient or time.monotonic() > until

    results: list[ReplayedSession] = []
    for session in spool.orphans(None):
        uri = tracking_uri or session.facts.tracking_uri
        server = tracking_server.connect(uri, connect_seconds=settings.connect_seconds)
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
