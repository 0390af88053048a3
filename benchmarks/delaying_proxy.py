"""A TCP proxy that makes a server as far away as you say.

Owns distance and nothing else: what comes in is sent on half a round trip later, in order, in each
direction, and a new connection costs a round trip before its first byte. Bandwidth is not limited.
It runs in a process of its own, so that it takes no time from what is measured.

    python benchmarks/delaying_proxy.py 127.0.0.1:5000 --round-trip-ms 25     prints its port

`Distance` changes the distance while connections stay open: the proxy reads it, a line each, from
its standard input, and ends where that ends.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import selectors
import subprocess
import sys
import threading
from collections.abc import Generator
from urllib.parse import urlsplit

_CHUNK = 65536


class DelayingProxy:
    """Listens on 127.0.0.1 and forwards to one address."""

    def __init__(self, host: str, port: int, *, round_trip_seconds: float) -> None:
        """Nothing listens yet."""
        self._target = (host, port)
        self.round_trip_seconds = round_trip_seconds

    async def listen(self, port: int = 0) -> int:
        """Listen, on a free port by default; returns the port."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", port)
        return int(server.sockets[0].getsockname()[1])

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(
            self.round_trip_seconds
        )  # the handshake that a distant server would take
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
            under_way.put_nowait((loop.time() + self.round_trip_seconds / 2, data))
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


class Distance:
    """A proxy in a child process, whose distance can be changed while it carries.

    The child answers nothing before its first line (its port), and ends when this process does.
    """

    def __init__(self, host: str, port: int) -> None:
        """Not there before the `with` block."""
        self._target = f"{host}:{port}"
        self._child: subprocess.Popen[str] | None = None
        self.port = 0

    def __enter__(self) -> Distance:
        """Start it, with no distance."""
        command = [sys.executable, __file__, self._target, "--round-trip-ms", "0", "--controlled"]
        self._child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # a Ctrl-C is for whoever stops it in order
        )
        assert self._child.stdout is not None
        self.port = int(self._child.stdout.readline())
        return self

    def __exit__(self, *_exception: object) -> None:
        """Stop it."""
        assert self._child is not None
        self._child.kill()
        self._child.communicate()

    def set_round_trip_ms(self, milliseconds: float) -> None:
        """Be so far away from now on; what is under way arrives when it was going to."""
        assert self._child is not None
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(f"{milliseconds}\n")
        self._child.stdin.flush()
        self._child.stdout.readline()  # it has it


def _follow(proxy: DelayingProxy, loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
    """Set the distance to each line of standard input."""
    for line in sys.stdin:
        proxy.round_trip_seconds = float(line) / 1000
        print("set", flush=True)
    loop.call_soon_threadsafe(ended.set)


def _precise_loop() -> asyncio.AbstractEventLoop:
    """An event loop that waits in microseconds: epoll's, and libuv's, round up to milliseconds."""
    return asyncio.SelectorEventLoop(selectors.SelectSelector())


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("target", help="host:port")
    parser.add_argument("--round-trip-ms", type=float, default=25.0)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--controlled", action="store_true", help="read the distance from stdin")
    arguments = parser.parse_args()
    host, _, port = arguments.target.rpartition(":")
    proxy = DelayingProxy(host, int(port), round_trip_seconds=arguments.round_trip_ms / 1000)

    async def serve() -> None:
        print(await proxy.listen(arguments.port), flush=True)
        ended = asyncio.Event()
        if arguments.controlled:
            following = (proxy, asyncio.get_running_loop(), ended)
            threading.Thread(target=_follow, args=following, daemon=True).start()
        await ended.wait()

    with contextlib.suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=_precise_loop) as run:
        run.run(serve())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
