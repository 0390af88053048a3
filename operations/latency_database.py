"""How far away the database is: setting a connection up, its first query, and each one after.

Owns the numbers behind a connection pool: what a request pays that has to connect first, and what
one pays that does not. A query that does nothing takes one round trip; everything MLflow does is a
number of them.
"""

from __future__ import annotations

from operations.database_login import DatabaseLogin
from operations.timings import Timings
from smoke_tests.retrying import Clock

CONNECTIONS = 5  # more would measure the same, and each is a process of PostgreSQL's


def measure_database(login: DatabaseLogin, clock: Clock, tries: int) -> list[Timings]:
    """Connection set-up, first query on a new connection, pooled query.

    Raises:
        NotReachable: the database does not answer from here.
    """
    setup: list[float] = []
    first: list[float] = []
    pooled: list[float] = []
    for _ in range(min(tries, CONNECTIONS)):
        began = clock.monotonic()
        with login.connect() as connection:
            connected = clock.monotonic()
            connection.execute("SELECT 1").fetchone()
            answered = clock.monotonic()
        setup.append(connected - began)
        first.append(answered - connected)
    with login.connect() as connection:
        connection.execute("SELECT 1").fetchone()
        for _ in range(tries):
            began = clock.monotonic()
            connection.execute("SELECT 1").fetchone()
            pooled.append(clock.monotonic() - began)
    return [
        Timings(name="connection set-up", seconds=tuple(setup)),
        Timings(name="first query", seconds=tuple(first)),
        Timings(name="pooled query, a round trip", seconds=tuple(pooled)),
    ]
