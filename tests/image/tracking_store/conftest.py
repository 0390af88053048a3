"""One PostgreSQL for the whole run; MLflow's store and ours, each on a database of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

from mlflow_platform_server.tracking_store import FastTrackingStore
from tests.image.tracking_store.postgres import Postgres, running


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with running() as server:
        yield server


@pytest.fixture(scope="session")
def stock(postgres: Postgres) -> Iterator[SqlAlchemyStore]:
    store = SqlAlchemyStore(postgres.uri(postgres.new_database()), "s3://bucket/root")
    yield store
    store.engine.dispose()


@pytest.fixture(scope="session")
def fast(postgres: Postgres) -> Iterator[FastTrackingStore]:
    store = FastTrackingStore(postgres.uri(postgres.new_database()), "s3://bucket/root")
    yield store
    store.engine.dispose()
