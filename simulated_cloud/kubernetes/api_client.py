"""Calls to a Kubernetes API server, as short as the provider and the tests need them.

Owns one HTTPS connection per thread, the server's refusals as an exception that carries their
reason, and the warnings it sends beside an answer. It knows no objects: paths come from
`api_paths`.
"""

from __future__ import annotations

import http.client
import json
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from simulated_cloud.kubernetes.kubeconfig import Connection

SECONDS = 30.0
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"


class ApiError(Exception):
    """The API server said no."""

    def __init__(self, code: int, status: Mapping[str, Any]) -> None:
        """`status` is the `Status` object of the answer."""
        self.code = code
        self.reason = str(status.get("reason") or "")
        self.details: Mapping[str, Any] = status.get("details") or {}
        super().__init__(str(status.get("message") or f"HTTP {code}"))


@dataclass(frozen=True, slots=True)
class Answer:
    """An object and what the server had to say beside it."""

    body: dict[str, Any]
    warnings: tuple[str, ...] = field(default=())


class ApiClient:
    """An API server, asked by one user."""

    def __init__(self, connection: Connection) -> None:
        """Ask `connection`'s server with its token."""
        parts = urlsplit(connection.server)
        self._address = (parts.hostname or "", parts.port or 443)
        self._token = connection.token
        self._context = ssl.create_default_context(cadata=connection.authority)
        self._own = threading.local()

    def get(self, path: str, **query: str) -> dict[str, Any]:
        """Return an object or a list."""
        return self.call("GET", path, query=query).body

    def find(self, path: str) -> dict[str, Any] | None:
        """Return an object, or None where there is none."""
        try:
            return self.get(path)
        except ApiError as error:
            if error.code == http.client.NOT_FOUND:
                return None
            raise

    def create(self, path: str, body: Mapping[str, Any], **query: str) -> Answer:
        """POST an object."""
        return self.call("POST", path, body, query=query)

    def apply(
        self, path: str, body: Mapping[str, Any], *, manager: str, dry_run: bool = False
    ) -> Answer:
        """Apply on the server's side, strictly: an unknown field is an error, no warning."""
        query = {"fieldManager": manager, "force": "true", "fieldValidation": "Strict"}
        if dry_run:
            query["dryRun"] = "All"
        return self.call("PATCH", path, body, query=query, content=APPLY)

    def patch(self, path: str, body: Mapping[str, Any]) -> Answer:
        """Merge into an object."""
        return self.call("PATCH", path, body, content=MERGE)

    def delete(self, path: str, propagation: str = "Foreground") -> None:
        """Delete an object and what it owns; one that is gone is no error."""
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation}
        try:
            self.call("DELETE", path, options)
        except ApiError as error:
            if error.code != http.client.NOT_FOUND:
                raise

    def changes(self, path: str, since: str) -> Iterator[dict[str, Any]]:
        """Yield what a collection's objects were, one after the other, since a version of it."""
        query = urlencode({"watch": "true", "resourceVersion": since, "timeoutSeconds": "1"})
        _, raw = self._send("GET", f"{path}?{query}", None, self._headers())
        for line in raw.splitlines():
            yield json.loads(line)["object"]

    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, str] | None = None,
        content: str = "application/json",
    ) -> Answer:
        """Send one request.

        Raises:
            ApiError: the server refused it.
            OSError: it did not answer.
        """
        target = f"{path}?{urlencode(query)}" if query else path
        text = None if body is None else json.dumps(body)
        headers = self._headers()
        if text is not None:
            headers["Content-Type"] = content
        try:
            answer, raw = self._send(method, target, text, headers)
        except (http.client.HTTPException, ConnectionError, ssl.SSLEOFError):
            # The server closes what has been idle, which TLS calls an end of its own; a second one
            # that fails is an error.
            self._close()
            answer, raw = self._send(method, target, text, headers)
        document: Any = json.loads(raw) if raw else {}
        if answer.status >= http.client.BAD_REQUEST:
            raise ApiError(answer.status, document)
        return Answer(document, tuple(_warnings(answer)))

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}

    def _send(
        self, method: str, target: str, text: str | None, headers: Mapping[str, str]
    ) -> tuple[http.client.HTTPResponse, bytes]:
        connection: http.client.HTTPSConnection | None = getattr(self._own, "connection", None)
        if connection is None:
            host, port = self._address
            connection = http.client.HTTPSConnection(
                host, port, timeout=SECONDS, context=self._context
            )
            self._own.connection = connection
        connection.request(method, target, text, dict(headers))
        answer = connection.getresponse()
        return answer, answer.read()

    def _close(self) -> None:
        self._own.connection.close()
        self._own.connection = None


def _warnings(answer: http.client.HTTPResponse) -> Iterator[str]:
    """Texts of the `Warning` headers: `299 - "would violate PodSecurity …"`."""
    for header in answer.headers.get_all("Warning") or []:
        yield header.split(" ", 2)[2].strip('"').replace('\\"', '"')
