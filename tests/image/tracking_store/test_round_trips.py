"""How often a call waits for the database, which is what distance multiplies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import sqlalchemy
from mlflow.entities import Metric, Param, RunStatus, RunTag, ViewType
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

from mlflow_platform_server import store_round_trip
from mlflow_platform_server.tracking_store import FastTrackingStore, FastWorkspaceTrackingStore
from tests.image.tracking_store.postgres import Postgres
from tests.image.tracking_store.round_trips import RoundTrips

Call = Callable[[], object]


class TestTheCount:
    """The counter counts what is sent, no more and no less."""

    def test_statements_and_transactions(self, postgres: Postgres, tmp_path: Path) -> None:
        engine = sqlalchemy.create_engine(postgres.uri("postgres"), pool_pre_ping=True)
        trips = RoundTrips(engine, tmp_path)

        def transaction(statements: int) -> None:
            with engine.begin() as connection:
                for _ in range(statements):
                    connection.exec_driver_sql("SELECT 1")

        transaction(1)  # connects
        assert trips.of(lambda: None) == 0
        assert trips.of(lambda: transaction(1)) == 4  # ping, BEGIN, SELECT, COMMIT
        assert trips.of(lambda: transaction(2)) == 5
        engine.dispose()


def writes(store: SqlAlchemyStore) -> dict[str, Call]:
    """Each write, on a run that knows its keys."""
    experiment = store.create_experiment("round trips")
    run = store.create_run(experiment, "someone", 1, [], "run").info.run_id
    number = iter(range(10_000))

    def metrics(count: int) -> list[Metric]:
        step = next(number)
        return [Metric(f"metric {place}", 0.5, step, step) for place in range(count)]

    def mixed() -> None:
        step = next(number)
        store.log_batch(
            run,
            metrics(10),
            [Param(f"param {step} {place}", "1") for place in range(10)],
            [RunTag(f"tag {place}", str(step)) for place in range(10)],
        )

    return {
        "log-metric": lambda: store.log_metric(run, metrics(1)[0]),
        "log-batch, 100 metrics": lambda: store.log_batch(run, metrics(100), [], []),
        "log-batch, 1000 metrics": lambda: store.log_batch(run, metrics(1000), [], []),
        "log-batch, 10 of each": mixed,
        "log-param": lambda: store.log_param(run, Param(f"param {next(number)}", "1")),
        "set-tag": lambda: store.set_tag(run, RunTag("tag", str(next(number)))),
        "create-run": lambda: store.create_run(experiment, "someone", 1, [], "run"),
        "update-run": lambda: store.update_run_info(run, RunStatus.FINISHED, 5, None),
    }


BY_MLFLOW = {
    "log-metric": 8,
    "log-batch, 100 metrics": 12,
    "log-batch, 1000 metrics": 14,
    "log-batch, 10 of each": 24,
    "log-param": 6,
    "set-tag": 6,
    "create-run": 11,
    "update-run": 7,
}


class TestWrites:
    """One round trip each, where MLflow's store makes 6 to 24."""

    def test_ours(self, postgres: Postgres, tmp_path: Path) -> None:
        store = FastTrackingStore(postgres.uri(postgres.new_database()), "s3://bucket/root")
        trips = RoundTrips(store.engine, tmp_path)
        for name, call in writes(store).items():
            for _ in range(7):  # the first looks up where artifacts lie, the sixth is prepared
                call()
            assert (name, trips.of(call)) == (name, 1)
        store.engine.dispose()

    def test_with_workspaces(
        self, postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MLFLOW_ENABLE_WORKSPACES", "true")
        monkeypatch.setenv("MLFLOW_WORKSPACE", "default")
        uri = postgres.uri(postgres.new_database())
        monkeypatch.setenv("MLFLOW_WORKSPACE_STORE_URI", uri)
        store = FastWorkspaceTrackingStore(uri, "s3://bucket/root")
        trips = RoundTrips(store.engine, tmp_path)
        for name, call in writes(store).items():
            for _ in range(7):
                call()
            assert (name, trips.of(call)) == (name, 1)
        store.engine.dispose()

    def test_mlflow(self, postgres: Postgres, tmp_path: Path) -> None:
        """What we say of MLflow's store is measured too: a version that needs less is noticed."""
        store = SqlAlchemyStore(postgres.uri(postgres.new_database()), "s3://bucket/root")
        trips = RoundTrips(store.engine, tmp_path)
        counted: dict[str, int] = {}
        for name, call in writes(store).items():
            for _ in range(7):
                call()
            counted[name] = trips.of(call)
        assert counted == BY_MLFLOW
        store.engine.dispose()


class TestReads:
    """Ping, BEGIN and COMMIT are spared."""

    def test_three_fewer(self, postgres: Postgres, tmp_path: Path) -> None:
        counted: dict[type, list[int]] = {}
        for kind in (SqlAlchemyStore, FastTrackingStore):
            store = kind(postgres.uri(postgres.new_database()), "s3://bucket/root")
            (tmp_path / kind.__name__).mkdir()
            trips = RoundTrips(store.engine, tmp_path / kind.__name__)
            run = store.create_run("0", "someone", 1, [], "run").info.run_id
            reads: list[Call] = [
                lambda store=store, run=run: store.get_run(run),
                lambda store=store: store.search_runs(["0"], "", ViewType.ACTIVE_ONLY),
                lambda store=store: store.get_experiment("0"),
            ]
            for read in reads:
                read()
            counted[kind] = [trips.of(read) for read in reads]
            store.engine.dispose()
        assert counted[SqlAlchemyStore] == [10, 9, 5]
        assert counted[FastTrackingStore] == [7, 6, 2]


class TestPings:
    """A connection in doubt is pinged, one that was in use a moment ago is not."""

    @pytest.fixture
    def store(self, postgres: Postgres) -> FastTrackingStore:
        store = FastTrackingStore(postgres.uri(postgres.new_database()), "s3://bucket/root")
        store.get_experiment("0")
        return store

    def test_idle_for_long(
        self, store: FastTrackingStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        trips = RoundTrips(store.engine, tmp_path)
        store.get_experiment("0")
        assert trips.of(lambda: store.get_experiment("0")) == 2
        monkeypatch.setattr(store_round_trip, "FRESH_SECONDS", 0.0)
        assert trips.of(lambda: store.get_experiment("0")) == 3

    def test_sessions_ended_by_the_server(
        self, store: FastTrackingStore, postgres: Postgres
    ) -> None:
        """A restart, a failover that says so: the next call gets a new connection."""
        run = store.create_run("0", "someone", 1, [], "run").info.run_id
        store.log_metric(run, Metric("loss", 1.0, 1, 1))
        end_sessions(postgres, store)
        store.log_metric(run, Metric("loss", 2.0, 2, 2))
        end_sessions(postgres, store)
        assert [m.value for m in store.get_metric_history(run, "loss")] == [1.0, 2.0]

    def test_a_connection_that_ends_under_a_write(
        self, store: FastTrackingStore, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Not seen beforehand: what can be repeated is, and a run is not created twice."""
        run = store.create_run("0", "someone", 1, [], "run").info.run_id
        monkeypatch.setattr(store_round_trip, "is_quiet", lambda _: True)
        end_sessions(postgres, store)
        with pytest.raises(Exception, match="terminating connection") as caught:
            store.create_run("0", "someone", 1, [], "another")
        assert caught.value.error_code == "TEMPORARILY_UNAVAILABLE"
        store.create_run("0", "someone", 1, [], "another")
        end_sessions(postgres, store)
        monkeypatch.setattr(store_round_trip, "is_quiet", is_quiet_once_refused())
        store.log_metric(run, Metric("loss", 1.0, 1, 1))
        assert len(store.get_metric_history(run, "loss")) == 1
        assert len(store.search_runs(["0"], "", ViewType.ACTIVE_ONLY)) == 2


def is_quiet_once_refused() -> Callable[[object], bool]:
    """A look at the socket that is wrong the first time it is asked."""
    answers = iter([True])
    honest = store_round_trip.is_quiet
    return lambda connection: next(answers, None) or honest(connection)


def end_sessions(postgres: Postgres, store: SqlAlchemyStore) -> None:
    """End every session of the store's database, and wait until they are gone."""
    database = store.engine.url.database
    with psycopg.connect(postgres.dsn("postgres"), autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s",
            [database],
        )
