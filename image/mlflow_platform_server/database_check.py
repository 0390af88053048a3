"""Is the database there, may we in, and has it the schema of this MLflow: asked before any import.

Owns the one connection that is made before the server starts, and what its failure means. What no
retry can mend (a wrong password, an unknown database, another schema) ends the start at once with
one sentence; what may still come (no listener yet, starting up, no address yet) is waited for, with
a line at each step. MLflow itself waits 105 s for either and then prints a traceback.

Works for PostgreSQL and SQLite; another database is left to MLflow's own check.
"""

from __future__ import annotations

import re
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from mlflow_platform_server.database_tokens import TokenSource
from mlflow_platform_server.errors import CannotStart
from mlflow_platform_server.schema_history import installed_revisions

FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 5.0

HOPELESS = (
    (r"password authentication failed|no password supplied|empty password", "password"),
    (r'database "[^"]*" does not exist', "database"),
    (r'role "[^"]*" does not exist', "user"),
    (r"no pg_hba\.conf entry|pg_hba\.conf rejects", "access"),
    (r"permission denied for database|is not permitted to log in", "access"),
    (r"certificate verify failed|root certificate file .* does not exist", "certificate"),
    (r"server does not support SSL", "certificate"),
    (r"invalid connection option|invalid sslmode value|invalid dsn", "address"),
)
"""What libpq says when asking again is useless. Its errors have no code before the log-in."""

REMEDIES = {
    "password": "give the server the password that this user has (PGPASSWORD or PGPASSFILE)",
    "database": "create it, or name the one that exists in --backend-store-uri",
    "user": "create the role, or name the one that exists in --backend-store-uri",
    "access": "let this user connect from here (pg_hba.conf, or the database's own rules)",
    "certificate": "correct sslmode, or the certificate it is checked with",
    "address": "correct --backend-store-uri",
}


def check_database(uri: str, tokens: TokenSource | None, wait_seconds: float) -> None:
    """Return when the database can be served from.

    Raises:
        CannotStart: it cannot, or it did not come within `wait_seconds`.
    """
    scheme = urlsplit(uri).scheme
    if scheme.startswith("sqlite"):
        _judge(_sqlite_revision(uri), uri)
    elif scheme in ("postgresql", "postgresql+psycopg", "postgresql+psycopg2"):
        _judge(_postgresql_revision(uri, tokens, wait_seconds), uri)


def shown(uri: str) -> str:
    """A database's address without query and password."""
    parts = urlsplit(uri)
    host = parts.netloc.rpartition("@")[2]
    user = unquote(parts.username or "")
    return f"{parts.scheme.partition('+')[0]}://{user}{'@' if user else ''}{host}{parts.path}"


def _judge(revision: str | None, uri: str) -> None:
    history = installed_revisions()
    command = f"`python -m mlflow_platform_server migrate --backend-store-uri {shown(uri)}`"
    if revision is None:
        raise CannotStart(
            f"{shown(uri)} has no MLflow schema: make it first, alone, with {command}"
        )
    if revision == history.head:
        return
    if revision not in history.known:
        raise CannotStart(
            f"the schema of {shown(uri)} is at revision {revision}, which this MLflow does not "
            f"know (it wants {history.head}): a newer MLflow made it; run that version, or restore "
            "a backup made before its upgrade"
        )
    raise CannotStart(
        f"the schema of {shown(uri)} is at revision {revision} and this MLflow wants "
        f"{history.head}: make a backup, then upgrade it with {command}"
    )


def _sqlite_revision(uri: str) -> str | None:
    path = Path(urlsplit(uri).path.removeprefix("/") or ":memory:")
    if not path.exists():
        return None
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as connection:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.DatabaseError as error:
        if "no such table" in str(error):
            return None
        raise CannotStart(
            f"{shown(uri)} cannot be read ({error}): name a SQLite file that nothing else holds"
        ) from None
    return str(row[0]) if row else None


def _postgresql_revision(uri: str, tokens: TokenSource | None, wait_seconds: float) -> str | None:
    import psycopg

    conninfo = re.sub(r"^postgresql\+\w+:", "postgresql:", uri)
    started = time.monotonic()
    pause = FIRST_PAUSE_SECONDS
    while True:
        try:
            with psycopg.connect(_with_token(conninfo, tokens)) as connection:
                return _stored_revision(connection)
        except psycopg.errors.InsufficientPrivilege as error:
            raise CannotStart(
                f"{shown(uri)} lets this user in but not read its schema "
                f"({_first_line(error)}): grant the user its tables"
            ) from None
        except (psycopg.OperationalError, psycopg.ProgrammingError) as error:
            said = _first_line(error)
            if reason := _hopeless(str(error)):
                raise CannotStart(f"{shown(uri)}: {said}; {REMEDIES[reason]}") from None
            waited = time.monotonic() - started
            if waited + pause > wait_seconds:
                raise CannotStart(
                    f"{shown(uri)} did not come within {wait_seconds:g} s: {said}; see to it that "
                    "the database runs and can be reached from here"
                ) from None
            sys.stderr.write(
                f"waiting for {shown(uri)} ({waited:.0f} of {wait_seconds:g} s): {said}\n"
            )
            sys.stderr.flush()
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


def _stored_revision(connection: Any) -> str | None:
    # One round trip for both questions: a missing table is an answer, not an error.
    found = connection.execute("SELECT to_regclass('alembic_version') IS NOT NULL").fetchone()
    if not found[0]:
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(row[0]) if row else None


def _with_token(conninfo: str, tokens: TokenSource | None) -> str:
    if tokens is None:
        return conninfo
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    return make_conninfo(conninfo, password=tokens.password_for(conninfo_to_dict(conninfo)))


def _hopeless(message: str) -> str | None:
    # One of several addresses may be starting while another refuses: only all of them count.
    lines = [line for line in message.splitlines() if "failed:" in line] or [message]
    reasons = [
        next((reason for pattern, reason in HOPELESS if re.search(pattern, line)), None)
        for line in lines
    ]
    return reasons[0] if None not in reasons else None


def _first_line(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    line = text.splitlines()[0]
    # libpq writes `connection failed: connection to server at "…", port 1 failed: <reason>`.
    return line.rpartition(" failed: ")[2] or line
