"""The stand-in server keeps the rules the other tests rely on."""

import json
from typing import Any

import pytest

from mlflow_platform_client.errors import RequestRejected, ServerUnreachable
from tests.client.fake_tracking import FakeTracking


def send(fake: FakeTracking, run: str = "run1", **content: Any) -> None:
    fake.log_batch(json.dumps({"run_id": run, **content}).encode(), 5)


def metric(key: str = "loss", value: float = 1.0, step: int = 0) -> dict[str, Any]:
    return {"key": key, "value": value, "timestamp": 1, "step": step}


class TestItKeepsMlflowsRules:
    """Rows once, parameters for ever, tags by their last value, deleted runs not at all."""

    def test_the_same_row_is_kept_once(self) -> None:
        fake = FakeTracking()
        send(fake, metrics=[metric(), metric()])
        send(fake, metrics=[metric(), metric(step=1)])
        assert fake["run1"].values == [1.0, 1.0]

    def test_a_parameter_cannot_change(self) -> None:
        fake = FakeTracking()
        send(fake, params=[{"key": "a", "value": "1"}])
        send(fake, params=[{"key": "a", "value": "1"}])
        with pytest.raises(RequestRejected, match="Changing param values"):
            send(fake, params=[{"key": "a", "value": "2"}])

    def test_the_last_tag_wins(self) -> None:
        fake = FakeTracking()
        send(fake, tags=[{"key": "t", "value": "1"}])
        send(fake, tags=[{"key": "t", "value": "2"}])
        assert fake["run1"].tags == {"t": "2"}

    def test_deleted_and_unknown_runs_are_refused(self) -> None:
        fake = FakeTracking()
        fake["run1"].active = False
        with pytest.raises(RequestRejected, match="deleted"):
            send(fake)
        with pytest.raises(RequestRejected) as refusal:
            send(fake, run="other")
        assert refusal.value.code == "RESOURCE_DOES_NOT_EXIST"

    @pytest.mark.parametrize(
        "content",
        [
            {"metrics": [metric(step=step) for step in range(1001)]},
            {"params": [{"key": str(i), "value": ""} for i in range(101)]},
            {"tags": [{"key": str(i), "value": ""} for i in range(101)]},
            {"params": [{"key": "a", "value": "1"}] * 2},
        ],
    )
    def test_batch_limits(self, content: dict[str, Any]) -> None:
        with pytest.raises(RequestRejected):
            send(FakeTracking(), **content)


class TestItFailsAsTold:
    """Instead of the work, after the work, or altogether."""

    def test_before_and_after(self) -> None:
        fake = FakeTracking()
        fake.before.append(ServerUnreachable("no"))
        with pytest.raises(ServerUnreachable):
            send(fake, metrics=[metric()])
        assert fake["run1"].values == []
        fake.after.append(ServerUnreachable("lost"))
        with pytest.raises(ServerUnreachable):
            send(fake, metrics=[metric()])
        assert fake["run1"].values == [1.0]

    def test_away(self) -> None:
        fake = FakeTracking()
        fake.away = True
        with pytest.raises(ServerUnreachable):
            send(fake)
        with pytest.raises(ServerUnreachable):
            fake.log_text("run1", "text", "path")
