"""The breaker: states, what is said, what is counted."""

import logging

import pytest

from mlflow_platform_client.circuit_breaker import Breaker
from mlflow_platform_client.errors import CircuitOpen, ServerFailed
from mlflow_platform_client.telemetry import Telemetry


def fail() -> None:
    raise ServerFailed("HTTP 503")


def breaker(telemetry: Telemetry, reset_seconds: float = 3600.0) -> Breaker:
    return Breaker("log_batch", failures=5, reset_seconds=reset_seconds, telemetry=telemetry)


class TestStates:
    """Five failures in a row open it; a trial after the reset time closes it, or not."""

    def test_it_opens_at_the_fifth_failure_and_calls_no_more(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        telemetry = Telemetry()
        one = breaker(telemetry)
        for _ in range(5):
            assert one.state == "closed"
            with pytest.raises(ServerFailed):
                one.call(fail)
        assert one.state == "open"
        assert 3590 < one.seconds_until_trial <= 3600
        calls: list[int] = []
        with pytest.raises(CircuitOpen):
            one.call(lambda: calls.append(1))
        assert calls == []
        assert telemetry.breaker_states == {"log_batch": "open"}
        assert telemetry.breaker_transitions == {("log_batch", "open"): 1}
        [record] = caplog.records
        assert record.levelno == logging.WARNING
        assert record.getMessage() == (
            "circuit breaker log_batch: closed -> open; the server is left alone for 3600 s, "
            "values are kept in the spool"
        )

    def test_a_success_between_failures_starts_the_count_again(self) -> None:
        one = breaker(Telemetry())
        for _ in range(3):
            for _ in range(4):
                with pytest.raises(ServerFailed):
                    one.call(fail)
            one.call(lambda: None)
        assert one.state == "closed"

    def test_a_trial_that_succeeds_closes_it(self) -> None:
        telemetry = Telemetry()
        one = breaker(telemetry, reset_seconds=0.0)
        for _ in range(5):
            with pytest.raises(ServerFailed):
                one.call(fail)
        assert one.call(lambda: "answer") == "answer"
        assert one.state == "closed"
        assert telemetry.breaker_transitions["log_batch", "half-open"] == 1
        assert telemetry.breaker_transitions["log_batch", "closed"] == 1

    def test_a_trial_may_be_allowed_early(self) -> None:
        one = breaker(Telemetry())
        for _ in range(5):
            with pytest.raises(ServerFailed):
                one.call(fail)
        one.allow_trial()
        with pytest.raises(ServerFailed):
            one.call(fail)
        assert one.state == "open"
        one.allow_trial()
        one.call(lambda: None)
        assert one.state == "closed"
