"""Numbers, thresholds and their Prometheus names."""

from pathlib import Path

import pytest

from mlflow_platform_client.telemetry import BUCKETS, Depth, Telemetry
from tests.client.fake_tracking import FakeTracking
from tests.client.logging_desk import logger_on


class TestThresholds:
    """A slow operation is warned about, once a minute, with both numbers."""

    def test_slow_and_quick(self, caplog: pytest.LogCaptureFixture) -> None:
        telemetry = Telemetry({"log_batch": 5.0})
        telemetry.observe("log_batch", 4.9)
        telemetry.observe("model_inference", 100.0)
        assert caplog.records == []
        telemetry.observe("log_batch", 7.25)
        telemetry.observe("log_batch", 8.0)
        assert [record.getMessage() for record in caplog.records] == [
            "log_batch took 7.2 s, slower than 5 s"
        ]

    def test_a_loggers_thresholds_are_its_settings(self, tmp_path: Path) -> None:
        with logger_on(FakeTracking(), tmp_path, slow_request_ms=1234) as logger:
            assert logger.telemetry._slow == {
                "log_batch": 1.234,
                "artifact_upload": 30.0,
                "model_load": 60.0,
            }


class TestNumbers:
    """Operations are counted in buckets, by outcome."""

    def test_timed_blocks(self) -> None:
        telemetry = Telemetry()
        with telemetry.timed("model_load"):
            pass
        with pytest.raises(ZeroDivisionError), telemetry.timed("model_load"):
            _ = 1 / 0
        assert {key: value.count for key, value in telemetry.histograms.items()} == {
            ("model_load", "ok"): 1,
            ("model_load", "error"): 1,
        }

    @pytest.mark.parametrize(("seconds", "bucket"), [(0.005, 0), (0.006, 1), (301.0, len(BUCKETS))])
    def test_buckets_include_their_upper_edge(self, seconds: float, bucket: int) -> None:
        telemetry = Telemetry()
        telemetry.observe("log_batch", seconds)
        assert telemetry.histograms["log_batch", "ok"].counts[bucket] == 1


class TestPrometheus:
    """Everything is exported under documented names, read when scraped."""

    def test_names_and_values(self, tmp_path: Path) -> None:
        prometheus_client = pytest.importorskip("prometheus_client")
        from mlflow_platform_client.prometheus_export import PrometheusCollector

        server = FakeTracking()
        registry = prometheus_client.CollectorRegistry()
        with logger_on(server, tmp_path) as logger:
            registry.register(PrometheusCollector(logger.telemetry, logger="train"))
            logger.log_metrics({"a": 1.0, "refused": 1.0})
            logger.log_text("text", "prompt.txt")
            assert logger.flush(20)
            text = prometheus_client.generate_latest(registry).decode()
        prefix = "mlflow_platform_client_"
        for line in (
            'operation_seconds_count{logger="train",operation="artifact_upload",outcome="ok"} 1.0',
            'operation_seconds_bucket{le="+Inf",logger="train",operation="log_batch",outcome="ok"}',
            'records_total{fate="rejected",logger="train"} 1.0',
            'records_total{fate="acknowledged",logger="train"} 3.0',
            'queue_items{logger="train"} 0.0',
            'spool_records{logger="train"} 0.0',
            'oldest_unsent_seconds{logger="train"} 0.0',
            'handed_over_total{logger="train"} 3.0',
            'dropped_total{logger="train"} 0.0',
            'breaker_state{breaker="log_batch",logger="train"} 0.0',
            'breaker_state{breaker="artifacts",logger="train"} 0.0',
        ):
            assert prefix + line in text

    def test_an_open_breaker_is_two(self) -> None:
        prometheus_client = pytest.importorskip("prometheus_client")
        from mlflow_platform_client.prometheus_export import PrometheusCollector

        telemetry = Telemetry()
        telemetry.breaker_changed("log_batch", "open")
        telemetry.read_depth = lambda: Depth(queue_items=7, oldest_unsent_seconds=12.5)
        registry = prometheus_client.CollectorRegistry()
        registry.register(PrometheusCollector(telemetry))
        labels = {"logger": "default", "breaker": "log_batch"}
        prefix = "mlflow_platform_client_"
        assert registry.get_sample_value(prefix + "breaker_state", labels) == 2
        labels["state"] = "open"
        assert registry.get_sample_value(prefix + "breaker_transitions_total", labels) == 1
        only = {"logger": "default"}
        assert registry.get_sample_value(prefix + "queue_items", only) == 7
        assert registry.get_sample_value(prefix + "oldest_unsent_seconds", only) == 12.5
