"""An MLflow tracking server in memory, with the faults a preflight must find.

Owns the few calls the preflight makes, answered as MLflow 3 answers them (`test_fake_mlflow` holds
it against the real one). `send` asks it in this process, on a fake clock; `serving` puts it behind
a real socket, so that MLflow's own client can be sent to it.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import threading
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from mlflow_platform_client.clock import Clock
from mlflow_platform_client.tracking_api import Answer

READ_ONLY = (
    "(raised as a result of Query-invoked autoflush; consider using a session.no_autoflush block "
    "if this flush is occurring prematurely)\n(psycopg.errors.ReadOnlySqlTransaction) cannot "
    "execute INSERT in a read-only transaction\n[SQL: INSERT INTO runs (name) VALUES (%(name)s)]\n"
    "[parameters: {'name': 'a'}]\n(Background on this error at: https://sqlalche.me/e/20/2j85)"
)
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts/"


class FakeClock:
    """Time that passes only when somebody waits."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.waits: list[float] = []

    def clock(self) -> Clock:
        return Clock(monotonic=lambda: self.now, epoch=lambda: self.now, sleep=self.sleep)

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


@dataclass
class FakeMlflow:
    """State, and what is wrong with it."""

    version: str = "3.17.2"
    artifact_root: str = "mlflow-artifacts:"
    password: str | None = None  # admin's
    read_only_status: int | None = None  # 400 from MLflow 3.17, 500 from older ones
    forgets_metrics: bool = False
    changes_artifacts: bool = False
    artifacts_fail_with: tuple[int, str] | None = None
    answers_by_path: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    experiments: dict[str, dict[str, Any]] = field(default_factory=dict)
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    metrics: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    artifacts: dict[str, bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        """A new server has one experiment."""
        self.add_experiment("Default", "0")

    def add_experiment(self, name: str, identifier: str | None = None) -> str:
        identifier = identifier or str(next(self.numbers))
        self.experiments[name] = {
            "experiment_id": identifier,
            "name": name,
            "artifact_location": f"{self.artifact_root}/{identifier}",
            "lifecycle_stage": "active",
        }
        return identifier

    def answer(
        self, method: str, target: str, content: bytes, headers: Mapping[str, str]
    ) -> tuple[int, str, bytes]:
        """One request's status, content type and body."""
        parts = urlsplit(target)
        self.requests.append(f"{method} {parts.path}")
        if parts.path in self.answers_by_path:
            status, body = self.answers_by_path[parts.path]
            kind = "text/html" if body.startswith(b"<") else "application/json"
            return status, kind, body
        if parts.path == "/health":
            return 200, "text/html", b"OK"
        if self.password is not None and not self._knows(headers.get("Authorization", "")):
            words = b"You are not authenticated. Please see the documentation."
            return 401, "text/html", words
        if parts.path == "/version":
            return 200, "text/html", self.version.encode()
        if parts.path == ARTIFACTS.rstrip("/"):  # what is in a folder; a file is none
            return 200, "application/json", b'{"files": []}'
        if parts.path.startswith(ARTIFACTS):
            return self._artifact(method, parts.path.removeprefix(ARTIFACTS), content)
        if parts.path == "/api/3.0/mlflow/server-info":
            return 200, "application/json", b"{}"
        values = {key: value[0] for key, value in parse_qs(parts.query).items()}
        if content:
            values = json.loads(content)
        call = getattr(
            self,
            parts.path.removeprefix("/api/2.0/mlflow/").replace("/", "_").replace("-", "_"),
            None,
        )
        if call is None:
            return 404, "text/html", b"<!doctype html><title>404 Not Found</title>"
        status, document = call(values)
        return status, "application/json", json.dumps(document).encode()

    def _knows(self, authorization: str) -> bool:
        expected = base64.b64encode(f"admin:{self.password}".encode()).decode()
        return authorization == f"Basic {expected}"

    def _artifact(self, method: str, path: str, content: bytes) -> tuple[int, str, bytes]:
        if self.artifacts_fail_with is not None:
            status, message = self.artifacts_fail_with
            return (
                status,
                "application/json",
                json.dumps({"error_code": "INTERNAL_ERROR", "message": message}).encode(),
            )
        match method:
            case "PUT":
                self.artifacts[path] = content
                return 200, "application/json", b"{}"
            case "GET":
                found = self.artifacts[path]
                return 200, "text/plain", b"another" if self.changes_artifacts else found
            case _:
                self.artifacts.pop(path, None)
                return 200, "application/json", b"{}"

    # The calls, named after their paths.

    def experiments_search(self, values: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        return 200, {"experiments": list(self.experiments.values())[: values["max_results"]]}

    def experiments_get_by_name(self, values: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        found = self.experiments.get(values["experiment_name"])
        if found is None:
            return _missing(f"Could not find experiment with name '{values['experiment_name']}'")
        return 200, {"experiment": found}

    def experiments_create(self, values: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if self.read_only_status is not None:
            code = "BAD_REQUEST" if self.read_only_status == 400 else "INTERNAL_ERROR"
            return self.read_only_status, {"error_code": code, "message": READ_ONLY}
        if values["name"] in self.experiments:
            return 400, {"error_code": "RESOURCE_ALREADY_EXISTS", "message": "it exists"}
        return 200, {"experiment_id": self.add_experiment(values["name"])}

    def experiments_restore(self, values: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        for item in self.experiments.values():
            if item["experiment_id"] == values["experiment_id"]:
                item["lifecycle_stage"] = "active"
        return 200, {}

    def runs_create(self, values: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if self.read_only_status is not None:
            code = "BAD_REQUEST" if self.read_only_status == 400 else "INTERNAL_ERROR"
            return self.read_only_status, {"error_code": code, "message": READ_ONLY}
        identifier = f"{next(self.numbers):032x}"
        location = f"{self.artifact_root}/{values['experiment_id']}/{identifier}/artifacts"
        info = {
            "run_id": identifier,
            "experiment_id": values["experiment_id"],
            "run_name": values.get("run_name", "smiling-fake-1"),
            "status": "RUNNING",
            "lifecycle_stage": "active",
            "artifact_uri": location,
        }
        self.runs[identifier] = {"info": info, "data": {"tags": values.get("tags", [])}}
        return 200, {"run": self.runs[identifier]}

    def runs_get(self, values: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        run = self.runs.get(values["run_id"])
        return (200, {"run": run}) if run else _missing(f"Run with id={values['run_id']} not found")

    def runs_update(self, values: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if values["run_id"] not in self.runs:
            return _missing(f"Run with id={values['run_id']} not found")
        info = self.runs[values["run_id"]]["info"]
        info["status"] = values["status"]
        return 200, {"run_info": info}

    def runs_delete(self, values: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.runs[values["run_id"]]["info"]["lifecycle_stage"] = "deleted"
        return 200, {}

    def runs_log_metric(self, values: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if not self.forgets_metrics:
            self.metrics.setdefault(values["run_id"], []).append(
                {name: values[name] for name in ("key", "value", "timestamp", "step")}
            )
        return 200, {}

    def metrics_get_history(self, values: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        found = [
            m for m in self.metrics.get(values["run_id"], []) if m["key"] == values["metric_key"]
        ]
        return 200, {"metrics": found} if found else {}

    def send(
        self,
        method: str,
        path: str,
        *,
        timeout: tuple[float, float],
        params: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
        content: bytes | None = None,
    ) -> Answer:
        """Ask it in this process."""
        query = "&".join(f"{key}={value}" for key, value in (params or {}).items())
        content = content or (b"" if body is None else json.dumps(body).encode())
        status, kind, answer = self.answer(method, f"{path}?{query}", content, {})
        return Answer(status=status, body=answer, content_type=kind)


def _missing(message: str) -> tuple[int, dict[str, Any]]:
    return 404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": message}


@contextlib.contextmanager
def serving(fake: FakeMlflow, *, hangs: bool = False) -> Generator[str]:
    """The fake behind a real socket; yields its address. One that hangs never answers."""
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            if hangs:
                ended.wait(60)
                return
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, kind, body = fake.answer(self.command, self.path, content, self.headers)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815  # names of http.server

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Be quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        ended.set()
        server.shutdown()
        thread.join()
        server.server_close()
