"""Small HTTP servers that answer as a test says: what the load generator is measured against."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass

Reply = Callable[["Request"], Awaitable[bytes | None]]
"""The bytes of an answer; None closes the connection instead."""


@dataclass(frozen=True)
class Request:
    """What arrived."""

    number: int  # of all requests to this server, from 1
    head: str
    body: bytes


def answer(body: bytes = b"{}", status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


@contextlib.asynccontextmanager
async def serving(reply: Reply) -> AsyncGenerator[int]:
    """A server's port."""
    count = 0

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = 0
                for line in head.splitlines():
                    name, _, value = line.partition(":")
                    if name.lower() == "content-length":
                        length = int(value)
                body = await reader.readexactly(length)
                count += 1
                said = await reply(Request(count, head, body))
                if said is None:
                    break
                writer.write(said)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0, limit=1 << 22)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
