"""A training job that pastes these variables uses the platform as its settings say."""

from __future__ import annotations

import mlflow.environment_variables
import pytest

from infra.client_environment import client_environment
from mlflow_platform_client.client_settings import Origin
from mlflow_platform_client.configuration import resolve_settings
from tests.infra.stacks import stack


class TestTheVariablesOfAStack:
    """Every client setting becomes a variable, with the value the stack says."""

    def test_of_a_stack_that_sets_nothing(self) -> None:
        assert client_environment(stack()) == {
            "MLFLOW_TRACKING_URI": "http://127.0.0.1:5000",
            "MLFLOW_EXPERIMENT_NAME": "Default",
            "MLFLOW_HTTP_REQUEST_TIMEOUT": "300",
            "MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT": "1800",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_PLATFORM_CONNECT_SECONDS": "10",
            "MLFLOW_PLATFORM_WRITE_TIMEOUT_SECONDS": "300",
            "MLFLOW_PLATFORM_HEALTH_CHECK_TIMEOUT_SECONDS": "2",
            "MLFLOW_PLATFORM_BREAKER_FAILURES": "5",
            "MLFLOW_PLATFORM_BREAKER_TIMEOUT_SECONDS": "5",
            "MLFLOW_PLATFORM_BREAKER_RESET_SECONDS": "60",
            "MLFLOW_PLATFORM_SLOW_REQUEST_MS": "5000",
            "MLFLOW_PLATFORM_SLOW_ARTIFACT_UPLOAD_SECONDS": "30",
            "MLFLOW_PLATFORM_SLOW_MODEL_LOAD_SECONDS": "60",
        }

    @pytest.mark.parametrize(
        ("key", "value", "variable"),
        [
            ("trackingUri", "https://mlflow.company.com", "MLFLOW_TRACKING_URI"),
            ("defaultExperiment", "forecasts", "MLFLOW_EXPERIMENT_NAME"),
            ("serverArtifactTimeoutSeconds", "7", "MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT"),
            ("clientConnectTimeoutSeconds", "7", "MLFLOW_PLATFORM_CONNECT_SECONDS"),
            ("healthCheckTimeoutSeconds", "7", "MLFLOW_PLATFORM_HEALTH_CHECK_TIMEOUT_SECONDS"),
            ("circuitBreakerFailureThreshold", "7", "MLFLOW_PLATFORM_BREAKER_FAILURES"),
            ("circuitBreakerTimeoutSeconds", "7", "MLFLOW_PLATFORM_BREAKER_TIMEOUT_SECONDS"),
            ("circuitBreakerResetSeconds", "7", "MLFLOW_PLATFORM_BREAKER_RESET_SECONDS"),
            ("slowResponseMs", "7", "MLFLOW_PLATFORM_SLOW_REQUEST_MS"),
            ("slowArtifactUploadSeconds", "7", "MLFLOW_PLATFORM_SLOW_ARTIFACT_UPLOAD_SECONDS"),
            ("slowModelLoadSeconds", "7", "MLFLOW_PLATFORM_SLOW_MODEL_LOAD_SECONDS"),
        ],
    )
    def test_a_setting_changes_its_variable_alone(
        self, key: str, value: str, variable: str
    ) -> None:
        changed = client_environment(stack({key: value}))
        assert changed.items() - client_environment(stack()).items() == {(variable, value)}

    def test_one_timeout_of_mlflow_covers_every_wait(self) -> None:
        settings = stack(clientReadTimeoutSeconds="90", clientWriteTimeoutSeconds="90")
        assert client_environment(settings)["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "90"
        longer = stack(
            clientReadTimeoutSeconds="90",
            clientWriteTimeoutSeconds="90",
            clientConnectTimeoutSeconds="95",
        )
        assert client_environment(longer)["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "95"


class TestEveryVariableIsRead:
    """No variable is exported that nothing reads: MLflow's client or the client library."""

    def test_by_mlflow(self) -> None:
        names = [name for name in client_environment(stack()) if "PLATFORM" not in name]
        known = {
            item.name
            for item in vars(mlflow.environment_variables).values()
            if isinstance(item, mlflow.environment_variables._EnvironmentVariable)
        }
        assert set(names) <= known

    def test_by_the_client_library(self) -> None:
        variables = client_environment(stack())
        resolved = resolve_settings(stack_outputs={"clientEnvironment": variables}, environ={})
        read = {source.name for source in resolved.sources.values()}
        assert {source.origin for source in resolved.sources.values()} == {Origin.SERVER}
        unread = {
            name for name in variables if not any(source.endswith(f".{name}") for source in read)
        }
        assert unread == {"MLFLOW_DISABLE_TELEMETRY"}

    def test_the_library_takes_the_extremes(self) -> None:
        settings = stack(
            circuitBreakerFailureThreshold="1",
            circuitBreakerTimeoutSeconds="1",
            circuitBreakerResetSeconds="1",
            slowResponseMs="1",
            clientConnectTimeoutSeconds="1",
        )
        outputs = {"clientEnvironment": client_environment(settings)}
        assert resolve_settings(stack_outputs=outputs, environ={}).logging.breaker_failures == 1


class TestNoCredentials:
    """A job's user name and password come from where it keeps its secrets."""

    def test_with_basic_authentication(self) -> None:
        variables = client_environment(
            stack(authentication="basic", authAdminPassword="a-long-password")
        )
        assert variables == client_environment(stack())
