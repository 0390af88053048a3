"""Artifact or truncated parameter."""

import pytest

from mlflow_platform_client.logging_settings import LoggingSettings
from mlflow_platform_client.text_logging import truncated

SETTINGS = LoggingSettings()


class TestWhereATextGoes:
    """Up to 1,000 characters an artifact, beyond them 100 characters and "..." as a parameter."""

    def test_exactly_the_limit_is_an_artifact(self) -> None:
        assert truncated("x" * 1000, "prompt.txt", SETTINGS) is None

    def test_one_more_is_a_parameter(self) -> None:
        assert truncated("x" * 1001, "prompt.txt", SETTINGS) == (
            "prompt_truncated",
            "x" * 100 + "...",
        )

    @pytest.mark.parametrize(
        ("path", "key"),
        [
            ("requests/000017/prompt.txt", "requests/000017/prompt_truncated"),
            ("prompt", "prompt_truncated"),
            ("odd*name.md", "odd_name_truncated"),
        ],
    )
    def test_the_parameters_name(self, path: str, key: str) -> None:
        found = truncated("x" * 2000, path, SETTINGS)
        assert found is not None
        assert found.key == key

    def test_both_limits_are_settings(self) -> None:
        settings = LoggingSettings(text_artifact_characters=3, text_parameter_characters=2)
        assert truncated("abc", "a.txt", settings) is None
        assert truncated("abcd", "a.txt", settings) == ("a_truncated", "ab...")
