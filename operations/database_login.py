"""How the operations reach the stack's database from here, where they can.

Owns the way from a stack's outputs to a PostgreSQL connection: as the server's own user, with the
password among the outputs. Where there is no such way (SQLite, a private address, no password), it
says so in words; that is no error of a command that can do without.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from smoke_tests.masking import Masker

if TYPE_CHECKING:
    from infra.outputs import PlatformOutputs

APPLICATION_NAME = "mlflow-platform operations"  # what we are called in pg_stat_activity
SERVER_APPLICATION_NAME = "mlflow"  # what the server's connections are called there
CONNECT_SECONDS = 5


class NotReachable(Exception):  # noqa: N818  # an answer, not a defect
    """The database cannot be asked from here; the text says why, without secrets."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DatabaseLogin:
    """One way into the stack's database."""

    host: str
    port: int
    name: str
    user: str
    password: str = field(repr=False)
    ssl_mode: str | None
    masker: Masker = field(repr=False)

    @classmethod
    def from_outputs(cls, outputs: PlatformOutputs, masker: Masker) -> DatabaseLogin:
        """The way that a stack's outputs show.

        Raises:
            NotReachable: they show none.
        """
        if outputs.backend_store.startswith("sqlite:"):
            raise NotReachable("the backend store is a SQLite file")
        if not outputs.database_host:
            raise NotReachable("the stack exports no databaseHost")
        if not outputs.database_password:
            raise NotReachable("the stack exports no databasePassword")
        query = parse_qs(urlsplit(outputs.backend_store).query)
        return cls(
            host=outputs.database_host,
            port=outputs.database_port or 5432,
            name=outputs.database_name or "mlflow",
            user=outputs.database_user or "mlflow",
            password=outputs.database_password,
            ssl_mode=query.get("sslmode", [None])[0],
            masker=masker,
        )

    def connect(self) -> Any:
        """A psycopg connection that commits every statement.

        Raises:
            NotReachable: nobody answers there, or we are not let in.
        """
        import psycopg

        try:
            return psycopg.connect(
                host=self.host,
                port=self.port,
                dbname=self.name,
                user=self.user,
                password=self.password,
                connect_timeout=CONNECT_SECONDS,
                application_name=APPLICATION_NAME,
                autocommit=True,
                sslmode=self.ssl_mode or "prefer",  # libpq's own default
            )
        except psycopg.Error as error:
            said = " ".join(self.masker.foreign(str(error)).split()) or type(error).__name__
            raise NotReachable(said) from None
