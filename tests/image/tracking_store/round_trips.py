"""Counts how often a store waits for PostgreSQL: pings, BEGIN and COMMIT included.

PostgreSQL ends its answer to everything it was sent with ReadyForQuery; libpq's own trace of the
protocol says how many there were. Pooled connections are traced from their making on.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import event


class RoundTrips:
    """The round trips of one engine."""

    def __init__(self, engine: sqlalchemy.Engine, folder: Path) -> None:
        self._path = folder / "trace"
        self._trace = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._connections: list[Any] = []
        engine.dispose()  # those that exist are not traced
        event.listen(engine, "connect", self._connected)

    def of(self, call: Callable[[], object]) -> int:
        """How many round trips a call makes."""
        before = self._count()
        call()
        return self._count() - before

    def _connected(self, connection: Any, _record: object) -> None:
        connection.pgconn.trace(self._trace)
        self._connections.append(connection)

    def _count(self) -> int:
        for connection in self._connections:
            if not connection.closed:
                connection.pgconn.untrace()  # libpq writes what it has kept back
                connection.pgconn.trace(self._trace)
        return self._path.read_text(errors="replace").count("ReadyForQuery")
