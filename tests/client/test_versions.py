"""The same major version, and a server at least as new as the client."""

from __future__ import annotations

import pytest

from mlflow_platform_client.findings import Outcome
from mlflow_platform_client.versions import compare_versions


class TestTheRule:
    """Another major fails, an older minor warns, anything newer of the same major passes."""

    @pytest.mark.parametrize(
        ("client", "server", "outcome"),
        [
            ("3.17.2", "3.17.2", Outcome.PASSED),
            ("3.17.2", "3.17.0", Outcome.PASSED),
            ("3.1.0", "3.17.2", Outcome.PASSED),
            ("3.17.2", "3.17.3.dev0", Outcome.PASSED),
            ("3.17.2", "3.16.9", Outcome.WARNING),
            ("3.17.2", "not a version", Outcome.WARNING),
            ("3.17.2", "2.22.5", Outcome.FAILED),
            ("3.17.2", "4.0.0rc1", Outcome.FAILED),
        ],
    )
    def test_outcomes(self, client: str, server: str, outcome: Outcome) -> None:
        comparison = compare_versions(client=client, server=server)
        assert comparison.outcome is outcome
        assert (comparison.remedy is None) is (outcome is Outcome.PASSED)

    def test_a_newer_server_is_never_downgraded(self) -> None:
        comparison = compare_versions(client="3.17.2", server="4.1.0")
        assert comparison.remedy == "Install mlflow-skinny 4.* here; a server is never downgraded."
