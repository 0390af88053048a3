"""Four ways resolve to one set of values, each with its origin."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from mlflow_platform_client import ConfigurationError, resolve_settings
from mlflow_platform_client.client_settings import Origin, all_settings
from mlflow_platform_client.configuration_mlflow import (
    apply_settings,
    briefly,
    mlflow_environment,
    without_a_switch,
)

pytestmark = pytest.mark.usefixtures("clean_environment")

SEED_001 = """
mlflow:
  tracking_uri: http://from-file:5000
  backend_store_uri: postgresql://mlflow_user:pass@host:5432/mlflow_db
  artifact_store: s3://nsc-mvp1/onboarding-test/mlflow/
  server: {host: 0.0.0.0, port: 5000, workers: 4}
  default_experiment: "Default"
  experiment_name: "my-project"
  auth: {enabled: false, admin_password: "${MLFLOW_ADMIN_PASSWORD}"}
  integration_config: {circuit_breaker: true, pool_client_name: mlflow_integration}
  registry: {enabled: true}
  gateway: {enabled: false, routes: [{name: a, model_uri: b}]}
  timeouts:
    client: {connect_timeout: 11, read_timeout: 301, write_timeout: 302}
    server: {request_timeout: 600, artifact_timeout: 1801, query_timeout: 30}
    integration_config: {health_check_timeout: 3, pool_acquisition_timeout: 10}
  telemetry:
    enabled: true
    export_to: {prometheus: "${PROMETHEUS_ENABLED:-true}"}
    thresholds: {slow_query_ms: 1000, slow_artifact_upload_s: 31, slow_model_load_s: 61}
  circuit_breaker:
    failure_threshold: 6
    timeout: 5500
    reset_timeout: 61000
    telemetry: {log_state_changes: true}
environment:
  MLFLOW_TRACKING_USERNAME: "${WHO:-nobody}"
  MLFLOW_TRACKING_PASSWORD: "${SECRET}"
  SOMETHING_ELSE: x
