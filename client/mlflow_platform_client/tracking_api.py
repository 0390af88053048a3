"""The tracking server's REST interface, as far as the preflight asks it.

Owns one request and what its answer means. It goes through MLflow's own `http_request`, so user
name, token, signatures, certificates, plug-ins and proxies are those the training job will use, but
without MLflow's retries: they would hide for many minutes what the server has to say, and an answer
with status 500 would lose its words.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast

from mlflow_platform_client.client_settings import ClientSettings
from mlflow_platform_client.deadline import within
from mlflow_platform_client.errors import RequestRejected, TrackingError, for_status, mapped
from mlflow_platform_client.masking import mask


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What came back, whatever it was."""

    status: int
    body: bytes
    content_type: str = ""

    def document(self) -> dict[str, Any] | None:
        """The JSON object in it; None when there is none."""
        try:
            found: object = json.loads(self.body)
        except ValueError:
            return None
        return cast("dict[str, Any]", found) if isinstance(found, dict) else None


class Send(Protocol):
    """Carries one request to the server."""

    def __call__(
        self,
        method: str,
        path: str,
        *,
        timeout: tuple[float, float],
        params: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
        content: bytes | None = None,
    ) -> Answer:
        """Answer, or raise what the transport raises."""
        ...


class MlflowSend:
    """The real thing: MLflow's request, once."""

    def __init__(self, tracking_uri: str) -> None:
        """Credentials are read anew for each request, as MLflow does."""
        self._tracking_uri = tracking_uri

    def __call__(
        self,
        method: str,
        path: str,
        *,
        timeout: tuple[float, float],
        params: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
        content: bytes | None = None,
    ) -> Answer:
        """Send it, as the job itself would."""
        # MLflow does not annotate these.
        credentials: Any = importlib.import_module("mlflow.utils.credentials")
        rest: Any = importlib.import_module("mlflow.utils.rest_utils")
        response = rest.http_request(
            credentials.get_default_host_creds(self._tracking_uri),
            path,
            method,
            max_retries=0,
            retry_codes=(),
            raise_on_status=False,
            timeout=timeout,
            **({} if params is None else {"params": dict(params)}),
            **({} if body is None else {"json": dict(body)}),
            **({} if content is None else {"data": content}),
        )
        return Answer(
            status=response.status_code,
            body=response.content,
            content_type=response.headers.get("content-type", ""),
        )


class TrackingApi:
    """Calls of the tracking server whose answers are documents or errors of this package's tree."""

    def __init__(self, settings: ClientSettings, send: Send | None = None) -> None:
        """Ask the server that `settings` name."""
        self.settings = settings
        self.tracking_uri = settings.require_tracking_uri().rstrip("/")
        self._send = send or MlflowSend(self.tracking_uri)

    def ask(self, path: str, *, action: str, seconds: float | None = None) -> Answer:
        """A plain GET; any answer that is not an error."""
        return self._answer("GET", path, action=action, seconds=seconds)

    def get(self, path: str, *, action: str, **params: str) -> dict[str, Any]:
        """A GET of the API."""
        path = f"/api/2.0/mlflow/{path}"
        return self._document(self._answer("GET", path, action=action, params=params), action)

    def post(self, path: str, *, action: str, **body: object) -> dict[str, Any]:
        """A POST of the API."""
        path = f"/api/2.0/mlflow/{path}"
        return self._document(self._answer("POST", path, action=action, body=body), action)

    def put(self, path: str, content: bytes, *, action: str) -> Answer:
        """An upload, for the server's own words about why it fails."""
        return self._answer("PUT", path, action=action, content=content)

    def _answer(
        self,
        method: str,
        path: str,
        *,
        action: str,
        seconds: float | None = None,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
        content: bytes | None = None,
    ) -> Answer:
        settings = self.settings
        connect, read = (
            settings.logging.connect_seconds,
            seconds or settings.preflight_timeout_seconds,
        )
        with mapped(action, secrets=settings.secrets()):
            answer = within(
                connect + read + 1,
                action,
                lambda: self._send(
                    method,
                    path,
                    timeout=(connect, read),
                    params=params,
                    body=body,
                    content=content,
                ),
            )
        if answer.status != 200:
            raise self._error(answer, action)
        return answer

    def _error(self, answer: Answer, action: str) -> TrackingError:
        document = answer.document() or {}
        code = document.get("error_code")
        said = document.get("message") or _words(answer)
        text = " ".join(mask(_without_sql(str(said)), self.settings.secrets()).split())[:500]
        shown = (
            f"HTTP {answer.status}" + (f" {code}" if code else "") + (f": {text}" if text else "")
        )
        return for_status(
            answer.status, f"could not {action}: {shown}", None if code is None else str(code)
        )

    def _document(self, answer: Answer, action: str) -> dict[str, Any]:
        document = answer.document()
        if document is None:
            raise RequestRejected(
                f"could not {action}: the answer is {_words(answer) or 'empty'}, not MLflow's",
                status=answer.status,
                code="NOT_MLFLOW",
            )
        return document


# SQLAlchemy's errors carry the statement and its parameters: much text, and the users' data.
_SQL = re.compile(
    r"\s*(?:\[SQL: .*|\(Background on this error at: .*|\(raised as a result of [^)]*\)\s*)",
    re.DOTALL,
)


def _without_sql(said: str) -> str:
    return _SQL.sub("", said)


def _words(answer: Answer) -> str:
    if answer.body.lstrip()[:1] == b"<":
        return "an HTML page"
    return answer.body[:2000].decode("utf-8", "replace")
