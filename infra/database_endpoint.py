"""Where a PostgreSQL database answers, as every part of the platform writes it down.

Owns the URL the server is given and libpq's limits in it. It never holds a password: psycopg reads
that from `PGPASSFILE` or `PGPASSWORD`, so no URL, log line or argument list can carry it.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, urlencode

CONNECT_TIMEOUT_SECONDS = 10
"""libpq's limit for one attempt to connect; without it a vanished host hangs a request."""

GONE_AFTER_SECONDS = 15
"""A database whose machine has not answered a packet for this long is gone (a failover).

With the attempt to connect anew it stays below the 30 s that a statement may take, so that a
request ends with an error when its client still waits for it.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class DatabaseEndpoint:
    """Where a PostgreSQL database answers; never with its password."""

    host: str  # "": libpq's PGHOST and PGPORT say where, in the server's environment
    port: int
    name: str
    user: str
    ssl_mode: str | None = None  # libpq's sslmode; None leaves libpq's default (prefer)

    def url(self, driver: str = "psycopg") -> str:
        """SQLAlchemy URL without a password.

        The query carries what libpq has no environment variable for: keepalives that notice a
        database gone without a reset (a failover) after 15 seconds instead of two hours.
        """
        query = {
            "application_name": "mlflow",
            "connect_timeout": str(CONNECT_TIMEOUT_SECONDS),
            "keepalives_idle": "5",
            "keepalives_interval": "5",
            "keepalives_count": "2",
            "tcp_user_timeout": str(GONE_AFTER_SECONDS * 1000),
        }
        if self.ssl_mode:
            query["sslmode"] = self.ssl_mode
        host = f"[{self.host}]" if ":" in self.host else self.host
        address = f"{host}:{self.port}" if host else ""
        # A role such as `mlflow@server` (Azure's form) would otherwise end at its `@`.
        user, name = quote(self.user, safe=""), quote(self.name, safe="")
        return f"postgresql+{driver}://{user}@{address}/{name}?{urlencode(query)}"
