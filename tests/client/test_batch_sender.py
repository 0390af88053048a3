"""Refused items, deleted runs, trouble and poison: what each costs."""

import json
from pathlib import Path
from typing import Any

import pytest

from mlflow_platform_client.batch_sender import BatchSender
from mlflow_platform_client.batching import Batch
from mlflow_platform_client.dead_letters import DeadLetters, read_dead_letters
from mlflow_platform_client.errors import ServerFailed, ServerUnreachable
from mlflow_platform_client.telemetry import Telemetry
from tests.client.fake_tracking import FakeTracking


class Desk:
    """A sender, its server and its dead letters."""

    def __init__(self, folder: Path) -> None:
        self.server = FakeTracking()
        self.letters = DeadLetters(folder / "rejected" / "session.jsonl", "http://server")
        self.telemetry = Telemetry()
        self.sender = BatchSender(self.server, self.letters, self.telemetry, timeout_seconds=5)

    @property
    def rejected(self) -> list[tuple[str, str]]:
        if not self.letters.path.exists():
            return []
        return [(item["kind"], item["key"]) for item in read_dead_letters(self.letters.path)]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def metric(key: str, step: int) -> bytes:
    body = {"key": key, "value": float(step), "timestamp": 1, "step": step}
    return b"m\trun1\t" + json.dumps(body).encode()


def named(kind: str, key: str, value: str) -> bytes:
    return f"{kind}\trun1\t{json.dumps({'key': key, 'value': value})}".encode()


def batch(*lines: bytes) -> Batch:
    made = Batch("run1")
    for line in lines:
        assert made.admit(line[:1], line, line.split(b"\t", 2)[2], 1000)
    return made


class TestABadItemCostsOnlyItself:
    """All others arrive; it goes to the dead letters with the server's reason."""

    def test_one_among_a_thousand(self, desk: Desk) -> None:
        lines = [metric("loss", step) for step in range(999)]
        desk.sender.send(batch(*lines[:500], metric("refused", 7), *lines[500:]))
        assert desk.server["run1"].values == [float(step) for step in range(999)]
        assert desk.rejected == [("metric", "refused")]
        assert len(desk.server.bodies) < 30
        [letter] = read_dead_letters(desk.letters.path)
        assert letter["reason"] == "the server does not like this metric"
        assert letter["code"] == "INVALID_PARAMETER_VALUE"
        assert desk.letters.path.stat().st_mode & 0o777 == 0o600

    def test_a_changed_parameter(self, desk: Desk) -> None:
        desk.sender.send(batch(named("p", "a", "1")))
        desk.sender.send(batch(metric("loss", 1), named("p", "a", "2"), named("p", "b", "3")))
        assert desk.server["run1"].params == {"a": "1", "b": "3"}
        assert desk.server["run1"].values == [1.0]
        assert desk.rejected == [("param", "a")]

    def test_it_is_said_once(self, desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
        for step in range(5):
            desk.sender.send(batch(metric("refused", step), metric("loss", step)))
        assert len(desk.rejected) == 5
        assert len([r for r in caplog.records if r.levelname == "WARNING"]) == 1

    def test_a_secret_in_the_reason_is_masked(self, desk: Desk) -> None:
        from mlflow_platform_client.record_encoding import Refused

        reason = "postgresql://user:hunter2hunter2@host/db refused"
        desk.letters.add_refused(Refused("metric", "run1", "loss", "1", reason))
        assert "hunter2" not in desk.letters.path.read_text()


class TestADeletedRun:
    """Everything for it is set aside with two requests, whatever the size."""

    def test_two_requests(self, desk: Desk) -> None:
        desk.server["run1"].active = False
        desk.sender.send(batch(*(metric("loss", step) for step in range(1000))))
        assert len(desk.server.bodies) == 2
        assert len(desk.rejected) == 1000
        assert desk.telemetry.counters["rejected"] == 1000


class TestTrouble:
    """A server that fails is no refusal: the batch stays whole, and nothing is set aside."""

    @pytest.mark.parametrize("error", [ServerFailed("503"), ServerUnreachable("no")])
    def test_it_is_raised(self, desk: Desk, error: Exception) -> None:
        desk.server.before.append(error)
        whole = batch(metric("loss", 1))
        with pytest.raises(type(error)):
            desk.sender.send(whole)
        assert desk.rejected == []
        desk.sender.send(whole)
        assert desk.server["run1"].values == [1.0]

    def test_an_interrupted_search_sets_nothing_aside_twice(self, desk: Desk) -> None:
        whole = batch(metric("refused", 1), *(metric("loss", step) for step in range(7)))

        seen: list[int] = []

        def fail_once(body: dict[str, Any]) -> Exception | None:
            seen.append(1)
            return ServerUnreachable("gone") if len(seen) == 6 else None

        desk.server.poison = fail_once
        with pytest.raises(ServerUnreachable):
            desk.sender.send(whole)
        desk.sender.send(whole, failures=1)
        assert desk.rejected == [("metric", "refused")]
        assert len(desk.server["run1"].values) == 7


class TestPoison:
    """A value on which the server itself fails cannot stop all others for ever."""

    @staticmethod
    def fails_on_poison(body: dict[str, Any]) -> Exception | None:
        keys = {metric["key"] for metric in body.get("metrics", [])}
        return ServerFailed("HTTP 500 on poison") if "poison" in keys else None

    def test_set_aside_when_others_are_accepted(self, desk: Desk) -> None:
        desk.server.poison = self.fails_on_poison
        whole = batch(*(metric("loss", step) for step in range(20)), metric("poison", 1))
        with pytest.raises(ServerFailed):
            desk.sender.send(whole, failures=0)
        assert desk.rejected == []
        desk.sender.send(whole, failures=5)
        assert desk.rejected == [("metric", "poison")]
        assert len(desk.server["run1"].values) == 20

    def test_a_server_that_fails_on_everything_takes_no_blame_away(self, desk: Desk) -> None:
        desk.server.poison = lambda _body: ServerFailed("HTTP 500: the disk is full")
        whole = batch(*(metric("loss", step) for step in range(64)))
        with pytest.raises(ServerFailed, match="disk is full"):
            desk.sender.send(whole, failures=99)
        assert desk.rejected == []
        assert len(desk.server.bodies) < 20
