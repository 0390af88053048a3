"""The arithmetic of database connections: what the workers may open, what the database accepts.

Owns two rules and their words. A worker's pool must serve every request the worker accepts at
once, with the two connections that one `log-batch` holds: a smaller one deadlocks. All pools of
all workers must fit the database: more end in "too many clients already". It derives nothing; the
numbers come from `settings_derivation` or the user.
"""

from __future__ import annotations

from dataclasses import dataclass

CONNECTIONS_PER_REQUEST = 2
"""Pooled connections one `log-batch` holds at once (measured on MLflow 3.17)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ConnectionBudget:
    """How many connections the platform may need, and how many there are."""

    replicas: int
    workers: int  # per replica
    threads: int  # requests a worker serves at once
    pool_size: int
    max_overflow: int
    max_connections: int  # of the database; 0: it counts none (sqlite)
    reserved: int  # not for the server

    def describe(self) -> str:
        """The arithmetic in words."""
        return f"{self.replicas} × {self.workers} × ({self.pool_size} + {self.max_overflow})"
