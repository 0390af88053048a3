"""Requests of an LLM gateway, one batch each."""

from pathlib import Path

import pytest

from mlflow_platform_client.request_logging import RequestLogger
from tests.client.fake_tracking import FakeTracking
from tests.client.logging_desk import logger_on


class TestOneRequestOneBatch:
    """All metrics of a request share its step and its time, and go in one call."""

    def test_everything_that_is_known(self, tmp_path: Path) -> None:
        server = FakeTracking()
        with logger_on(server, tmp_path) as logger:
            requests = RequestLogger(logger, params={"domain": "rag", "temperature": 0.7})
            with requests.request(prompt="why?") as request:
                request.tokens(input_tokens=812, output_tokens=96)
                request.findings(evidence_violations=0, citation_count=3, hedging_detected=True)
                request.rl_data({"reward_signal": 0.5})
                request.response = "because" * 200
        run = server["run1"]
        rows = {row[0]: row[3] for row in run.rows}
        assert rows.pop("processing_time_ms") >= 0
        assert rows == {
            "success": 1.0,
            "input_tokens": 812,
            "output_tokens": 96,
            "token_count": 908,
            "evidence_violations": 0.0,
            "citation_count": 3.0,
            "hedging_detected": 1.0,
            "reward_signal": 0.5,
            "value_estimation": 0.0,
        }
        assert len({row[1:3] for row in run.rows}) == 1
        assert run.texts == {"requests/000000/prompt.txt": "why?"}
        assert run.params == {
            "domain": "rag",
            "temperature": "0.7",
            "requests/000000/response_truncated": ("because" * 15)[:100] + "...",
        }

    def test_a_request_that_fails_is_logged_and_its_error_passes(self, tmp_path: Path) -> None:
        server = FakeTracking()
        with logger_on(server, tmp_path) as logger:
            requests = RequestLogger(logger)
            with pytest.raises(TimeoutError, match="gateway"), requests.request():
                raise TimeoutError("gateway")
        assert {row[0]: row[3] for row in server["run1"].rows}["success"] == 0.0

    def test_measured_elsewhere(self, tmp_path: Path) -> None:
        server = FakeTracking()
        with logger_on(server, tmp_path) as logger:
            requests = RequestLogger(logger, first_number=40)
            first = requests.log_request(processing_time_ms=12.5, input_tokens=3)
            second = requests.log_request(
                processing_time_ms=7, success=False, findings={"violations": 2}, rl_data=None
            )
        assert (first, second) == (40, 41)
        rows = {(row[2], row[0]): row[3] for row in server["run1"].rows}
        assert rows[40, "processing_time_ms"] == 12.5
        assert rows[40, "token_count"] == 3
        assert (40, "reward_signal") not in rows
        assert rows[41, "success"] == 0.0
        assert rows[41, "violations"] == 2.0
