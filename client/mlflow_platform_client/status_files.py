"""The two files that tell a web application what became of a job's tracking.

    mlflow_status.json   stage initializing → initialized | failed; error, attempt, times, process
    mlflow_info.json     run id, experiment, address, links; written once tracking is proven

Owns their content and the moment each is written. `initializing` is written before the first
request and names the process and how long it may take, so that a job which was killed leaves a file
that says so. Reading them back is `status_reading`'s subject, storing them `status_storage`'s.
"""

from __future__ import annotations

import json
import os
import socket
from datetime import UTC, datetime
from urllib.parse import quote

from mlflow_platform_client.client_settings import ClientSettings
from mlflow_platform_client.clock import Clock
from mlflow_platform_client.errors import StatusFileError
from mlflow_platform_client.findings import PreflightReport
from mlflow_platform_client.masking import mask
from mlflow_platform_client.status_storage import StatusStorage, open_storage

SCHEMA_VERSION = 1
STATUS_FILE = "mlflow_status.json"
INFO_FILE = "mlflow_info.json"


class StatusFiles:
    """Writes a job's two files into one folder or prefix."""

    def __init__(self, storage: StatusStorage, *, clock: Clock | None = None) -> None:
        """Nothing is written yet."""
        self._storage = storage
        self._clock = clock or Clock()
        self._document: dict[str, object] = {}

    @classmethod
    def for_settings(
        cls, settings: ClientSettings, *, clock: Clock | None = None
    ) -> StatusFiles | None:
        """The files where `status_directory` says; None when nobody wants them."""
        if not settings.status_directory:
            return None
        return cls(open_storage(settings.status_directory), clock=clock)

    def initializing(self, settings: ClientSettings) -> None:
        """Before anything is asked: whoever reads this knows that it is being looked into."""
        self._begin(
            mask(settings.tracking_uri, settings.secrets()),
            settings.experiment_name,
            longest_preflight_seconds(settings),
        )
        self._put(STATUS_FILE, self._document)

    def finished(self, report: PreflightReport) -> None:
        """After the preflight: the verdict, and where the run can be seen."""
        if not self._document:
            self._begin(report.tracking_uri, report.experiment_name, 0)
        changes: dict[str, object] = {
            "stage": "initialized" if report.passed else "failed",
            "updated_at": self._now(),
            "seconds": round(report.seconds, 3),
            "experiment_id": report.experiment_id,
            "run_id": report.run_id if report.passed else None,
            "error": None if report.passed else _summary(report),
            "findings": [item.as_dict() for item in report.findings],
        }
        if report.passed:
            # First what is pointed at, then what points at it.
            self._put(INFO_FILE, self._info(report))
        self._document |= changes
        self._put(STATUS_FILE, self._document)

    def interrupted(self, reason: str) -> None:
        """The preflight did not come to its end."""
        self._document |= {
            "stage": "failed",
            "updated_at": self._now(),
            "error": f"the preflight was interrupted: {reason}",
        }
        self._put(STATUS_FILE, self._document)

    def _begin(self, tracking_uri: str, experiment_name: str, may_take_seconds: int) -> None:
        now = self._now()
        self._document = {
            "schema_version": SCHEMA_VERSION,
            "stage": "initializing",
            "tracking_uri": tracking_uri,
            "experiment_name": experiment_name,
            "attempt": self._previous_attempts() + 1,
            "started_at": now,
            "updated_at": now,
            "may_take_seconds": may_take_seconds,
            "host": socket.gethostname(),
            "pid": os.getpid(),
        }
        # What an earlier attempt knew is no longer true.
        self._storage.remove(INFO_FILE)

    def _info(self, report: PreflightReport) -> dict[str, object]:
        experiment_url = (
            f"{report.tracking_uri}/#/experiments/{quote(report.experiment_id or '', safe='')}"
        )
        return {
            "schema_version": SCHEMA_VERSION,
            "run_id": report.run_id,
            "experiment_id": report.experiment_id,
            "experiment_name": report.experiment_name,
            "tracking_uri": report.tracking_uri,
            "artifact_uri": report.artifact_uri,
            "links": {
                "experiment": experiment_url,
                "run": f"{experiment_url}/runs/{quote(report.run_id or '', safe='')}",
            },
            "attempt": self._document.get("attempt"),
            "server_version": report.server_version,
            "client_version": report.client_version,
            "written_at": self._now(),
        }

    def _previous_attempts(self) -> int:
        try:
            previous = self._storage.read(STATUS_FILE)
            attempt: object = json.loads(previous or b"{}").get("attempt", 0)
        except (StatusFileError, ValueError, AttributeError):
            return 0
        return attempt if isinstance(attempt, int) and attempt > 0 else 0

    def _put(self, name: str, document: dict[str, object]) -> None:
        text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
        self._storage.write(name, text.encode())

    def _now(self) -> str:
        return datetime.fromtimestamp(self._clock.epoch(), UTC).isoformat(timespec="milliseconds")


def longest_preflight_seconds(settings: ClientSettings) -> int:
    """Beyond this, a preflight that still says `initializing` is not running any more."""
    waits = settings.health_waits_seconds
    one_health = settings.logging.connect_seconds + settings.cold_start_timeout_seconds + 1
    one_request = settings.logging.connect_seconds + settings.preflight_timeout_seconds + 1
    # Twelve requests follow, and the artifact may take two request times.
    return round(sum(waits) + (len(waits) + 1) * one_health + 14 * one_request)


def _summary(report: PreflightReport) -> str:
    return "; ".join(f"{item.step}: {item.message}" for item in report.failed)
