"""A PostgreSQL of the drill's own, in a temporary folder and gone afterwards.

Owns starting and stopping it. It listens on no network address: only on a socket in a folder that
is its user's alone, because it holds a copy of everything. Nothing in it has to survive, so it
does not wait for the disk. PostgreSQL refuses to run as root: root starts it as `nobody`, which
keeps one right where it may have it, to read the programs wherever they lie.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from operations.database_login import DatabaseLogin
from smoke_tests.errors import CouldNotLook
from smoke_tests.masking import Masker

USER = "mlflow"
_SERVICE_USER = "nobody"
_SETTINGS = (
    "listen_addresses=",
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "autovacuum=off",
    "max_connections=20",
    "shared_buffers=128MB",
    "log_statement=none",
)
_PORT = 5432  # names the socket's file and nothing else


class DrillPostgres:
    """One cluster with one empty database."""

    def __init__(self, binaries: Path, folder: Path, masker: Masker) -> None:
        """`folder` is empty and this command's own; nothing runs yet."""
        self._binaries = binaries
        self._folder = folder
        self._data = folder / "data"
        self._masker = masker
        self._prefix: Sequence[str] = ()

    @property
    def login(self) -> DatabaseLogin:
        """The way in."""
        return DatabaseLogin(
            host=str(self._folder),
            port=_PORT,
            name="postgres",
            user=USER,
            password="nobody-asks",  # noqa: S106  # the socket's folder is the protection
            ssl_mode="disable",
            masker=self._masker,
        )

    def __enter__(self) -> DrillPostgres:
        """Make it and start it.

        Raises:
            CouldNotLook: it cannot be started here.
        """
        if not (self._binaries / "initdb").is_file():
            raise CouldNotLook(
                f"a drill starts a PostgreSQL of its own, and {self._binaries} has no initdb: give "
                "the directory of a whole installation with --postgres-bin-dir"
            )
        self._folder.chmod(0o700)
        self._prefix = self._become_ordinary()
        self._run(
            "initdb",
            *("-D", str(self._data), "-U", USER, "-A", "trust", "--no-sync"),
            *("--encoding=UTF8", "--locale=C"),
        )
        options = " ".join(f"-c {setting}" for setting in _SETTINGS)
        options += f" -c unix_socket_directories='{self._folder}' -c port={_PORT}"
        log = str(self._folder / "postgresql.log")
        try:
            self._run("pg_ctl", "-D", str(self._data), "-o", options, "-l", log, "-w", "start")
        except BaseException:  # too slow, or Ctrl-C: it may run all the same
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop it; its folder is somebody else's to remove."""
        self._stop()

    def _stop(self) -> None:
        self._finished("pg_ctl", "-D", str(self._data), "-m", "immediate", "-w", "stop")

    def _become_ordinary(self) -> Sequence[str]:
        if os.geteuid() != 0:
            return ()
        user = pwd.getpwnam(_SERVICE_USER)
        os.chown(self._folder, user.pw_uid, user.pw_gid)
        setpriv = shutil.which("setpriv") or "setpriv"
        identity = (f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups")
        for kept in ("-all,+dac_read_search", "-all"):
            prefix = (
                *(setpriv, *identity, f"--bounding-set={kept}"),
                *(f"--inh-caps={kept}", f"--ambient-caps={kept}", "--no-new-privs", "--"),
            )
            if _can(prefix, "test", "-x", str(self._binaries / "postgres")) and _can(
                # It owns the folder; whether it gets there is the question. (`test -w` says no to
                # what that one right allows.)
                prefix,
                "test",
                "-e",
                f"{self._folder}/.",
            ):
                return prefix
        raise CouldNotLook(
            f"PostgreSQL refuses to run as root, and the user {_SERVICE_USER} reaches not both "
            f"{self._binaries} and {self._folder}: run the command as an ordinary user, or give a "
            "folder that others may enter with --scratch"
        )

    def _run(self, program: str, *arguments: str) -> None:
        done = self._finished(program, *arguments)
        if done.returncode != 0:
            log = self._folder / "postgresql.log"
            said = done.stdout + (log.read_text(errors="replace") if log.is_file() else "")
            words = " / ".join(line.strip() for line in said.splitlines() if line.strip())
            raise CouldNotLook(
                f"the drill's own PostgreSQL did not start, {program} said: {words[-400:]}"
            )

    def _finished(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        output = self._folder / f"{program}.output"
        with output.open("w+") as file:  # a pipe would stay open as long as the server runs
            done = subprocess.run(
                [*self._prefix, str(self._binaries / program), *arguments],
                cwd="/",
                # No PG… variable of the caller may turn this into another database.
                env={"PATH": os.defpath, "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                check=False,
                start_new_session=True,  # a Ctrl-C is for whoever stops it in order
            )
            file.seek(0)
            return subprocess.CompletedProcess(done.args, done.returncode, file.read(), "")


def _can(prefix: Sequence[str], *command: str) -> bool:
    try:
        return (
            subprocess.run(
                [*prefix, *command],
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=False,
            ).returncode
            == 0
        )
    except OSError:
        return False
