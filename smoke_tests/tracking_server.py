"""Requests to an MLflow tracking server, tried again where that helps.

Owns the loop around one request: authenticate, send, judge the answer, wait, try again. A request
that wrote something before its answer was lost must not be repeated blindly; the caller passes
`look_first`, which is asked before every further attempt whether the first one succeeded after all.
What the requests are for is the stages' business (`mlflow_api`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import urlencode

from smoke_tests.authentication import Authentication
from smoke_tests.http_connection import Answer, HttpConnection
from smoke_tests.json_document import Document, find_text, parse_document
from smoke_tests.masking import Masker
from smoke_tests.remedies import Situation, describe, explain_answer, explain_trouble
from smoke_tests.retrying import RETRIED_STATUSES, Clock, Patience, Wait, WaitListener, pause
from smoke_tests.target import Target
from smoke_tests.transport_problem import TransportProblem

USER_AGENT = "mlflow-platform-smoke-tests/1"

_Result = TypeVar("_Result")


class CallFailed(Exception):  # noqa: N818  # what the stage makes of it is not decided yet
    """A request did not get the answer it asked for."""

    def __init__(
        self, problem: str, remedy: str, *, passes_with_time: bool, error_code: str | None = None
    ) -> None:
        """Keep both sentences, and what the caller may branch on."""
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy
        self.passes_with_time = passes_with_time
        self.error_code = error_code  # MLflow's own, such as RESOURCE_DOES_NOT_EXIST


class TrackingServer:
    """One MLflow server, asked as one user."""

    def __init__(
        self,
        target: Target,
        *,
        connection: HttpConnection,
        authentication: Authentication,
        patience: Patience,
        clock: Clock,
        masker: Masker,
        environ: Mapping[str, str],
        on_wait: WaitListener,
    ) -> None:
        """Hold what every request needs; nothing is sent yet."""
        self.target = target
        self._connection = connection
        self._authentication = authentication
        self._patience = patience
        self._clock = clock
        self._on_wait = on_wait
        self._situation = Situation(
            target=target, authentication=authentication.kind, masker=masker
        )
        # A job in a workspace writes with this header; so must the check.
        workspace = environ.get("MLFLOW_WORKSPACE")
        self._workspace = {"X-MLFLOW-WORKSPACE": workspace} if workspace else {}

    def health(self) -> float:
        """Seconds in which the server answered that its process lives.

        This proves liveness and nothing more: MLflow answers it while its database is down.
        """
        answer = self._persistently(
            "MLflow health check",
            lambda: self._ask("GET", "/health", timeout=self._patience.health_timeout_seconds),
        )
        if answer.body.strip() != b"OK":
            raise self._failure(answer)
        return answer.seconds

    def get(self, path: str, parameters: Mapping[str, str], *, subject: str) -> Document:
        """Read something through the REST API."""
        url = f"{path}?{urlencode(parameters)}"
        return self._persistently(subject, lambda: self._api("GET", url, None))

    def post(
        self,
        path: str,
        content: Mapping[str, object],
        *,
        subject: str,
        look_first: Callable[[], Document | None] | None = None,
    ) -> Document:
        """Write something through the REST API.

        `look_first` runs before every attempt but the first and returns the answer that the lost
        attempt would have given, or None when that attempt changed nothing.
        """
        return self._persistently(
            subject, lambda: self._api("POST", path, content), look_first=look_first
        )

    def search(self, path: str, content: Mapping[str, object]) -> Document:
        """A POST that only reads, asked once: for `look_first`, whose caller tries again."""
        return self._api("POST", path, content)

    def _persistently(
        self,
        subject: str,
        ask: Callable[[], _Result],
        *,
        look_first: Callable[[], _Result | None] | None = None,
    ) -> _Result:
        waits = self._patience.waits
        attempts = self._patience.attempts
        for attempt in range(1, attempts + 1):
            try:
                if attempt > 1 and look_first is not None:
                    found = look_first()
                    if found is not None:
                        return found
                return ask()
            except CallFailed as failure:
                if not failure.passes_with_time:
                    raise
                if attempt == attempts:
                    if attempts > 1:
                        failure.problem += f" ({attempts} attempts)"
                    raise
                wait = Wait(
                    subject=subject,
                    attempt=attempt,
                    attempts=attempts,
                    seconds=waits[attempt - 1],
                    reason=failure.problem,
                )
                # A connection kept open over a wait may lead to a server that is going away.
                self._connection.close()
                pause(wait, self._clock, self._on_wait)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _api(self, method: str, path: str, content: Mapping[str, object] | None) -> Document:
        answer = self._ask(
            method,
            f"/api/2.0/mlflow/{path}",
            body=None if content is None else json.dumps(content).encode(),
            timeout=self._patience.request_timeout_seconds,
        )
        document = parse_document(answer.body)
        if document is None:
            raise self._failure(answer)
        return document

    def _ask(self, method: str, path: str, *, timeout: float, body: bytes | None = None) -> Answer:
        url = self.target.uri + path
        headers = {"User-Agent": USER_AGENT, "Accept": "application/json", **self._workspace}
        if body is not None:
            headers["Content-Type"] = "application/json"
        headers |= self._authentication.headers(method, url, body)
        try:
            answer = self._connection.request(
                method, path, headers=headers, body=body, timeout=timeout
            )
        except TransportProblem as trouble:
            raise CallFailed(
                str(trouble),
                explain_trouble(trouble, self._situation),
                passes_with_time=trouble.passes_with_time,
            ) from None
        if answer.status != HTTPStatus.OK:
            raise self._failure(answer)
        return answer

    def _failure(self, answer: Answer) -> CallFailed:
        return CallFailed(
            describe(answer, self._situation),
            explain_answer(answer, self._situation),
            passes_with_time=answer.status in RETRIED_STATUSES,
            error_code=find_text(parse_document(answer.body), "error_code"),
        )
