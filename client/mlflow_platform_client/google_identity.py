"""Google identity tokens for a server behind Cloud Run's IAM or Identity-Aware Proxy.

Owns a plug-in of MLflow's (`mlflow.request_auth_provider`): with `MLFLOW_TRACKING_AUTH` set to
`mlflow-platform-google` every request of MLflow's client and of ours carries an identity token for
the server it goes to. Tokens come from the metadata server (on Google Cloud),
from the service account's key that `GOOGLE_APPLICATION_CREDENTIALS` names (in CI), or from `gcloud`
(on a laptop), in this order; google-auth makes and renews them. A token is good for an hour and is
taken anew before it ends, so a training job of days never loses its server.

`MLFLOW_PLATFORM_GOOGLE_AUDIENCE` is the audience where it is not the server's own address: the
OAuth client of Identity-Aware Proxy.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from typing import Any, Protocol
from urllib.parse import urlsplit

import requests
from mlflow.tracking.request_auth.abstract_request_auth_provider import RequestAuthProvider
from requests.auth import AuthBase

from mlflow_platform_client.errors import AuthenticationFailed

PROVIDER_NAME = "mlflow-platform-google"
AUDIENCE_VARIABLE = "MLFLOW_PLATFORM_GOOGLE_AUDIENCE"

GCLOUD_TIMEOUT_SECONDS = 60.0
GCLOUD_TOKEN_SECONDS = 3000
"""A token of gcloud's is kept for 50 minutes of its hour."""

RENEW_BEFORE_SECONDS = 300
METADATA_TIMEOUT_SECONDS = 1
"""It answers within milliseconds, or there is none."""


class Token(Protocol):
    """Something that has a token for one audience, and renews it."""

    def current(self) -> str:
        """A token that is good for some minutes yet."""
        ...


class NoTokenHere(Exception):  # noqa: N818 - not an error: the next source is asked
    """This source has no token; the text says why."""


class GoogleIdentityAuth(AuthBase):
    """Puts a token for the request's server into its `Authorization` header."""

    def __init__(self) -> None:
        """Look for no source yet: the first request does."""
        self._lock = threading.Lock()
        self._tokens: dict[str, Token] = {}

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the header.

        Raises:
            AuthenticationFailed: no source has a token.
        """
        audience = os.environ.get(AUDIENCE_VARIABLE) or _origin(request.url or "")
        try:
            token = self._token(audience).current()
        except NoTokenHere as error:
            raise AuthenticationFailed(
                f"the Google identity token for {audience} cannot be renewed: {error}"
            ) from None
        request.headers["Authorization"] = f"Bearer {token}"
        return request

    def _token(self, audience: str) -> Token:
        with self._lock:
            if audience not in self._tokens:
                self._tokens[audience] = find_token(audience)
            return self._tokens[audience]


_auth = GoogleIdentityAuth()
"""One for the process: MLflow asks for it at every request, and tokens are worth keeping."""


class GoogleIdentityProvider(RequestAuthProvider):
    """MLflow's plug-in."""

    def get_name(self) -> str:  # pyright: ignore[reportIncompatibleMethodOverride]  # untyped there
        """What `MLFLOW_TRACKING_AUTH` says."""
        return PROVIDER_NAME

    def get_auth(  # pyright: ignore[reportIncompatibleMethodOverride]  # untyped there
        self,
    ) -> GoogleIdentityAuth:
        """What requests calls for each request."""
        return _auth


def find_token(audience: str) -> Token:
    """A source of tokens for that audience.

    Raises:
        AuthenticationFailed: none has one; the message gives each source's reason.
    """
    sources: tuple[tuple[str, Callable[[str], Token]], ...] = (
        ("metadata server", _from_metadata_server),
        ("GOOGLE_APPLICATION_CREDENTIALS", _from_service_account_file),
        ("gcloud", _GcloudToken),
    )
    reasons: list[str] = []
    for name, source in sources:
        try:
            token = source(audience)
            token.current()
        except NoTokenHere as error:
            reasons.append(f"{name}: {error}")
        else:
            return token
    raise AuthenticationFailed(
        f"no Google identity token for {audience} ({'; '.join(reasons)}): log in with `gcloud auth "
        "login`, or set GOOGLE_APPLICATION_CREDENTIALS to the key of a service account that has "
        "roles/run.invoker"
    )


