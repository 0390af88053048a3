"""The fake answers as MLflow answers."""

from __future__ import annotations

import time
from typing import Any

import pytest

from mlflow_platform_client import RequestRejected, resolve_settings
from mlflow_platform_client.tracking_api import MlflowSend, Send, TrackingApi
from tests.client.fake_mlflow import FakeMlflow

pytestmark = pytest.mark.usefixtures("clean_environment")

NAME = "held-against-the-real-one"


def conversation(uri: str, send: Send) -> list[Any]:
    """What a server answers to the preflight's calls, as far as the preflight reads it."""
    api = TrackingApi(resolve_settings(environ={}, tracking_uri=uri), send)
    heard: list[Any] = [api.ask("/health", action="a").body]
    heard.append(api.ask("/version", action="a").body.count(b"."))
    for path in ("experiments/get-by-name?experiment_name=nobody", "runs/get?run_id=" + "0" * 32):
        name, _, query = path.partition("?")
        key, _, value = query.partition("=")
        with pytest.raises(RequestRejected) as caught:
            api.get(name, action="a", **{key: value})
        heard.append((caught.value.status, caught.value.code))
    created = api.post("experiments/create", action="a", name=NAME)["experiment_id"]
    with pytest.raises(RequestRejected) as caught:
        api.post("experiments/create", action="a", name=NAME)
    heard.append((caught.value.status, caught.value.code))
    found = api.get("experiments/get-by-name", action="a", experiment_name=NAME)["experiment"]
    heard.append((found["experiment_id"] == created, found["lifecycle_stage"]))
    heard.append(found["artifact_location"] == f"mlflow-artifacts:/{created}")
    heard.append(len(api.post("experiments/search", action="a", max_results=1)["experiments"]))
    now = int(time.time() * 1000)
    info = api.post("runs/create", action="a", experiment_id=created, start_time=now, tags=[])[
        "run"
    ]["info"]
    run_id = info["run_id"]
    heard.append((len(run_id), info["status"], info["lifecycle_stage"], bool(info["run_name"])))
    heard.append(info["artifact_uri"] == f"mlflow-artifacts:/{created}/{run_id}/artifacts")
    history = {"run_id": run_id, "metric_key": "m"}
    heard.append(api.get("metrics/get-history", action="a", **history).get("metrics", []))
    metric: dict[str, Any] = {"key": "m", "value": 0.125, "timestamp": now, "step": 0}
    heard.append(api.post("runs/log-metric", action="a", run_id=run_id, **metric))
    logged = api.get("metrics/get-history", action="a", **history)["metrics"]
    heard.append([(item["value"], int(item["timestamp"]) == now) for item in logged])
    api.post("runs/update", action="a", run_id=run_id, status="FAILED", end_time=now)
    api.post("runs/delete", action="a", run_id=run_id)
    info = api.get("runs/get", action="a", run_id=run_id)["run"]["info"]
    heard.append((info["status"], info["lifecycle_stage"]))
    return heard


class TestTheFake:
    """Statuses, error codes and the fields the preflight reads are those of the real server."""

    def test_same_conversation(self, mlflow_server: str) -> None:
        real = conversation(mlflow_server, MlflowSend(mlflow_server))
        assert conversation("http://fake", FakeMlflow().send) == real

    def test_unknown_paths(self, mlflow_server: str) -> None:
        for uri, send in (
            (mlflow_server, MlflowSend(mlflow_server)),
            ("http://fake", FakeMlflow().send),
        ):
            api = TrackingApi(resolve_settings(environ={}, tracking_uri=uri), send)
            with pytest.raises(RequestRejected) as caught:
                api.get("nothing/here", action="a")
            assert (caught.value.status, caught.value.code) == (404, None)
