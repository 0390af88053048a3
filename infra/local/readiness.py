"""Asking a running server the questions its definition names.

Owns one HTTP request and the reading of its answer. Readiness is a real query: `/health` answers
while the database is down.
"""

from __future__ import annotations

import base64
import http.client
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """One GET request to a server on this machine."""

    host: str
    port: int
    path: str
    timeout_seconds: float
    user: str = ""
    password: str = ""

    def __repr__(self) -> str:
        """Without the password."""
        return f"GET http://{self.host}:{self.port}{self.path}"

    def answer(self) -> int | None:
        """The HTTP status; None when nobody answers in time."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=self.timeout_seconds)
        headers = {"Accept": "application/json"}
        if self.user:
            login = f"{self.user}:{self.password}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(login).decode()}"
        try:
            connection.request("GET", self.path, headers=headers)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def passes(self) -> bool:
        """Whether the server does its work.

        A refused login counts: whoever administers the server may have changed the password that
        this stack knows, and looking it up was a real query too.
        """
        status = self.answer()
        return status == http.client.OK or bool(self.user and status == http.client.UNAUTHORIZED)
