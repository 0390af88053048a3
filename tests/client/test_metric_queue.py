"""The hand-over: order, bound, waits."""

import threading

from mlflow_platform_client.metric_queue import MetricQueue


def queue(max_items: int = 10, max_block_seconds: float = 0.0) -> MetricQueue:
    return MetricQueue(max_items=max_items, max_block_seconds=max_block_seconds)


class TestOrderAndDepth:
    """What is put is taken in order, and counts until it is committed."""

    def test_taken_in_order(self) -> None:
        line = queue()
        for number in range(5):
            assert line.put((number,))
        assert line.take(0) == [(0,), (1,), (2,), (3,), (4,)]

    def test_what_the_writer_holds_still_counts(self) -> None:
        line = queue()
        line.put(("a",), 3)
        line.take(0)
        assert line.depth == 3
        line.commit(3)
        assert line.depth == 0

    def test_a_long_delay_ends_when_somebody_hurries(self) -> None:
        line = queue()
        line.put(("a",))
        line.hurry()
        assert line.take(3600) == [("a",)]

    def test_a_long_delay_ends_when_the_queue_fills(self) -> None:
        line = queue(max_items=10)
        for number in range(6):
            line.put((number,))
        assert len(line.take(3600)) == 6


class TestTheBound:
    """Beyond it a call waits no longer than it may, once per incident, and is then dropped."""

    def test_dropped_and_counted(self) -> None:
        line = queue(max_items=2)
        assert line.put(("a",), 2)
        assert not line.put(("b",))
        assert line.dropped == 1
        assert line.take(0) == [("a",)]

    def test_the_wait_is_not_repeated_while_it_stays_full(self) -> None:
        line = queue(max_items=1, max_block_seconds=0.01)
        line.put(("a",))
        line.put(("b",))
        waited = line.blocked_seconds
        for _ in range(100):
            line.put(("c",))
        assert waited > 0
        assert line.blocked_seconds == waited
        assert line.dropped == 101

    def test_a_waiting_call_gets_room(self) -> None:
        line = queue(max_items=1, max_block_seconds=20)
        line.put(("a",))

        def make_room() -> None:
            line.take(0)
            line.commit(1)

        thread = threading.Thread(target=make_room)
        thread.start()
        assert line.put(("b",))
        thread.join()
        assert line.dropped == 0

    def test_after_room_was_made_a_call_may_wait_again(self) -> None:
        line = queue(max_items=1, max_block_seconds=0.01)
        line.put(("a",))
        line.put(("b",))
        line.commit(1)
        assert line.put(("c",))
        waited = line.blocked_seconds
        line.put(("d",))
        assert line.blocked_seconds > waited

    def test_one_call_larger_than_the_bound_is_let_in_alone(self) -> None:
        line = queue(max_items=10)
        assert line.put(("large",), 25)
        assert not line.put(("next",))


class TestWaitingForTheDisk:
    """`wait_committed` is a barrier for what was handed over before it."""

    def test_true_at_once_when_nothing_is_waiting(self) -> None:
        assert queue().wait_committed(0)

    def test_false_when_time_ends(self) -> None:
        line = queue()
        line.put(("a",))
        assert not line.wait_committed(0)

    def test_later_values_do_not_prolong_it(self) -> None:
        line = queue()
        line.put(("a",))
        done: list[bool] = []
        thread = threading.Thread(target=lambda: done.append(line.wait_committed(20)))
        thread.start()
        line.take(3600)  # returns because the waiter hurries
        line.put(("b",))
        line.commit(1)
        thread.join()
        assert done == [True]
        assert line.depth == 1
