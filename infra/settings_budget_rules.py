"""The connection budget as rules, with the arithmetic in the message.

Owns the two sentences a user reads when the numbers of a stack cannot work, and the numbers that
would. The counting itself is `connection_budget`'s.
"""

from __future__ import annotations

from collections.abc import Iterator

from infra.connection_budget import CONNECTIONS_PER_REQUEST
from infra.settings_model import PlatformSettings
from infra.settings_parsing import Parsed, Problem, problem


def pool_serves_every_request(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """Two connections for every request a worker serves at once."""
    # Of sqlite as well: its default pool of 5 + 10 stands still in the same way.
    size, overflow = settings.pool.size, settings.pool.max_overflow
    pool, threads = size + overflow, settings.server.threads
    needed = CONNECTIONS_PER_REQUEST * threads
    if pool >= needed:
        return
    key = "poolSize" if "poolMaxOverflow" not in parsed.given else "poolMaxOverflow"
    yield problem(
        key,
        f"gives a worker {size} + {overflow} = {pool} connections, but it serves {threads} "
        f"requests at once and each log-batch holds {CONNECTIONS_PER_REQUEST}: {threads} × "
        f"{CONNECTIONS_PER_REQUEST} = {needed}. With fewer it deadlocks under load and loses "
        f"metrics; raise poolMaxOverflow to {needed - size}, lower serverThreads to "
        f"{max(1, pool // CONNECTIONS_PER_REQUEST)}, or leave both at auto",
    )


def pools_fit_the_database(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """All pools of all workers of all replicas within what the database grants."""
    budget = settings.connection_budget
    if budget is None or budget.fits_the_database:
        return
    candidates = ("databaseMaxConnections", "serverReplicas", "serverWorkers", "poolSize")
    key = next((name for name in candidates if name in parsed.given), "databaseMaxConnections")
    yield problem(
        key,
        f"does not fit: {budget.describe()}. Past that PostgreSQL refuses connections; raise "
        f"databaseMaxConnections to {budget.wanted + budget.reserved_connections} (and the "
        "database with it), or lower serverReplicas, serverWorkers, poolSize or poolMaxOverflow",
    )


BUDGET_RULES = (pool_serves_every_request, pools_fit_the_database)
