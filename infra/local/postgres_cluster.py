"""PostgreSQL's data directory: made once, adopted ever after, never wiped.

Owns `initdb`, who may log in (`pg_hba.conf`) and the superuser's password, all while the server
is stopped. A directory comes into being under another name and is renamed when it is complete, so
an interrupted `initdb` leaves nothing that looks like a database.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.local.errors import LocalPlatformError
from infra.local.layout import private_directory, write_private_file
from infra.local.postgres_binaries import major_version
from infra.local.privileges import Privileges
from infra.local.scram import scram_verifier

SUPERUSER = "postgres"

ACCESS_RULES = (
    "# Written by `make up`. Only this machine, only with a password (never sent in clear).\n"
    "host all all 127.0.0.1/32 scram-sha-256\n"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Cluster:
    """A data directory and the programs that work on it."""

    directory: Path
    binaries: Path
    privileges: Privileges

    @property
    def exists(self) -> bool:
        """Whether there is a complete data directory."""
        return (self.directory / "PG_VERSION").is_file()

    def prepare(self, superuser_password: str) -> None:
        """Make it, or adopt it, so that a server can start; the server must be stopped.

        An adopted one gets the password of this stack: the one it had belonged to a state that
        is gone (`make down` keeps the data and forgets the passwords).
        """
        if self.exists:
            self._require_same_major_version()
            self._set_access(self.directory, superuser_password)
            return
        self._require_empty()
        unfinished = self.directory.with_name(f"{self.directory.name}.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        private_directory(unfinished)
        self.privileges.own(unfinished)
        self._initialise(unfinished)
        self._set_access(unfinished, superuser_password)
        if self.directory.exists():
            self.directory.rmdir()
        unfinished.rename(self.directory)

    def _initialise(self, directory: Path) -> None:
        done = self._run(
            [
                str(self.binaries / "initdb"),
                f"--pgdata={directory}",
                f"--username={SUPERUSER}",
                # Nobody gets in until `_set_access` has put a password in place.
                "--auth=reject",
                "--encoding=UTF8",
                # Sorts by code point everywhere: an index survives a move to another machine.
                "--locale=C",
                "--data-checksums",
            ]
        )
        if done.returncode != 0:
            raise LocalPlatformError(
                f"PostgreSQL's data directory {self.directory} could not be made; initdb said: "
                f"{_last_words(done.stdout)}"
            )

    def _set_access(self, directory: Path, superuser_password: str) -> None:
        rules = directory / "pg_hba.conf"
        write_private_file(rules, ACCESS_RULES)
        self.privileges.own(rules)
        verifier = scram_verifier(superuser_password)
        done = self._run(
            [
                str(self.binaries / "postgres"),
                "--single",
                "-D",
                str(directory),
                # Settings are the server's arguments; none of the files may get in the way here.
                "-c",
                "log_statement=none",
                "postgres",
            ],
            given=f"ALTER ROLE {SUPERUSER} WITH LOGIN SUPERUSER PASSWORD '{verifier}'\n",
        )
        if done.returncode != 0 or "ERROR:" in done.stdout or "FATAL:" in done.stdout:
            raise LocalPlatformError(
                f"PostgreSQL's data directory {self.directory} could not be opened; postgres said: "
                f"{_last_words(done.stdout.replace(verifier, '********'))}"
            )

    def _require_same_major_version(self) -> None:
        made_by = (self.directory / "PG_VERSION").read_text(encoding="utf-8").strip()
        offered = major_version(self.binaries)
        if made_by != offered:
            raise LocalPlatformError(
                f"the data in {self.directory} was made by PostgreSQL {made_by} and the programs "
                f"in {self.binaries} are PostgreSQL {offered}: set mlflow-platform:"
                f"localPostgresBinDir to PostgreSQL {made_by}, or convert the data with pg_upgrade"
            )

    def _require_empty(self) -> None:
        if self.directory.exists() and any(self.directory.iterdir()):
            raise LocalPlatformError(
                f"{self.directory} is to hold PostgreSQL's data, but holds something else: move "
                "its content away, or set mlflow-platform:localStateDir to another folder"
            )

    def _run(self, command: Sequence[str], given: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.privileges.prefix, *command],
            input=given,
            cwd="/",
            # No PG… variable of the caller may turn this into another database.
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            text=True,
        )


def _last_words(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return " / ".join(lines[-4:]) or "nothing"
