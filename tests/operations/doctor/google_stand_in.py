"""Google's REST APIs as far as `doctor` asks them: documents at paths, and refusals.

Owns a server on the loopback whose services stand side by side (`/run/…`, `/sqladmin/…`); gcloud's
own variables lead there. A document is what Google's reference shows; what is not put there is 404.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

SERVICES = (
    "cloudresourcemanager",
    "logging",
    "monitoring",
    "run",
    "secretmanager",
    "sqladmin",
    "storage",
)


class GoogleStandIn:
    """What the services have."""

    def __init__(self) -> None:
        self.documents: dict[str, Any] = {}  # by `service/path`, without the query
        self.refused: dict[str, int] = {}  # services that answer this status
        self.asked: list[str] = []
        self.port = 0

    def put(self, service: str, path: str, document: Any) -> None:
        """Have a document."""
        self.documents[f"{service}/{path}"] = document

    @property
    def environ(self) -> dict[str, str]:
        """What leads a command here."""
        return {
            f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{service.upper()}": (
                f"http://127.0.0.1:{self.port}/{service}/"
            )
            for service in SERVICES
        }

    def answer(self, path: str, body: Any) -> tuple[int, Any]:
        """Status and document for a path; `metric` and such are chosen by what was put there."""
        self.asked.append(path)
        split = urlsplit(path)
        key = split.path.lstrip("/")
        refused = self.refused.get(key.partition("/")[0])
        if refused:
            return refused, {"error": {"code": refused, "message": "refused by the test"}}
        found = self.documents.get(key)
        if callable(found):
            found = found(split.query, body)
        if found is None:
            return 404, {"error": {"code": 404, "message": f"{key} was not found"}}
        return 200, found


@contextmanager
def google() -> Iterator[GoogleStandIn]:
    """Run one for as long as the block lasts."""
    stand_in = GoogleStandIn()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._reply(None)

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            self._reply(json.loads(self.rfile.read(length) or b"{}"))

        def _reply(self, body: Any) -> None:
            status, document = stand_in.answer(self.path, body)
            content = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    stand_in.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield stand_in
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
