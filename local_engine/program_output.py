"""What the user's program prints, as lines of the deployment.

Owns the streams that stand in for `sys.stdout` and `sys.stderr` while the program runs. Only what
the program's own threads print becomes a diagnostic: the engine's display writes to the same
terminal meanwhile, from other threads, and reaches it unchanged. How the program is run is in
`program.py`, how a line is shown is the display's.
"""

from __future__ import annotations

import contextlib
import io
import sys
import threading
from collections.abc import Callable, Generator
from typing import Any, TextIO, cast

from local_engine.events import Diagnostic, Severity

# Threads whose names begin so are the program's: those of its event loop.
THREAD_PREFIX = "pulumi-program"


class _LineStream(io.TextIOBase):
    """Turns what the program's own threads print into diagnostics, line by line."""

    def __init__(
        self, original: TextIO, severity: Severity, emit: Callable[[Diagnostic], None]
    ) -> None:
        self._original = original
        self._severity: Severity = severity
        self._emit = emit
        self._program_thread = threading.get_ident()
        self._emitting = threading.local()
        self._rest = ""

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False

    @property
    def encoding(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        return "utf-8"

    def fileno(self) -> int:
        return self._original.fileno()

    def write(self, text: str, /) -> int:
        thread = threading.current_thread()
        mine = thread.ident == self._program_thread or thread.name.startswith(THREAD_PREFIX)
        # The display prints, too, while it is told of a line.
        if not mine or getattr(self._emitting, "now", False):
            return self._original.write(text)
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._send(line)
        return len(text)

    def flush(self) -> None:
        self._original.flush()

    def finish(self) -> None:
        if self._rest:
            self._send(self._rest)
            self._rest = ""

    def _send(self, line: str) -> None:
        self._emitting.now = True
        try:
            self._emit(Diagnostic(self._severity, "", line))
        finally:
            self._emitting.now = False


@contextlib.contextmanager
def captured_output(emit: Callable[[Diagnostic], None]) -> Generator[None]:
    """Send what this thread and the program's own print to `emit`, until the block ends."""
    out = _LineStream(sys.stdout, "info", emit)
    err = _LineStream(sys.stderr, "info#err", emit)
    with (
        contextlib.redirect_stdout(cast("Any", out)),
        contextlib.redirect_stderr(cast("Any", err)),
    ):
        yield
    out.finish()
    err.finish()
