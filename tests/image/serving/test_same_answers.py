"""Every route of MLflow answers as under `mlflow server`: none is lost, none changed.

The routes are asked of MLflow itself, so that a new one is compared on the day it appears.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.image.serving.conftest import MIGRATED
from tests.image.serving.real_server import Database, Server, running

ROUTES = """
import json, warnings
warnings.simplefilter("ignore")
from mlflow.server import app as flask
from mlflow.server.fastapi_app import app
from starlette.routing import Mount

def native(routes, prefix=""):
    for route in routes:
        if isinstance(route, Mount):
            continue
        inner = getattr(route, "original_router", None) or getattr(route, "router", None)
        if inner is not None:
            context = getattr(route, "include_context", None)
            yield from native(inner.routes, prefix + (getattr(context, "prefix", "") or ""))
        else:
            for method in sorted(route.methods or ()):
                yield method, prefix + route.path

found = set(native(app.routes))
count = len(found)
found |= {(method, rule.rule) for rule in flask.url_map.iter_rules() for method in rule.methods}
print(json.dumps([count, sorted(found)]))
"""

NOT_COMPARED = re.compile(
    r"/metrics$|assistant|/gateway/|telemetry|/version$|server-info|scorer/invoke|oauth|/demo"
)
"""What differs from one question to the next, or calls out of this machine."""

OF_ONE_ANSWER = {"date", "server", "content-length", "etag", "last-modified"}


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str]]:
    folder: Path = tmp_path_factory.mktemp("routes")
    done = subprocess.run(
        [sys.executable, "-c", ROUTES],
        env={**os.environ, "_MLFLOW_SERVER_FILE_STORE": f"sqlite:///{folder / 'none.db'}"},
        capture_output=True,
        text=True,
        check=True,
    )
    native, found = json.loads(done.stdout.splitlines()[-1])
    assert native > 20  # OTLP, gateway, jobs, assistant, artifacts: the routes gunicorn lacks
    return [(method, path) for method, path in found if method != "HEAD"]


@pytest.fixture(scope="module")
def both(
    database: Database, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, Server]]:
    made: list[Server] = []
    for name, module in (
        ("ours", ("-m", "mlflow_platform_server", "serve")),
        ("theirs", ("-m", "mlflow", "server")),
    ):
        folder = tmp_path_factory.mktemp(name)
        options = ["--workers", "1", "--artifacts-destination", str(folder / "artifacts")]
        uri = database.copy(MIGRATED, f"same_{name}")
        made.append(Server(uri, folder, options, module=module))
    with running(made[0]) as ours, running(made[1]) as theirs:
        yield ours, theirs


class TestSameAnswers:
    """Status and headers of every route, asked with nothing and as a stranger's page would."""

    @pytest.mark.parametrize("headers", [{}, {"Origin": "http://localhost:3000"}], ids=str)
    def test_every_route(
        self,
        routes: list[tuple[str, str]],
        both: tuple[Server, Server],
        headers: dict[str, str],
    ) -> None:
        differences: list[str] = []
        compared = 0
        for method, template in routes:
            path = re.sub(r"<[^>]+>|\{[^}]+\}", "x", template)
            if NOT_COMPARED.search(path):
                continue
            compared += 1
            body = {} if method in ("POST", "PUT", "PATCH", "DELETE") else None
            ours, theirs = (server.ask(method, path, body, headers) for server in both)
            if ours[0] != theirs[0] or kept(ours[1]) != kept(theirs[1]):
                differences.append(f"{method} {path}: {ours[0]} {theirs[0]} {ours[1]} {theirs[1]}")
        assert compared > 250
        assert differences == []

    def test_a_tracked_run_reads_the_same(self, both: tuple[Server, Server]) -> None:
        seen: list[object] = []
        for server in both:
            run_id = server.new_run()
            server.call(
                "runs/log-batch",
                run_id=run_id,
                metrics=[{"key": "m", "value": v, "timestamp": v, "step": v} for v in (1, 2)],
                params=[{"key": "p", "value": "ü"}],
                tags=[{"key": "t", "value": "1"}],
            )
            data = json.loads(server.ask("GET", f"/api/2.0/mlflow/runs/get?run_id={run_id}")[2])
            found = data["run"]["data"]
            metrics = [
                {
                    name: value
                    for name, value in metric.items()
                    if name not in ("run_id", "model_id")
                }
                for metric in found["metrics"]
            ]
            seen.append((metrics, found["params"]))
        assert seen[0] == seen[1]

    def test_an_artifact_goes_both_ways(self, both: tuple[Server, Server]) -> None:
        for server in both:
            path = "/api/2.0/mlflow-artifacts/artifacts/0/x/artifacts/a.txt"
            assert server.ask("PUT", path, b"hello")[0] == 200
            assert server.ask("GET", path)[::2] == (200, b"hello")

    def test_a_trace_by_otlp_is_taken(self, both: tuple[Server, Server]) -> None:
        """The endpoint that gunicorn lacks: here it refuses only what is no trace."""
        answers = [
            server.ask(
                "POST",
                "/v1/traces",
                b"no protobuf",
                {"Content-Type": "application/x-protobuf", "x-mlflow-experiment-id": "0"},
            )[::2]
            for server in both
        ]
        assert answers[0] == answers[1]
        assert answers[0][0] == 400


def kept(headers: dict[str, str]) -> dict[str, str | list[str]]:
    """What must be the same; Flask lists the methods of a path in any order."""
    return {
        name: sorted(value.split(", ")) if name == "allow" else value
        for name, value in headers.items()
        if name not in OF_ONE_ANSWER
    }
