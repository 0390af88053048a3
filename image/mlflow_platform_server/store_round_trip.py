"""One statement in one round trip to PostgreSQL, on a connection of MLflow's own pool.

Owns how the statement travels: without BEGIN and COMMIT around it (a single statement is its own
transaction) and without a ping before it. MLflow's pool pings a connection before every use, which
costs a round trip each time; here a connection that was in use a moment ago is taken when nothing
waits to be read from it: PostgreSQL that restarts or ends a session says so on the socket, and the
kernel knows it before we ask. Everything else is pinged as before.
"""

from __future__ import annotations

import logging
import select
import time
from collections.abc import Callable, Mapping
from typing import Any, LiteralString, cast
from weakref import WeakKeyDictionary

import psycopg
import sqlalchemy
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import BAD_REQUEST, INTERNAL_ERROR, TEMPORARILY_UNAVAILABLE
from sqlalchemy import event
from sqlalchemy.exc import OperationalError, SQLAlchemyError

FRESH_SECONDS = 10.0
"""A connection that came back to the pool within this time is taken without a ping."""

_logger = logging.getLogger(__name__)

Row = tuple[Any, ...]


class StatementRefused(Exception):  # noqa: N818 - reads as what happened
    """PostgreSQL took nothing of the statement; MLflow's own store may try."""


class ConnectionLost(StatementRefused):
    """The connection ended under the statement, which may or may not have been applied."""


def spare_pings(engine: sqlalchemy.Engine) -> None:
    """Take connections of this engine without a ping where that is safe; once per engine."""
    dialect: Any = engine.dialect
    if getattr(dialect, "_spares_pings", False):
        return
    ping = cast("Callable[[Any], bool]", dialect.do_ping)
    returned_at: WeakKeyDictionary[Any, float] = WeakKeyDictionary()

    def note_return(connection: Any, _record: object) -> None:
        if connection is not None:
            returned_at[connection] = time.monotonic()

    def ping_when_in_doubt(connection: Any) -> bool:
        idle_seconds = time.monotonic() - returned_at.get(connection, float("-inf"))
        if idle_seconds < FRESH_SECONDS and is_quiet(connection):
            return True
        return ping(connection)

    event.listen(engine, "checkin", note_return)
    dialect.do_ping = ping_when_in_doubt
    dialect._spares_pings = True


def run_statement(
    engine: sqlalchemy.Engine, statement: str, parameters: Mapping[str, object]
) -> Row | None:
    """The statement's one row.

    Raises:
        StatementRefused: nothing was written.
        MlflowException: no connection was to be had, or the statement took too long; as MLflow's
            store says it.
    """
    try:
        pooled = engine.raw_connection()
    except SQLAlchemyError as error:
        raise _as_mlflow_says(error) from error
    try:
        connection = cast("psycopg.Connection[Row]", pooled.driver_connection)
        try:
            connection.autocommit = True
            answer = connection.execute(cast("LiteralString", statement), parameters)
            return answer.fetchone()
        except psycopg.errors.QueryCanceled as error:
            # Asked a second time it would only wait as long again.
            raise _as_mlflow_says(_wrapped(error)) from error
        except (psycopg.Error, UnicodeError) as error:
            if connection.closed:
                pooled.invalidate(error)
                raise ConnectionLost(str(error)) from error
            raise StatementRefused(str(error)) from error
        except Exception as error:
            raise MlflowException(str(error), error_code=INTERNAL_ERROR) from error
        finally:
            if not connection.closed:
                connection.autocommit = False
    finally:
        pooled.close()


def connection_lost_error(error: ConnectionLost) -> MlflowException:
    """What MLflow's store raises when the database is gone."""
    return _as_mlflow_says(_wrapped(error))


def is_quiet(connection: Any) -> bool:
    """Nothing waits on the socket: no end of the session, no word of its reason."""
    if connection.closed:
        return False
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    return not waiting.poll(0)


def _wrapped(error: Exception) -> OperationalError:
    return OperationalError(None, None, error)


def _as_mlflow_says(error: SQLAlchemyError) -> MlflowException:
    """The exception of mlflow.store.db.utils for the same error."""
    if isinstance(error, OperationalError):
        _logger.exception(
            "SQLAlchemy database error. The following exception is caught.\n%s", error
        )
        return MlflowException(message=str(error), error_code=TEMPORARILY_UNAVAILABLE)
    return MlflowException(message=str(error), error_code=BAD_REQUEST)