class _RenewedToken:
    """A token of google-auth's credentials."""

    def __init__(self, credentials: Any, request: Any) -> None:
        self._credentials = credentials
        self._request = request
        self._lock = threading.Lock()

    def current(self) -> str:
        from google.auth.exceptions import GoogleAuthError

        with self._lock:
            try:
                if not self._credentials.token or self._ends_soon():
                    self._credentials.refresh(self._request)
            except GoogleAuthError as error:
                # Its second argument is what the endpoint said: that may repeat the assertion.
                raise NoTokenHere(str(error.args[0]) if error.args else "refused") from None
            return str(self._credentials.token)

    def _ends_soon(self) -> bool:
        expiry = self._credentials.expiry
        if expiry is None:
            return True
        # google-auth keeps UTC without saying so.
        left = expiry.replace(tzinfo=UTC) - datetime.now(UTC)
        return left.total_seconds() < RENEW_BEFORE_SECONDS


def _google_auth() -> tuple[Any, Any]:
    """google-auth's modules and a transport; it is an extra of this package."""
    try:
        import google.auth.compute_engine as compute_engine
        from google.auth.transport.requests import Request
    except ImportError:
        raise NoTokenHere(
            "the package google-auth is not installed (pip install mlflow-platform-client[google])"
        ) from None
    return compute_engine, Request()


def _from_metadata_server(audience: str) -> Token:
    if os.environ.get("NO_GCE_CHECK", "").lower() == "true":
        raise NoTokenHere("switched off by NO_GCE_CHECK")
    compute_engine, request = _google_auth()
    metadata: Any = import_module("google.auth.compute_engine._metadata")
    if not metadata.ping(request, timeout=METADATA_TIMEOUT_SECONDS, retry_count=1):
        raise NoTokenHere("not on Google Cloud")
    credentials = compute_engine.IDTokenCredentials(
        request, audience, use_metadata_identity_endpoint=True
    )
    return _RenewedToken(credentials, request)


def _from_service_account_file(audience: str) -> Token:
    path = os.environ.get("GOOGLE_APPLICATION_CREDENTIALS")
    if not path:
        raise NoTokenHere("not set")
    _, request = _google_auth()
    from google.auth.exceptions import GoogleAuthError

    service_account: Any = import_module("google.oauth2.service_account")
    make = service_account.IDTokenCredentials.from_service_account_file
    try:
        credentials = make(path, target_audience=audience)
    except OSError as error:
        raise NoTokenHere(f"{path}: {error.strerror}") from None
    except (ValueError, GoogleAuthError):
        raise NoTokenHere(f"{path} holds no service account's key") from None
    return _RenewedToken(credentials, request)


class _GcloudToken:
    """A token of the person or account that is logged in."""

    def __init__(self, audience: str) -> None:
        executable = shutil.which("gcloud")
        if executable is None:
            raise NoTokenHere("not on PATH")
        self._command = [executable, "auth", "print-identity-token"]
        self._audience = audience
        self._lock = threading.Lock()
        self._token = ""
        self._taken = 0.0

    def current(self) -> str:
        with self._lock:
            if not self._token or time.monotonic() - self._taken > GCLOUD_TOKEN_SECONDS:
                self._token = self._fetch()
                self._taken = time.monotonic()
            return self._token

    def _fetch(self) -> str:
        # A service account needs the audience; a person's account refuses it, and Cloud Run takes
        # a person's token with gcloud's own.
        for arguments in ([f"--audiences={self._audience}"], []):
            try:
                finished = subprocess.run(
                    [*self._command, *arguments],
                    capture_output=True,
                    text=True,
                    check=False,
                    timeout=GCLOUD_TIMEOUT_SECONDS,
                    stdin=subprocess.DEVNULL,
                )
            except (OSError, subprocess.TimeoutExpired):
                raise NoTokenHere("did not answer") from None
            if finished.returncode == 0 and finished.stdout.count(".") == 2:
                return finished.stdout.strip()
        raise NoTokenHere("nobody is logged in")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
