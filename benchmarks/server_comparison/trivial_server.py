"""A server that answers everything at once: what remains is the load generator's own cost.

Owns the ceiling that a figure of this benchmark cannot pass. It runs in a process of its own, as
the servers under measurement do, and ends with its standard input.

    python -m benchmarks.server_comparison.trivial_server     prints its port
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import threading
from collections.abc import Generator
from typing import cast

import uvloop

from benchmarks.server_comparison import load_generator
from benchmarks.server_comparison.load_generator import Job, Question

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


class TrivialProtocol(asyncio.Protocol):
    """Answers `{}` as soon as a request is complete."""

    def __init__(self) -> None:
        """Not connected yet."""
        self._transport: asyncio.Transport | None = None
        self._pending = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        self._pending += data
        head, found, body = self._pending.partition(b"\r\n\r\n")
        if found and len(body) >= _content_length(head):
            self._pending = b""
            assert self._transport is not None
            self._transport.write(ANSWER)


def _content_length(head: bytes) -> int:
    _, _, rest = head.lower().partition(b"content-length:")
    return int(rest.partition(b"\r\n")[0] or 0)


@contextlib.contextmanager
def trivial_server() -> Generator[int]:
    """Its port; it ends with the block."""
    child = subprocess.Popen(
        [sys.executable, "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert child.stdout is not None
        yield int(child.stdout.readline())
    finally:
        child.kill()
        child.communicate()


def ceiling() -> dict[str, float]:
    """Requests a second that the load generator can ask at the most, by clients."""
    found: dict[str, float] = {}
    question = Question(method="POST", path="/trivial", body='{"step": @STEP@}' + " " * 100)
    with trivial_server() as port:
        for clients in (1, 64):
            job = Job(
                host="127.0.0.1",
                port=port,
                questions=(question,) * clients,
                seconds=1.0,
                patience_seconds=5.0,
            )
            rate = load_generator.run(job).requests_per_second
            found["1_client" if clients == 1 else f"{clients}_clients"] = round(rate, 1)
    return found


async def serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(TrivialProtocol, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    ended = asyncio.Event()

    def wait_for_the_end() -> None:
        sys.stdin.read()
        loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    await ended.wait()


if __name__ == "__main__":
    uvloop.run(serve())
