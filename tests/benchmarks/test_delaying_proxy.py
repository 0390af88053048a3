"""The distance that benchmarks measure through is the one that was asked for."""

import asyncio
import socket
import threading
import time
from collections.abc import Awaitable, Callable

import pytest

from benchmarks.delaying_proxy import DelayingProxy, Distance

ROUND_TRIP = 0.1


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


def echo_once(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        while data := connection.recv(100):
            connection.sendall(data)


def through_proxy(
    talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> None:
    async def work() -> None:
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        target = server.sockets[0].getsockname()[1]
        proxy = DelayingProxy("127.0.0.1", target, round_trip_seconds=ROUND_TRIP)
        reader, writer = await asyncio.open_connection("127.0.0.1", await proxy.listen())
        await talk(reader, writer)
        writer.close()
        server.close()

    asyncio.run(work())


class TestDistance:
    """An answer takes a round trip; a new connection one more; much data costs no more."""

    def test_a_round_trip(self) -> None:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            started = time.monotonic()
            writer.write(b"first")
            assert await reader.readexactly(5) == b"first"
            assert time.monotonic() - started >= 2 * ROUND_TRIP
            started = time.monotonic()
            writer.write(b"again")
            assert await reader.readexactly(5) == b"again"
            assert time.monotonic() - started >= ROUND_TRIP

        through_proxy(talk)

    def test_bytes_arrive_in_order_and_complete(self) -> None:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            sent = bytes(range(256)) * 4000
            writer.write(sent)
            writer.write_eof()
            assert await reader.read(-1) == sent

        through_proxy(talk)


class TestDistanceThatChanges:
    """A proxy in a child process is as far away as it was told last, on the same connection."""

    def test_nearer_and_further(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            threading.Thread(target=echo_once, args=(listener,), daemon=True).start()
            with (
                Distance("127.0.0.1", listener.getsockname()[1]) as distance,
                socket.create_connection(("127.0.0.1", distance.port)) as connection,
            ):
                connection.sendall(b"a")
                assert connection.recv(1) == b"a"
                distance.set_round_trip_ms(ROUND_TRIP * 1000)
                started = time.monotonic()
                connection.sendall(b"b")
                assert connection.recv(1) == b"b"
                assert time.monotonic() - started >= ROUND_TRIP

    def test_it_ends_with_the_block(self) -> None:
        with Distance("127.0.0.1", 1) as distance:
            port = distance.port
            socket.create_connection(("127.0.0.1", port)).close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
