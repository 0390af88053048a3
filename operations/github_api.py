"""GitHub's REST API, as far as issues and comments go.

Owns the token (from the environment, into a header and nowhere else), pages, and what an answer
that is no success means. Nothing is repeated blindly: a read is tried again, a write is not, since
a second issue is what nobody wants.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote, urlsplit

from operations.place import Place
from smoke_tests.errors import CouldNotLook
from smoke_tests.json_document import Document, as_document, find_text

if TYPE_CHECKING:
    import requests

PUBLIC_API = "https://api.github.com"
VERSION = "2022-11-28"
SECONDS = 30
READ_ATTEMPTS = 4
PER_PAGE = 100
MOST_PAGES = 50
NOT_FOUND = 404
FIRST_REFUSAL = 300
LONGEST_BODY = 65_536
"""Characters of an issue or a comment."""


class GitHub:
    """One repository on GitHub."""

    def __init__(self, place: Place, repository: str) -> None:
        """Sign in with the token of the environment; nothing is asked yet.

        Raises:
            CouldNotLook: there is no token, or the repository is no `owner/name`.
        """
        owner, slash, name = repository.partition("/")
        if not owner or not slash or not name or "/" in name:
            raise CouldNotLook(
                f"the repository is {repository!r}: it must be `owner/name` (--repository or "
                "GITHUB_REPOSITORY)"
            )
        token = place.environ.get("GITHUB_TOKEN", "")
        if not token:
            raise CouldNotLook(
                "GITHUB_TOKEN is not set: in a workflow, give the step "
                "`env: GITHUB_TOKEN: ${{ github.token }}`"
            )
        place.masker.remember(token)
        self._masker = place.masker
        self._base = place.environ.get("GITHUB_API_URL", PUBLIC_API).rstrip("/")
        self._repository = f"/repos/{quote(owner)}/{quote(name)}"
        self._session = _session(token)

    def all(self, path: str, **parameters: str) -> Iterator[Document]:
        """Every item of a list, page by page.

        Raises:
            CouldNotLook: GitHub does not answer, or says no.
        """
        for page in range(1, MOST_PAGES + 1):
            asked = {**parameters, "per_page": str(PER_PAGE), "page": str(page)}
            answer = self._send("GET", path, parameters=asked)
            items = cast("list[object]", answer) if isinstance(answer, list) else []
            yield from (item for item in map(as_document, items) if item is not None)
            if len(items) < PER_PAGE:
                return

    def get(self, path: str) -> Document | None:
        """One object; None where there is none.

        Raises:
            CouldNotLook: GitHub does not answer, or says no.
        """
        return as_document(self._send("GET", path, absent_is_none=True))

    def post(self, path: str, content: Mapping[str, object]) -> Document:
        """Make something.

        Raises:
            CouldNotLook: GitHub does not answer, or says no.
        """
        return as_document(self._send("POST", path, content=content)) or {}

    def patch(self, path: str, content: Mapping[str, object]) -> Document:
        """Change something.

        Raises:
            CouldNotLook: GitHub does not answer, or says no.
        """
        return as_document(self._send("PATCH", path, content=content)) or {}

    def _send(
        self,
        method: str,
        path: str,
        *,
        parameters: Mapping[str, str] | None = None,
        content: Mapping[str, object] | None = None,
        absent_is_none: bool = False,
    ) -> object:
        import requests

        url = f"{self._base}{self._repository}{path}"
        try:
            answer = self._session.request(
                method,
                url,
                params=parameters,
                json=content,
                timeout=SECONDS,
                # A redirected POST would become a GET; a redirected read is harmless.
                allow_redirects=method == "GET",
            )
        except requests.RequestException as error:
            raise CouldNotLook(
                f"{urlsplit(url).netloc} did not answer {method} {path} ({type(error).__name__}): "
                "try again"
            ) from None
        if absent_is_none and answer.status_code == NOT_FOUND:
            return None
        if answer.status_code >= FIRST_REFUSAL:
            raise CouldNotLook(self._refusal(method, path, answer))
        try:
            return answer.json()
        except ValueError:
            raise CouldNotLook(
                f"{urlsplit(url).netloc} answered {method} {path} with something that is no JSON"
            ) from None

    def _refusal(self, method: str, path: str, answer: requests.Response) -> str:
        try:
            said = find_text(as_document(cast("object", answer.json())), "message") or ""
        except ValueError:
            said = ""
        advice = {
            301: "the repository has moved: give its new name",
            307: "the repository has moved: give its new name",
            401: "GITHUB_TOKEN is not valid",
            403: "the token may not do that: the job needs `permissions: issues: write` (for a "
            "comment on a pull request, `pull-requests: write`)",
            404: "the repository is not there, or the token does not see it",
            410: "issues are switched off in this repository",
        }.get(answer.status_code, "see what it says")
        text = f"GitHub answered {answer.status_code} to {method} {path} ({said}): {advice}"
        return self._masker.foreign(text)


def _session(token: str) -> Any:
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3.util import Retry

    session = requests.Session()
    session.auth = _Bearer(token)
    session.headers["Accept"] = "application/vnd.github+json"
    session.headers["X-GitHub-Api-Version"] = VERSION
    session.headers["User-Agent"] = "mlflow-platform-operations"
    retry = Retry(
        total=READ_ATTEMPTS - 1,
        backoff_factor=0.5,
        status_forcelist=(429, 500, 502, 503, 504),
        allowed_methods=("GET",),
        raise_on_status=False,
    )
    adapter = HTTPAdapter(max_retries=retry)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


class _Bearer:
    """Signs a request; an object of its own, so that no `.netrc` takes its place."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request

    def __repr__(self) -> str:
        return "_Bearer([secret])"
