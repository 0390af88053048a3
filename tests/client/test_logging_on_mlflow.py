"""The promises that rest on MLflow itself, on a real server with a real PostgreSQL behind it."""

import dataclasses
import json
import math
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import run as execute

import mlflow
import pytest

from benchmarks.throwaway_server import ThrowawayServer
from mlflow_platform_client.dead_letters import read_dead_letters
from mlflow_platform_client.errors import RequestRejected
from mlflow_platform_client.tracking_logger import TrackingLogger
from mlflow_platform_client.tracking_server import StoreTrackingServer, connect
from tests.client.logging_desk import quick

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server() -> Iterator[ThrowawayServer]:
    with ThrowawayServer() as started:
        yield started


@pytest.fixture
def run_id(server: ThrowawayServer) -> str:
    return mlflow.MlflowClient(server.tracking_uri).create_run("0").info.run_id


def logger_on(server: ThrowawayServer, run_id: str, folder: Path) -> TrackingLogger:
    settings = dataclasses.replace(quick(folder), breaker_timeout_seconds=60.0)
    return TrackingLogger(run_id, tracking_uri=server.tracking_uri, settings=settings)


def rows(server: ThrowawayServer, run_id: str) -> list[tuple[object, ...]]:
    return server.query(
        "SELECT key, step, value, is_nan FROM metrics WHERE run_uuid = %s ORDER BY key, step",
        run_id,
    )


class TestMlflowKeepsARowOnce:
    """The ground of exactly-once: the same batch again adds no row and refuses nothing."""

    def test_a_batch_sent_three_times(self, server: ThrowawayServer, run_id: str) -> None:
        values: list[float | str] = [1.5, "NaN", "Infinity", "-Infinity", 0.0]
        body = {
            "run_id": run_id,
            "metrics": [
                {"key": f"m{index}", "value": value, "timestamp": 1_700_000_000_000, "step": 3}
                for index, value in enumerate(values)
            ],
            "params": [{"key": "depth", "value": "3"}],
            "tags": [{"key": "team", "value": "vision"}],
        }
        far = connect(server.tracking_uri, connect_seconds=10)
        for _ in range(3):
            far.log_batch(json.dumps(body).encode(), 60)
        body["metrics"] = [*body["metrics"], {**body["metrics"][0], "step": 4}]  # type: ignore[misc, dict-item]
        far.log_batch(json.dumps(body).encode(), 60)
        largest = sys.float_info.max
        assert rows(server, run_id) == [
            ("m0", 3, 1.5, False),
            ("m0", 4, 1.5, False),
            ("m1", 3, 0.0, True),
            ("m2", 3, largest, False),
            ("m3", 3, -largest, False),
            ("m4", 3, 0.0, False),
        ]

    def test_a_changed_parameter_is_refused_by_name(
        self, server: ThrowawayServer, run_id: str
    ) -> None:
        far = connect(server.tracking_uri, connect_seconds=10)
        body = {"run_id": run_id, "params": [{"key": "depth", "value": "3"}]}
        far.log_batch(json.dumps(body).encode(), 60)
        body["params"] = [{"key": "depth", "value": "4"}]
        with pytest.raises(RequestRejected, match="Changing param values") as refusal:
            far.log_batch(json.dumps(body).encode(), 60)
        assert refusal.value.code == "INVALID_PARAMETER_VALUE"


class TestTheWholeWay:
    """From calls to rows, parameters, tags, artifacts and dead letters."""

    def test_everything_arrives(self, server: ThrowawayServer, run_id: str, tmp_path: Path) -> None:
        with logger_on(server, run_id, tmp_path) as logger:
            for step in range(3000):
                logger.log_metric("loss", step / 2, step=step)
            logger.log_metrics({"nan": math.nan, "inf": math.inf})
            logger.log_params({"a": 1, "nul": "\0"})
            logger.log_param("a", 2)
            logger.set_tag("t", 1)
            logger.set_tag("t", 2)
            logger.log_text("short", "texts/prompt.txt")
            logger.log_text("x" * 1001, "texts/long.txt")
            assert logger.flush(60)
        client = mlflow.MlflowClient(server.tracking_uri)
        found = client.get_run(run_id).data
        assert server.count("SELECT count(*) FROM metrics WHERE run_uuid = %s", run_id) == 3002
        assert found.metrics["loss"] == 1499.5
        assert math.isnan(found.metrics["nan"])
        assert found.params == {"a": "1", "texts/long_truncated": "x" * 100 + "..."}
        assert found.tags["t"] == "2"
        assert [file.path for file in client.list_artifacts(run_id, "texts")] == [
            "texts/prompt.txt"
        ]
        [letters] = (tmp_path / "spool" / "rejected").glob("*.jsonl")
        assert {(item["key"], item["code"]) for item in read_dead_letters(letters)} == {
            ("nul", "BAD_REQUEST"),
            ("a", "INVALID_PARAMETER_VALUE"),
        }

    def test_a_deleted_run(self, server: ThrowawayServer, run_id: str, tmp_path: Path) -> None:
        mlflow.MlflowClient(server.tracking_uri).delete_run(run_id)
        with logger_on(server, run_id, tmp_path) as logger:
            logger.log_metrics({f"m{index}": 1.0 for index in range(500)})
            assert logger.flush(60)
            assert logger.telemetry.counters["rejected"] == 500
            assert sum(h.count for h in logger.telemetry.histograms.values()) == 2