cli: {tracking_uri: http://localhost:5000}
server: {workers: 4}
databases: {postgres_mlflow: {host: h}}
"""


@pytest.fixture
def settings_file(tmp_path: Path) -> Path:
    path = tmp_path / "settings.yaml"
    path.write_text(SEED_001)
    return path


class TestFourWays:
    """Who speaks last wins: server, settings file, environment, arguments."""

    def test_the_order(self, settings_file: Path) -> None:
        stack = {"clientEnvironment": {
            "MLFLOW_TRACKING_URI": "http://from-server:5000",
            "MLFLOW_HTTP_REQUEST_TIMEOUT": "299",
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }}  # fmt: skip
        of_server = resolve_settings(environ={}, stack_outputs=stack)
        assert of_server.tracking_uri == "http://from-server:5000"
        assert str(of_server.source_of("tracking_uri")) == (
            "server (clientEnvironment.MLFLOW_TRACKING_URI)"
        )
        of_file = resolve_settings(environ={}, stack_outputs=stack, settings_file=settings_file)
        assert of_file.tracking_uri == "http://from-file:5000"
        assert str(of_file.source_of("tracking_uri")) == (
            "settings file (settings.yaml: mlflow.tracking_uri)"
        )
        environ = {"MLFLOW_TRACKING_URI": "http://from-environment:5000"}
        of_environment = resolve_settings(
            environ=environ, stack_outputs=stack, settings_file=settings_file
        )
        assert of_environment.tracking_uri == "http://from-environment:5000"
        assert of_environment.source_of("tracking_uri").origin is Origin.ENVIRONMENT
        of_argument = resolve_settings(
            environ=environ, settings_file=settings_file, tracking_uri="http://from-argument:5000"
        )
        assert of_argument.tracking_uri == "http://from-argument:5000"
        assert str(of_argument.source_of("tracking_uri")) == "argument (--tracking-uri)"
        assert of_argument.source_of("max_retries").origin is Origin.DEFAULT

    def test_seed_001s_file(self, settings_file: Path) -> None:
        settings = resolve_settings(
            environ={"SECRET": "hunter2-hunter2"}, settings_file=settings_file
        )
        assert settings.experiment_name == "my-project"
        assert (settings.username, settings.password) == ("nobody", "hunter2-hunter2")
        assert (settings.read_timeout_seconds, settings.write_timeout_seconds) == (301, 302)
        assert settings.artifact_timeout_seconds == 1801
        assert settings.health_check_timeout_seconds == 3
        assert settings.logging.connect_seconds == 11
        assert settings.logging.breaker_failures == 6
        assert settings.logging.breaker_timeout_seconds == 5.5
        assert settings.logging.breaker_reset_seconds == 61
        assert settings.logging.slow_artifact_upload_seconds == 31
        assert settings.logging.slow_model_load_seconds == 61

    def test_seed_001s_defaults(self) -> None:
        settings = resolve_settings(environ={})
        assert (settings.logging.connect_seconds, settings.read_timeout_seconds) == (10, 300)
        assert (settings.write_timeout_seconds, settings.artifact_timeout_seconds) == (300, 1800)
        assert settings.health_check_timeout_seconds == 2
        assert settings.health_waits_seconds == (10, 20, 30, 30, 30)
        breaker = settings.logging
        assert (breaker.breaker_failures, breaker.breaker_timeout_seconds) == (5, 5)
        assert breaker.breaker_reset_seconds == 60

    def test_files_named_in_the_environment(self, settings_file: Path, tmp_path: Path) -> None:
        outputs = tmp_path / "outputs.json"
        outputs.write_text(json.dumps({"clientEnvironment": {"MLFLOW_HTTP_REQUEST_TIMEOUT": 77}}))
        settings = resolve_settings(
            environ={
                "MLFLOW_PLATFORM_SETTINGS_FILE": str(settings_file),
                "MLFLOW_PLATFORM_STACK_OUTPUTS": str(outputs),
            }
        )
        assert settings.tracking_uri == "http://from-file:5000"

    def test_default_experiment_yields_to_experiment_name(self, tmp_path: Path) -> None:
        path = tmp_path / "s.yaml"
        path.write_text("mlflow: {experiment_name: mine, default_experiment: Default}")
        assert resolve_settings(environ={}, settings_file=path).experiment_name == "mine"
        path.write_text("mlflow: {default_experiment: theirs}")
        assert resolve_settings(environ={}, settings_file=path).experiment_name == "theirs"


class TestProblems:
    """All problems are reported together, as the user wrote them, without the secret in them."""

    def test_all_at_once(self, tmp_path: Path) -> None:
        path = tmp_path / "settings.yaml"
        path.write_text("mlflow: {traking_uri: x, max_retries: 11}\nenvironment: [1]")
        with pytest.raises(ConfigurationError) as caught:
            resolve_settings(
                environ={
                    "MLFLOW_TRACKING_URI": "http://me:hunter2@host",
                    "MLFLOW_HTTP_REQUEST_TIMEOUT": "soon",
                    "MLFLOW_PLATFORM_SPOOL_FSYNC": "perhaps",
                },
                settings_file=path,
            )
        assert caught.value.problems == (
            "settings.yaml: environment is a list: it must be a section",
            "settings.yaml: mlflow.traking_uri is not known: did you mean mlflow.tracking_uri?",
            (
                "MLFLOW_TRACKING_URI is 'http://***:***@host': user name and password stand in it, "
                "where every log shows them; set MLFLOW_TRACKING_USERNAME and "
                "MLFLOW_TRACKING_PASSWORD instead"
            ),
            "MLFLOW_HTTP_REQUEST_TIMEOUT is 'soon': it must be a number",
            "settings.yaml: mlflow.max_retries is '11': it must be at most 10",
            "MLFLOW_PLATFORM_SPOOL_FSYNC is 'perhaps': it must be true or false",
        )

    @pytest.mark.parametrize("value", ["http://", "http://host:port", "https:///path"])
    def test_addresses_that_are_none(self, value: str) -> None:
        with pytest.raises(ConfigurationError, match="write http://host:port"):
            resolve_settings(environ={}, tracking_uri=value)

    @pytest.mark.parametrize(
        ("content", "problem"),
        [
            ("mlflow: [", "it is no YAML near line 1"),
            ("just text", "it must hold a section `mlflow:`"),
            (None, "it cannot be read (No such file or directory)"),
        ],
    )
    def test_a_settings_file_that_is_none(
        self, tmp_path: Path, content: str | None, problem: str
    ) -> None:
        path = tmp_path / "s.yaml"
        if content is not None:
            path.write_text(content)
        with pytest.raises(ConfigurationError) as caught:
            resolve_settings(environ={}, settings_file=path)
        assert problem in caught.value.problems[0]

    @pytest.mark.parametrize(
        ("content", "problem"),
        [("{", "it is no JSON"), ("[]", "it has no clientEnvironment"), (None, "cannot be read")],
    )
    def test_stack_outputs_that_are_none(
        self, tmp_path: Path, content: str | None, problem: str
    ) -> None:
        path = tmp_path / "outputs.json"
        if content is not None:
            path.write_text(content)
        with pytest.raises(ConfigurationError, match=problem):
            resolve_settings(environ={}, stack_outputs=path)

    def test_an_unknown_argument_is_a_programming_error(self) -> None:
        with pytest.raises(TypeError, match="unexpected setting 'traking_uri'"):
            resolve_settings(environ={}, traking_uri="x")

    def test_no_address(self) -> None:
        with pytest.raises(ConfigurationError, match="tracking_uri is not set: give"):
            resolve_settings(environ={}).require_tracking_uri()


class TestSecrets:
    """No secret is in the representation or in what is printed."""

    def test_representation(self) -> None:
        settings = resolve_settings(
            environ={
                "MLFLOW_TRACKING_PASSWORD": "hunter2-hunter2",
                "MLFLOW_TRACKING_TOKEN": "t0ken",
                "AWS_ACCESS_KEY_ID": "AKIAABCDEFGHIJKLMNOP",
                "AWS_SECRET_ACCESS_KEY": "s3cret",
            }
        )
        for secret in ("hunter2", "t0ken", "AKIA", "s3cret"):
            assert secret not in repr(settings)
        assert settings.printed("password") == "***"
        assert settings.printed("aws_access_key_id") == "AKIA****************"
        assert settings.secrets() == ("hunter2-hunter2", "t0ken", "s3cret")


class TestHandingOverToMlflow:
    """MLflow reads what was resolved, from the variables it really reads."""

    def test_the_variables_exist_in_mlflow(self) -> None:
        from mlflow import environment_variables

        for name in mlflow_environment(resolve_settings(environ={})):
            assert hasattr(environment_variables, name), name

    def test_mlflow_reads_them(self) -> None:
        from mlflow import environment_variables as variables

        settings = resolve_settings(
            environ={}, tracking_uri="http://h:1", read_timeout_seconds=17, max_retries=3
        )
        apply_settings(settings)
        assert variables.MLFLOW_HTTP_REQUEST_TIMEOUT.get() == 17
        assert variables.MLFLOW_HTTP_REQUEST_MAX_RETRIES.get() == 3
        assert variables.MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR.get() == 2
        assert variables.MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT.get() == 1800
        assert variables.MLFLOW_EXPERIMENT_NAME.get() == "Default"

    def test_set_tracking_uri_is_called_only_when_it_changes_something(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import mlflow.tracking

        calls: list[str] = []
        original = mlflow.tracking.set_tracking_uri

        def counted(uri: str) -> None:
            calls.append(uri)
            original(uri)

        monkeypatch.setattr(mlflow.tracking, "set_tracking_uri", counted)
        settings = resolve_settings(environ={}, tracking_uri="http://h:1")
        assert "MLFLOW_TRACKING_URI" in apply_settings(settings)
        assert apply_settings(settings) == ()
        assert apply_settings(settings) == ()
        assert calls == ["http://h:1"]
        apply_settings(resolve_settings(environ={}, tracking_uri="http://other:1"))
        assert calls == ["http://h:1", "http://other:1"]

    def test_the_preflights_own_timeouts_are_taken_back(self) -> None:
        os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] = "300"
        with briefly(resolve_settings(environ={}, preflight_timeout_seconds=7)):
            assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "7"
            assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "0"
        assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "300"
        assert "MLFLOW_HTTP_REQUEST_MAX_RETRIES" not in os.environ

    def test_what_has_no_switch_is_said(self) -> None:
        notes = without_a_switch(
            resolve_settings(environ={}), {"MLFLOW_SQLALCHEMY_POOL_SIZE": "10"}
        )
        assert [note.split(" ")[0] for note in notes] == [
            "connect_seconds",
            "write_timeout_seconds",
            "artifact_timeout_seconds",
            "MLFLOW_SQLALCHEMY_POOL_SIZE",
        ]

    def test_every_setting_has_a_variable_of_its_own(self) -> None:
        variables = [item.variable for item in all_settings()]
        assert len(variables) == len(set(variables))
        names = [item.name for item in all_settings()]
        assert len(names) == len(set(names))


class TestImport:
    """Importing the package loads neither MLflow nor anything heavy."""

    def test_what_is_loaded(self) -> None:
        import subprocess

        script = (
            "import sys, mlflow_platform_client as m\n"
            "m.resolve_settings, m.mask, m.TrackingError\n"
            "print([n for n in ('mlflow', 'requests', 'fsspec', 'yaml') if n in sys.modules])"
        )
        done = subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2] / "client")},
        )
        assert done.stdout == "[]\n"

    def test_every_public_name_is_there(self) -> None:
        import mlflow_platform_client

        for name in mlflow_platform_client.__all__:
            assert getattr(mlflow_platform_client, name) is not None
        assert callable(mlflow_platform_client.preflight)
        with pytest.raises(AttributeError):
            _ = mlflow_platform_client.nothing  # pyright: ignore
