"""What stands between callers and a container on Cloud Run, with the two refusals that matter.

Owns IAM's check (a bearer token whose audience is the service) and the limit of 32 MiB on a
request. Everything else is passed on to the container as it is.
"""

from __future__ import annotations

import base64
import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LARGEST_REQUEST = 32 * 2**20


class CloudRunFrontend(ThreadingHTTPServer):
    """Google's front end of one service."""

    daemon_threads = True

    def __init__(self, container_port: int, host: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.container_port = container_port
        self.host = host  # under which the container knows itself
        self.largest = 0  # request that came
        self.refused: list[int] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def refusal(self, header: str | None, length: int) -> int | None:
        """The status of a refusal, or None."""
        self.largest = max(self.largest, length)
        if audience_of(header) != self.address:
            return 403
        return 413 if length > LARGEST_REQUEST else None


class _Handler(BaseHTTPRequestHandler):
    server: CloudRunFrontend
    protocol_version = "HTTP/1.1"

    def _pass_on(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        refusal = self.server.refusal(self.headers.get("Authorization"), length)
        if refusal is not None:
            self.server.refused.append(refusal)
            self.close_connection = True
            self.send_response(refusal)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = self.rfile.read(length)
        connection = http.client.HTTPConnection("127.0.0.1", self.server.container_port)
        kept = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "connection")}
        connection.request(self.command, self.path, body, {**kept, "Host": self.server.host})
        answer = connection.getresponse()
        content = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        connection.close()

    def do_GET(self) -> None:
        self._pass_on()

    def do_POST(self) -> None:
        self._pass_on()

    def do_PUT(self) -> None:
        self._pass_on()

    def do_PATCH(self) -> None:
        self._pass_on()

    def do_DELETE(self) -> None:
        self._pass_on()

    def log_message(self, *_: object) -> None:
        return


def audience_of(header: str | None) -> str | None:
    """Whom a token is for."""
    parts = (header or "").removeprefix("Bearer ").split(".")
    if len(parts) != 3:
        return None
    body = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
    return str(json.loads(body).get("aud"))


@contextmanager
def in_front_of(container_port: int, host: str) -> Iterator[CloudRunFrontend]:
    """Run a front end for as long as the block lasts."""
    server = CloudRunFrontend(container_port, host)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
