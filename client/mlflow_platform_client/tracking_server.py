"""The server as the background threads see it: three calls, and an exact word for every refusal.

Over HTTP it sends through MLflow's own `http_request`, with the credentials of MLflow's own store
(`MLFLOW_TRACKING_USERNAME`, tokens, client certificates, AWS signatures, plugins, Databricks), read
anew for each request, over MLflow's keep-alive session; only its retries are switched off, because
they would hide from us what happened and when. Other URIs (`sqlite:///…`) go to MLflow's store in
this process.

Owns the judgement of answers: what is worth another attempt (`is_transient`), what says who we are
is wrong, and what is a refusal of the data. MLflow says HTTP 400 for both a changed parameter and
an exhausted connection pool; the text decides.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Protocol, cast

import requests
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from mlflow.tracking._tracking_service import utils as tracking_service
from mlflow.utils.rest_utils import http_request  # pyright: ignore[reportUnknownVariableType]

from mlflow_platform_client.errors import (
    ArtifactStoreFailed,
    AuthenticationFailed,
    RequestRejected,
    ServerFailed,
    ServerUnreachable,
    TrackingError,
    translate,
)
from mlflow_platform_client.masking import mask

LOG_BATCH = "/api/2.0/mlflow/runs/log-batch"
_TRANSIENT = frozenset({408, 425, 429})

# MLflow answers BAD_REQUEST with the text of any SQLAlchemyError but OperationalError. These are
# the database's trouble, not the data's.
_DATABASE_TROUBLE = re.compile(
    r"QueuePool limit|OperationalError|InterfaceError|DisconnectionError|PendingRollbackError"
    r"|InternalError|DeadlockDetected|SerializationFailure|server closed the connection"
    r"|connection (?:timed out|refused|is closed|not open)|read-only transaction|ReadOnlySql"
)


class TrackingServer(Protocol):
    """What the senders need of a server; every failure is a `TrackingError`."""

    def log_batch(self, body: bytes, timeout_seconds: float) -> None:
        """Send one `log-batch` body."""
        ...

    def log_text(self, run_id: str, text: str, path: str) -> None:
        """Store a text as an artifact of the run."""
        ...


class HttpTrackingServer:
    """A tracking server behind HTTP."""

    def __init__(self, tracking_uri: str, *, connect_seconds: float) -> None:
        """Nothing is sent yet."""
        self._uri = tracking_uri
        self._connect_seconds = connect_seconds
        store = cast("Any", tracking_service._get_store(tracking_uri))  # pyright: ignore
        self._credentials = cast("Callable[[], object]", store.get_host_creds)

    def log_batch(self, body: bytes, timeout_seconds: float) -> None:
        """Send; the read timeout is the caller's."""
        try:
            answer = cast(
                "requests.Response",
                http_request(
                    self._credentials(),
                    LOG_BATCH,
                    "POST",
                    data=body,
                    extra_headers={"Content-Type": "application/json"},
                    max_retries=0,
                    retry_codes=frozenset[int](),
                    raise_on_status=False,
                    respect_retry_after_header=False,
                    timeout=(self._connect_seconds, timeout_seconds),
                ),
            )
        except MlflowException as error:
            raise ServerUnreachable(
                f"no answer from the tracking server: {mask(str(error))}"
            ) from error
        judge(answer.status_code, answer.text)

    def log_text(self, run_id: str, text: str, path: str) -> None:
        """Store through MLflow, wherever the run's artifacts lie."""
        _log_text(self._uri, run_id, text, path)


class StoreTrackingServer:
    """A tracking store in this process: `sqlite:///mlflow.db`, a folder, a plugin's scheme."""

    def __init__(self, tracking_uri: str) -> None:
        """Open the store."""
        self._uri = tracking_uri
        self._store = cast("Any", tracking_service._get_store(tracking_uri))  # pyright: ignore

    def log_batch(self, body: bytes, timeout_seconds: float) -> None:
        """Hand the same body to the store, which knows no timeout."""
        del timeout_seconds
        from mlflow.entities import Metric, Param, RunTag

        content = json.loads(body)
        metrics = [
            Metric(m["key"], float(m["value"]), m["timestamp"], m["step"])
            for m in content.get("metrics", ())
        ]
        params = [Param(p["key"], p["value"]) for p in content.get("params", ())]
        tags = [RunTag(t["key"], t["value"]) for t in content.get("tags", ())]
        try:
            self._store.log_batch(content["run_id"], metrics, params, tags)
        except MlflowException as error:
            status = error.get_http_status_code()
            judge(status, json.dumps({"error_code": error.error_code, "message": str(error)}))

    def log_text(self, run_id: str, text: str, path: str) -> None:
        """Store through MLflow, wherever the run's artifacts lie."""
        _log_text(self._uri, run_id, text, path)


def connect(tracking_uri: str, *, connect_seconds: float) -> TrackingServer:
    """The server that a tracking URI names."""
    store = cast("Any", tracking_service._get_store(tracking_uri))  # pyright: ignore
    if hasattr(store, "get_host_creds"):
        return HttpTrackingServer(tracking_uri, connect_seconds=connect_seconds)
    return StoreTrackingServer(tracking_uri)


def judge(status: int, text: str) -> None:
    """Return when the answer says done; otherwise raise what it means."""
    said: dict[str, str] = {}
    try:
        found: object = json.loads(text) if text.strip() else {}
    except ValueError:
        found = None
    if isinstance(found, dict):
        said = cast("dict[str, str]", found)
    if status == 200 and isinstance(found, dict):
        return
    code = str(said.get("error_code", ""))
    reason = mask(str(said.get("message") or text))[:2000].strip() or f"HTTP {status}"
    if status in (401, 403):
        raise AuthenticationFailed(f"HTTP {status}: {reason}", status=status)
    if status >= 500 or status in _TRANSIENT:
        raise ServerFailed(f"HTTP {status} {code}: {reason}", status=status)
    if status == 413:
        raise RequestRejected(f"HTTP 413: {reason}", status=status, code="TOO_LARGE")
    if not code:
        # No word of MLflow's: a proxy, a login page, a wrong path. The data are not to blame.
        raise ServerFailed(f"HTTP {status}, and not from MLflow: {reason[:200]}", status=status)
    # What follows [SQL: quotes the data, which may say anything.
    if code == "BAD_REQUEST" and _DATABASE_TROUBLE.search(reason.partition("[SQL:")[0]):
        raise ServerFailed(f"HTTP {status} {code}: {reason}", status=status)
    raise RequestRejected(reason, status=status, code=code)


def _log_text(uri: str, run_id: str, text: str, path: str) -> None:
    try:
        MlflowClient(tracking_uri=uri).log_text(run_id, text, path)
    except Exception as error:
        translated = translate(error, f"upload {path}")
        if isinstance(translated, TrackingError):
            raise translated from error
        raise ArtifactStoreFailed(f"could not upload {path}: {mask(str(error))}") from error
