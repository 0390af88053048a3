"""What backup, restore and drill need of a stack before they begin.

Owns their common options and the way to the stack's database, with the refusals that come first: a
stack whose data a backup would not hold whole, a database that nobody can reach from here.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from operations.database_login import DatabaseLogin, NotReachable, add_database_arguments
from operations.place import Place
from smoke_tests.errors import CouldNotLook

if TYPE_CHECKING:
    from infra.outputs import PlatformOutputs


@dataclass(frozen=True, kw_only=True, slots=True)
class DatabaseAccess:
    """How the database is reached, where the stack's outputs are not enough."""

    host: str | None = None  # a tunnel's end
    port: int | None = None
    postgres_bin_dir: str | None = None

    @classmethod
    def from_arguments(cls, arguments: argparse.Namespace) -> DatabaseAccess:
        """As `add_database_arguments` declares them."""
        port = arguments.database_port
        return cls(
            host=arguments.database_host,
            port=None if port is None else whole_number("--database-port", port, largest=65_535),
            postgres_bin_dir=arguments.postgres_bin_dir,
        )


def add_backup_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what backup, restore and drill share."""
    add_database_arguments(parser)
    add = parser.add_argument
    add("--postgres-bin-dir", metavar="DIR", help="PostgreSQL's programs (default: the package's)")
    add("--scratch", metavar="DIR", help="where temporary files go (default: the system's place)")


def platform_of(place: Place) -> PlatformOutputs:
    """The stack's outputs, of a kind that can be backed up.

    Raises:
        CouldNotLook: no stack, or one whose data a backup would not hold whole.
    """
    outputs = place.outputs
    if outputs is None:
        raise CouldNotLook("no stack is named: give one with --stack")
    if outputs.backend_store.startswith("sqlite:"):
        raise CouldNotLook(
            f"the backend store of stack {place.stack} is a SQLite file: stop the server and copy "
            "the file and the artifact folder; the commands here back up PostgreSQL"
        )
    return outputs


def login_of(place: Place, access: DatabaseAccess) -> DatabaseLogin:
    """The way into the stack's database.

    Raises:
        CouldNotLook: the outputs show none.
    """
    outputs = platform_of(place)
    try:
        login = DatabaseLogin.from_outputs(outputs, place.masker, environ=place.environ)
        return login.through(access.host, access.port)
    except NotReachable as problem:
        raise CouldNotLook(
            f"the database of stack {place.stack} cannot be reached: {problem}; a password that "
            "the stack does not export is read from PGPASSWORD, and the end of a tunnel is given "
            "with --database-host and --database-port"
        ) from None


@contextlib.contextmanager
def temporary_folder(scratch: str | None) -> Generator[Path]:
    """A folder for this user alone, gone afterwards.

    Raises:
        CouldNotLook: it cannot be made there.
    """
    try:
        folder = tempfile.TemporaryDirectory(prefix="mlflow-platform-", dir=scratch)
    except OSError as error:
        raise CouldNotLook(
            f"no temporary folder can be made in {scratch or tempfile.gettempdir()} "
            f"({error.strerror}): give another place with --scratch"
        ) from None
    with folder as name:
        yield Path(name)


def whole_number(option: str, written: str, *, largest: int) -> int:
    """A whole number from 1 on.

    Raises:
        CouldNotLook: it is something else.
    """
    if written.isascii() and written.isdigit() and 1 <= int(written) <= largest:
        return int(written)
    raise CouldNotLook(f"{option} is {written!r}: give a whole number from 1 to {largest}")
