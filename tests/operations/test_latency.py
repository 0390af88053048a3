"""`latency` against a real server: what it measures, what it finds, what it leaves behind."""

from __future__ import annotations

import pytest

from benchmarks.throwaway_server import ThrowawayServer
from tests.operations.conftest import Operate

pytestmark = pytest.mark.slow

MEASURED = ["health", "first read", "warm read", "create-run", "log-metric", "log-batch of 100"]


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
