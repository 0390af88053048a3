"""`latency` against a real server: what it measures, what it finds, what it leaves behind."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.throwaway_server import ThrowawayServer, free_port
from operations.database_login import APPLICATION_NAME, DatabaseLogin, NotReachable
from operations.latency_database import measure_database
from operations.latency_pool import measure_pool
from operations.latency_report import LatencyReport
from operations.pool_verdict import PoolAskedFor
from smoke_tests.connecting import Door, open_door
from smoke_tests.masking import Masker
from smoke_tests.mlflow_api import MlflowApi
from smoke_tests.retrying import Clock, Patience
from smoke_tests.target import parse_target
from tests.operations.conftest import Operate

pytestmark = pytest.mark.slow

MEASURED = ["health", "first read", "warm read", "create-run", "log-metric", "log-batch of 100"]


def login_of(server: ThrowawayServer | None = None, port: int = 0) -> DatabaseLogin:
    return DatabaseLogin(
        host="127.0.0.1",
        port=server.database_port if server else port,
        name="mlflow",
        user="mlflow",
        password="trusted-anyway",
        ssl_mode=None,
        masker=Masker(),
    )


def door_of(server: ThrowawayServer) -> Door:
    masker = Masker()
    return open_door(
        parse_target(server.tracking_uri, masker=masker, source="the test"),
        outputs=None,
        patience=Patience(waits=()),
        environ={},
        clock=Clock(),
        masker=masker,
    )


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class TestMeasurement:
    """Everything a training job asks is measured, by one client and by many."""

    def test_one_client(self, operate: Operate, server: ThrowawayServer) -> None:
        ran = operate("latency", "--url", server.tracking_uri, "--tries", "3", "--json")
        assert (ran.code, ran.err) == (0, "")
        requests = ran.document["requests"]
        assert [item["name"] for item in requests] == MEASURED
        for item in requests:
            assert (item["tries"], item["errors"], item["problem"]) == (3, 0, None)
            assert 0 < item["min_ms"] <= item["p50_ms"] <= item["p95_ms"] <= item["max_ms"]
            assert item["per_second"] is None

    def test_many_clients(self, operate: Operate, server: ThrowawayServer) -> None:
        ran = operate(
            "latency", "--url", server.tracking_uri, "--tries", "2", "--clients", "4", "--json"
        )
        crowd = [item for item in ran.document["requests"] if item["clients"] == 4]
        assert [item["name"] for item in crowd] == ["log-metric", "log-batch of 100"]
        assert [item["tries"] for item in crowd] == [8, 8]
        assert all(item["per_second"] > 0 for item in crowd)

    def test_text(self, operate: Operate, server: ThrowawayServer) -> None:
        ran = operate("latency", "--url", server.tracking_uri, "--tries", "1")
        assert ran.code == 0
        head, _, *rows = ran.out.splitlines()
        assert head == f"Latency of {server.tracking_uri}"
        for name in MEASURED:
            assert any(row.startswith(f"{name} ") for row in rows), name
        assert ran.out.endswith("\nNothing is slower than 5000 ms.\n")


class TestFindings:
    """A value above the threshold is found, by name; exit 1."""

    def test_slow(self, operate: Operate, server: ThrowawayServer) -> None:
        ran = operate(
            "latency", "--url", server.tracking_uri, "--tries", "1", "--slow-ms", "1", "--json"
        )
        assert (ran.code, ran.document["outcome"]) == (1, "found")
        slow = {item["name"]: item["p95_ms"] for item in ran.document["requests"]}
        assert (
            f"log-batch of 100: p95 is {slow['log-batch of 100']:g} ms, and slowResponseMs is 1"
            in (ran.document["findings"])
        )


class TestNothingStays:
    """Its experiment and its runs are deleted, also when it is interrupted."""

    def test_after_a_measurement(self, operate: Operate, server: ThrowawayServer) -> None:
        operate("latency", "--url", server.tracking_uri, "--tries", "2")
        mine = "name LIKE 'latency-%%' AND lifecycle_stage = 'active'"
        assert server.count("SELECT count(*) FROM experiments WHERE name LIKE 'latency-%%'") > 0
        assert server.count(f"SELECT count(*) FROM experiments WHERE {mine}") == 0
        assert server.count(f"SELECT count(*) FROM runs WHERE {mine}") == 0


class TestCouldNotLook:
    """Without a server, an address or sense in the arguments, it says so and exits 2."""

    def test_nobody_there(self, operate: Operate) -> None:
        ran = operate("latency", "--url", "http://127.0.0.1:1")
        assert ran.code == 2
        assert ran.out == ""
        assert ran.err.startswith("error: connection refused at 127.0.0.1:1: ")

    def test_no_address(self, operate: Operate) -> None:
        ran = operate("latency")
        assert (ran.code, ran.err) == (
            2,
            "error: no platform is named: give a stack with --stack or an address with --url\n",
        )

    @pytest.mark.parametrize("value", ["0", "-1", "many", "", "1000000000", "1.5"])
    @pytest.mark.parametrize("name", ["--tries", "--clients", "--timeout", "--slow-ms"])
    def test_arguments(self, operate: Operate, name: str, value: str) -> None:
        ran = operate("latency", "--url", "http://127.0.0.1:1", f"{name}={value}")
        assert ran.code == 2
        assert ran.err.startswith(
            f"error: {name} is {value!r}: it must be a whole number from 1 to "
        )


class TestDatabase:
    """Where a stack says how, the way to the database is measured; elsewhere it says why not."""

    def test_measured(self, server: ThrowawayServer) -> None:
        setup, first, pooled = measure_database(login_of(server), Clock(), 7)
        assert (setup.name, first.name, pooled.name) == (
            "connection set-up",
            "first query",
            "pooled query, a round trip",
        )
        assert (len(setup.seconds), len(first.seconds), len(pooled.seconds)) == (5, 5, 7)
        assert min(setup.seconds) > min(pooled.seconds)

    def test_nobody_there(self) -> None:
        login = replace(login_of(port=free_port()), password="hush-hush-hush")
        with pytest.raises(NotReachable, match="refused") as refused:
            measure_database(login, Clock(), 1)
        assert "hush" not in str(refused.value)
        assert "hush" not in repr(login)

    def test_without_a_stack(self, operate: Operate, server: ThrowawayServer) -> None:
        ran = operate("latency", "--url", server.tracking_uri, "--tries", "1", "--json")
        reason = "only a stack says where its database is: name one with --stack"
        assert ran.document["database"] == {"measured": None, "reason": reason}
        assert ran.document["pool"] == {"measured": None, "reason": reason}

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"backend_store": "sqlite:///x"}, "the backend store is a SQLite file"),
            ({"database_host": None}, "the stack exports no databaseHost"),
            ({"database_password": None}, "the stack exports no databasePassword"),
        ],
    )
    def test_no_way_there(self, changes: dict[str, Any], reason: str) -> None:
        outputs = SimpleNamespace(
            **{
                "backend_store": "postgresql+psycopg://mlflow@db/mlflow?sslmode=require",
                "database_host": "db",
                "database_port": None,
                "database_name": None,
                "database_user": None,
                "database_password": "hush-hush-hush",
                **changes,
            }
        )
        with pytest.raises(NotReachable, match=f"^{reason}$"):
            DatabaseLogin.from_outputs(outputs, Masker())  # type: ignore[arg-type]

    def test_the_stacks_way(self) -> None:
        outputs = SimpleNamespace(
            backend_store="postgresql+psycopg://mlflow@db/mlflow?sslmode=require",
            database_host="db",
            database_port=5433,
            database_name="runs",
            database_user="me",
            database_password="hush-hush-hush",
        )
        login = DatabaseLogin.from_outputs(outputs, Masker())  # type: ignore[arg-type]
        assert (login.host, login.port, login.name, login.user, login.ssl_mode) == (
            *("db", 5433, "runs", "me"),
            "require",
        )


class TestPool:
    """The pool in force is told from another one by what the database sees."""

    @pytest.fixture
    def run_id(self, server: ThrowawayServer) -> str:
        mlflow_server, connection = door_of(server).connect()
        api = MlflowApi(mlflow_server)
        name = os.urandom(8).hex()
        run_id = api.create_run(
            api.create_experiment(name, name) or "", name=name, token=name, start_time=1
        )
        connection.close()
        return run_id

    def test_as_asked(self, server: ThrowawayServer, run_id: str) -> None:
        asked = PoolAskedFor(workers=2, size=4, overflow=26)  # the fixture's
        found = measure_pool(door_of(server), login_of(server), run_id, asked)
        (one,) = found.servers
        assert (found.failed, found.problem) == (0, None)
        assert one.address == "127.0.0.1"
        assert one.verdict(asked) in ("in force", "not filled")
        assert one.kept <= 8 <= one.busy

    def test_another_one(self, server: ThrowawayServer, run_id: str) -> None:
        asked = PoolAskedFor(workers=2, size=20, overflow=20)
        found = measure_pool(door_of(server), login_of(server), run_id, asked)
        (one,) = found.servers
        assert one.kept <= 8
        assert one.verdict(asked) == "differs"
        report = LatencyReport(
            tracking_uri="http://h", slow_ms=1, requests=(), database="not asked", pool=found
        )
        assert report.exit_code == 1
        (finding,) = report.findings
        assert finding.startswith("pool of 127.0.0.1: 2 × (20 + 20): ")

    def test_nobody_elses_lock(self, server: ThrowawayServer, run_id: str) -> None:
        """Nothing stays locked, and no transaction stays open."""
        asked = PoolAskedFor(workers=2, size=4, overflow=26)
        measure_pool(door_of(server), login_of(server), run_id, asked)
        open_ones = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in%%'"
        assert server.count(open_ones) == 0
        ours = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s"
        wait_until(lambda: server.count(ours, APPLICATION_NAME) == 0)

    def test_a_server_that_refuses(self, server: ThrowawayServer) -> None:
        asked = PoolAskedFor(workers=1, size=2, overflow=2)
        found = measure_pool(door_of(server), login_of(server), "no-such-run", asked)
        assert (found.servers, found.failed, found.requests) == ((), 1, 1)
        assert found.problem is not None
