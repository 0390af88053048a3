"""An end to waiting for something that has none of its own.

Owns running a call in a thread and walking away from it. A timeout of requests counts from byte to
byte, boto3 tries again for minutes, a hung network file system never returns: none of them may hold
up a training job. The thread is left behind as a daemon; it cannot be stopped, and it is not waited
for at exit.
"""

from __future__ import annotations

import contextvars
import queue
import threading
from collections.abc import Callable
from typing import TypeVar

from mlflow_platform_client.errors import ServerUnreachable
from mlflow_platform_client.transport_trouble import READ_TIMEOUT

Result = TypeVar("Result")


def within(seconds: float, action: str, call: Callable[[], Result]) -> Result:
    """What `call` returns or raises, if it does so in time.

    Raises:
        ServerUnreachable: it did not.
    """
    outcomes: queue.SimpleQueue[tuple[Result | None, BaseException | None]] = queue.SimpleQueue()
    context = contextvars.copy_context()

    def run() -> None:
        try:
            outcomes.put((context.run(call), None))
        except BaseException as error:
            outcomes.put((None, error))

    threading.Thread(target=run, name=f"preflight: {action}", daemon=True).start()
    try:
        result, error = outcomes.get(timeout=seconds)
    except queue.Empty:
        raise ServerUnreachable(
            f"could not {action}: nothing came within {seconds:.0f} s", trouble=READ_TIMEOUT
        ) from None
    if error is not None:
        raise error
    return result  # pyright: ignore[reportReturnType]  # set when there is no error
