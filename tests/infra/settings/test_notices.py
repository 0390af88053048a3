"""What is deployed as it was asked for, with a word of warning."""

from __future__ import annotations

import pytest

from infra.settings_guide_names import SET_BY_THE_PLATFORM
from tests.infra.settings.loading import load


class TestNotices:
    """A notice names its setting and what really happens; it never stops a deployment."""

    @pytest.mark.parametrize(
        ("values", "words"),
        [
            ({"serveArtifacts": "false"}, "serveArtifacts is false and artifacts are kept in a"),
            (
                {"serverHost": "0.0.0.0", "trackingUri": "http://h:5000"},
                "authentication is off and serverHost is 0.0.0.0: everybody who reaches",
            ),
            ({"allowedHosts": '["*"]'}, "allowedHosts has '*'"),
            (
                {"serverPort": "5001", "trackingUri": "http://127.0.0.1:5000"},
                "trackingUri leads to port 5000 and the server listens on 5001",
            ),
            (
                {"serverArtifactTimeoutSeconds": "60"},
                "serverArtifactTimeoutSeconds is 60: MLflow heeds it for gs:// alone",
            ),
            (
                {"clientConnectTimeoutSeconds": "3"},
                "clientConnectTimeoutSeconds is 3: it holds for the platform's own client",
            ),
            (
                {"authentication": "basic", "authCacheTtlSeconds": "0"},
                "authCacheTtlSeconds is 0: every request hashes its password",
            ),
        ],
    )
    def test_said(self, values: dict[str, str], words: str) -> None:
        (notice,) = load(**values).notices
        assert notice.startswith(f"mlflow-platform:{words}")

    @pytest.mark.parametrize(("variable", "key"), sorted(SET_BY_THE_PLATFORM.items()))
    def test_a_variable_that_the_server_does_not_get(self, variable: str, key: str) -> None:
        (notice,) = load(environ={variable: "x"}).notices
        assert notice == (
            f"{variable} is set in the environment and the server does not get it: it takes "
            f"mlflow-platform:{key} instead"
        )
