"""An MLflow server in memory, honest unless told to lie about one call.

Owns just enough of the REST API for the four stages, and a log of what was asked. `replies` holds,
by path, canned replies that are used up one by one before the honest answer: an (HTTP status, body)
pair, with headers if need be, or `LOST` for a call that is served and whose answer never arrives.
"""

from __future__ import annotations

import json
import threading
import uuid
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

LOST = "lost"


@dataclass
class Reply:
    status: int
    body: bytes | str | dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)

    def content(self) -> bytes:
        if isinstance(self.body, dict):
            return json.dumps(self.body).encode()
        return self.body.encode() if isinstance(self.body, str) else self.body


@dataclass
class Request:
    method: str
    path: str
    url: str
    headers: dict[str, str]
    body: bytes
    connection: int


def error(status: int, code: str, message: str = "no") -> Reply:
    return Reply(status, {"error_code": code, "message": message})


class StandInMlflow:
    """Serves on a free port of 127.0.0.1 until `close`."""

    def __init__(self, prefix: str = "") -> None:
        self.prefix = prefix
        self.replies: dict[str, list[Any]] = {}
        self.requests: list[Request] = []
        self.experiments: dict[str, dict[str, Any]] = {}
        self.runs: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.port = self._server.server_address[1]
        self.uri = f"http://127.0.0.1:{self.port}{prefix}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def paths(self) -> list[str]:
        return [request.path for request in self.requests]

    def answer(self, path: str, query: dict[str, str], body: dict[str, Any]) -> Reply:
        """The honest answer."""
        if path == "/health":
            return Reply(200, "OK")
        call = path.removeprefix("/api/2.0/mlflow/")
        method = getattr(self, "_" + call.replace("/", "_").replace("-", "_"), None)
        if method is None:
            return Reply(404, "<html>not found</html>", {"Content-Type": "text/html"})
        with self._lock:
            return method(query | body)

    def _experiments_get_by_name(self, asked: dict[str, Any]) -> Reply:
        for experiment in self.experiments.values():
            if experiment["name"] == asked["experiment_name"]:
                return Reply(200, {"experiment": experiment})
        return error(404, "RESOURCE_DOES_NOT_EXIST")

    def _experiments_create(self, asked: dict[str, Any]) -> Reply:
        if any(one["name"] == asked["name"] for one in self.experiments.values()):
            return error(400, "RESOURCE_ALREADY_EXISTS")
        number = str(len(self.experiments) + 1)
        self.experiments[number] = {
            "experiment_id": number,
            "lifecycle_stage": "active",
            "name": asked["name"],
            "tags": asked.get("tags", []),
        }
        return Reply(200, {"experiment_id": number})

    def _experiments_update(self, asked: dict[str, Any]) -> Reply:
        self.experiments[asked["experiment_id"]]["name"] = asked["new_name"]
        return Reply(200, {})

    def _experiments_delete(self, asked: dict[str, Any]) -> Reply:
        self.experiments[asked["experiment_id"]]["lifecycle_stage"] = "deleted"
        return Reply(200, {})

    def _runs_create(self, asked: dict[str, Any]) -> Reply:
        if self.experiments[asked["experiment_id"]]["lifecycle_stage"] == "deleted":
            return error(400, "INVALID_PARAMETER_VALUE", "must be in the 'active' state")
        run_id = uuid.uuid4().hex
        self.runs[run_id] = {
            "info": {
                "run_id": run_id,
                "experiment_id": asked["experiment_id"],
                "status": "RUNNING",
                "lifecycle_stage": "active",
                "run_name": asked["run_name"],
            },
            "data": {"metrics": [], "tags": asked.get("tags", [])},
        }
        return Reply(200, {"run": self.runs[run_id]})

    def _runs_log_metric(self, asked: dict[str, Any]) -> Reply:
        metric = {name: asked[name] for name in ("key", "value", "timestamp", "step")}
        metrics = self.runs[asked["run_id"]]["data"]["metrics"]
        if metric not in metrics:
            metrics.append(metric)
        return Reply(200, {})

    def _runs_update(self, asked: dict[str, Any]) -> Reply:
        self.runs[asked["run_id"]]["info"]["status"] = asked["status"]
        return Reply(200, {})

    def _runs_get(self, asked: dict[str, Any]) -> Reply:
        return Reply(200, {"run": self.runs[asked["run_id"]]})

    def _runs_delete(self, asked: dict[str, Any]) -> Reply:
        self.runs[asked["run_id"]]["info"]["lifecycle_stage"] = "deleted"
        return Reply(200, {})

    def _runs_search(self, asked: dict[str, Any]) -> Reply:
        stage = {"ACTIVE_ONLY": "active", "DELETED_ONLY": "deleted"}[asked["run_view_type"]]
        token = asked.get("filter", "").partition("= '")[2].rstrip("'")
        found = [
            run
            for run in self.runs.values()
            if run["info"]["experiment_id"] in asked["experiment_ids"]
            and run["info"]["lifecycle_stage"] == stage
            and (not token or {"key": "smoke_test_token", "value": token} in run["data"]["tags"])
        ]
        return Reply(200, {"runs": found} if found else {})

    def _handler(outer) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # one packet for each answer

            def log_message(self, *args: object) -> None:
                """Tests read `requests` instead."""

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                parts = urlsplit(self.path)
                path = parts.path.removeprefix(outer.prefix)
                outer.requests.append(
                    Request(
                        self.command,
                        path,
                        self.path,
                        {name.lower(): value for name, value in self.headers.items()},
                        body,
                        id(self.connection),
                    )
                )
                canned = outer.replies.get(path) or []
                reply = canned.pop(0) if canned else None
                if reply is None or reply == LOST:
                    query = {key: values[0] for key, values in parse_qs(parts.query).items()}
                    honest = outer.answer(path, query, json.loads(body or b"{}"))
                    if not parts.path.startswith(outer.prefix):
                        honest = Reply(404, "Not Found")
                    if reply == LOST:
                        self.close_connection = True
                        return
                    reply = honest
                content = reply.content()
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_GET  # noqa: N815

        return Handler
