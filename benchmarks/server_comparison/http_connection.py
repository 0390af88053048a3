"""One HTTP/1.1 connection, kept alive, with as little of its own as a measurement needs.

Owns the bytes of a request and its answer. It leaves alone what is asked and how long it takes.
A library's client costs a millisecond of processor time per call, which on a small machine is
taken from the server under measurement; this one costs some tens of microseconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

KEPT_BYTES = 2000
"""As much of an answer is kept: enough to say what an error was."""

CHUNK_BYTES = 1 << 20


class ConnectionLostError(ConnectionError):
    """The other side closed while an answer was due."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    length: int  # of the body
    beginning: bytes  # of the body


def request_head(method: str, path: str, host: str, body_bytes: int, content_type: str) -> bytes:
    """The head of a request, up to its body."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}"]
    if method != "GET":
        lines += [f"Content-Type: {content_type}", f"Content-Length: {body_bytes}"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


class HttpConnection(asyncio.Protocol):
    """Sends one request at a time and hands back its answer."""

    def __init__(self) -> None:
        """Not connected yet: `open_connection` makes one."""
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Answer] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._forget()

    @property
    def is_open(self) -> bool:
        """Whether a request can be sent."""
        return self._transport is not None and not self._transport.is_closing()

    async def request(self, head: bytes, body: bytes | int = b"") -> Answer:
        """Send a request; a number as body is that many zero bytes, never all in memory."""
        if self._transport is None or not self.is_open:
            raise ConnectionLostError("not connected")
        self._forget()
        answer = self._answer = asyncio.get_running_loop().create_future()
        if isinstance(body, bytes):
            self._transport.write(head + body)  # one segment where it fits, as real clients do
            return await answer
        self._transport.write(head)
        for piece in zeros(body):
            await self._writable.wait()
            if answer.done() or not self.is_open:
                break  # the server answered (a refusal) or went away
            self._transport.write(piece)
        return await answer

    def close(self) -> None:
        """Close it; an answer that is due ends in `ConnectionLostError`."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._writable.set()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionLostError(str(exc or "closed by the server")))

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        if self._remaining is None and not self._chunked:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            data = self._head[end + 4 :]
            self._read_head(self._head[:end])
        if self._chunked:
            self._read_chunks(data)
        else:
            self._take(data)
            assert self._remaining is not None
            self._remaining -= len(data)
            if self._remaining <= 0:
                self._finish()

    def _forget(self) -> None:
        self._head = b""
        self._status = 0
        self._remaining: int | None = None
        self._chunked = False
        self._pending = b""
        self._length = 0
        self._beginning = b""

    def _read_head(self, head: bytes) -> None:
        first, *lines = head.decode("latin-1").split("\r\n")
        self._status = int(first.split(" ", 2)[1])
        headers = {name.lower(): value.strip() for name, _, value in map(_parted, lines)}
        self._chunked = headers.get("transfer-encoding", "").lower() == "chunked"
        if not self._chunked:
            self._remaining = int(headers.get("content-length", "0"))

    def _read_chunks(self, data: bytes) -> None:
        self._pending += data
        while True:
            line, found, rest = self._pending.partition(b"\r\n")
            if not found:
                return
            size = int(line.partition(b";")[0], 16)
            if len(rest) < size + 2:
                return
            self._take(rest[:size])
            self._pending = rest[size + 2 :]
            if size == 0:
                self._finish()
                return

    def _take(self, data: bytes) -> None:
        self._length += len(data)
        if len(self._beginning) < KEPT_BYTES:
            self._beginning += data[: KEPT_BYTES - len(self._beginning)]

    def _finish(self) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(Answer(self._status, self._length, self._beginning))


async def open_connection(host: str, port: int) -> HttpConnection:
    """A connection to an address; raises OSError where nobody listens."""
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(HttpConnection, host, port)
    return connection


def zeros(count: int) -> Iterator[bytes]:
    """That many zero bytes, in pieces."""
    piece = bytes(CHUNK_BYTES)
    for _ in range(count // CHUNK_BYTES):
        yield piece
    if count % CHUNK_BYTES:
        yield bytes(count % CHUNK_BYTES)


def _parted(line: str) -> tuple[str, str, str]:
    return line.partition(":")
