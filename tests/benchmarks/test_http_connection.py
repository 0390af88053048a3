"""A connection hands back what the server said, however it was cut into pieces."""

import asyncio
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.server_comparison.http_connection import (
    KEPT_BYTES,
    Answer,
    ConnectionLostError,
    HttpConnection,
    open_connection,
    request_head,
    zeros,
)
from tests.benchmarks.http_servers import Request, answer, serving


class Sink(asyncio.Transport):
    """Takes what is written."""

    def write(self, data: bytes) -> None:  # type: ignore[override]
        self.written = data

    def is_closing(self) -> bool:
        return False


def received(wire: bytes, cuts: list[int]) -> Answer:
    """The answer that a connection makes of bytes that arrive in those pieces."""

    async def work() -> Answer:
        connection = HttpConnection()
        connection.connection_made(Sink())
        asking = asyncio.ensure_future(connection.request(b"GET / HTTP/1.1\r\n\r\n"))
        await asyncio.sleep(0)
        edges = [0, *sorted(cut % (len(wire) + 1) for cut in cuts), len(wire)]
        for begin, end in itertools.pairwise(edges):
            if wire[begin:end]:
                connection.data_received(wire[begin:end])
        return await asking

    return asyncio.run(work())


class TestAnswers:
    """Status, length and beginning of a body are those that were sent."""

    @given(body=st.binary(max_size=5000), cuts=st.lists(st.integers(0, 10_000), max_size=8))
    def test_with_a_length(self, body: bytes, cuts: list[int]) -> None:
        assert received(answer(body), cuts) == Answer(200, len(body), body[:KEPT_BYTES])

    @given(
        pieces=st.lists(st.binary(min_size=1, max_size=1500), max_size=5),
        cuts=st.lists(st.integers(0, 10_000), max_size=8),
    )
    def test_in_chunks(self, pieces: list[bytes], cuts: list[int]) -> None:
        wire = b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n"
        wire += b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
        body = b"".join(pieces)
        assert received(wire + b"0\r\n\r\n", cuts) == Answer(201, len(body), body[:KEPT_BYTES])


class TestRequests:
    """What is asked arrives, one after the other, on one connection."""

    def test_a_body_of_zeros_is_streamed(self) -> None:
        size = 3 * (1 << 20) + 17
        seen: list[Request] = []

        async def reply(request: Request) -> bytes:
            seen.append(request)
            return answer()

        async def work() -> None:
            async with serving(reply) as port:
                connection = await open_connection("127.0.0.1", port)
                for _ in range(2):
                    head = request_head("PUT", "/file", "here", size, "text/plain")
                    assert (await connection.request(head, size)).status == 200
                connection.close()

        asyncio.run(work())
        assert [request.body for request in seen] == [bytes(size)] * 2
        assert seen[0].head == (
            "PUT /file HTTP/1.1\r\nHost: here\r\n"
            f"Content-Type: text/plain\r\nContent-Length: {size}\r\n\r\n"
        )

    def test_a_get_has_no_body(self) -> None:
        assert (
            request_head("GET", "/", "here", 0, "text/plain")
            == b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
        )

    def test_a_server_that_closes_is_an_error(self) -> None:
        async def reply(_request: Request) -> None:
            return None

        async def work() -> None:
            async with serving(reply) as port:
                connection = await open_connection("127.0.0.1", port)
                with pytest.raises(ConnectionLostError, match=r"^closed by the server$"):
                    await connection.request(b"GET / HTTP/1.1\r\n\r\n")
                assert not connection.is_open
                with pytest.raises(ConnectionLostError, match=r"^not connected$"):
                    await connection.request(b"GET / HTTP/1.1\r\n\r\n")

        asyncio.run(work())

    @pytest.mark.parametrize("count", [0, 1, 1 << 20, (1 << 21) + 5])
    def test_zeros(self, count: int) -> None:
        assert b"".join(zeros(count)) == bytes(count)
