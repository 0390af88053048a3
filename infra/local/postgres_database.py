"""What lies inside the running PostgreSQL: the server's role and its databases.

Owns their creation and the role's password, repeated safely at every deployment. Tables belong to
MLflow's migrations. psycopg is imported when it is needed: a preview that changes nothing never
loads it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from infra.local.scram import scram_verifier

if TYPE_CHECKING:
    from psycopg import Connection

Answer = Literal["accepts", "refuses", "silent"]

CONNECT_SECONDS = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Login:
    """One way into one PostgreSQL."""

    host: str
    port: int
    user: str
    password: str
    database: str = "postgres"

    def __repr__(self) -> str:
        """Without the password."""
        return f"Login({self.user}@{self.host}:{self.port}/{self.database})"

    def connect(self) -> Connection:
        """A connection that commits every statement."""
        import psycopg

        return psycopg.connect(
            host=self.host,
            port=self.port,
            user=self.user,
            password=self.password,
            dbname=self.database,
            connect_timeout=CONNECT_SECONDS,
            application_name="mlflow-platform deployment",
            autocommit=True,
        )

    def answer(self) -> Answer:
        """Whether the server lets us in: a real query, not an open port."""
        import psycopg

        try:
            with self.connect() as connection:
                connection.execute("SELECT 1")
        except psycopg.OperationalError as error:
            refused = ("authentication failed", "does not exist", "no pg_hba.conf entry")
            return "refuses" if any(words in str(error) for words in refused) else "silent"
        return "accepts"


def ensure_role(login: Login, user: str, password: str) -> None:
    """Make the role, or give the existing one this password."""
    from psycopg import sql

    with login.connect() as connection:
        found = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (user,)).fetchone()
        verb = sql.SQL("ALTER" if found else "CREATE")
        connection.execute(
            sql.SQL("{} ROLE {} WITH LOGIN NOSUPERUSER PASSWORD {}").format(
                verb, sql.Identifier(user), sql.Literal(scram_verifier(password))
            )
        )


def ensure_databases(login: Login, owner: str, names: Sequence[str]) -> None:
    """Make the databases that are missing; existing ones are left as they are."""
    from psycopg import sql

    with login.connect() as connection:
        for name in names:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
            if known.fetchone():
                continue
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0").format(
                    sql.Identifier(name), sql.Identifier(owner)
                )
            )
            # Every role may connect to a new database by default; this one has one user.
            connection.execute(
                sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name))
            )
