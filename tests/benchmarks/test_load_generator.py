"""The load generator counts what happened: no request is lost from the figures or made up."""

from __future__ import annotations

import asyncio
import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.server_comparison.load_generator import (
    Client,
    Job,
    LoadResult,
    Question,
    generate,
    job_from,
    percentile,
    run,
    summed_up,
)
from benchmarks.server_comparison.trivial_server import trivial_server
from benchmarks.throwaway_postgres import free_port
from tests.benchmarks.http_servers import Reply, Request, answer, serving

ASK = Question(method="POST", path="/ask/@STEP@", body='{"step": @STEP@}')


def job(port: int, **changes: object) -> Job:
    values: dict[str, object] = {
        "host": "127.0.0.1",
        "port": port,
        "questions": (ASK,),
        "seconds": 30.0,
        "patience_seconds": 5.0,
        "requests_per_client": 4,
        **changes,
    }
    return Job(**values)  # type: ignore[arg-type]


def measured(reply: Reply, **changes: object) -> LoadResult:
    async def work() -> LoadResult:
        async with serving(reply) as port:
            return await generate(job(port, **changes))

    return asyncio.run(work())


class TestWhatIsSent:
    """Every request of a client is new; the warm-up is asked before and counted nowhere."""

    def test_steps_grow_in_path_and_body(self) -> None:
        seen: list[tuple[str, bytes]] = []

        async def reply(request: Request) -> bytes:
            seen.append((request.head.split()[1], request.body))
            return answer()

        measured(reply, first_step=7, requests_per_client=3)
        assert seen == [(f"/ask/{step}", b'{"step": %d}' % step) for step in (7, 8, 9)]

    def test_warm_up(self) -> None:
        seen: list[str] = []

        async def reply(request: Request) -> bytes:
            seen.append(request.head.split()[1])
            return answer()

        warm_up = Question(method="GET", path="/warm")
        result = measured(reply, warm_up=warm_up, requests_per_client=1)
        assert seen == ["/warm", "/ask/1"]
        assert result.acknowledged == 1

    def test_a_warm_up_that_is_not_answered_ends_with_patience(self) -> None:
        async def reply(request: Request) -> bytes:
            if "/warm" in request.head:
                await asyncio.Event().wait()
            return answer()

        warm_up = Question(method="GET", path="/warm")
        result = measured(
            reply, warm_up=warm_up, questions=(ASK,) * 3, patience_seconds=0.1, seconds=20.0
        )
        assert (result.acknowledged, result.errors) == (12, 0)

    def test_the_servers_name_is_said_through_a_proxy_too(self) -> None:
        seen: list[str] = []

        async def reply(request: Request) -> bytes:
            seen.append(request.head.splitlines()[1])
            return answer()

        measured(reply, authority="server:5000", requests_per_client=1)
        assert seen == ["Host: server:5000"]


class TestWhatIsCounted:
    """Acknowledged, refused, cut off and unanswered requests are told apart."""

    def test_all_answered(self) -> None:
        async def reply(_request: Request) -> bytes:
            return answer(b"12345")

        result = measured(reply, questions=(ASK,) * 3)
        assert result.acknowledged_by_client == [4, 4, 4]
        assert (result.acknowledged, result.errors, result.unanswered) == (12, 0, 0)
        assert result.received_bytes == 60
        assert result.requests_per_second > 0

    def test_refusals_are_errors_in_the_servers_words(self) -> None:
        async def reply(request: Request) -> bytes:
            odd = request.number % 2
            return answer() if odd else answer(b"QueuePool limit", "400 Bad Request")

        result = measured(reply)
        assert (result.acknowledged, result.errors) == (2, 2)
        assert result.error_kinds == {"HTTP 400: QueuePool limit": 2}

    def test_a_connection_that_is_cut_is_an_error_and_the_next_request_connects_anew(self) -> None:
        async def reply(request: Request) -> bytes | None:
            return None if request.number == 2 else answer()

        result = measured(reply)
        assert (result.acknowledged, result.errors) == (3, 1)
        assert result.error_kinds == {"ConnectionLostError: closed by the server": 1}

    def test_nobody_listens(self) -> None:
        result = asyncio.run(generate(job(free_port(), requests_per_client=2)))
        assert (result.acknowledged, result.errors, result.unanswered) == (0, 2, 0)
        assert result.p50_ms is None
        assert result.requests_per_second == 0

    def test_what_is_never_answered_is_counted_once_patience_ends(self) -> None:
        async def reply(request: Request) -> bytes:
            if request.number > 1:
                await asyncio.Event().wait()
            return answer()

        result = measured(reply, seconds=0.1, patience_seconds=0.1)
        assert (result.acknowledged, result.errors, result.unanswered) == (1, 0, 1)


class TestRate:
    """The sum of the clients' own rates: one that hangs does not slow the others' figures."""

    def test_each_over_its_own_time(self) -> None:
        quick = Client(latencies=[0.1] * 100, seconds=10.0)
        hangs = Client(latencies=[30.0], errors=Counter({"HTTP 400": 1}), seconds=40.0)
        result = summed_up([quick, hangs], 40.0, 1.5)
        assert result.requests_per_second == pytest.approx(100 / 10 + 1 / 40)
        assert (result.acknowledged_by_client, result.errors) == ([100, 1], 1)
        assert (result.elapsed_seconds, result.generator_cpu_seconds) == (40.0, 1.5)


class TestPercentiles:
    """Nearest rank: a value that was measured, and at least that share is not above it."""

    @pytest.mark.parametrize(
        ("values", "share", "expected"),
        [
            ([7.0], 0.5, 7.0),
            ([1.0, 2.0, 3.0, 4.0], 0.5, 2.0),
            ([float(n) for n in range(1, 101)], 0.95, 95.0),
            ([float(n) for n in range(1, 101)], 0.99, 99.0),
            ([1.0, 9.0], 1.0, 9.0),
        ],
    )
    def test_known(self, values: Sequence[float], share: float, expected: float) -> None:
        assert percentile(values, share) == expected

    @given(values=st.lists(st.floats(0, 1e6), min_size=1), share=st.sampled_from([0.5, 0.95, 0.99]))
    def test_share(self, values: list[float], share: float) -> None:
        ordered = sorted(values)
        found = percentile(ordered, share)
        assert found in values
        assert sum(value <= found for value in values) >= math.floor(share * len(values))

    def test_of_latencies(self) -> None:
        slow = Client(latencies=[n / 1000 for n in range(51, 101)], seconds=1.0)
        fast = Client(latencies=[n / 1000 for n in range(1, 51)], seconds=1.0)
        result = summed_up([slow, fast], 1.0, 0.0)
        assert (result.p50_ms, result.p95_ms, result.p99_ms, result.slowest_ms) == (50, 95, 99, 100)


class TestItsProcess:
    """A job goes to a child as JSON and its result comes back."""

    def test_a_job_survives_json(self) -> None:
        asked = job(1, warm_up=Question(method="GET", path="/"))
        assert job_from(json.loads(json.dumps(asdict(asked)))) == asked

    def test_against_the_trivial_server(self) -> None:
        with trivial_server() as port:
            result = run(job(port, questions=(ASK,) * 8, requests_per_client=50))
        assert result.acknowledged_by_client == [50] * 8
        assert result.errors == 0
        with pytest.raises(RuntimeError, match=r"^the load generator failed:\n"):
            run(job(port, seconds="not a number"))
