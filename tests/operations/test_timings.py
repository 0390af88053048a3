"""Percentiles are values that were measured."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from operations.timings import Timings

SECONDS = st.lists(st.floats(0, 1000), min_size=1).map(tuple)


class TestPercentiles:
    """The nearest rank: measured, never below the share it promises, in order."""

    @given(seconds=SECONDS, percent=st.floats(0, 100))
    def test_enough_tries_were_no_slower(self, seconds: tuple[float, ...], percent: float) -> None:
        found = Timings(name="x", seconds=seconds).percentile(percent)
        assert found in seconds
        assert sum(second <= found for second in seconds) / len(seconds) >= percent / 100 - 1e-9

    def test_of_a_hundred(self) -> None:
        timings = Timings(name="x", seconds=tuple(float(n) for n in range(100, 0, -1)))
        assert [timings.percentile(p) for p in (0, 50, 95, 100)] == [1, 50, 95, 100]

    def test_of_nothing(self) -> None:
        timings = Timings(name="x", seconds=(), errors=2, problem="gone")
        assert timings.percentile(95) is None
        assert timings.document() == {
            "name": "x",
            "clients": 1,
            "tries": 2,
            "errors": 2,
            "problem": "gone",
            "min_ms": None,
            "p50_ms": None,
            "p95_ms": None,
            "max_ms": None,
            "per_second": None,
        }

    def test_rate_of_many_clients(self) -> None:
        timings = Timings(name="x", seconds=(0.1,) * 30, clients=3, wall_seconds=2)
        assert timings.per_second == 15
