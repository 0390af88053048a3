"""A tracking server in memory with MLflow's rules, whose failures are scripted.

Owns what the logging tests need of a server: rows kept once as MLflow's primary key keeps them,
parameters that cannot change, tags whose last value stays, runs that can be deleted, MLflow's batch
limits, and three ways to fail: a scripted error instead of an answer, an error after the work is
done (a lost answer), and being away. Its own test is `test_fake_tracking.py`.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from mlflow_platform_client.errors import ServerUnreachable
from mlflow_platform_client.tracking_server import judge


@dataclass
class FakeRun:
    active: bool = True
    rows: dict[tuple[Any, ...], None] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)

    @property
    def values(self) -> list[float]:
        return [float(row[3]) for row in self.rows]


class FakeTracking:
    def __init__(self, *runs: str) -> None:
        self.runs = {run: FakeRun() for run in runs or ("run1",)}
        self.bodies: list[dict[str, Any]] = []
        self.timeouts: list[float] = []
        self.away = False
        self.before: deque[Exception] = deque()  # raised instead of doing the work
        self.after: deque[Exception] = deque()  # raised when the work is done
        self.poison: Callable[[dict[str, Any]], Exception | None] = lambda _body: None
        self.asked = threading.Event()
        self.gate = threading.Event()
        self.gate.set()

    def __getitem__(self, run: str) -> FakeRun:
        """One run."""
        return self.runs[run]

    def log_batch(self, body: bytes, timeout_seconds: float) -> None:
        self.asked.set()
        assert self.gate.wait(20)
        self.timeouts.append(timeout_seconds)
        if self.away:
            raise ServerUnreachable("connection refused")
        if self.before:
            raise self.before.popleft()
        assert len(body) <= 1_000_000
        content = json.loads(body)
        self.bodies.append(content)
        if (error := self.poison(content)) is not None:
            raise error
        self._apply(content)
        if self.after:
            raise self.after.popleft()

    def log_text(self, run_id: str, text: str, path: str) -> None:
        if self.away:
            raise ServerUnreachable("connection refused")
        if self.before:
            raise self.before.popleft()
        self.runs[run_id].texts[path] = text

    def _apply(self, content: dict[str, Any]) -> None:
        metrics, params = content.get("metrics", []), content.get("params", [])
        tags = content.get("tags", [])
        if len(metrics) > 1000 or len(params) > 100 or len(tags) > 100:
            refuse("too many items of one kind")
        if len(metrics) + len(params) + len(tags) > 1000:
            refuse("too many items")
        if len({param["key"] for param in params}) < len(params):
            refuse("Duplicate parameter keys have been submitted")
        run = self.runs.get(content["run_id"])
        if run is None:
            refuse("Run not found", "RESOURCE_DOES_NOT_EXIST", 404)
            return
        if not run.active:
            refuse("The run must be in the 'active' state. Current state is deleted.")
        for param in params:
            if run.params.get(param["key"], param["value"]) != param["value"]:
                refuse(f"Changing param values is not allowed: {param['key']}")
        for metric in metrics:
            if metric["key"] == "refused":
                refuse("the server does not like this metric")
        run.params.update({param["key"]: param["value"] for param in params})
        for metric in metrics:
            row = (metric["key"], metric["timestamp"], metric["step"], metric["value"])
            run.rows.setdefault(row)
        run.tags.update({tag["key"]: tag["value"] for tag in tags})


def refuse(message: str, code: str = "INVALID_PARAMETER_VALUE", status: int = 400) -> None:
    judge(status, json.dumps({"error_code": code, "message": message}))
