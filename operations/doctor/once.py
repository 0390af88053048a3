"""A value that many threads want and one of them makes.

Owns that it is made once, when first wanted, and that who comes meanwhile waits for it. A failure
is kept like a value: what cannot be reached is tried once and not by every check in turn.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

_Value = TypeVar("_Value")


class Once(Generic[_Value]):
    """Calls `make` when first called, and gives everybody the same answer."""

    def __init__(self, make: Callable[[], _Value]) -> None:
        """Make nothing yet."""
        self._make = make
        self._lock = threading.Lock()
        self._values: list[_Value] = []
        self._error: Exception | None = None

    def __call__(self) -> _Value:
        """The value, or the exception that making it ended with."""
        with self._lock:
            if self._error is None and not self._values:
                try:
                    self._values.append(self._make())
                except Exception as error:  # kept for everybody, raised below
                    self._error = error
        if self._error is not None:
            raise self._error
        return self._values[0]
