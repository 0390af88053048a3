"""The backend store, from its settings or from the URI of an existing one.

Owns taking `backendStoreUri` apart: the password leaves the URL here and travels as a secret from
then on (docs/decisions/0003). MLflow's driver is chosen here too: psycopg 3 answers a `log-batch`
of 1,000 known metrics in 20 round trips where psycopg2 takes 1,013.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, unquote, urlsplit

DRIVERS = ("postgresql", "postgres", "postgresql+psycopg", "postgresql+psycopg2")
"""Schemes that guides use; all of them are served by psycopg 3 here."""

_QUERY = {"sslmode"}

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
"""What libpq takes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ExternalDatabase:
    """An existing database, taken from a URI."""

    engine: str  # `postgresql` or `sqlite`
    uri: str  # without password
    host: str = ""
    port: int = 5432
    name: str = ""
    user: str = ""
    password: str | None = None
    ssl_mode: str | None = None


def parse_backend_store(uri: str) -> ExternalDatabase:
    """Take the URI of an existing backend store apart.

    Raises:
        ValueError: with a sentence that never repeats the URI, which may hold a password.
    """
    if uri.startswith("sqlite:///"):
        return ExternalDatabase(engine="sqlite", uri=uri)
    if uri.startswith("<<"):
        raise ValueError(
            "is a placeholder for a managed connection pool; leave the setting out and the "
            "platform provisions the database and sizes its pool"
        )
    try:
        parts = urlsplit(uri)
        port = parts.port or 5432
    except ValueError:
        raise ValueError(
            "cannot be read as a URI: write postgresql://user:password@host:5432/database, with "
            "special characters in the password percent-encoded"
        ) from None
    if parts.scheme not in DRIVERS:
        raise ValueError(
            f"begins with {parts.scheme or 'no scheme'!r}; supported are postgresql:// and (on one "
            "machine) sqlite:///"
        )
    name = unquote(parts.path.lstrip("/"))
    missing = [
        what
        for what, found in (("host", parts.hostname), ("user", parts.username), ("database", name))
        if not found
    ]
    query = dict(parse_qsl(parts.query))
    if missing:
        raise ValueError(
            f"names no {' and no '.join(missing)}: write postgresql://user:password@host:5432/"
            "database"
        )
    if unknown := sorted(query.keys() - _QUERY):
        raise ValueError(
            f"has the parameter {unknown[0]!r}; only sslmode is taken from it, the server's other "
            "limits come from the timeout settings"
        )
    ssl_mode = query.get("sslmode")
    if ssl_mode not in (None, *SSL_MODES):
        raise ValueError(f"has an sslmode that libpq does not know; write {' or '.join(SSL_MODES)}")
    password = unquote(parts.password) if parts.password else None
    user = unquote(parts.username or "")
    host = parts.hostname or ""
    authority = f"{quote(user, safe='')}@{f'[{host}]' if ':' in host else host}:{port}"
    return ExternalDatabase(
        engine="postgresql",
        uri=f"postgresql://{authority}/{quote(name, safe='')}",
        host=host,
        port=port,
        name=name,
        user=user,
        password=password,
        ssl_mode=ssl_mode,
    )
