"""One call per request of an LLM gateway: latency, success, reward, tokens, findings, texts.

    requests = RequestLogger(logger, params={"domain": "rag", "model": "gpt-3.5-turbo"})
    with requests.request(prompt=prompt) as request:
        answer = gateway.chat(payload)
        request.tokens(input_tokens=812, output_tokens=96)
        request.findings(evidence_violations=0, citation_count=3, hedging_detected=False)
        request.response = answer

Owns the metrics' names (those of the pooling fix and of the runbook: `processing_time_ms`,
`success`, `reward_signal`, `value_estimation`, `token_count`, `evidence_violations` …) and the rule
that all metrics of a request share one time and one step, its number, so that they can be read
side by side. They are handed over in one call. Texts go the way of `text_logging`, each request in
a folder of its own. An exception in the block is logged as `success` 0 and passes unchanged.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from mlflow_platform_client.rl_data import normalize_rl_data
from mlflow_platform_client.tracking_logger import TrackingLogger


class RequestRecord:
    """What is known of one request; filled while it runs."""

    def __init__(self, number: int, prompt: str | None) -> None:
        """A request that has just begun."""
        self.number = number
        self.prompt = prompt
        self.response: str | None = None
        self.success = True
        self.metrics: dict[str, float] = {}

    def tokens(self, *, input_tokens: int = 0, output_tokens: int = 0) -> None:
        """`input_tokens`, `output_tokens` and their sum, `token_count`."""
        self.metrics["input_tokens"] = input_tokens
        self.metrics["output_tokens"] = output_tokens
        self.metrics["token_count"] = input_tokens + output_tokens

    def findings(self, **found: float) -> None:
        """What the policy checks found; True counts as 1."""
        self.metrics.update({name: float(value) for name, value in found.items()})

    def rl_data(self, rl_data: object) -> dict[str, Any]:
        """`reward_signal` and `value_estimation` of whatever the component reports."""
        normal = normalize_rl_data(rl_data)
        self.metrics["reward_signal"] = normal["reward_signal"]
        self.metrics["value_estimation"] = normal["value_estimation"]
        return normal


class RequestLogger:
    """Logs the requests of one run. Thread-safe."""

    def __init__(
        self,
        logger: TrackingLogger,
        *,
        params: Mapping[str, object] | None = None,
        first_number: int = 0,
        folder: str = "requests",
    ) -> None:
        """`params` are what all requests have in common; they are logged once."""
        self._logger = logger
        self._numbers = itertools.count(first_number)
        self._lock = threading.Lock()
        self._folder = folder
        if params:
            logger.log_params(params)

    @contextmanager
    def request(self, *, prompt: str | None = None) -> Generator[RequestRecord]:
        """Measure a request and log it when it ends, however it ends."""
        with self._lock:
            number = next(self._numbers)
        record = RequestRecord(number, prompt)
        started = time.perf_counter()
        try:
            yield record
        except BaseException:
            record.success = False
            raise
        finally:
            self._log(record, (time.perf_counter() - started) * 1000)

    def log_request(
        self,
        *,
        processing_time_ms: float,
        success: bool = True,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
        rl_data: object = None,
        findings: Mapping[str, float] | None = None,
        prompt: str | None = None,
        response: str | None = None,
    ) -> int:
        """Log a request that was measured elsewhere; returns its number."""
        with self._lock:
            number = next(self._numbers)
        record = RequestRecord(number, prompt)
        record.success, record.response = success, response
        if input_tokens is not None or output_tokens is not None:
            record.tokens(input_tokens=input_tokens or 0, output_tokens=output_tokens or 0)
        if rl_data is not None:
            record.rl_data(rl_data)
        record.findings(**(findings or {}))
        self._log(record, processing_time_ms)
        return number

    def _log(self, record: RequestRecord, milliseconds: float) -> None:
        metrics = {
            "processing_time_ms": milliseconds,
            "success": 1.0 if record.success else 0.0,
            **record.metrics,
        }
        self._logger.log_metrics(metrics, step=record.number)
        for name, text in (("prompt", record.prompt), ("response", record.response)):
            if text is not None:
                path = f"{self._folder}/{record.number:06d}/{name}.txt"
                self._logger.log_text(text, path)
