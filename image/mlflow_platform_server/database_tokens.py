"""Database passwords that are made for each new connection: RDS IAM tokens, Google access tokens.

Owns where a password comes from when none is kept: AWS signs one for host, port and user that is
good for 15 minutes, Google's metadata (or application credentials) gives one that is good for an
hour. SQLAlchemy's `do_connect` asks for it at each new connection, so a pool never holds one that
has expired. The caller's permission (`rds-db:connect`, `cloudsql.instances.login`) is the cloud's
business.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from typing import Any, Protocol

from mlflow_platform_server.errors import CannotStart

RENEW_BEFORE_SECONDS = 300
"""A Google token is taken anew when it has less than this left."""


class TokenSource(Protocol):
    """Something that makes a password for a connection."""

    def password_for(self, parameters: Mapping[str, Any]) -> str:
        """The password for a connection with libpq's `parameters`."""
        ...


class AwsTokens:
    """RDS IAM authentication: signed here, without a call to AWS."""

    def __init__(self) -> None:
        """One client for all connections: making it takes longer than signing."""
        try:
            import boto3
        except ImportError:
            raise CannotStart(
                "--database-login is aws and boto3 is not installed: install it"
            ) from None
        from botocore.exceptions import BotoCoreError

        try:
            self._client = boto3.client("rds")
        except BotoCoreError as error:
            raise CannotStart(
                f"--database-login is aws and AWS cannot be set up ({error}): set AWS_REGION"
            ) from None

    def password_for(self, parameters: Mapping[str, Any]) -> str:
        """A token for this host, port and user."""
        return str(
            self._client.generate_db_auth_token(
                DBHostname=parameters.get("host") or os.environ.get("PGHOST", "localhost"),
                Port=int(parameters.get("port") or os.environ.get("PGPORT", "5432")),
                DBUsername=parameters.get("user") or os.environ.get("PGUSER", ""),
            )
        )


class GoogleTokens:
    """Cloud SQL IAM authentication: the service account's access token, renewed before its end."""

    SCOPE = "https://www.googleapis.com/auth/sqlservice.login"

    def __init__(self) -> None:
        """Find the credentials; no token is taken yet."""
        try:
            import google.auth
            from google.auth.exceptions import DefaultCredentialsError
        except ImportError:
            raise CannotStart(
                "--database-login is google and google-auth is not installed: install it"
            ) from None
        try:
            self._credentials: Any = google.auth.default(scopes=[self.SCOPE])[0]
        except DefaultCredentialsError as error:
            raise CannotStart(f"--database-login is google: {error}") from None
        self._lock = threading.Lock()

    def password_for(self, parameters: Mapping[str, Any]) -> str:
        """The token in force; the same for every connection."""
        del parameters
        with self._lock:
            if self._expires_in() < RENEW_BEFORE_SECONDS:
                from google.auth.transport.requests import Request

                self._credentials.refresh(Request())
            return str(self._credentials.token)

    def _expires_in(self) -> float:
        expiry = self._credentials.expiry  # UTC, without a time zone
        if not self._credentials.token or expiry is None:
            return 0.0
        import calendar

        return calendar.timegm(expiry.timetuple()) - time.time()


def token_source(kind: str) -> TokenSource | None:
    """What `--database-login` names."""
    if kind == "aws":
        return AwsTokens()
    return GoogleTokens() if kind == "google" else None


def give_each_connection_its_token(tokens: TokenSource) -> None:
    """From now on, every new PostgreSQL connection of any SQLAlchemy engine gets its own token."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    def with_token(dialect: Any, _record: Any, _arguments: Any, parameters: dict[str, Any]) -> None:
        if dialect.name == "postgresql":
            parameters["password"] = tokens.password_for(parameters)

    event.listen(Engine, "do_connect", with_token)
