"""One worker: MLflow's application under uvicorn, in a process that began as a copy.

Owns how requests are taken and how the worker ends. It ends in steps: `SIGTERM` marks every answer
`Connection: close` while new requests are still taken (`drain_seconds`), then the listener closes,
connections that are open get a moment to bring what is under way, and what is in flight is
answered (`grace_seconds`). `SIGQUIT` skips the first step.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import socket
import time
from collections.abc import Callable, Generator
from typing import Any

import anyio.to_thread
import uvicorn

from mlflow_platform_server.application import Loaded
from mlflow_platform_server.draining import Draining
from mlflow_platform_server.listening import let_nobody_new_in
from mlflow_platform_server.log_config import log_config
from mlflow_platform_server.serve_options import ServeOptions

HANDSHAKE_SECONDS = 0.3
"""After the last SYN was let in: its connection is complete and taken by then."""

LINGER_SECONDS = 1.0
"""Open connections without a request may bring one that is on its way."""

GARBAGE_THRESHOLD = 10_000
"""Allocations between collections; Python's 700 suits programs that keep less."""


class Worker(uvicorn.Server):
    """uvicorn's server with an end of our own."""

    def __init__(self, loaded: Loaded, options: ServeOptions, alive: Callable[[], None]) -> None:
        """Serve `loaded`; `alive` is called while the event loop turns."""
        if loaded.asgi is None:
            raise ValueError("uvicorn serves the ASGI application, and there is none")
        self._draining = Draining(loaded.asgi)
        self._options = options
        self._alive = alive
        self._parent = os.getppid()
        super().__init__(
            uvicorn.Config(
                self._draining,  # type: ignore[arg-type]
                loop="uvloop",
                http="httptools",
                lifespan="on",
                timeout_keep_alive=options.keep_alive_seconds,
                timeout_graceful_shutdown=options.grace_seconds,
                access_log=options.access_log,
                log_config=log_config(),
                server_header=False,
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Set this loop's threads and signals, then accept."""
        anyio.to_thread.current_default_thread_limiter().total_tokens = self._options.threads
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._drain, self._options.drain_seconds)
        loop.add_signal_handler(signal.SIGQUIT, self._drain, 0.0)
        loop.add_signal_handler(signal.SIGINT, lambda: None)  # the terminal tells everybody
        await super().startup(sockets)

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second."""
        self._alive()
        if os.getppid() != self._parent:
            self.should_exit = True  # nobody is left to replace this worker or to end it
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the listener, wait for what is on its way, then for what is in flight."""
        self._draining.begun = True
        for listener in sockets or []:
            let_nobody_new_in(listener)
        await asyncio.sleep(HANDSHAKE_SECONDS)
        for server in self.servers:
            server.close()
        await self._linger()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Signals are the loop's, set in `startup`."""
        yield

    def _drain(self, seconds: float) -> None:
        self._draining.begun = True
        if seconds:
            asyncio.get_running_loop().call_later(seconds, self._exit)
        else:
            self._exit()

    def _exit(self) -> None:
        self.should_exit = True

    async def _linger(self) -> None:
        until = time.monotonic() + LINGER_SECONDS
        while self.server_state.connections and time.monotonic() < until:
            await asyncio.sleep(0.05)


def run_worker(
    loaded: Loaded, options: ServeOptions, listener: socket.socket, alive: Callable[[], None]
) -> None:
    """Serve until told to end."""
    gc.set_threshold(GARBAGE_THRESHOLD, 20, 20)
    gc.enable()
    worker: Any = Worker(loaded, options, alive)
    worker.run(sockets=[listener])
