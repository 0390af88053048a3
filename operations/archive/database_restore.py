"""A database's content replaced by a dump's, in one transaction or not at all.

Owns the one statement that a restore is to the database: what is there is dropped, the dump's
tables are made and filled, every table is counted and hashed against the manifest, and only then it
is committed. A dump that is damaged, a disk that is full, a table that is not what it was: the
database is as it was before. `pg_restore` writes SQL, `psql` carries it out, and the commit is sent
when both the dump's hash and `pg_restore` are known to be good.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from operations.archive.manifest import Manifest
from operations.archive.postgres_tools import PostgresProgram
from operations.archive.snapshot import SESSION, digest_query
from operations.archive.streams import PIECE_BYTES, Readable, pieces_of
from operations.database_login import DatabaseLogin
from smoke_tests.masking import Masker

LOCK_SECONDS = 60
"""Longest wait for requests that use the tables at that moment."""

_DROP = """
DO $restore$
DECLARE
  found record;
BEGIN
  FOR found IN
    SELECT c.relname, CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW'
           WHEN 'S' THEN 'SEQUENCE' WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END AS kind
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = {schema} AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
      AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d
                      WHERE d.objid = c.oid AND d.deptype IN ('e', 'i'))
  LOOP
    EXECUTE pg_catalog.format(
      'DROP %s IF EXISTS %I.%I CASCADE', found.kind, {schema}, found.relname);
  END LOOP;
  -- MLflow guards a table with a trigger's function; a dump makes it again.
  FOR found IN
    SELECT p.oid::pg_catalog.regprocedure AS signature FROM pg_catalog.pg_proc p
    JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname = {schema}
      AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d
                      WHERE d.objid = p.oid AND d.deptype = 'e')
  LOOP
    EXECUTE pg_catalog.format('DROP ROUTINE IF EXISTS %s CASCADE', found.signature);
  END LOOP;
  FOR found IN
    SELECT t.typname FROM pg_catalog.pg_type t
    JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
    WHERE n.nspname = {schema} AND t.typtype IN ('e', 'd')
      AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d
                      WHERE d.objid = t.oid AND d.deptype = 'e')
  LOOP
    EXECUTE pg_catalog.format('DROP TYPE IF EXISTS %I.%I CASCADE', {schema}, found.typname);
  END LOOP;
END
$restore$;
"""

_CHECK = """
DO $restore$
DECLARE
  found_rows bigint;
  found_digest text;
BEGIN
  {query} INTO found_rows, found_digest;
  IF found_rows <> {rows} OR found_digest <> {digest} THEN
    RAISE EXCEPTION 'table % would hold % rows, and other ones than were backed up (% rows)',
      {table}, found_rows, {rows};
  END IF;
END
$restore$;
"""


def restore_database(
    login: DatabaseLogin,
    binaries: Path,
    dump: Readable,
    manifest: Manifest,
    *,
    environ: Mapping[str, str],
    masker: Masker,
) -> None:
    """Make the database's content that of the dump.

    Raises:
        CouldNotLook: it was not done, and the database is as it was.
    """
    with (
        PostgresProgram(
            binaries / "psql",
            ["--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1"],
            login=login,
            environ=environ,
            masker=masker,
            stdin=subprocess.PIPE,
        ) as session,
        PostgresProgram(
            binaries / "pg_restore",
            [
                "--file=-",
                "--no-owner",
                "--no-privileges",
                f"--schema={manifest.database_schema}",
            ],
            login=None,
            environ=environ,
            masker=masker,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as restore,
    ):
        try:
            session.stdin.write(_before(manifest.database_schema).encode())
            with _Feeding(dump, restore.stdin) as feeding:
                while piece := restore.stdout.read(PIECE_BYTES):
                    session.stdin.write(piece)
                feeding.finish()
            restore.finish("read the dump")
            session.stdin.write(_after(manifest).encode())
            session.stdin.close()
        except BrokenPipeError:
            session.finish("restore the database, which is as it was before")
            raise session.problem("restore the database, which is as it was before") from None
        session.finish("restore the database, which is as it was before")


class _Feeding:
    """A thread that writes the dump into `pg_restore`, while its output is read."""

    def __init__(self, dump: Readable, into: Any) -> None:
        self._dump = dump
        self._into = into
        self._problem: BaseException | None = None
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> _Feeding:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_more: object) -> None:
        if kind is None:
            self._thread.join()

    def finish(self) -> None:
        """All was written, and the dump's end was good."""
        self._thread.join()
        if self._problem is not None:
            raise self._problem

    def _work(self) -> None:
        try:
            try:
                for piece in pieces_of(self._dump):
                    self._into.write(piece)
            except BrokenPipeError:
                pass  # pg_restore says itself why it wants no more
            finally:
                self._into.close()
        except BrokenPipeError:
            pass
        except BaseException as problem:  # raised by `finish`
            self._problem = problem


def _before(schema: str) -> str:
    from psycopg import sql

    return (
        f"BEGIN;\nSET statement_timeout = 0;\nSET lock_timeout = '{LOCK_SECONDS}s';\n"
        "SET client_min_messages = warning;\n"
        + _DROP.format(schema=sql.Literal(schema).as_string(None))
    )


def _after(manifest: Manifest) -> str:
    from psycopg import sql

    checks = [
        _CHECK.format(
            query=digest_query(manifest.database_schema, table.name).as_string(None),
            rows=table.rows,
            digest=sql.Literal(table.digest).as_string(None),
            table=sql.Literal(table.name).as_string(None),
        )
        for table in manifest.tables
    ]
    settings = "".join(f"{setting};\n" for setting in SESSION)
    return (
        f"{settings}{''.join(checks)}COMMIT;\n"
        # What is committed is restored, whoever keeps PostgreSQL from counting; the dump set no
        # limit to waiting.
        f"\\set ON_ERROR_STOP 0\nSET lock_timeout = '{LOCK_SECONDS}s';\nANALYZE;\n"
    )
