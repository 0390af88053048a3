"""Google Cloud's REST APIs, asked with whatever credentials are at hand.

Owns the token (application default credentials: a person's, a service account's, or those that
GitHub's identity is exchanged for) and the addresses, which gcloud's own variables override
(`CLOUDSDK_API_ENDPOINT_OVERRIDES_RUN`). Where the providers are attached ones, the stack is not in
Google's cloud at all, and asking there would compare with somebody else's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlencode

from operations.drift_sight import NotVisible
from smoke_tests.json_document import Document, as_document

SCOPE = "https://www.googleapis.com/auth/cloud-platform.read-only"
SECONDS = 30
OK, NOT_FOUND = 200, 404


class GoogleApi:
    """Questions to Google's APIs."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Ask nothing yet."""
        self._environ = environ
        self._session: Any = None

    def get(self, service: str, path: str, **parameters: str) -> Document | None:
        """Read `https://<service>.googleapis.com/<path>`; None where there is nothing.

        Raises:
            NotVisible: there are no credentials, or Google does not answer, or not to us.
        """
        query = f"?{urlencode(parameters)}" if parameters else ""
        return self._ask("GET", service, path + query, None)

    def post(self, service: str, path: str, content: Mapping[str, object]) -> Document | None:
        """Ask with a body; it reads, too.

        Raises:
            NotVisible: as for `get`.
        """
        return self._ask("POST", service, path, content)

    def _ask(
        self, method: str, service: str, path: str, content: Mapping[str, object] | None
    ) -> Document | None:
        import requests

        override = self._environ.get(f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{service.upper()}")
        if override is None and self._environ.get("PULUMI_DEBUG_PROVIDERS"):
            raise NotVisible(
                "the stack's providers are attached ones (PULUMI_DEBUG_PROVIDERS): it is not in "
                "Google's cloud"
            )
        base = override.rstrip("/") if override else f"https://{service}.googleapis.com"
        try:
            answer = self._signed_in(override).request(
                method, f"{base}/{path}", json=content, timeout=SECONDS
            )
        except requests.RequestException as error:
            raise NotVisible(f"{base} does not answer ({type(error).__name__})") from None
        if answer.status_code == NOT_FOUND:
            return None
        if answer.status_code != OK:
            raise NotVisible(f"{base} answers {answer.status_code} for {path.partition('?')[0]}")
        document = as_document(cast("object", answer.json()))
        if document is None:
            raise NotVisible(f"{base} did not answer an object")
        return document

    def _signed_in(self, override: str | None) -> Any:
        import requests

        if self._session is None:
            if override and override.startswith("http://"):
                return requests.Session()  # an emulator; a token in clear is for nobody
            from google import auth
            from google.auth.exceptions import GoogleAuthError
            from google.auth.transport.requests import AuthorizedSession

            try:
                signed_in: Any = cast("Any", auth).default(scopes=[SCOPE])
            except GoogleAuthError:
                raise NotVisible(
                    "there are no Google credentials here: `gcloud auth application-default login`"
                ) from None
            self._session = AuthorizedSession(signed_in[0])
        return self._session
