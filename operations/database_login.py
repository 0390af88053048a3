"""How the operations reach the stack's database from here, where they can.

Owns the way from a stack's outputs to a PostgreSQL connection: as the server's own user, with the
password among the outputs. Where there is no such way (SQLite, a private address, no password), it
says so in words; that is no error of a command that can do without.

A private database (RDS, Cloud SQL) is reached through a tunnel: `through` gives the address that
the tunnel has here. The certificate is still that of the database's own name, and is checked
against it. A password that no output shows is PGPASSWORD.
"""

from __future__ import annotations

import argparse
import contextlib
import socket
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from smoke_tests.errors import CouldNotLook
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
    address: str | None = None  # where connections go instead of to the host: a tunnel's end

    @classmethod
    def from_outputs(
        cls,
        outputs: PlatformOutputs,
        masker: Masker,
        *,
        environ: Mapping[str, str] | None = None,
    ) -> DatabaseLogin:
        """The way that a stack's outputs show.

        Raises:
            NotReachable: they show none.
        """
        if outputs.backend_store.startswith("sqlite:"):
            raise NotReachable("the backend store is a SQLite file")
        if not outputs.database_host:
            raise NotReachable("the stack exports no databaseHost")
        password = outputs.database_password or (environ or {}).get("PGPASSWORD")
        if not password:
            raise NotReachable("the stack exports no databasePassword")
        masker.remember(password)
        query = parse_qs(urlsplit(outputs.backend_store).query)
        return cls(
            host=outputs.database_host,
            port=outputs.database_port or 5432,
            name=outputs.database_name or "mlflow",
            user=outputs.database_user or "mlflow",
            password=password,
            ssl_mode=query.get("sslmode", [None])[0],
            masker=masker,
        )

    def through(self, host: str | None, port: int | None) -> DatabaseLogin:
        """The same database at the end of a tunnel.

        Raises:
            NotReachable: the host's name leads nowhere.
        """
        if host is None:
            return self if port is None else replace(self, port=port)
        try:
            found = socket.getaddrinfo(host, port or self.port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise NotReachable(f"the host {host} is not known here ({error.strerror})") from None
        return replace(self, address=str(found[0][4][0]), port=port or self.port)

    def libpq_environment(self) -> dict[str, str]:
        """What PostgreSQL's own programs are given: never in their arguments."""
        environment = {
            "PGHOST": self.host,
            "PGPORT": str(self.port),
            "PGUSER": self.user,
            "PGDATABASE": self.name,
            "PGPASSWORD": self.password,
            "PGSSLMODE": self.ssl_mode or "prefer",
            "PGCONNECT_TIMEOUT": str(CONNECT_SECONDS),
            "PGAPPNAME": APPLICATION_NAME,
        }
        if self.address is not None:
            environment["PGHOSTADDR"] = self.address
        return environment

    def unreachable(self, problem: NotReachable) -> str:
        """The sentence for a command that cannot do without the database."""
        at = f"{self.address or self.host}:{self.port}"
        return (
            f"the database {self.name} cannot be reached from here at {at} ({problem}): where it "
            "is private, open a tunnel to it or run the command inside its network, and give the "
            "tunnel's end with --database-host and --database-port"
        )

    @contextlib.contextmanager
    def asked(self) -> Generator[Any]:
        """A connection for a command that cannot do without, closed afterwards.

        Raises:
            CouldNotLook: nobody answers there, we are not let in, or a question is refused.
        """
        import psycopg

        try:
            with self.connect() as connection:
                yield connection
        except NotReachable as problem:
            raise CouldNotLook(self.unreachable(problem)) from None
        except psycopg.Error as error:
            said = " ".join(self.masker.foreign(str(error)).split()) or type(error).__name__
            raise CouldNotLook(
                f"the database {self.name} at {self.host}:{self.port} did not answer a question "
                f"({said}): run the command again when it does"
            ) from None

    def connect(self) -> Any:
        """A psycopg connection that commits every statement.

        Raises:
            NotReachable: nobody answers there, or we are not let in.
        """
        import psycopg

        try:
            return psycopg.connect(
                host=self.host,
                hostaddr=self.address,
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


def add_database_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare where a private database is reached."""
    add = parser.add_argument
    add("--database-host", metavar="HOST", help="where a tunnel to the database ends here")
    add("--database-port", metavar="PORT", help="its port")
