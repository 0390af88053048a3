"""`migrate`: MLflow's own schema upgrade, alone, and then what the schema lacks (`schema_tuning`).

Owns that a migration runs alone among its likes (a lock in PostgreSQL makes a second one wait and
then find nothing to do), that it has the time it takes, and that what it leaves behind is what the
installed MLflow wants. The upgrade itself is MLflow's.
"""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

from mlflow_platform_server.database_check import shown
from mlflow_platform_server.database_tokens import give_each_connection_its_token, token_source
from mlflow_platform_server.errors import CannotStart
from mlflow_platform_server.mlflow_environment import check_mlflow_version
from mlflow_platform_server.schema_history import installed_revisions
from mlflow_platform_server.schema_tuning import tune, untune

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

LOCK = 0x6D6C666C6F77  # "mlflow", as a number of PostgreSQL's advisory locks
POLL_SECONDS = 0.5


def migrate(uri: str, token: str, *, tuned: bool) -> None:
    """Make or upgrade the schema at `uri`, and give it our indexes or take them away.

    Raises:
        CannotStart: the database cannot be reached, or does not let itself be upgraded.
    """
    check_mlflow_version()
    tokens = token_source(token)
    if tokens:
        give_each_connection_its_token(tokens)
    # The server's limit for a statement is not a migration's; libpq takes the last word.
    os.environ["PGOPTIONS"] = f"{os.environ.get('PGOPTIONS', '')} -c statement_timeout=0".strip()
    import sqlalchemy
    from sqlalchemy.exc import DBAPIError

    engine = sqlalchemy.create_engine(uri)
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            if engine.dialect.name == "postgresql":
                _wait_for_our_turn(connection, uri)
            _upgrade(engine, connection, uri)
            if engine.dialect.name == "postgresql":
                for done in (tune if tuned else untune)(connection):
                    _say(done)
    except DBAPIError as error:
        raise CannotStart(f"{shown(uri)} cannot be upgraded: {error.orig}") from None
    finally:
        engine.dispose()
    _say(f"the schema of {shown(uri)} is at this MLflow's revision")


def _wait_for_our_turn(connection: Connection, uri: str) -> None:
    """Take the lock, which lives as long as this connection, whatever happens to the upgrade.

    Asked again and again instead of waited for: a waiting statement keeps its snapshot, and an
    index that the other migration builds waits for every older snapshot to end, ours too.
    """
    waiting = False
    while not connection.exec_driver_sql(f"SELECT pg_try_advisory_lock({LOCK})").scalar():
        if not waiting:
            _say(f"another migration of {shown(uri)} is running: waiting for its end")
            waiting = True
        time.sleep(POLL_SECONDS)


def _upgrade(engine: Engine, connection: Connection, uri: str) -> None:
    history = installed_revisions()
    found = _revision(connection)
    if found == history.head:
        return
    if found is not None and found not in history.known:
        raise CannotStart(
            f"the schema of {shown(uri)} is at revision {found}, which this MLflow does not know "
            f"(it wants {history.head}): a newer MLflow made it; run that version, or restore a "
            "backup made before its upgrade"
        )
    from mlflow.store.db import utils

    if utils._is_empty_database(engine):
        utils._initialize_tables(engine)
    else:
        utils._upgrade_db(engine)
    reached = _revision(connection)
    if reached != history.head:
        raise CannotStart(
            f"the schema of {shown(uri)} is at revision {reached} after its upgrade, and this "
            f"MLflow wants {history.head}: look for the cause in what it printed, then run it again"
        )


def _revision(connection: Connection) -> str | None:
    import sqlalchemy

    if not sqlalchemy.inspect(connection).has_table("alembic_version"):
        return None
    row = connection.exec_driver_sql("SELECT version_num FROM alembic_version").first()
    return str(row[0]) if row else None


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
