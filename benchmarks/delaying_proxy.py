"""A TCP proxy that makes a server as far away as you say.

Owns distance and nothing else: what comes in is sent on half a round trip later, in order, in each
direction, and a new connection costs a round trip before its first byte. Bandwidth is not limited.
It runs in a process of its own, so that it takes no time from what is measured.

    python benchmarks/delaying_proxy.py 127.0.0.1:5000 --round-trip-ms 25     prints its port
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Generator
from urllib.parse import urlsplit

_CHUNK = 65536


class DelayingProxy:
    """Listens on 127.0.0.1 and forwards to one address."""

    def __init__(self, host: str, port: int, *, round_trip_seconds: float) -> None:
        """Nothing listens yet."""
        self._target = (host, port)
        self._round_trip = round_trip_seconds

    async def listen(self, port: int = 0) -> int:
        """Listen, on a free port by default; returns the port."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", port)
        return int(server.sockets[0].getsockname()[1])

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(self._round_trip)  # the handshake that a distant server would take
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.close()
            return
        # Both directions end before either stream is let go: a stream that is forgotten closes.
        await asyncio.gather(self._carry(reader, far_writer), self._carry(far_reader, writer))
        for stream in (writer, far_writer):
            stream.close()

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        """Everything half a round trip later, however much of it is under way."""
        loop = asyncio.get_running_loop()
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def deliver() -> None:
            while True:
                due, data = await under_way.get()
                await asyncio.sleep(max(0.0, due - loop.time()))
                if not data:
                    break
                sink.write(data)
                await sink.drain()
            with contextlib.suppress(OSError):
                sink.write_eof()

        delivering = asyncio.create_task(deliver())
        data = b"first"
        while data:
            try:
                data = await source.read(_CHUNK)
            except OSError:
                data = b""
            under_way.put_nowait((loop.time() + self._round_trip / 2, data))
        with contextlib.suppress(OSError):
            await delivering


@contextlib.contextmanager
def delayed(tracking_uri: str, round_trip_ms: float) -> Generator[str]:
    """The same server, so far away; in a child process."""
    parts = urlsplit(tracking_uri)
    command = [sys.executable, __file__, f"{parts.hostname}:{parts.port}"]
    child = subprocess.Popen(
        [*command, "--round-trip-ms", str(round_trip_ms)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert child.stdout is not None
        yield f"http://127.0.0.1:{int(child.stdout.readline())}"
    finally:
        child.terminate()
        child.wait()
        assert child.stdout is not None
        child.stdout.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("target", help="host:port")
    parser.add_argument("--round-trip-ms", type=float, default=25.0)
    parser.add_argument("--port", type=int, default=0)
    arguments = parser.parse_args()
    host, _, port = arguments.target.rpartition(":")
    proxy = DelayingProxy(host, int(port), round_trip_seconds=arguments.round_trip_ms / 1000)

    async def serve() -> None:
        print(await proxy.listen(arguments.port), flush=True)
        await asyncio.Event().wait()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
