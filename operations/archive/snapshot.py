"""One moment of a tracking database, and what it holds then.

Owns the transaction that a backup is a picture of: `pg_dump` joins it, and revision, counts and
digests are taken in it, so they belong to the dump exactly, whatever is logged meanwhile. A table's
digest is computed where the table is: no row travels, nothing is sorted, memory stays flat.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any, LiteralString

from operations.archive.manifest import TableContent
from operations.database_login import DatabaseLogin

LOCATIONS: Mapping[str, tuple[LiteralString, LiteralString, LiteralString]] = {
    "experiments": ("artifact_location", "'experiment ' || name", "true"),
    "runs": ("artifact_uri", "'run ' || run_uuid", "true"),
    "model_versions": (
        "coalesce(storage_location, source)",
        "'version ' || version || ' of model ' || name",
        "true",
    ),
    "logged_models": ("artifact_location", "'model ' || model_id", "true"),
    "trace_tags": ("value", "'trace ' || request_id", "key = 'mlflow.artifactLocation'"),
}
"""Where rows name a folder of artifacts: the table, the address, the row in words, which rows."""

SESSION: tuple[LiteralString, ...] = (
    # How values are written as text decides a digest: fixed here, not by a server's settings.
    "SET extra_float_digits = 1",
    "SET datestyle = 'ISO, MDY'",
    "SET timezone = 'UTC'",
    "SET intervalstyle = 'postgres'",
    "SET bytea_output = 'hex'",
    # A large table takes longer than a request may.
    "SET statement_timeout = 0",
    "SET idle_in_transaction_session_timeout = 0",
)
"""What a session sets before it computes digests."""


class Snapshot:
    """A transaction that sees one moment, for as long as it is open."""

    def __init__(self, connection: Any) -> None:
        """`open_snapshot` makes one."""
        self.connection = connection
        self.identifier = str(self._one("SELECT pg_export_snapshot()"))
        self.schema = str(self._one("SELECT current_schema()"))
        self.postgresql = str(self._one("SHOW server_version"))
        self.created = str(
            self._one("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')")
        )

    @property
    def revision(self) -> str | None:
        """Of MLflow's schema; None where there is none."""
        if not self._one("SELECT to_regclass('alembic_version')"):
            return None
        found = self._one("SELECT version_num FROM alembic_version")
        return None if found is None else str(found)

    def tables(self) -> list[str]:
        """Of the schema, by name."""
        rows = self.connection.execute(
            "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname = %s AND c.relkind IN ('r', 'p') AND NOT c.relispartition "
            "AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e') "
            'ORDER BY c.relname COLLATE "C"',
            (self.schema,),
        )
        return [str(row[0]) for row in rows]

    def objects(self) -> set[str]:
        """What the schema has beside rows, by name: indexes, constraints, triggers, functions.

        What an extension brought is not the platform's, and is in no dump.
        """
        rows = self.connection.execute(
            "WITH schema AS (SELECT oid FROM pg_namespace WHERE nspname = %s), found AS ("
            "SELECT c.oid, CASE relkind WHEN 'S' THEN 'sequence ' WHEN 'v' THEN 'view ' "
            "WHEN 'm' THEN 'materialized view ' ELSE 'index ' END || relname AS name "
            "FROM pg_class c, schema WHERE relnamespace = schema.oid "
            "AND relkind IN ('i', 'I', 'S', 'v', 'm') "
            "UNION ALL SELECT c.oid, 'constraint ' || conname FROM pg_constraint c, schema "
            "WHERE connamespace = schema.oid "
            "UNION ALL SELECT t.oid, 'trigger ' || tgname FROM pg_trigger t "
            "JOIN pg_class r ON r.oid = tgrelid JOIN schema ON r.relnamespace = schema.oid "
            "WHERE NOT tgisinternal "
            "UNION ALL SELECT p.oid, 'function ' || proname FROM pg_proc p, schema "
            "WHERE pronamespace = schema.oid) "
            "SELECT name FROM found WHERE NOT EXISTS "
            "(SELECT 1 FROM pg_depend d WHERE d.objid = found.oid AND d.deptype = 'e')",
            (self.schema,),
        )
        return {str(row[0]) for row in rows}

    def content(self, table: str) -> TableContent:
        """Rows and digest of a table."""
        rows, digest = self.connection.execute(digest_query(self.schema, table)).fetchone()
        return TableContent(name=table, rows=int(rows), digest=str(digest))

    def count(self, table: str) -> int:
        """Rows of a table; 0 where there is no such table."""
        from psycopg import sql

        if table not in self.tables():
            return 0
        return int(
            self._one(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(self.schema, table)))
        )

    def other_connections(self) -> int:
        """How many others are connected to the database."""
        return int(
            self._one(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                "AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
        )

    def locations(self, table: str) -> Iterator[tuple[str, str]]:
        """Addresses of folders of artifacts that a table's rows name, with the row in words."""
        from psycopg import sql

        if table not in self.tables():
            return
        address, owner, condition = LOCATIONS[table]
        with self.connection.cursor(name="locations") as cursor:
            cursor.itersize = 5000
            cursor.execute(
                sql.SQL("SELECT {}, {} FROM {} WHERE {}").format(
                    sql.SQL(address),
                    sql.SQL(owner),
                    sql.Identifier(self.schema, table),
                    sql.SQL(condition),
                )
            )
            for uri, row in cursor:
                if uri:
                    yield str(uri), str(row)

    def rows(self, table: str, columns: Sequence[str], order: Sequence[str]) -> Iterator[Any]:
        """The rows of a table as text, ordered by bytes, so that two databases agree."""
        from psycopg import sql

        wanted = [sql.SQL("{}::text").format(sql.Identifier(column)) for column in columns]
        by = [sql.SQL('{}::text COLLATE "C"').format(sql.Identifier(column)) for column in order]
        with self.connection.cursor(name="rows") as cursor:
            cursor.itersize = 5000
            cursor.execute(
                sql.SQL("SELECT {} FROM {} ORDER BY {}").format(
                    sql.SQL(", ").join(wanted),
                    sql.Identifier(self.schema, table),
                    sql.SQL(", ").join(by),
                )
            )
            yield from cursor

    def columns(self, table: str) -> tuple[list[str], list[str]]:
        """A table's columns by name, and those of its primary key (all, where it has none)."""
        rows = self.connection.execute(
            "SELECT a.attname, coalesce(a.attnum = ANY(i.indkey), false) FROM pg_attribute a "
            "JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
            "LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary "
            "WHERE n.nspname = %s AND c.relname = %s AND a.attnum > 0 AND NOT a.attisdropped "
            'ORDER BY a.attname COLLATE "C"',
            (self.schema, table),
        ).fetchall()
        names = [str(name) for name, _ in rows]
        return names, [str(name) for name, in_key in rows if in_key] or names

    def _one(self, query: Any) -> Any:
        row = self.connection.execute(query).fetchone()
        return row[0] if row else None


@contextlib.contextmanager
def open_snapshot(login: DatabaseLogin) -> Generator[Snapshot]:
    """Begin to see one moment of a database.

    Raises:
        CouldNotLook: the database cannot be reached, or breaks off.
    """
    with login.asked() as connection:
        for setting in SESSION:
            connection.execute(setting)
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield Snapshot(connection)


def digest_query(schema: str, table: str) -> Any:
    """Counts a table and sums its rows' hashes: the same for the same rows in any order."""
    from psycopg import sql

    return sql.SQL(
        # An alias that is no column's name, or the column would be hashed.
        "SELECT count(*), coalesce(sum(('x' || left(encode(sha256(convert_to(whole_row::text, "
        "'UTF8')), 'hex'), 16))::bit(64)::bigint::numeric), 0)::text FROM {} AS whole_row"
    ).format(sql.Identifier(schema, table))
