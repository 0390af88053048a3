"""Why tracking failed, for a web application to show.

    from mlflow_platform_client import read_tracking_status

    status = read_tracking_status("gs://bucket/jobs/42")
    if not status.is_tracked:
        job.mlflow_error = status.explanation

Owns the reading of the two files and the one sentence they come to, also when a job was killed
halfway, wrote them with another version of this package, or left something that is no JSON.
"""

from __future__ import annotations

import json
import os
import socket
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

from mlflow_platform_client.clock import Clock
from mlflow_platform_client.errors import StatusFileError
from mlflow_platform_client.masking import mask
from mlflow_platform_client.status_files import INFO_FILE, SCHEMA_VERSION, STATUS_FILE
from mlflow_platform_client.status_storage import open_storage

_PREFLIGHT_TAKES_AT_MOST = 900.0  # for files that do not say


@dataclass(frozen=True, kw_only=True, slots=True)
class TrackingStatus:
    """What became of a job's tracking."""

    stage: str  # `initializing`, `initialized`, `failed`, `killed`, `absent`, `unreadable`
    explanation: str  # one sentence, free of secrets
    is_tracked: bool = False
    error: str | None = None
    remedies: tuple[str, ...] = ()
    attempt: int | None = None
    updated_at: datetime | None = None
    run_id: str | None = None
    experiment_name: str | None = None
    tracking_uri: str | None = None
    links: dict[str, str] = field(default_factory=dict[str, str])

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            "schema_version": SCHEMA_VERSION,
            "stage": self.stage,
            "explanation": self.explanation,
            "is_tracked": self.is_tracked,
            "error": self.error,
            "remedies": list(self.remedies),
            "attempt": self.attempt,
            "updated_at": None if self.updated_at is None else self.updated_at.isoformat(),
            "run_id": self.run_id,
            "experiment_name": self.experiment_name,
            "tracking_uri": self.tracking_uri,
            "links": self.links,
        }


def read_tracking_status(directory: str, *, clock: Clock | None = None) -> TrackingStatus:
    """The status of the job whose files are in this folder, gs:// or s3:// prefix.

    Raises:
        StatusFileError: the storage itself cannot be read. Content that makes no sense is no error:
            it is stage `unreadable`.
    """
    directory = _without_file_name(directory)
    storage = open_storage(directory)
    content = storage.read(STATUS_FILE)
    shown = mask(directory)
    if content is None:
        return TrackingStatus(
            stage="absent",
            explanation=f"there is no {STATUS_FILE} in {shown}: the job has not come to its "
            "preflight, runs without one, or writes its status elsewhere",
        )
    status = _document(content)
    if status is None:
        return TrackingStatus(
            stage="unreadable",
            explanation=f"{STATUS_FILE} in {shown} is no JSON object: something else wrote it",
        )
    info = _document(storage.read(INFO_FILE) or b"") or {}
    return _explain(status, info, (clock or Clock()).epoch())


def _explain(status: dict[str, Any], info: dict[str, Any], now: float) -> TrackingStatus:
    stage = str(status.get("stage"))
    updated_at = _date(status.get("updated_at") or status.get("timestamp"))
    if stage == "initialized":
        return _initialized(status, info, updated_at)
    if stage == "failed":
        error = mask(str(status.get("error") or "the file names no error"))
        return _status(
            status, stage, f"tracking failed before training: {error}", updated_at, error=error
        )
    if stage == "initializing":
        return _initializing(status, updated_at, now)
    version = status.get("schema_version")
    return _status(
        status,
        "unreadable",
        f"stage is {stage[:40]!r} (schema {version}), which this version does not know: update "
        "mlflow-platform-client here",
        updated_at,
    )


def _initialized(
    status: dict[str, Any], info: dict[str, Any], updated_at: datetime | None
) -> TrackingStatus:
    run_id = str(info.get("run_id") or status.get("run_id") or "") or None
    if run_id is None:
        return _status(
            status,
            "failed",
            f"the file says initialized and names no run, and {INFO_FILE} is missing",
            updated_at,
            error="no run id",
        )
    links = info.get("links")
    return _status(
        status,
        "initialized",
        f"tracked as run {run_id}",
        updated_at,
        is_tracked=True,
        run_id=run_id,
        links={str(k): str(v) for k, v in cast("dict[str, Any]", links).items()}
        if isinstance(links, dict)
        else {},
    )


def _initializing(
    status: dict[str, Any], updated_at: datetime | None, now: float
) -> TrackingStatus:
    allowed = status.get("may_take_seconds")
    longest = float(allowed) if isinstance(allowed, int | float) else _PREFLIGHT_TAKES_AT_MOST
    age = None if updated_at is None else max(0.0, now - updated_at.timestamp())
    pid, host = status.get("pid"), status.get("host")
    if isinstance(pid, int) and host == socket.gethostname() and not _is_alive(pid):
        return _killed(
            status,
            updated_at,
            f"its process {pid} on {host} is gone, {_seconds(age)} after it began",
        )
    if age is None or age > longest:
        return _killed(
            status,
            updated_at,
            f"it began {_seconds(age)} ago and takes at most {longest:.0f} s",
        )
    return _status(
        status,
        "initializing",
        f"the preflight has been running for {age:.0f} s (attempt {status.get('attempt', 1)}); it "
        f"takes at most {longest:.0f} s",
        updated_at,
    )


def _killed(status: dict[str, Any], updated_at: datetime | None, because: str) -> TrackingStatus:
    error = f"the job was killed during its preflight, before training: {because}"
    return _status(
        status,
        "killed",
        error,
        updated_at,
        error=error,
        remedies=("Look for a memory limit, a timeout or a preempted machine in the job's log.",),
    )


def _status(
    status: dict[str, Any],
    stage: str,
    explanation: str,
    updated_at: datetime | None,
    **more: Any,
) -> TrackingStatus:
    attempt = status.get("attempt")
    findings = status.get("findings")
    remedies = [
        str(cast("dict[str, Any]", item).get("remedy"))
        for item in (cast("list[object]", findings) if isinstance(findings, list) else [])
        if isinstance(item, dict) and cast("dict[str, Any]", item).get("outcome") == "failed"
    ]
    more.setdefault("remedies", tuple(remedies))
    return TrackingStatus(
        stage=stage,
        explanation=explanation,
        updated_at=updated_at,
        attempt=attempt if isinstance(attempt, int) else None,
        experiment_name=_text(status.get("experiment_name")),
        tracking_uri=_text(status.get("tracking_uri")),
        **more,
    )


def _text(value: object) -> str | None:
    return mask(value) if isinstance(value, str) else None


def _document(content: bytes) -> dict[str, Any] | None:
    try:
        found: object = json.loads(content)
    except ValueError:
        return None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else None


def _date(value: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True  # it exists and is another user's
    return True


def _seconds(age: float | None) -> str:
    return "an unknown time" if age is None else f"{age:.0f} s"


def _without_file_name(directory: str) -> str:
    for name in (STATUS_FILE, INFO_FILE):
        if directory.endswith(f"/{name}") or directory == name:
            return directory[: -len(name)].rstrip("/") or "."
    return directory


__all__ = ["StatusFileError", "TrackingStatus", "read_tracking_status"]
