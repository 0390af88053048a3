"""The same application under gunicorn: Flask alone, in threads.

Owns gunicorn's configuration from our options and its way of ending. What it serves is what Flask
serves: no OTLP traces, gateway, assistant, jobs or MCP registry. Workers are forked after the
imports here too; gunicorn replaces dead ones and takes the same time to drain, but cannot ask
clients to go elsewhere while it does.
"""

from __future__ import annotations

import gc
import socket
import time
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

from mlflow_platform_server.application import Loaded
from mlflow_platform_server.serve_options import ServeOptions
from mlflow_platform_server.worker import GARBAGE_THRESHOLD

SILENCE_SECONDS = 120
"""After this long without a sign of life a worker is replaced; threads do not delay the sign."""


class FlaskUnderGunicorn(BaseApplication):
    """What gunicorn asks for: a configuration and an application that is already loaded."""

    def __init__(self, loaded: Loaded, options: ServeOptions, listener: socket.socket) -> None:
        """Serve `loaded.flask` on `listener`."""
        self._loaded = loaded
        self._options = options
        self._listener = listener
        super().__init__()

    def load_config(self) -> None:
        """Our options in gunicorn's names."""
        options = self._options
        chosen: dict[str, Any] = {
            "bind": f"fd://{self._listener.fileno()}",
            "workers": options.workers,
            "worker_class": "gthread",
            "threads": options.threads,
            "timeout": SILENCE_SECONDS,
            "graceful_timeout": options.grace_seconds,
            "keepalive": options.keep_alive_seconds,
            "preload_app": True,
            "accesslog": "-" if options.access_log else None,
            "loglevel": "warning",
            "control_socket_disable": True,
            "when_ready": lambda _arbiter: gc.freeze(),
            "post_fork": lambda _arbiter, _worker: _collect_again(),
        }
        for name, value in chosen.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Loaded long ago."""
        return self._loaded.flask


class DrainingArbiter(Arbiter):
    """gunicorn's arbiter, which lets its workers go on for a while after SIGTERM."""

    def __init__(self, application: FlaskUnderGunicorn, drain_seconds: float) -> None:
        """Drain for `drain_seconds`."""
        self._drain_seconds = drain_seconds
        super().__init__(application)

    def handle_term(self) -> None:
        """The workers still accept while this process waits."""
        time.sleep(self._drain_seconds)
        super().handle_term()


def run_gunicorn(loaded: Loaded, options: ServeOptions, listener: socket.socket) -> int:
    """Serve until told to end; returns the exit code."""
    application = FlaskUnderGunicorn(loaded, options, listener)
    try:
        DrainingArbiter(application, options.drain_seconds).run()
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else 1
    return 0


def _collect_again() -> None:
    gc.set_threshold(GARBAGE_THRESHOLD, 20, 20)
    gc.enable()
