"""The real server takes every command line that is rendered; none is started here."""

from __future__ import annotations

import argparse
import itertools
import shlex

import pytest

from infra.database_endpoint import DatabaseEndpoint
from mlflow_platform_server.serve_options import ServeOptions, add_serve_arguments, options_of
from tests.infra.stacks import server, wiring

CHOICES = {
    "serverKind": ("uvicorn", "gunicorn"),
    "authentication": ("off", "basic"),
    "serverStaticPrefix": ("", "/mlflow"),
    "serveArtifacts": ("true", "false"),
    "prometheusEnabled": ("true", "false"),
    "serverHost": ("127.0.0.1", "::1"),
    "serverAccessLog": ("true", "false"),
}

COMBINATIONS = [
    dict(zip(CHOICES, values, strict=True)) for values in itertools.product(*CHOICES.values())
]

STORES = {
    "postgresql": wiring(prometheus_dir="/srv/prometheus"),
    "sqlite": wiring(prometheus_dir="/srv/prometheus", backend_store="sqlite:////srv/mlflow.db"),
    "a database by token": wiring(
        prometheus_dir="/srv/prometheus",
        password_file=None,
        database_login="aws",
        backend_store=DatabaseEndpoint(host="", port=5432, name="mlflow", user="mlflow"),
    ),
}


def read(arguments: list[str]) -> ServeOptions:
    parser = argparse.ArgumentParser()
    add_serve_arguments(parser)
    return options_of(parser.parse_args(arguments))


@pytest.mark.parametrize("store", STORES)
class TestTheServerTakesTheCommand:
    """Parsed by the server's own command line."""

    def test_every_combination(self, store: str) -> None:
        for values in COMBINATIONS:
            rendered = server(values, wired=STORES[store])
            assert rendered.command[:4] == ("python", "-m", "mlflow_platform_server", "serve")
            options = read(list(rendered.command[4:]))
            assert options.kind == values["serverKind"]
            assert options.host == values["serverHost"]
            assert options.serve_artifacts is (values["serveArtifacts"] == "true")
            assert options.static_prefix == (values["serverStaticPrefix"] or None)
            assert options.access_log is (values["serverAccessLog"] == "true")
            assert options.expose_prometheus == (
                "/srv/prometheus" if values["prometheusEnabled"] == "true" else None
            )
            assert options.app_name == (
                "basic-auth" if values["authentication"] == "basic" else None
            )

    def test_it_survives_a_shell(self, store: str) -> None:
        """A container's command may pass through one."""
        command = server(wired=STORES[store]).command
        assert tuple(shlex.split(shlex.join(command))) == command
