"""What Ctrl-C does to an update: the first asks it to stop, the second stops it.

A step that has begun cannot be taken back, so the engine finishes it and saves before it ends;
whoever cannot wait presses again, and the state then says what was under way.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager

from local_engine.events import Diagnostic, Event

_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_NOTICE = "cancelling: what has begun is finished and saved; press Ctrl-C again to stop at once"


@contextmanager
def cancellable(sink: Callable[[Event], None]) -> Generator[threading.Event]:
    """Turn the first Ctrl-C, SIGTERM or closed terminal into a wish to stop.

    The second is an interruption.
    """
    cancel, ended = threading.Event(), threading.Event()

    def ask(number: int, frame: object) -> None:
        del number, frame
        if cancel.is_set():
            raise KeyboardInterrupt
        cancel.set()

    def tell() -> None:
        # Not from the handler itself: it may interrupt the display while that holds its lock.
        cancel.wait()
        if not ended.is_set():
            sink(Diagnostic("warning", "", _NOTICE))

    before = {number: signal.getsignal(number) for number in _STOPS}
    for number in before:
        signal.signal(number, ask)
    threading.Thread(target=tell, daemon=True, name="cancel").start()
    try:
        yield cancel
    finally:
        ended.set()
        cancel.set()
        for number, handler in before.items():
            signal.signal(number, handler)
