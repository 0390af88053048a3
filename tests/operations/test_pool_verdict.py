"""What a burst shows is held against the settings within bounds that are exact."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from operations.pool_verdict import PoolAskedFor, PoolSeen

TWO = PoolAskedFor(workers=2, size=10, overflow=20)


def seen(in_use: list[int], size: int) -> PoolSeen:
    """What workers with these many connections in use show, that keep `size` each."""
    kept = sum(min(count, size) for count in in_use)
    return PoolSeen(address="10.0.0.1", busy=sum(in_use), kept=kept)


@st.composite
def bursts(draw: st.DrawFn) -> tuple[PoolAskedFor, list[int]]:
    """A pool, and connections in use by each of its workers in some burst."""
    asked = PoolAskedFor(
        workers=draw(st.integers(1, 6)),
        size=draw(st.integers(1, 30)),
        overflow=draw(st.integers(1, 60)),
    )
    counts = st.lists(st.integers(0, asked.ceiling), min_size=asked.workers, max_size=asked.workers)
    return asked, draw(counts)


class TestTheRightPool:
    """However unevenly a burst falls, the pool that was asked for is never taken for another."""

    @given(burst=bursts())
    def test_never_differs(self, burst: tuple[PoolAskedFor, list[int]]) -> None:
        asked, in_use = burst
        found = seen(in_use, asked.size)
        full = all(count >= asked.size for count in in_use)
        assert found.verdict(asked) == ("in force" if full else "not filled")

    @given(burst=bursts())
    def test_the_bound_is_the_worst_there_is(self, burst: tuple[PoolAskedFor, list[int]]) -> None:
        asked, in_use = burst
        packed, rest = [], sum(in_use)
        for _ in range(asked.workers):
            packed.append(min(rest, asked.ceiling))
            rest -= packed[-1]
        assert asked.least_kept(sum(in_use)) == seen(packed, asked.size).kept
        assert asked.least_kept(sum(in_use)) <= seen(in_use, asked.size).kept


class TestAnotherPool:
    """Too few kept, too many kept, too many in use: each is seen."""

    def test_mlflows_default_pool(self) -> None:
        """5 + 10, as long as the burst was more than one right worker could carry."""
        assert seen([15, 15], 5).verdict(TWO) == "not filled"  # one right worker looks like this
        assert seen([15, 10], 4).verdict(TWO) == "differs"
        assert seen([15, 15, 15], 5).verdict(PoolAskedFor(workers=3, size=10, overflow=20)) == (
            "differs"
        )

    def test_a_larger_one(self) -> None:
        assert seen([12, 11], 20).verdict(TWO) == "differs"
        assert seen([40, 30], 10).verdict(TWO) == "differs"

    def test_no_pool_at_all(self) -> None:
        assert PoolSeen(address="x", busy=20, kept=0).verdict(TWO) == "differs"

    def test_words(self) -> None:
        assert seen([10, 12], 10).describe(TWO) == (
            "2 × (10 + 20): 22 in use at once, 20 kept open: in force"
        )
        assert seen([3, 12], 10).describe(TWO) == (
            "2 × (10 + 20): 15 in use at once, 13 kept open: not filled (20 would be kept); "
            "nothing contradicts the settings"
        )
        assert seen([15, 10], 4).describe(TWO) == (
            "2 × (10 + 20): 25 in use at once, 8 kept open, and the settings' pool would keep 10 "
            "to 20 and use at most 60: another pool is in force"
        )
