"""The steps of an upgrade that change something: the schema, the server, and the way back.

Owns the processes that do them, each what one would type: the image package's `migrate`, the
engine's `up` (or the command that was given instead), the four-stage check. Passwords reach them by
their environment.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from operations.database_login import DatabaseLogin
from operations.place import Place
from smoke_tests.errors import CouldNotLook
from smoke_tests.stack_target import PROJECT_DIRECTORY, engine_command, engine_environment

SERVER_PACKAGE = PROJECT_DIRECTORY / "image"
LONGEST_SECONDS = 6 * 3600.0


class StepFailed(Exception):  # noqa: N818  # an answer: the upgrade goes back
    """A step did not do what it should; the text is what it said last."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Schema:
    """A database's schema against the MLflow that is installed here."""

    revision: str | None  # None: there is none
    head: str
    ahead: tuple[str, ...]  # revisions that a migration would apply, in their order


def schema_of(login: DatabaseLogin) -> Schema:
    """Where the schema is, and what the installed MLflow would do to it.

    Raises:
        CouldNotLook: the database cannot be asked, or a newer MLflow made its schema.
    """
    from alembic.script import ScriptDirectory

    spec = find_spec("mlflow")
    if spec is None or not spec.submodule_search_locations:
        raise CouldNotLook("MLflow is not installed here: run `make setup`")
    folder = Path(spec.submodule_search_locations[0]) / "store" / "db_migrations"
    scripts = ScriptDirectory(str(folder))
    head = scripts.get_current_head() or ""
    revision = revision_of(login)
    known = {script.revision for script in scripts.walk_revisions()}
    if revision is not None and revision not in known:
        raise CouldNotLook(
            f"the schema is at revision {revision}, which MLflow {version('mlflow')} does not "
            "know: a newer MLflow made it; install that version here, or restore a backup made "
            "before its upgrade"
        )
    if revision is None:
        return Schema(revision=None, head=head, ahead=())
    steps = [script.revision for script in scripts.iterate_revisions(head, revision)]
    return Schema(revision=revision, head=head, ahead=tuple(reversed(steps)))


def revision_of(login: DatabaseLogin) -> str | None:
    """The schema's revision now.

    Raises:
        CouldNotLook: the database cannot be asked.
    """
    with login.asked() as connection:
        there = connection.execute("SELECT to_regclass('alembic_version')").fetchone()
        if there is None or there[0] is None:
            return None
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(row[0]) if row else None


def connections_of(login: DatabaseLogin) -> int:
    """Other sessions in the database, now.

    Raises:
        CouldNotLook: the database cannot be asked.
    """
    with login.asked() as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchone()
    return int(row[0]) if row else 0


def migrate(place: Place, login: DatabaseLogin) -> None:
    """Bring the schema to the installed MLflow's revision, and see that it is there.

    Raises:
        StepFailed: it is not.
    """
    uri = f"postgresql+psycopg://{login.user}@{login.host}:{login.port}/{login.name}"
    command = [sys.executable, "-m", "mlflow_platform_server", "migrate"]
    more = {
        **login.libpq_environment(),
        "PYTHONPATH": str(SERVER_PACKAGE),
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    _run(place, [*command, "--backend-store-uri", uri], more, shown_lines=1)
    schema = schema_of(login)
    if schema.revision != schema.head:
        raise StepFailed(
            f"the schema is at revision {schema.revision}, and MLflow {version('mlflow')} wants "
            f"{schema.head}"
        )


def require_command(option: str, written: str | None) -> None:
    """Refuse a command that cannot be run, before anything is done.

    Raises:
        CouldNotLook: it is empty, or a quote is open.
    """
    try:
        words = ["up"] if written is None else shlex.split(written)
    except ValueError:
        words = []
    if not words:
        raise CouldNotLook(
            f"{option} is {written!r}, which is no command with its quotes closed: give one as a "
            "shell takes it"
        )


def roll(place: Place, command: str | None) -> None:
    """Replace the server: with the engine's `up`, or with a command of the caller's.

    Raises:
        StepFailed: it did not end well.
    """
    if command is not None:
        _run(place, shlex.split(command), {})
        return
    name = str(place.stack)
    words = [*engine_command(place.environ), "up", "--yes", "--skip-preview", "--stack", name]
    _run(place, words, engine_environment(name, place.environ, PROJECT_DIRECTORY))


def check(place: Place) -> None:
    """The four stages.

    Raises:
        StepFailed: one of them failed.
    """
    words = [sys.executable, "-m", "smoke_tests", "--stack", str(place.stack)]
    _run(place, words, {"NO_COLOR": "1"})


def _run(
    place: Place, command: Sequence[str], more: Mapping[str, str], *, shown_lines: int = 3
) -> None:
    try:
        done = subprocess.run(
            command,
            cwd=PROJECT_DIRECTORY,
            env={**os.environ, **place.environ, **more},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=LONGEST_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StepFailed(f"{Path(command[0]).name} did not run ({type(error).__name__})") from None
    if done.returncode != 0:
        said = place.masker.foreign(done.stdout.decode("utf-8", "replace")).strip().splitlines()
        last = "; ".join(" ".join(line.split()) for line in said[-shown_lines:])
        raise StepFailed(last[-600:] or f"exit code {done.returncode}, and not a word")
