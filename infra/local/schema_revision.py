"""Which revision a tracking database's schema has, and which one the installed MLflow wants.

Owns both answers without importing MLflow (seconds): the wanted one is read from the names that
its migration scripts declare, the present one from Alembic's own table.
"""

from __future__ import annotations

import ast
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, LiteralString, cast
from urllib.parse import quote

from infra.local.errors import LocalPlatformError
from infra.local.log_tail import masked

MIGRATIONS = Path("store") / "db_migrations" / "versions"
SQLITE = "sqlite:///"


@dataclass(frozen=True, slots=True)
class Revisions:
    """What the installed MLflow knows of its schema's history."""

    head: str
    known: frozenset[str]


def installed_revisions() -> Revisions:
    """The newest revision of the installed MLflow, and all it can upgrade from.

    Raises:
        LocalPlatformError: MLflow is not installed, or its history has no single end.
    """
    spec = find_spec("mlflow")  # does not import it
    if spec is None or not spec.submodule_search_locations:
        raise LocalPlatformError("MLflow is not installed: run `make up`, which installs it")
    return read_revisions(Path(spec.submodule_search_locations[0]) / MIGRATIONS)


def read_revisions(folder: Path) -> Revisions:
    """The history that the migration scripts in `folder` declare."""
    known: set[str] = set()
    parents: set[str] = set()
    for script in folder.glob("*.py"):
        declared = _declarations(script)
        if "revision" in declared:
            known.update(declared["revision"])
            parents.update(declared.get("down_revision", ()))
    heads = known - parents
    if len(heads) != 1:
        raise LocalPlatformError(
            f"MLflow's migrations in {folder} end in {len(heads)} revisions instead of one: the "
            "installation is damaged; remove .venv and run `make up`"
        )
    return Revisions(head=heads.pop(), known=frozenset(known))


def store_revision(store: str, password_file: str) -> str | None:
    """The revision of the schema in a backend store; None when it has no schema yet.

    `store` is SQLAlchemy's URL of a SQLite file or of a PostgreSQL database, without a password.

    Raises:
        LocalPlatformError: the database cannot be asked.
    """
    if store.startswith(SQLITE):
        return _sqlite_revision(Path(store.removeprefix(SQLITE)))
    return _postgresql_revision(store, password_file)


def missing_indexes(store: str, password_file: str) -> list[str]:
    """The indexes of ours that a migrated PostgreSQL schema lacks, or has half made.

    Raises:
        LocalPlatformError: the database cannot be asked.
    """
    if store.startswith(SQLITE):
        return []
    from mlflow_platform_server.schema_tuning import INDEXES

    names = [index.name for index in INDEXES]
    found = _ask_postgresql(
        store,
        password_file,
        "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
        "WHERE i.indisvalid AND c.relname = ANY(%s)",
        (names,),
    )
    whole = {str(row[0]) for row in found}
    return [name for name in names if name not in whole]


def _postgresql_revision(store: str, password_file: str) -> str | None:
    rows = _ask_postgresql(store, password_file, "SELECT version_num FROM alembic_version")
    return str(rows[0][0]) if rows else None


def _ask_postgresql(
    store: str, password_file: str, question: LiteralString, arguments: Sequence[object] = ()
) -> list[tuple[Any, ...]]:
    """The rows of an answer; none where a table is not there yet."""
    import psycopg

    try:
        # Without SQLAlchemy's driver it is libpq's own URL.
        with psycopg.connect(
            store.replace("+psycopg", "", 1), passfile=password_file or None
        ) as connection:
            return connection.execute(question, arguments).fetchall()
    except psycopg.errors.UndefinedTable:
        return []
    except psycopg.Error as error:
        raise LocalPlatformError(
            f"the backend store {store.partition('?')[0]} cannot be asked for its schema: "
            f"{masked(str(error)).strip()}"
        ) from error


def _sqlite_revision(path: Path) -> str | None:
    if not path.exists():
        return None
    with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as connection:
        try:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        except sqlite3.DatabaseError as error:
            if "no such table" in str(error):
                return None
            raise LocalPlatformError(
                f"the backend store {SQLITE}{path} cannot be asked for its schema ({error}): name "
                "a SQLite file that nothing else holds with mlflow-platform:backendStoreUri"
            ) from error
    return str(row[0]) if row else None


def _declarations(script: Path) -> dict[str, tuple[str, ...]]:
    """`revision` and `down_revision` as assigned at the top of a migration script."""
    found: dict[str, tuple[str, ...]] = {}
    # The declarations stand before the first function; parsing no further is ten times faster.
    top = script.read_text(encoding="utf-8").partition("\ndef ")[0]
    for node in ast.parse(top).body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                pass
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                pass
            case _:
                continue
        if name in ("revision", "down_revision"):
            found[name] = _strings(ast.literal_eval(value))
    return found


def _strings(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, tuple | list):
        return tuple(str(item) for item in cast("tuple[object, ...]", value))
    return ()
