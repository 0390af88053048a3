"""MLflow's tracking store with fewer round trips, and how MLflow comes to use it.

Owns the two store classes, their registration and the condition they run under: an MLflow they were
tested with, because they repeat what its own store does. On any other version the stock store is
one setting away. Everything but the writes of `store_writes` is MLflow's store, unchanged; its
reads go without BEGIN and COMMIT around them (each is a statement of its own at PostgreSQL's
default isolation, where a transaction adds two round trips and no consistency).
"""

# The bases are MLflow's, which has no types on what it overrides.
# pyright: reportIncompatibleMethodOverride=false, reportIncompatibleVariableOverride=false

from __future__ import annotations

import os
from typing import Any

import mlflow
import sqlalchemy.orm
from mlflow.environment_variables import MLFLOW_ENABLE_WORKSPACES
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.store.tracking.sqlalchemy_workspace_store import WorkspaceAwareSqlAlchemyStore

from mlflow_platform_server.errors import CannotStart
from mlflow_platform_server.store_mlflow_names import (
    DEFAULT_LOCAL_FILE_AND_ARTIFACT_PATH,
    SERVER_ARTIFACT_ROOT_VARIABLE,
    registries,
    routing_session_maker,
)
from mlflow_platform_server.store_round_trip import spare_pings
from mlflow_platform_server.store_writes import WritesInOneRoundTrip

TESTED_MLFLOW = ("3.17.2",)

VARIABLE = "MLFLOW_PLATFORM_TRACKING_STORE"
"""`fast` for this store; anything else, or nothing, for MLflow's own."""

SCHEME = "postgresql"
DRIVER = "psycopg"


class UntestedMlflow(CannotStart):
    """This store was not tested with the MLflow beside it."""


class _FewerRoundTrips(WritesInOneRoundTrip):
    def __init__(
        self, db_uri: str, default_artifact_root: str, read_db_uri: str | None = None
    ) -> None:
        super().__init__(db_uri, default_artifact_root, read_db_uri=read_db_uri)
        self._artifact_locations = {}
        self._in_one_round_trip = self.engine.url.get_driver_name() == DRIVER
        if not self._in_one_round_trip:
            return  # another database, or another driver: MLflow's store as it is
        engines = {self.engine, self.read_engine or self.engine}
        for engine in engines:
            spare_pings(engine)
        reading = (self.read_engine or self.engine).execution_options(isolation_level="AUTOCOMMIT")
        self.ManagedSessionMaker = routing_session_maker(
            sqlalchemy.orm.sessionmaker(bind=self.engine),
            sqlalchemy.orm.sessionmaker(bind=reading),
            self.db_type,
        )


class FastTrackingStore(_FewerRoundTrips, SqlAlchemyStore):
    """MLflow's store on PostgreSQL, in fewer round trips."""


class FastWorkspaceTrackingStore(_FewerRoundTrips, WorkspaceAwareSqlAlchemyStore):
    """The same for a server with workspaces."""


def register() -> None:
    """Make MLflow's registries in this process build this store where the variable asks for it.

    Raises:
        UntestedMlflow: the variable asks for it on an MLflow it was not tested with.
    """
    if wanted():
        check_mlflow_version()
    for registry in registries():
        registry.register(SCHEME, build)


def wanted() -> bool:
    """Whether the environment asks for this store."""
    return os.environ.get(VARIABLE, "mlflow") == "fast"


def check_mlflow_version() -> None:
    """Refuse to repeat what an unknown version does.

    Raises:
        UntestedMlflow: says which version was found and what to do.
    """
    found = mlflow.__version__
    if found not in TESTED_MLFLOW:
        raise UntestedMlflow(
            f"The fast tracking store was tested with MLflow {' and '.join(TESTED_MLFLOW)} and "
            f"this is {found}: set mlflow-platform:serverTrackingStore to mlflow (variable "
            f"{VARIABLE}) for MLflow's own store, or install a version it was tested with"
        )


def build(store_uri: str, artifact_uri: str | None = None) -> SqlAlchemyStore:
    """The store for a database, as MLflow's registries call for it (also the entry point)."""
    from mlflow.server.constants import READ_REPLICA_BACKEND_STORE_URI_ENV_VAR

    kind = store_class(store_uri)
    if artifact_uri is None:
        artifact_uri = os.environ.get(
            SERVER_ARTIFACT_ROOT_VARIABLE, DEFAULT_LOCAL_FILE_AND_ARTIFACT_PATH
        )
    read_uri = os.environ.get(READ_REPLICA_BACKEND_STORE_URI_ENV_VAR)
    return kind(store_uri, artifact_uri, read_db_uri=read_uri)


def store_class(store_uri: str) -> Any:
    """Which store a database gets: what the environment asks for, where the driver allows it.

    Raises:
        UntestedMlflow: the fast one is asked for on an MLflow it was not tested with.
    """
    fast = wanted() and sqlalchemy.make_url(store_uri).get_driver_name() == DRIVER
    if fast:
        check_mlflow_version()
    return {
        (True, True): FastWorkspaceTrackingStore,
        (True, False): FastTrackingStore,
        (False, True): WorkspaceAwareSqlAlchemyStore,
        (False, False): SqlAlchemyStore,
    }[fast, bool(MLFLOW_ENABLE_WORKSPACES.get())]
