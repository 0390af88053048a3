"""The real `mlflow server` takes every command line that is rendered; none is started here."""

from __future__ import annotations

import itertools
import os
import shlex

import pytest
from mlflow.cli import _validate_server_args
from mlflow.cli import server as mlflow_server

from tests.infra.stacks import server, wiring

CHOICES = {
    "serverKind": ("uvicorn", "gunicorn"),
    "authentication": ("off", "basic"),
    "serverStaticPrefix": ("", "/mlflow"),
    "serveArtifacts": ("true", "false"),
    "prometheusEnabled": ("true", "false"),
    "serverHost": ("127.0.0.1", "::1"),
    "allowedHosts": ("[]", '["mlflow.internal"]'),
}

COMBINATIONS = [
    dict(zip(CHOICES, values, strict=True)) for values in itertools.product(*CHOICES.values())
]


@pytest.fixture
def quiet_environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Without the variables a developer's shell may have for an MLflow of his own."""
    for name in list(os.environ):
        if name.startswith(("MLFLOW_", "_MLFLOW")):
            monkeypatch.delenv(name)
    return monkeypatch


@pytest.mark.parametrize("store", ["postgresql", "sqlite"])
class TestMlflowTakesTheCommand:
    """Parsed by MLflow's own command, with MLflow's own check of what goes together."""

    def test_every_combination(self, store: str, quiet_environment: pytest.MonkeyPatch) -> None:
        changes = {"backend_store": "sqlite:////srv/mlflow.db"} if store == "sqlite" else {}
        for values in COMBINATIONS:
            rendered = server(values, wired=wiring(prometheus_dir="/srv/prometheus", **changes))
            with quiet_environment.context() as environment:
                for name, value in rendered.environment.items():
                    environment.setenv(name, value)
                context = mlflow_server.make_context("server", list(rendered.command[4:]))
                _validate_server_args(
                    ctx=context,
                    **{
                        name: context.params[name]
                        for name in (
                            "gunicorn_opts",
                            "workers",
                            "waitress_opts",
                            "uvicorn_opts",
                            "allowed_hosts",
                            "cors_allowed_origins",
                            "x_frame_options",
                            "disable_security_middleware",
                        )
                    },
                )
            assert context.params["serve_artifacts"] is (values["serveArtifacts"] == "true")
            assert context.params["static_prefix"] == (values["serverStaticPrefix"] or None)
            assert context.params["allowed_hosts"].startswith("localhost,")
            assert context.params["app_name"] == (
                "basic-auth" if values["authentication"] == "basic" else None
            )


class TestTheProcessesTakeTheirOptions:
    """uvicorn and gunicorn know what is passed on to them."""

    def test_uvicorn(self) -> None:
        from uvicorn.main import main

        options = shlex.split(server().command[-1])
        context = main.make_context("uvicorn", [*options, "mlflow.server.fastapi_app:app"])
        assert context.params["timeout_keep_alive"] == 75
        assert context.params["timeout_graceful_shutdown"] == 30

    def test_gunicorn(self) -> None:
        from gunicorn.config import Config

        options = shlex.split(server(serverKind="gunicorn").command[-1])
        parsed = vars(Config().parser().parse_args([*options, "mlflow.server:app"]))
        given = {name: value for name, value in parsed.items() if value not in (None, [])}
        given.pop("args", None)
        assert {name: str(value) for name, value in given.items()} == {
            "worker_class": "gthread",
            "threads": "15",
            "timeout": "120",
            "graceful_timeout": "30",
            "keepalive": "75",
        }