class TestOutageAndKill:
    """Server killed, training killed with -9, both started again: each metric there once.

    `benchmarks/client_outage.py` tells the same story with 100,000 metrics and 30 s.
    """

    def test_every_metric_once(self, server: ThrowawayServer, run_id: str, tmp_path: Path) -> None:
        first = _train_in_child(server, run_id, tmp_path, range(2500))
        server.kill()
        second = _train_in_child(server, run_id, tmp_path, range(2000, 5000))
        for child in (first, second):
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        server.start()
        with logger_on(server, run_id, tmp_path) as logger:
            logger.set_tag("last", "restarted")
            assert logger.flush(60)
        total, distinct = server.query(
            "SELECT count(*), count(DISTINCT (key, step)) FROM metrics WHERE run_uuid = %s", run_id
        )[0]
        assert (total, distinct) == (5000, 5000)
        tags = dict(server.query("SELECT key, value FROM tags WHERE run_uuid = %s", run_id))
        assert tags["last"] == "restarted"
        assert list((tmp_path / "spool").glob("*/session.json")) == []


def _train_in_child(server: ThrowawayServer, run_id: str, folder: Path, steps: range) -> int:
    """A process that logs, commits, and then waits to be killed."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            logger = logger_on(server, run_id, folder)
            for step in steps:
                logger.log_metric(
                    "loss", float(step), step=step, timestamp=1_700_000_000_000 + step
                )
            logger.set_tag("last", steps[-1])
            if logger.commit(60):
                os.write(writing, b"1")
            time.sleep(600)
        finally:
            os._exit(1)
    os.close(writing)
    assert os.read(reading, 1) == b"1"
    os.close(reading)
    return child


class TestAStoreInThisProcess:
    """`sqlite:///…` works as well: same bodies, same words for refusals."""

    def test_log_batch_and_refusal(self, tmp_path: Path) -> None:
        uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
        client = mlflow.MlflowClient(tracking_uri=uri)
        experiment = client.create_experiment("e", artifact_location=str(tmp_path / "artifacts"))
        run = client.create_run(experiment).info.run_id
        store = connect(uri, connect_seconds=5)
        assert isinstance(store, StoreTrackingServer)
        metrics = [{"key": "a", "value": "NaN", "timestamp": 1, "step": 0}]
        body = {"run_id": run, "metrics": metrics, "params": [{"key": "p", "value": "1"}]}
        store.log_batch(json.dumps(body).encode(), 5)
        body["params"] = [{"key": "p", "value": "2"}]
        with pytest.raises(RequestRejected, match="Changing param values"):
            store.log_batch(json.dumps(body).encode(), 5)
        assert len(client.get_metric_history(run, "a")) == 1
        store.log_text(run, "text", "prompt.txt")
        assert [found.path for found in client.list_artifacts(run)] == ["prompt.txt"]


class TestTheBenchmarkRuns:
    """What the documentation prints can be printed again."""

    def test_client_logging(self, server: ThrowawayServer) -> None:
        found = execute(
            [
                *(sys.executable, "benchmarks/client_logging.py", server.tracking_uri),
                *("--delays", "0", "--ways", "client", "batch", "--scale", "0.02"),
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        assert "| 0 ms | this client, `log_metric` |" in found.stdout
        assert {result["way"] for result in json.loads(found.stdout.splitlines()[-1])} == {
            "client",
            "batch",
        }
