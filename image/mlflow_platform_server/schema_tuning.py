"""What MLflow's schema lacks at millions of metrics: indexes, and when tables are analysed.

Owns which they are and how they come into a database that is in use: after `mlflow db upgrade`,
without keeping anybody from writing (`CREATE INDEX CONCURRENTLY`), as often as one likes (what is
there stays, what an interruption left half-made is made anew), and out again when the setting
`databaseTuning` is turned off. Every name begins with `mlflow_platform_`, so that no migration of
MLflow's meets one of its own names; Alembic's revision table is not touched. docs/database.md has
the plans and times that each line here rests on, and what was tried and left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Connection

PREFIX = "mlflow_platform_"


@dataclass(frozen=True, kw_only=True, slots=True)
class Index:
    """An index that MLflow does not make."""

    name: str
    table: str
    columns: str  # as SQL, in order
    serves: str  # whose query it is for

    @property
    def statement(self) -> str:
        """Makes it, beside writers."""
        return f"CREATE INDEX CONCURRENTLY {self.name} ON {self.table} ({self.columns})"


INDEXES: tuple[Index, ...] = (
    Index(
        name=f"{PREFIX}runs_newest",
        table="runs",
        columns="experiment_id, start_time DESC, run_uuid",
        serves="search_runs in its default order; every filter that begins at an experiment",
    ),
    Index(
        # MLflow sorts runs without a start time last by this very expression, in front of the time.
        name=f"{PREFIX}runs_by_start_time",
        table="runs",
        columns=(
            "experiment_id, (CASE WHEN start_time IS NULL THEN 1 ELSE 0 END),"
            " start_time DESC, run_uuid"
        ),
        serves="the page's list of runs, which asks for start_time DESC",
    ),
    Index(
        name=f"{PREFIX}model_versions_run",
        table="model_versions",
        columns="run_id",
        serves="a run's page: which registered models came out of it",
    ),
    Index(
        name=f"{PREFIX}logged_models_newest",
        table="logged_models",
        columns="experiment_id, creation_timestamp_ms DESC, model_id",
        serves="an experiment's page of models",
    ),
    Index(
        name=f"{PREFIX}logged_model_metrics_run",
        table="logged_model_metrics",
        columns="run_id",
        serves="mlflow gc: a deleted run takes its models' metrics along",
    ),
)

STORAGE: dict[str, dict[str, str]] = {
    # By default a table is analysed when a tenth of it is new: a metric that appears in a million
    # rows is unknown to the planner until a hundred thousand more are there.
    "latest_metrics": {
        "autovacuum_analyze_scale_factor": "0.01",
        "autovacuum_vacuum_scale_factor": "0.05",  # rewritten by every metric that is logged
    },
    "params": {"autovacuum_analyze_scale_factor": "0.01"},
    "tags": {"autovacuum_analyze_scale_factor": "0.01"},
    "runs": {
        "autovacuum_analyze_scale_factor": "0.01",
        "autovacuum_vacuum_scale_factor": "0.05",
    },
    "metrics": {
        "autovacuum_analyze_scale_factor": "0.02",
        # Only ever added to: old rows are frozen in small portions instead of millions at once.
        "autovacuum_vacuum_insert_scale_factor": "0.05",
    },
}
"""Storage parameters by table; each is this module's to set and to take back."""


def tune(connection: Connection) -> Iterator[str]:
    """Give the schema its indexes and storage parameters; says each thing when it is done.

    The connection commits every statement (isolation level AUTOCOMMIT) and holds the lock that
    keeps a second migration away. A table that this MLflow does not have is left out.
    """
    tables, found = _tables(connection), _indexes(connection)
    wanted = {index.name: index for index in INDEXES if index.table in tables}
    for name, whole in found.items():
        # Of an earlier version of this module; or what an interrupted CREATE INDEX CONCURRENTLY
        # began: every write pays for it, no query uses it, and its name is taken.
        if name not in wanted or not whole:
            yield _dropped(connection, name)
    for name, index in wanted.items():
        if found.get(name) is not True:
            connection.exec_driver_sql(index.statement)
            yield f"index {name} made"
    for table in STORAGE.keys() & tables:
        present = _storage(connection, table)
        missing = {
            name: value for name, value in STORAGE[table].items() if present.get(name) != value
        }
        if missing:
            text = ", ".join(f"{name} = {value}" for name, value in missing.items())
            connection.exec_driver_sql(f"ALTER TABLE {table} SET ({text})")
            yield f"table {table}: {text}"


def untune(connection: Connection) -> Iterator[str]:
    """Leave the schema as MLflow made it; says each thing when it is done."""
    for name in _indexes(connection):
        yield _dropped(connection, name)
    for table in STORAGE.keys() & _tables(connection):
        ours = STORAGE[table].keys() & _storage(connection, table).keys()
        if ours:
            text = ", ".join(sorted(ours))
            connection.exec_driver_sql(f"ALTER TABLE {table} RESET ({text})")
            yield f"table {table}: {text} as PostgreSQL has it"


def _dropped(connection: Connection, name: str) -> str:
    connection.exec_driver_sql(f'DROP INDEX CONCURRENTLY IF EXISTS "{name}"')
    return f"index {name} dropped"


def _tables(connection: Connection) -> frozenset[str]:
    rows = connection.exec_driver_sql(
        "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace"
        " AND relkind = 'r'"
    )
    return frozenset(str(row[0]) for row in rows)


def _indexes(connection: Connection) -> dict[str, bool]:
    """Our indexes that exist, and whether each is whole."""
    rows = connection.exec_driver_sql(
        "SELECT c.relname, i.indisvalid AND i.indisready FROM pg_index i"
        " JOIN pg_class c ON c.oid = i.indexrelid"
        " WHERE c.relnamespace = current_schema()::regnamespace"
        " AND starts_with(c.relname, %s)",
        (PREFIX,),
    )
    return {str(row[0]): bool(row[1]) for row in rows}


def _storage(connection: Connection, table: str) -> dict[str, str]:
    rows = connection.exec_driver_sql(
        "SELECT option_name, option_value FROM pg_class, pg_options_to_table(reloptions)"
        " WHERE relname = %s AND relnamespace = current_schema()::regnamespace",
        (table,),
    )
    return {str(row[0]): str(row[1]) for row in rows}
