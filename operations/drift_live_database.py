"""The database as it runs: its schema's revision, and the settings in force.

Owns two comparisons. The schema must be at the revision that the deployed MLflow wants: an older
one breaks its queries, a newer one was made by somebody else's server. And each parameter that the
stack sets must be in force: `ALTER SYSTEM`, a restart that never came and a parameter group that
was taken away all show in `pg_settings`, and in no resource.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

from operations.database_login import DatabaseLogin, NotReachable
from operations.drift_findings import Difference
from operations.drift_sight import NotVisible, Seen, Sight, differing, finding
from operations.engine_steps import shown
from smoke_tests.json_document import as_document

LOOK = "database"
MIGRATION = "pulumi-python:dynamic/local:Migration"
SWITCHES = {"1": "on", "0": "off", "true": "on", "false": "off"}

PARAMETERS = "SELECT name, setting, vartype, pending_restart FROM pg_settings WHERE name = ANY(%s)"
REVISION = "SELECT version_num FROM alembic_version"


def look(sight: Sight) -> Seen:
    """Ask the database.

    Raises:
        NotVisible: there is no way to it from here.
    """
    import psycopg

    sight.must_be_real()
    expected = expected_parameters(sight)
    try:
        login = DatabaseLogin.from_outputs(sight.outputs, sight.place.masker)
        with login.connect() as connection:
            rows = connection.execute(PARAMETERS, (list(expected),)).fetchall()
            try:
                row = connection.execute(REVISION).fetchone()
            except psycopg.errors.UndefinedTable:
                row = None
    except NotReachable as reason:
        raise NotVisible(str(reason)) from None
    except psycopg.Error as error:
        raise NotVisible(sight.place.masker.foreign(f"{type(error).__name__}: {error}")) from None
    found = {str(name): str(setting) for name, setting, _, _ in rows}
    switches = {str(name) for name, _, kind, _ in rows if kind == "bool"}
    wanted = {
        name: SWITCHES.get(value, value) if name in switches else value
        for name, value in expected.items()
        if name in found
    }
    waiting = sorted(str(name) for name, _, _, pending in rows if pending)
    findings = finding(
        LOOK,
        "PostgreSQL's settings",
        differing(wanted, cast("Mapping[str, str | None]", found)),
        kind="settings in force",
        note=f"{', '.join(waiting)} will change with the next restart" if waiting else "",
    )
    revision = str(row[0]) if row else "none"
    head = installed_head(sight.outputs.mlflow_version)
    if head is not None and revision != head:
        differences = [Difference(property="revision", expected=head, found=revision)]
        made_by = next(iter(sight.deployed(MIGRATION)), None)
        findings += finding(
            LOOK,
            made_by[0].name if made_by else "schema",
            differences,
            severity="critical",
            kind=MIGRATION if made_by else "schema",
            identity=made_by[1].id if made_by else "",
            note=f"MLflow {sight.outputs.mlflow_version} wants the expected one",
        )
    known = "" if head else f", not compared: MLflow {version('mlflow')} is installed here"
    return Seen(
        looked_at=f"schema {revision}{known}; {len(wanted)} settings in force",
        findings=tuple(findings),
    )


def expected_parameters(sight: Sight) -> dict[str, str]:
    """PostgreSQL's settings as the stack deployed them, wherever it keeps them."""
    expected: dict[str, str] = {}
    for _, state in sight.deployed("aws:rds/parameterGroup:ParameterGroup"):
        expected |= _named(state.at("parameters"))
    for _, state in sight.deployed("gcp:sql/databaseInstance:DatabaseInstance"):
        if not as_document(state.inputs) or "masterInstanceName" not in state.inputs:
            expected |= _named(state.at("settings.databaseFlags"))
    for _, state in sight.deployed("pulumi-python:dynamic/local:Postgres"):
        given = as_document(state.at("parameters")) or {}
        expected |= {name: _value(value) for name, value in given.items()}
    return expected


def installed_head(mlflow_version: str) -> str | None:
    """The schema revision of that MLflow; None when another one is installed here."""
    if version("mlflow") != mlflow_version:
        return None
    from alembic.script import ScriptDirectory

    spec = find_spec("mlflow")  # does not import it
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(spec.submodule_search_locations[0]) / "store" / "db_migrations"
    return ScriptDirectory(str(folder)).get_current_head()


def _named(items: object) -> dict[str, str]:
    if not isinstance(items, list):
        return {}
    pairs = cast("list[dict[str, Any]]", items)
    return {str(item["name"]): _value(item.get("value")) for item in pairs if "name" in item}


def _value(value: object) -> str:
    """A setting's value whole: what is shown may be cut short, no comparison."""
    return value if isinstance(value, str) else shown(value)
