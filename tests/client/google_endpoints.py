"""Google's metadata server and token endpoint, as far as identity tokens go."""

from __future__ import annotations

import base64
import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


def token(audience: str, seconds: int = 3600) -> str:
    """A token as Google makes them; nobody checks its signature here."""
    parts = ({"alg": "RS256"}, {"aud": audience, "exp": int(time.time()) + seconds})
    encoded = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts
    ]
    return ".".join([*encoded, "c2lnbmVk"])


class Google(ThreadingHTTPServer):
    """The metadata server and the token endpoint."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.issued: list[str] = []
        self.seconds = 3600
        self.refuses = False

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class _Answers(BaseHTTPRequestHandler):
    server: Google

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        if "recursive" in query:
            account = {"email": "trainer@p.iam.gserviceaccount.com", "scopes": [], "aliases": []}
            self._answer(json.dumps(account))
            return
        if "audience" not in query:
            self._answer("ok")
            return
        self._issue(query["audience"][0], as_json=False)

    def do_POST(self) -> None:
        grant = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        claims = grant["assertion"][0].split(".")[1]
        decoded = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        self._issue(decoded["target_audience"], as_json=True)

    def _issue(self, audience: str, *, as_json: bool) -> None:
        if self.server.refuses:
            self.send_error(403)
            return
        made = token(audience, self.server.seconds)
        self.server.issued.append(made)
        self._answer(json.dumps({"id_token": made}) if as_json else made)

    def _answer(self, text: str) -> None:
        self.send_response(200)
        self.send_header("Metadata-Flavor", "Google")
        self.send_header("Content-Type", "application/json" if text[0] == "{" else "text/plain")
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        return
