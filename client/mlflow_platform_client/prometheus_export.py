"""The telemetry of loggers as Prometheus metrics, collected when somebody scrapes.

    from mlflow_platform_client.prometheus_export import PrometheusCollector
    prometheus_client.REGISTRY.register(PrometheusCollector(logger.telemetry))

Owns names, types and help texts. `prometheus-client` is needed by who exports, not by who logs: it
is the extra `mlflow-platform-client[prometheus]`. Reading happens at scrape time, so exporting
costs the training loop nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from mlflow_platform_client.telemetry import BREAKER_STATES, BUCKETS, Histogram, Telemetry

PREFIX = "mlflow_platform_client_"


class PrometheusCollector(Collector):
    """Register one for each logger; `logger` tells them apart."""

    def __init__(self, telemetry: Telemetry, *, logger: str = "default") -> None:
        """Nothing is read before the first scrape."""
        self._telemetry = telemetry
        self._logger = logger

    def collect(self) -> Iterator[Metric]:
        """All metrics as they are now."""
        yield from self._depth()
        histograms, counters = self._telemetry.copy()
        seconds = HistogramMetricFamily(
            f"{PREFIX}operation_seconds",
            "Seconds of log-batch requests, artifact uploads and measured blocks.",
            labels=["logger", "operation", "outcome"],
        )
        for (operation, outcome), histogram in sorted(histograms.items()):
            seconds.add_metric(
                [self._logger, operation, outcome], _cumulative(histogram), histogram.total
            )
        yield seconds
        records = CounterMetricFamily(
            f"{PREFIX}records", "Values by what became of them.", labels=["logger", "fate"]
        )
        for fate in ("acknowledged", "replayed", "rejected", "failed_attempts"):
            records.add_metric([self._logger, fate], counters[fate])
        yield records
        yield from self._breakers()

    def _depth(self) -> Iterator[Metric]:
        depth = self._telemetry.read_depth()
        for name, text, value in (
            ("queue_items", "Values in memory, not yet on disk.", depth.queue_items),
            ("spool_records", "Values on disk, not yet acknowledged.", depth.spool_records),
            ("spool_bytes", "Bytes of this logger's spool.", depth.spool_bytes),
            (
                "oldest_unsent_seconds",
                "How long the server has acknowledged nothing while values wait.",
                depth.oldest_unsent_seconds,
            ),
        ):
            gauge = GaugeMetricFamily(PREFIX + name, text, labels=["logger"])
            gauge.add_metric([self._logger], value)
            yield gauge
        for name, text, value in (
            ("handed_over", "Values handed over by the training loop.", depth.handed_over),
            ("dropped", "Values dropped: memory and spool were full.", depth.dropped),
            ("blocked_seconds", "Seconds calls waited for room.", depth.blocked_seconds),
        ):
            counter = CounterMetricFamily(PREFIX + name, text, labels=["logger"])
            counter.add_metric([self._logger], value)
            yield counter

    def _breakers(self) -> Iterator[Metric]:
        state = GaugeMetricFamily(
            f"{PREFIX}breaker_state",
            "0 closed, 1 half-open, 2 open.",
            labels=["logger", "breaker"],
        )
        for breaker, name in sorted(self._telemetry.breaker_states.items()):
            state.add_metric([self._logger, breaker], BREAKER_STATES[name])
        yield state
        changes = CounterMetricFamily(
            f"{PREFIX}breaker_transitions",
            "Changes of state, by the state entered.",
            labels=["logger", "breaker", "state"],
        )
        for (breaker, name), count in sorted(self._telemetry.breaker_transitions.items()):
            changes.add_metric([self._logger, breaker, name], count)
        yield changes


def _cumulative(histogram: Histogram) -> list[tuple[str, float]]:
    edges = [*(f"{bucket:g}" for bucket in BUCKETS), "+Inf"]
    buckets: list[tuple[str, float]] = []
    total = 0
    for edge, count in zip(edges, histogram.counts, strict=True):
        total += count
        buckets.append((edge, total))
    return buckets
