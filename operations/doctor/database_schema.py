"""Is the schema the one that the server wants, with the indexes that its questions need?

Owns the comparison. What is wanted comes from the server's own package
(`mlflow_platform_server`): the revisions of the MLflow installed here, and the indexes that the
migration adds; docs/database.md has the measurements behind both lists.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

from operations.doctor.check import Answer, Check, NotRun, failed, passed
from operations.doctor.mlflow_tables import MLFLOW_TABLES
from operations.doctor.patient import Patient

MLFLOW_INDEXES = {
    "index_metrics_run_uuid_key_step": "metrics",
    "index_params_run_uuid": "params",
    "index_tags_run_uuid": "tags",
    "index_latest_metrics_run_uuid": "latest_metrics",
}
"""Those of MLflow's own that the questions of every page rest on (docs/database.md)."""

INDEXES = """
SELECT c.relname, t.relname, i.indisvalid AND i.indisready
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
WHERE c.relnamespace = current_schema()::regnamespace
"""

TABLES = (
    "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace "
    "AND relkind = 'r'"
)


def revision(patient: Patient) -> Answer:
    """Is the schema at the revision that the server's MLflow wants?"""
    from mlflow_platform_server.errors import CannotStart
    from mlflow_platform_server.schema_history import installed_revisions

    deployed = patient.outputs.mlflow_version
    with patient.database() as connection:
        tables = _tables(connection)
        if "alembic_version" not in tables:
            return failed(
                "the database has no table alembic_version" + ("" if tables else ": it is empty"),
                cause="the migration never ran here, or this is another database than the server's",
                next_step="Deploy the stack again (`make up`), which migrates first; if data "
                "should be here, look for it before anything writes (docs/runbooks/backup.md).",
            )
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    found = str(row[0]) if row else "none"
    try:
        history, ours = installed_revisions(), version("mlflow")
    except (CannotStart, PackageNotFoundError) as error:
        raise NotRun(
            f"the schema is at {found}; what is wanted is not known here: {error}"
        ) from None
    if ours != deployed:
        raise NotRun(
            f"the schema is at {found}; MLflow here is {ours}, the server {deployed}, so what it "
            f"wants is not known here: install mlflow=={deployed}"
        )
    if found == history.head and (lost := sorted(MLFLOW_TABLES - tables)):
        return failed(
            f"the schema says it is at revision {found} and lacks the tables {', '.join(lost)}",
            cause="somebody dropped them, or a restore ended before it reached them: what was in "
            "them is gone from here, and no migration makes them again",
            next_step="Stop what writes, and restore the newest backup that has them "
            "(docs/runbooks/backup.md; `python -m operations backups` lists them).",
        )
    if found == history.head:
        return passed(f"revision {found}, which MLflow {deployed} wants")
    if found in history.known:
        return failed(
            f"the schema is at revision {found}, MLflow {deployed} wants {history.head}",
            cause="the migration did not run or did not finish, or an older backup was restored",
            next_step="Back up, then deploy the stack again: its migration runs alone and checks "
            "that it reached the head. Never `mlflow db upgrade` beside running servers.",
        )
    return failed(
        f"the schema is at revision {found}, which MLflow {deployed} does not know",
        cause="a newer MLflow has migrated this database, or somebody stamped it",
        next_step="Deploy the version that migrated it, or restore the backup from before "
        "(docs/runbooks/backup.md): MLflow does not migrate downwards.",
    )


def indexes(patient: Patient) -> Answer:
    """Are the indexes there, and whole?"""
    from mlflow_platform_server.schema_tuning import INDEXES as OURS

    wanted = dict(MLFLOW_INDEXES)
    if patient.settings.database.tuning:
        wanted |= {index.name: index.table for index in OURS}
    with patient.database() as connection:
        tables = _tables(connection)
        found = {str(row[0]): bool(row[2]) for row in connection.execute(INDEXES).fetchall()}
    if "runs" not in tables:
        raise NotRun("the database has no table of MLflow's")
    missing = [
        f"{name} on {table}"
        for name, table in wanted.items()
        if table in tables and name not in found
    ]
    broken = [name for name, whole in found.items() if not whole]
    if not missing and not broken:
        return passed(f"{len(wanted)} indexes that MLflow's questions need are there and whole")
    parts = [f"missing: {', '.join(missing)}"] if missing else []
    parts += [f"half built: {', '.join(broken)}"] if broken else []
    by_mlflow = [name for name in MLFLOW_INDEXES if any(item.startswith(name) for item in missing)]
    return failed(
        "; ".join(parts),
        cause="an index was dropped by hand, left out by a restore, or not built to its end",
        next_step="Deploy the stack again: its migration makes what is missing, beside writers."
        if not by_mlflow
        else f"{', '.join(by_mlflow)} belongs to MLflow's own schema: make it again as "
        "docs/database.md has it (CREATE INDEX CONCURRENTLY); the migration makes the others.",
    )


def _tables(connection: Any) -> frozenset[str]:
    return frozenset(str(row[0]) for row in connection.execute(TABLES).fetchall())


CHECKS = (
    Check(
        name="database.schema",
        question="Is the schema at the revision that the server's MLflow wants?",
        ask=revision,
        explained_by=("kubernetes.migration",),
    ),
    Check(
        name="database.indexes",
        question="Are the indexes that MLflow's questions need there, and whole?",
        ask=indexes,
        explained_by=("database.schema",),
    ),
)
