"""Settings of the logger: defaults, environment, refusals."""

from pathlib import Path

import pytest

from mlflow_platform_client.errors import ConfigurationError
from mlflow_platform_client.logging_settings import LoggingSettings, variable_of


class TestDefaults:
    """Breaker 5 failures, 5 s, 60 s; 5,000 ms, 30 s and 60 s are slow."""

    def test_values(self) -> None:
        settings = LoggingSettings.from_environment({"XDG_STATE_HOME": "/state"})
        assert settings.spool_directory == Path("/state/mlflow-platform/spool")
        assert settings.breaker_failures == 5
        assert settings.breaker_timeout_seconds == 5.0
        assert settings.breaker_reset_seconds == 60.0
        assert settings.slow_request_ms == 5000
        assert settings.slow_artifact_upload_seconds == 30.0
        assert settings.slow_model_load_seconds == 60.0
        assert settings.connect_seconds == 10.0
        assert settings.text_artifact_characters == 1000
        assert settings.text_parameter_characters == 100


class TestTheEnvironment:
    """Each setting has a variable; all mistakes are reported together."""

    def test_every_kind(self) -> None:
        settings = LoggingSettings.from_environment(
            {
                "MLFLOW_PLATFORM_SPOOL_DIRECTORY": "/data/spool",
                "MLFLOW_PLATFORM_DURABLE": "yes",
                "MLFLOW_PLATFORM_QUEUE_MAX_ITEMS": "5",
                "MLFLOW_PLATFORM_FLUSH_SECONDS": "0.5",
                "MLFLOW_PLATFORM_REPLAY_ON_START": "0",
                "MLFLOW_PLATFORM_SPOOL_MAX_MIB": "",
            }
        )
        assert settings.spool_directory == Path("/data/spool")
        assert settings.durable is True
        assert settings.queue_max_items == 5
        assert settings.flush_seconds == 0.5
        assert settings.replay_on_start is False
        assert settings.spool_max_mib == 1024

    def test_values_of_the_wrong_kind(self) -> None:
        with pytest.raises(ConfigurationError) as error:
            LoggingSettings.from_environment(
                {variable_of("durable"): "perhaps", variable_of("spool_max_mib"): "1 GiB"}
            )
        size, durable = error.value.problems
        assert size == (
            "MLFLOW_PLATFORM_SPOOL_MAX_MIB is '1 GiB', which is not a whole number; correct it or "
            "unset it."
        )
        assert durable == (
            "MLFLOW_PLATFORM_DURABLE is 'perhaps', which is not true or false; correct it or "
            "unset it."
        )

    def test_values_out_of_range(self) -> None:
        with pytest.raises(ConfigurationError) as error:
            LoggingSettings(batch_metrics=1001, spool_delay_ms=5000, flush_seconds=1.0)
        batch, flush = error.value.problems
        assert batch == (
            "MLFLOW_PLATFORM_BATCH_METRICS is 1001; allowed is 1 to 1000. Set it within these "
            "bounds."
        )
        assert flush == (
            "MLFLOW_PLATFORM_FLUSH_SECONDS (1.0 s) must not be shorter than "
            "MLFLOW_PLATFORM_SPOOL_DELAY_MS (5000 ms): values are sent from the disk. Raise the "
            "first or lower the second."
        )
