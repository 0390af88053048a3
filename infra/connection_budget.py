"""The connection budget: can every accepted request get its connections, and has the database room?

Owns two rules and their arithmetic in words, so that the deadlock they prevent cannot be deployed:

- One `log-batch` holds two pooled connections at once (measured on MLflow 3.17). A worker whose
  requests hold all connections of its pool, each waiting for a second one, stands still for 30 s
  and answers HTTP 400: metrics are lost. So a worker's pool must have two connections for every
  request that the worker serves at once.
- All workers of all replicas must fit the database, less a reserve for people, backups and
  migrations; past that PostgreSQL answers "too many clients already".

It opens no connection: it counts.
"""

from __future__ import annotations

from dataclasses import dataclass

CONNECTIONS_PER_REQUEST = 2
"""What one `log-batch` takes at once: one to write, one to look up the run."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ConnectionBudget:
    """Connections wanted by a platform's servers and offered by its database."""

    replicas: int  # servers at their most
    surge: int = 0  # more of them while a rollout replaces one by one
    workers: int  # processes of one server
    threads: int  # requests one worker serves at once
    pool_size: int  # connections a pool keeps open
    max_overflow: int  # more that it opens for a burst
    stores: int = 2  # pools in a worker: tracking and registry, and users with basic authentication
    max_connections: int
    reserved_connections: int

    @property
    def pool(self) -> int:
        """Most connections one store of one worker can hold at once."""
        return self.pool_size + self.max_overflow

    @property
    def per_worker(self) -> int:
        """Most connections one worker has open.

        All its requests may be in one store, whose pool is then full, while the pools of the other
        stores still keep their idle connections open from before.
        """
        return self.pool + (self.stores - 1) * self.pool_size

    @property
    def wanted(self) -> int:
        """Most connections all servers together have open."""
        return (self.replicas + self.surge) * self.workers * self.per_worker

    @property
    def available(self) -> int:
        """What the database grants them."""
        return self.max_connections - self.reserved_connections

    @property
    def pool_serves_every_request(self) -> bool:
        """Whether no request can wait for a connection that only waiting requests hold."""
        return self.pool >= CONNECTIONS_PER_REQUEST * self.threads

    @property
    def fits_the_database(self) -> bool:
        """Whether the database has room for every pool at its fullest."""
        return self.wanted <= self.available

    def describe(self) -> str:
        """The arithmetic in words, for an output and for messages."""
        sign = "≤" if self.fits_the_database else ">"
        replicas = _count(self.replicas, "replica")
        if self.surge:
            replicas = f"({replicas} + {self.surge} during a rollout)"
        return (
            f"{replicas} × {_count(self.workers, 'worker')} × "
            f"({self.pool_size} + {self.max_overflow} in use"
            f" + {(self.stores - 1) * self.pool_size} idle in other pools)"
            f" = {self.wanted} connections {sign} "
            f"{self.max_connections} of the database − {self.reserved_connections} reserved"
            f" = {self.available}"
        )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
