"""Numbers the user leaves to the platform, derived so that the connection budget holds.

Owns the arithmetic behind `auto`: threads, pool, workers and the database's `max_connections`. A
number the user gave is never changed here; whether all of them fit is for the budget's rules to
say.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from infra.connection_budget import CONNECTIONS_PER_REQUEST, ConnectionBudget
from infra.settings_parsing import Parsed
from infra.settings_server_size import size_of

SMALLEST_POOL = 10
FEWEST_KEPT_OPEN = 5
POSTGRESQL_DEFAULT_MAX_CONNECTIONS = 100
POSTGRESQL_MOST_CONNECTIONS = 262121
"""Highest `max_connections` that PostgreSQL starts with: 262,143 processes, less its own 22.

A budget beyond it is refused by its rule.
"""


ROLLING_SURGE = 1
"""Servers that a Deployment starts before it ends one of the old version."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """What the numbers depend on beside the settings themselves."""

    target: str
    engine: str  # of the database
    external: bool  # the database is the user's
    cores: int  # of this machine


def derive_budget(parsed: Parsed, place: Place) -> ConnectionBudget:
    """The budget with every number in it: those given as they are, the others derived."""
    threads = parsed.number_or_auto("serverThreads") or size_of(parsed).threads
    size, overflow = _pool(parsed, threads)
    given = parsed.number_or_auto("databaseMaxConnections")
    budget = ConnectionBudget(
        replicas=parsed.number("serverReplicas"),
        surge=ROLLING_SURGE if place.target == "aws" else 0,
        workers=1,
        threads=threads,
        pool_size=size,
        max_overflow=overflow,
        stores=_stores(parsed),
        max_connections=given or POSTGRESQL_DEFAULT_MAX_CONNECTIONS,
        reserved_connections=parsed.number("databaseReservedConnections"),
    )
    elastic = given is None and not place.external
    workers = parsed.number_or_auto("serverWorkers")
    if workers is None:
        most = _most_workers(place, size_of(parsed).workers)
        workers = most if elastic else _workers_that_fit(budget, most)
    budget = replace(budget, workers=workers)
    if elastic:
        return _with_room(budget)
    autos = (parsed.number_or_auto("poolSize"), parsed.number_or_auto("poolMaxOverflow"))
    if place.engine == "postgresql" and autos == (None, None):
        return _with_fewer_kept_open(budget)
    return budget


def _most_workers(place: Place, wanted: int) -> int:
    if place.engine == "sqlite":
        return 1
    # The deploying machine's cores say nothing of a container's.
    return min(place.cores, wanted) if place.target == "local" else wanted


def _pool(parsed: Parsed, threads: int) -> tuple[int, int]:
    """Size and overflow."""
    enough = CONNECTIONS_PER_REQUEST * threads
    overflow = parsed.number_or_auto("poolMaxOverflow")
    size = parsed.number_or_auto("poolSize")
    if size is None:
        # Half of what is ever wanted stays open: the rest is for bursts, and costs a connection
        # set-up each time.
        size = max(SMALLEST_POOL, threads // 2, enough - overflow if overflow is not None else 0)
    if overflow is None:
        # One at the least: MLflow takes 0 for "not set", and SQLAlchemy's own 10 would apply.
        overflow = max(1, enough - size)
    return size, overflow


def _stores(parsed: Parsed) -> int:
    """Stores of a worker that have a pool each in the backend store's database."""
    return (
        1
        + (not parsed.text("registryStoreUri").startswith("sqlite"))
        + (parsed.text("authentication") == "basic")
        + parsed.flag("serverJobExecution")
    )


def _workers_that_fit(budget: ConnectionBudget, most: int) -> int:
    """As many workers as the database has room for; one at the least, which a rule then judges."""
    fitting = [n for n in range(1, most + 1) if replace(budget, workers=n).fits_the_database]
    return max(fitting, default=1)


def _with_fewer_kept_open(budget: ConnectionBudget) -> ConnectionBudget:
    """The budget with a smaller pool and a larger burst, where the database is too small for it.

    What a pool keeps open counts once for every store, a burst once for all of them. As far down
    as SQLAlchemy's own default; what fits nowhere is left as it was, for a rule to judge.
    """
    for size in range(budget.pool_size, FEWEST_KEPT_OPEN - 1, -1):
        smaller = replace(budget, pool_size=size, max_overflow=max(1, budget.pool - size))
        if smaller.fits_the_database:
            return smaller
    return budget


def _with_room(budget: ConnectionBudget) -> ConnectionBudget:
    """The budget on a database of ours, which gets the connections that are wanted.

    Counted for pools as large as they can sensibly be, not as they are set: a changed pool is then
    an update of the server alone, and PostgreSQL is not restarted for it.
    """
    largest_pool = CONNECTIONS_PER_REQUEST * budget.threads
    servers = budget.replicas + budget.surge
    largest = servers * budget.workers * budget.stores * largest_pool
    needed = max(budget.wanted, largest) + budget.reserved_connections
    rounded = -(-needed // 20) * 20
    room = min(max(POSTGRESQL_DEFAULT_MAX_CONNECTIONS, rounded), POSTGRESQL_MOST_CONNECTIONS)
    return replace(budget, max_connections=room)
