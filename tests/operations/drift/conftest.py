"""What the tests of drift's live looks share: the command on a recorded engine, and stand-ins.

Owns a server that gives prepared answers (for Google's APIs and CloudTrail), and moto.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest

from simulated_cloud.aws.cloud import ACCESS_KEY, SECRET_KEY, moto_server
from tests.operations.conftest import Operate, Ran
from tests.operations.engine_stand_in import RecordedEngine, step

REGION = "eu-central-1"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"


class Answers:
    """An HTTP server that gives prepared answers, and keeps what it was asked."""

    def __init__(self) -> None:
        self.by_path: dict[str, Any] = {}
        self.asked: list[tuple[str, Any]] = []
        self.url = ""

    def answer(self, path: str, body: Any) -> tuple[int, Any]:
        self.asked.append((path, body))
        for known, told in self.by_path.items():
            if path.startswith(known):
                return 200, told
        return 404, {"error": {"code": 404}}


@contextmanager
def answering() -> Iterator[Answers]:
    state = Answers()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            self.do_POST()

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            target = self.headers.get("X-Amz-Target")
            code, told = state.answer(f"/{target}" if target else self.path, body)
            data = json.dumps(told).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Live:
    """`drift` with its live looks, on a recorded engine."""

    def __init__(self, operate: Operate, folder: Path) -> None:
        self._operate = operate
        self.engine = RecordedEngine(folder)
        self.environ = {**self.engine.environ, "NO_GCE_CHECK": "true", "NO_PROXY": "*"}

    def __call__(self, *steps: dict[str, Any], more: tuple[str, ...] = ()) -> Ran:
        self.engine.refreshes(*steps)
        ran = self._operate("drift", "--stack", "dev", "--json", *more, environ=self.environ)
        assert ran.code in (0, 1), ran.err
        return ran

    def findings(self, *steps: dict[str, Any]) -> list[dict[str, Any]]:
        return self(*steps).document["findings"]

    def looks(self, *steps: dict[str, Any]) -> dict[str, dict[str, str]]:
        return {look["name"]: look for look in self(*steps).document["looks"]}


@pytest.fixture
def live(operate: Operate, tmp_path: Path) -> Live:
    return Live(operate, tmp_path)


def differences(finding: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {d["property"]: (d["expected"], d["found"]) for d in finding["differences"]}


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    with moto_server() as endpoint:
        yield endpoint


@pytest.fixture
def aws(live: Live, moto: str) -> Live:
    live.environ |= {
        "AWS_ENDPOINT_URL": moto,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
    }
    live.engine.has(target="aws", region=REGION)
    return live


def client(moto: str, service: str) -> Any:
    return boto3.client(
        service,
        region_name=REGION,
        endpoint_url=moto,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
    )


def put_alarm(moto: str, name: str, **more: Any) -> dict[str, Any]:
    client(moto, "cloudwatch").put_metric_alarm(
        AlarmName=name,
        MetricName="m",
        Namespace="n",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        **more,
    )
    return step("refresh", ALARM, f"alarms-{name}", id=name, before={"name": name})
