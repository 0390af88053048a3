"""`migrate`: MLflow's own schema upgrade, with the password that this server's connections have.

Owns that the upgrade runs alone among its likes: a lock in PostgreSQL makes a second one wait and
then find nothing to do. The upgrade itself is MLflow's.
"""

from __future__ import annotations

import sys

from mlflow_platform_server.database_check import shown
from mlflow_platform_server.database_tokens import give_each_connection_its_token, token_source
from mlflow_platform_server.errors import CannotStart
from mlflow_platform_server.mlflow_environment import check_mlflow_version

LOCK = 0x6D6C666C6F77  # "mlflow", as a number of PostgreSQL's advisory locks


def migrate(uri: str, token: str) -> None:
    """Make or upgrade the schema at `uri`.

    Raises:
        CannotStart: the database cannot be reached.
    """
    check_mlflow_version()
    tokens = token_source(token)
    if tokens:
        give_each_connection_its_token(tokens)
    import sqlalchemy
    from mlflow.store.db import utils
    from sqlalchemy.exc import OperationalError

    engine = sqlalchemy.create_engine(uri)
    try:
        with engine.connect() as connection:
            if engine.dialect.name == "postgresql":
                # For as long as this connection lives, whatever happens to the upgrade.
                connection.execute(sqlalchemy.text(f"SELECT pg_advisory_lock({LOCK})"))
                connection.commit()
            if utils._is_empty_database(engine):
                utils._initialize_tables(engine)
            else:
                utils._upgrade_db(engine)
    except OperationalError as error:
        raise CannotStart(f"{shown(uri)} cannot be upgraded: {error.orig}") from None
    finally:
        engine.dispose()
    sys.stdout.write(f"the schema of {shown(uri)} is at this MLflow's revision\n")
