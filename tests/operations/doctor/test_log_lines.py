"""A line's time is read in every form that our programs write, or is the line before's."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operations.doctor.log_lines import moment_of, parsed, since

UTC = datetime.UTC
MOMENT = datetime.datetime(2026, 11, 21, 18, 3, 4, tzinfo=UTC)
HERE = MOMENT.astimezone()


class TestMoment:
    """The server's, PostgreSQL's, supervisord's, Kubernetes' and Google's own forms."""

    @pytest.mark.parametrize(
        "line",
        [
            "2026-11-21 18:03:04.123 UTC [24934] mlflow@mlflow FATAL:  no",
            "2026-11-21T18:03:04.123456789Z Traceback",
            "2026-11-21T18:03:04.123456+00:00 text",
            f"{HERE:%Y/%m/%d %H:%M:%S} ERROR mlflow.server: no",
            f"{HERE:%Y-%m-%d %H:%M:%S},123 INFO spawned: 'mlflow' with pid 7",
        ],
    )
    def test_forms(self, line: str) -> None:
        assert moment_of(line) == MOMENT

    @pytest.mark.parametrize(
        "line", ["", "Traceback (most recent call last):", "2026-13-45 99:99:99"]
    )
    def test_none(self, line: str) -> None:
        assert moment_of(line) is None

    @given(st.text(max_size=80))
    def test_any_text_is_survived(self, text: str) -> None:
        list(parsed("log", text))


class TestLines:
    """Lines without a time belong to the line before; those before any time are not recent."""

    def test_a_traceback(self) -> None:
        text = (
            "an old line\n"
            "2026-11-21 18:03:04 UTC ERROR Exception\n"
            "Traceback (most recent call last):\n"
            "    raise TimeoutError('x')\n"
            "TimeoutError: x\n"
            "2026-11-21T18:03:05Z     raise TimeoutError('y')\n"
        )
        lines = list(parsed("mlflow.log", text))
        assert [line.moment for line in lines] == [
            None,
            *[MOMENT] * 4,
            MOMENT + datetime.timedelta(seconds=1),
        ]
        assert [line.is_code for line in lines] == [False, False, False, True, False, True]
        assert len(since(lines, MOMENT)) == 5
        assert len(since(lines, MOMENT + datetime.timedelta(seconds=1))) == 1
