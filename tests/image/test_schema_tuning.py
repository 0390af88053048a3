"""What the migration adds to MLflow's schema, on a real PostgreSQL."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy

from mlflow_platform_server.schema_tuning import INDEXES, PREFIX, STORAGE, Index, tune, untune
from tests.image.conftest import Database, Postgres

pytestmark = pytest.mark.slow

OURS = (
    "SELECT c.relname, i.indisvalid, t.relname FROM pg_index i"
    " JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid"
    f" WHERE starts_with(c.relname, '{PREFIX}') ORDER BY 1"
)
ALL = sorted((index.name, True, index.table) for index in INDEXES)

EVERYTHING = (
    "SELECT relname, relkind::text, reloptions, pg_get_indexdef(oid) FROM pg_class"
    " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i', 'S') ORDER BY 1"
)
"""Tables with their parameters, and indexes with their definitions."""

RUNS = """
INSERT INTO experiments (experiment_id, name, lifecycle_stage)
SELECT i, 'e' || i, 'active' FROM generate_series(1, 40) i;
INSERT INTO runs (run_uuid, experiment_id, lifecycle_stage, start_time, status, source_type)
SELECT md5(i::text), 1 + i % 40, 'active', i, 'FINISHED', 'LOCAL' FROM generate_series(1, 8000) i;
INSERT INTO registered_models (name) VALUES ('model');
INSERT INTO model_versions (name, version, run_id)
SELECT 'model', i, md5(i::text) FROM generate_series(1, 8000) i;
INSERT INTO logged_models (model_id, experiment_id, name, artifact_location,
  creation_timestamp_ms, last_updated_timestamp_ms, status, lifecycle_stage)
SELECT 'm' || i, 1 + i % 40, 'n', 'a', i, i, 2, 'active' FROM generate_series(1, 8000) i;
INSERT INTO logged_model_metrics (model_id, metric_name, metric_timestamp_ms, metric_step,
  metric_value, experiment_id, run_id)
SELECT 'm' || i, 'loss', i, 0, 0.5, 1, md5(i::text) FROM generate_series(1, 8000) i;
ANALYZE
"""

QUERIES = {
    "runs_newest": (
        "SELECT DISTINCT run_uuid, name, start_time FROM runs WHERE experiment_id IN (1)"
        " AND lifecycle_stage IN ('active') ORDER BY start_time DESC, run_uuid LIMIT 5"
    ),
    "runs_by_start_time": (
        "SELECT DISTINCT run_uuid, name, start_time,"
        " CASE WHEN (runs.start_time IS NULL) THEN 1 ELSE 0 END AS clause_1"
        " FROM runs WHERE experiment_id IN (1) AND lifecycle_stage IN ('active')"
        " ORDER BY clause_1, start_time DESC, run_uuid LIMIT 5"
    ),
    "model_versions_run": (
        f"SELECT * FROM model_versions WHERE run_id = '{'0' * 32}' ORDER BY last_updated_time DESC"
    ),
    "logged_models_newest": (
        "SELECT * FROM logged_models WHERE lifecycle_stage != 'deleted' AND experiment_id IN (1)"
        " ORDER BY creation_timestamp_ms DESC, model_id ASC LIMIT 5"
    ),
    "logged_model_metrics_run": f"DELETE FROM logged_model_metrics WHERE run_id = '{'0' * 32}'",
}
"""MLflow's statements, shortened to what chooses a plan."""


