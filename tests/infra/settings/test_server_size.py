"""Sizes and times that follow from the target, where the settings leave them at auto."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.settings_server_size import KEEP_ALIVE_SECONDS, balancer_idle_seconds
from tests.infra.stacks import stack


class TestKeepAlive:
    """The server hangs up after whoever stands before it, never first."""

    @pytest.mark.parametrize(
        "values", [{"target": "local"}, {"target": "gcp", "serverRequestTimeoutSeconds": "900"}]
    )
    def test_elsewhere_it_outlasts_sixty_seconds(self, values: dict[str, str]) -> None:
        assert stack(values).server.keep_alive_seconds == KEEP_ALIVE_SECONDS == 75

    @pytest.mark.parametrize(
        ("timeout", "kept"), [("30", 75), ("60", 75), ("300", 315), ("900", 915), ("4500", 3515)]
    )
    def test_on_aws_it_follows_the_longest_request(self, timeout: str, kept: int) -> None:
        settings = stack(target="aws", serverRequestTimeoutSeconds=timeout)
        assert settings.server.keep_alive_seconds == kept

    @given(st.integers(1, 86400))
    def test_whatever_the_timeout_the_balancer_is_outlasted(self, seconds: int) -> None:
        settings = stack(target="aws", serverRequestTimeoutSeconds=str(seconds))
        idle = balancer_idle_seconds(seconds)
        assert idle < settings.server.keep_alive_seconds <= 3600

    def test_a_given_number_is_taken_as_it_is(self) -> None:
        assert stack(target="aws", serverKeepAliveSeconds="20").server.keep_alive_seconds == 20
