"""libpq's password file: how a process finds its way into the database.

Owns the file and its mode. libpq reads it at every new connection, so a changed password needs
no restart; and unlike a URL, an argument or a variable it shows up in no process list.
"""

from __future__ import annotations

import stat
from pathlib import Path

import pulumi
from pulumi.dynamic import Resource

from infra.database_endpoint import DatabaseEndpoint
from infra.local.layout import write_private_file
from infra.local.provider import LocalProvider, Properties

PRIVATE = 0o600


class PasswordFileProvider(LocalProvider):
    """Writes one line: host, port, database, user, password."""

    replace_on = frozenset({"path"})

    def make(self, props: Properties) -> tuple[str, Properties]:
        """Write the file whole."""
        write_private_file(Path(props["path"]), password_line(props))
        return str(props["path"]), {}

    def observe(self, props: Properties) -> Properties | None:
        """Missing, changed by hand, or readable by others (libpq ignores such a file)."""
        path = Path(props["path"])
        try:
            intact = path.read_bytes() == password_line(props).encode()
            private = stat.S_IMODE(path.stat().st_mode) == PRIVATE
        except OSError:
            return None
        return {"state": "intact" if intact and private else "changed"}

    def change(self, olds: Properties, news: Properties) -> Properties:
        """Write it anew."""
        del olds
        self.make(news)
        return {}

    def remove(self, props: Properties) -> None:
        """Remove it: it is of no use without the stack, and a secret."""
        Path(props["path"]).unlink(missing_ok=True)


def password_line(props: Properties) -> str:
    """The file's one line; `:` and `\\` are escaped as libpq wants it."""
    fields = (props["host"], props["port"], props["database"], props["user"], props["password"])
    escaped = [str(field).replace("\\", "\\\\").replace(":", "\\:") for field in fields]
    return ":".join(escaped) + "\n"


class PasswordFile(Resource, module="local", name="PasswordFile"):
    """One password file."""

    path: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        path: Path,
        endpoint: DatabaseEndpoint,
        *,
        password: pulumi.Input[str],
        opts: pulumi.ResourceOptions,
    ) -> None:
        """Declare the file that opens `endpoint`."""
        props = {
            "path": str(path),
            "host": endpoint.host,
            "port": endpoint.port,
            # The same user's other databases too: a registry may have one of its own.
            "database": "*",
            "user": endpoint.user,
            "password": pulumi.Output.secret(password),
            "state": "intact",
        }
        super().__init__(PasswordFileProvider(), name, props, opts)