@contextmanager
def committing(database: Database) -> Iterator[sqlalchemy.Connection]:
    engine = sqlalchemy.create_engine(database.uri, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def tuned(database: Database) -> list[str]:
    with committing(database) as connection:
        return list(tune(connection))


def untuned(database: Database) -> list[str]:
    with committing(database) as connection:
        return list(untune(connection))


def mlflow_upgrade(database: Database) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mlflow", "db", "upgrade", database.uri],
        check=True,
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def filled(postgres: Postgres, mlflow_template: str) -> Database:
    """A tuned database with 8,000 runs in 40 experiments."""
    postgres.do(f"CREATE DATABASE filled TEMPLATE {mlflow_template}")
    database = Database("filled", postgres.database_port)
    database.do(*RUNS.split(";"))
    tuned(database)
    database.do("ANALYZE")
    return database


class TestTuning:
    """Every index is there and valid, every table has its parameters; once is enough."""

    def test_from_nothing(self, database: Database) -> None:
        said = tuned(database)
        assert database.rows(OURS) == ALL
        assert said[: len(INDEXES)] == [f"index {index.name} made" for index in INDEXES]
        assert {line.partition(":")[0] for line in said[len(INDEXES) :]} == {
            f"table {table}" for table in STORAGE
        }
        for table, parameters in STORAGE.items():
            (options,) = database.rows(f"SELECT reloptions FROM pg_class WHERE relname = '{table}'")
            assert sorted(options[0]) == sorted(f"{k}={v}" for k, v in parameters.items())

    def test_again_changes_nothing(self, database: Database) -> None:
        tuned(database)
        before = database.rows("SELECT oid, relname FROM pg_class ORDER BY 1")
        assert tuned(database) == []
        assert database.rows("SELECT oid, relname FROM pg_class ORDER BY 1") == before

    def test_off_leaves_the_schema_as_mlflow_made_it(self, database: Database) -> None:
        before = database.rows(EVERYTHING)
        assert untuned(database) == []
        tuned(database)
        assert database.rows(EVERYTHING) != before
        assert len(untuned(database)) == len(INDEXES) + len(STORAGE)
        assert database.rows(EVERYTHING) == before
        assert untuned(database) == []

    def test_parameters_and_indexes_of_others_stay(self, database: Database) -> None:
        database.do(
            "ALTER TABLE metrics SET (fillfactor = 80)", "CREATE INDEX somebodys ON tags (value)"
        )
        tuned(database)
        untuned(database)
        assert database.rows("SELECT reloptions FROM pg_class WHERE relname = 'metrics'") == [
            (["fillfactor=80"],)
        ]
        assert database.rows("SELECT 1 FROM pg_class WHERE relname = 'somebodys'") == [(1,)]

    def test_a_table_that_is_not_there_is_left_out(self, database: Database) -> None:
        database.do("DROP TABLE logged_model_metrics")
        said = tuned(database)
        assert not [line for line in said if "logged_model_metrics" in line]
        assert len(database.rows(OURS)) == len(INDEXES) - 1


class TestInterruption:
    """What an interrupted build left behind is taken away and built."""

    def test_an_invalid_index_is_made_anew(self, database: Database) -> None:
        name = f"{PREFIX}runs_newest"
        # As PostgreSQL leaves it: a build that fails keeps its name, invalid.
        database.do(
            "INSERT INTO experiments (experiment_id, name) VALUES (1, 'e')",
            "INSERT INTO runs (run_uuid, experiment_id) VALUES ('a', 1), ('b', 1)",
        )
        with pytest.raises(Exception, match="could not create unique index"):
            database.do(f"CREATE UNIQUE INDEX CONCURRENTLY {name} ON runs (experiment_id)")
        assert database.rows(OURS) == [(name, False, "runs")]
        said = tuned(database)
        assert said[:2] == [f"index {name} dropped", f"index {name} made"]
        assert database.rows(OURS) == ALL

    def test_an_index_of_an_earlier_version_goes(self, database: Database) -> None:
        database.do(f"CREATE INDEX {PREFIX}of_old ON runs (name)")
        assert tuned(database)[0] == f"index {PREFIX}of_old dropped"
        assert database.rows(OURS) == ALL


class TestAlembic:
    """MLflow's own migrations neither see nor mind it."""

    def test_upgrade_afterwards_has_nothing_to_do(self, database: Database) -> None:
        tuned(database)
        before = database.rows(EVERYTHING)
        mlflow_upgrade(database)
        assert database.rows(EVERYTHING) == before

    def test_the_last_migrations_go_down_and_up_over_it(self, database: Database) -> None:
        """A future `mlflow db upgrade` alters tables that carry our indexes."""
        tuned(database)
        database.do(
            "ALTER TABLE model_versions ALTER COLUMN run_id TYPE VARCHAR(40)",
            "ALTER TABLE runs ADD COLUMN another TEXT",
            "ALTER TABLE runs RENAME COLUMN start_time TO began",
            "ALTER TABLE runs RENAME COLUMN began TO start_time",
        )
        assert database.rows(OURS) == ALL
        assert tuned(database) == []

    def test_no_name_is_one_of_mlflows(self, database: Database) -> None:
        taken = {row[0] for row in database.rows("SELECT relname FROM pg_class")}
        assert [name for name in taken if name.startswith(PREFIX)] == []


class TestPlans:
    """Each index is the one that its query uses."""

    @pytest.mark.parametrize("index", INDEXES, ids=lambda index: index.name)
    def test_plan(self, filled: Database, index: Index) -> None:
        query = QUERIES[index.name.removeprefix(PREFIX)]
        plan = "\n".join(row[0] for row in filled.rows(f"EXPLAIN {query}"))
        assert index.name in plan, plan
        assert "Seq Scan" not in plan

    def test_the_newest_runs_are_read_in_order(self, filled: Database) -> None:
        for name in ("runs_newest", "runs_by_start_time"):
            plan = "\n".join(row[0] for row in filled.rows(f"EXPLAIN {QUERIES[name]}"))
            assert "Incremental Sort" in plan, plan


class TestMigrate:
    """The command that a Job runs: upgrade, verify, tune; alone among its likes."""

    def test_an_empty_database(self, new_database: Callable[..., Database]) -> None:
        database = new_database()
        code, lines, err = database.migrate()
        assert code == 0, err
        assert lines[-1].endswith("is at this MLflow's revision")
        assert database.rows(OURS) == ALL
        assert database.migrate() == (0, lines[-1:], "")

    def test_two_at_once_both_succeed(self, new_database: Callable[..., Database]) -> None:
        database = new_database()
        both = [database.command() for _ in range(2)]
        ended = [process.communicate(timeout=300) for process in both]
        assert [process.returncode for process in both] == [0, 0], ended
        assert sorted("waiting for its end" in out for out, _ in ended) == [False, True]
        made = [f"index {index.name} made" for index in INDEXES]
        assert sum(all(line in out for line in made) for out, _ in ended) == 1
        assert database.rows(OURS) == ALL

    def test_off(self, database: Database) -> None:
        before = database.rows(EVERYTHING)
        tuned(database)
        code, _, err = database.migrate("--schema-tuning", "off")
        assert code == 0, err
        assert database.rows(EVERYTHING) == before

    def test_the_servers_statement_timeout_is_not_its_own(self, database: Database) -> None:
        code, _, err = database.migrate(PGOPTIONS="-c statement_timeout=1ms")
        assert (code, err) == (0, "")

    def test_a_newer_schema_is_refused(self, database: Database) -> None:
        database.do("UPDATE alembic_version SET version_num = 'from_the_future'")
        code, lines, err = database.migrate()
        assert (code, lines) == (1, [])
        assert "is at revision from_the_future, which this MLflow does not know" in err
        assert database.rows(OURS) == []

    def test_what_it_may_not_do_is_one_sentence(
        self, database: Database, postgres: Postgres
    ) -> None:
        database.do("ALTER TABLE runs OWNER TO pg_database_owner")
        postgres.do("DROP ROLE IF EXISTS reader")
        postgres.do("CREATE ROLE reader LOGIN")
        database.do("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
        process = database.command(user="reader")
        out, err = process.communicate(timeout=300)
        assert (process.returncode, out) == (1, "")
        assert "cannot be upgraded: must be owner of table runs" in err
        assert "Traceback" not in err
