"""What a training loop calls: metrics, parameters, tags and texts that cost it microseconds.

    with TrackingLogger(run) as logger:
        for step in range(steps):
            ...
            logger.log_metrics({"loss": loss, "lr": lr}, step=step)
            if step % 1000 == 0:
                logger.commit()          # everything up to here is on disk
                save_checkpoint(step)

The promise. A value handed over is on disk after at most `spool_delay_ms` (100 ms; a loop faster
than the disk is ahead of it by at most `queue_max_items`), or when the call returns in `durable`
mode; from then on it reaches the server once, whatever happens to this
process, the server or the network, as long as somebody starts a logger (or `spool replay`) on the
same spool. A call never raises and never waits longer than `max_block_ms`. Dropped is nothing,
until the spool's bound is reached and the memory behind it is full: then the newest values, counted
in `depth.dropped`.

Owns this surface: what may be handed over, how it is understood, and that nothing in it can end
training. Starting, waiting, closing and forking are `logger_life`'s; the moving parts are in
`pipeline`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, cast

from mlflow.tracking import metric_value_conversion_utils as conversion

from mlflow_platform_client.logger_life import LoggerLife
from mlflow_platform_client.record_encoding import Artifact, Metric, Metrics, Refused, Texts
from mlflow_platform_client.text_logging import truncated


class TrackingLogger(LoggerLife):
    """Logs to one run (or, per call, to others) of one tracking server. Thread-safe."""

    # --- logging -----------------------------------------------------------------------------

    def log_metric(
        self,
        key: str,
        value: float,
        step: int | None = None,
        timestamp: int | None = None,
        run_id: str | None = None,
    ) -> None:
        """One value. Without a step it is 0, without a timestamp (ms) it is now, as in MLflow."""
        try:
            number = value if type(value) is float else _to_float(value)
            moment = time.time_ns() // 1_000_000 if timestamp is None else int(timestamp)
            entry = Metric(run_id or self.run_id, key, number, moment, int(step or 0))
        except Exception as error:
            self._refuse("metric", key, value, error, run_id)
        else:
            self._put(entry, 1)

    def log_metrics(
        self,
        metrics: Mapping[str, float],
        step: int | None = None,
        timestamp: int | None = None,
        run_id: str | None = None,
    ) -> None:
        """Values of one moment."""
        values: dict[str, float] = {}
        try:
            moment = time.time_ns() // 1_000_000 if timestamp is None else int(timestamp)
            for key, value in metrics.items():
                try:
                    values[key] = value if type(value) is float else _to_float(value)
                except Exception as error:
                    self._refuse("metric", key, value, error, run_id)
            entry = Metrics(run_id or self.run_id, values, moment, int(step or 0))
        except Exception as error:
            self._refuse("metric", "", metrics, error, run_id)
        else:
            if values:
                self._put(entry, len(values))

    def log_param(self, key: str, value: object, run_id: str | None = None) -> None:
        """One parameter; a changed one is set aside when the server refuses it."""
        self.log_params({key: value}, run_id)

    def log_params(self, params: Mapping[str, object], run_id: str | None = None) -> None:
        """Parameters, as text."""
        self._put_texts("p", params, run_id)

    def set_tag(self, key: str, value: object, run_id: str | None = None) -> None:
        """One tag; the last value handed over wins."""
        self.set_tags({key: value}, run_id)

    def set_tags(self, tags: Mapping[str, object], run_id: str | None = None) -> None:
        """Tags, as text."""
        self._put_texts("t", tags, run_id)

    def log_text(self, text: str, artifact_file: str, run_id: str | None = None) -> None:
        """A text: an artifact, or a truncated parameter when it is long (see `text_logging`)."""
        to_run = run_id or self.run_id
        try:
            short = truncated(text, artifact_file, self.settings)
        except Exception as error:
            self._refuse("text", artifact_file, text, error, run_id)
            return
        if short is None:
            self._put(Artifact(to_run, artifact_file, text), 1)
        else:
            self._put(Texts("p", to_run, {short.key: short.value}), 1)

    # --- inside ------------------------------------------------------------------------------

    def _put_texts(self, kind: str, values: Mapping[str, object], run_id: str | None) -> None:
        name = "param" if kind == "p" else "tag"
        texts: dict[str, str] = {}
        try:
            for key, value in values.items():
                try:
                    texts[key] = str(value)
                except Exception as error:  # a user's __str__ must not end training
                    self._refuse(name, key, value, error, run_id)
        except Exception as error:
            self._refuse(name, "", values, error, run_id)
        if texts:
            self._put(Texts(cast("Any", kind), run_id or self.run_id, texts), len(texts))

    def _refuse(
        self, kind: str, key: object, value: object, error: Exception, run_id: str | None
    ) -> None:
        refused = Refused(
            kind, run_id or self.run_id, _shown(key), _shown(value), f"cannot be logged: {error!r}"
        )
        self._put(refused, 1)


def _shown(value: object) -> str:
    """Enough of anything to recognise it by."""
    try:
        return value[:200] if isinstance(value, str) else f"{type(value).__name__} {value!r}"[:200]
    except Exception:  # a user's __repr__ must not end training
        return type(value).__name__


def _to_float(value: object) -> float:
    """As MLflow converts: numbers, arrays and tensors of one element, text that is a number."""
    try:
        return float(cast("Any", value))
    except Exception:  # anything may be handed over; MLflow knows more kinds
        convert = cast("Any", conversion.convert_metric_value_to_float_if_possible)  # pyright: ignore
        found = convert(value)
        if type(found) is not float:
            raise
        return found
