"""Many threads write at once: nothing is lost, nobody waits for ever, the latest value is right."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

from mlflow_platform_server.tracking_store import FastTrackingStore
from tests.image.tracking_store.postgres import Postgres

THREADS = 32


def together(call: Callable[[int], object]) -> list[object]:
    """Every thread's answer; a deadlock is an error of PostgreSQL after a second."""
    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(call, range(THREADS)))


@pytest.fixture
def store(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> FastTrackingStore:
    """With MLflow's default pool of 5 and 10 more, which its own store deadlocks here."""
    monkeypatch.delenv("MLFLOW_SQLALCHEMYSTORE_POOL_SIZE", raising=False)
    return FastTrackingStore(postgres.uri(postgres.new_database()), "s3://bucket/root")


def new_run(store: SqlAlchemyStore) -> str:
    return store.create_run("0", "someone", 1, [], "run").info.run_id


class TestOneRun:
    """All threads write to one run and the same keys."""

    def test_one_key(self, store: FastTrackingStore) -> None:
        run = new_run(store)

        def log(thread: int) -> None:
            for step in range(10):
                store.log_metric(run, Metric("loss", thread / 100, 1, step * THREADS + thread))

        together(log)
        history = store.get_metric_history(run, "loss")
        assert sorted(m.step for m in history) == list(range(10 * THREADS))
        assert store.get_run(run).data.metrics == {"loss": (THREADS - 1) / 100}

    def test_batches_with_keys_in_any_order(self, store: FastTrackingStore) -> None:
        """Each thread has an order of its own: locks are taken in one order all the same."""
        run = new_run(store)

        def log(thread: int) -> None:
            keys = [f"key {(place * 7 + thread) % 40}" for place in range(40)]
            if thread % 2:
                keys.reverse()
            for step in range(5):
                store.log_batch(
                    run,
                    [Metric(key, float(thread), 1, step * THREADS + thread) for key in keys],
                    [],
                    [RunTag("team", str(thread))],
                )

        together(log)
        data = store.get_run(run).data
        assert data.metrics == {f"key {place}": float(THREADS - 1) for place in range(40)}
        assert len(store.get_metric_history(run, "key 0")) == 5 * THREADS

    def test_the_same_batch_from_all(self, store: FastTrackingStore) -> None:
        """Clients repeat what they got no answer to: identical metrics are kept once."""
        run = new_run(store)
        batch = [Metric(f"key {place}", 0.5, 1, 1) for place in range(50)]
        together(lambda _: store.log_batch(run, batch, [Param("depth", "3")], [RunTag("a", "b")]))
        for place in range(50):
            assert len(store.get_metric_history(run, f"key {place}")) == 1
        assert store.get_run(run).data.params == {"depth": "3"}

    def test_one_parameter_with_many_values(self, store: FastTrackingStore) -> None:
        """One value wins; all others are refused as MLflow refuses them."""
        run = new_run(store)

        def log(thread: int) -> str:
            try:
                store.log_param(run, Param("depth", str(thread)))
            except MlflowException as error:
                return str(error)
            return "written"

        answers = together(log)
        assert answers.count("written") == 1
        winner = answers.index("written")
        assert store.get_run(run).data.params == {"depth": str(winner)}
        assert [answer for thread, answer in enumerate(answers) if thread != winner] == [
            "Changing param values is not allowed. Param with key='depth' was already logged with "
            f"value='{winner}' for run ID='{run}'. Attempted logging new value '{thread}'."
            for thread in range(THREADS)
            if thread != winner
        ]


class TestBesideMlflow:
    """Servers with either store share a database: during an upgrade, or beside a notebook."""

    def test_both_write_the_same_keys(self, store: FastTrackingStore) -> None:
        stock = SqlAlchemyStore(str(store.engine.url) + "?application_name=stock", "s3://bucket")
        run = new_run(store)

        def log(thread: int) -> None:
            writer = stock if thread % 4 == 0 else store
            for step in range(3):
                metrics = [
                    Metric(f"key {place}", float(thread), 1, step * THREADS + thread)
                    for place in range(20)
                ]
                writer.log_batch(run, metrics[:: -1 if thread % 2 else 1], [], [])

        # No more of MLflow's store at once than half its pool: each call takes two connections.
        for first in range(0, THREADS, 8):
            with ThreadPoolExecutor(8) as threads:
                list(threads.map(log, range(first, first + 8)))
        assert len(store.get_metric_history(run, "key 7")) == 3 * THREADS
        assert set(store.get_run(run).data.metrics.values()) == {float(THREADS - 1)}
        stock.engine.dispose()


class TestPool:
    """A write takes one connection, and says as MLflow does when there is none."""

    def test_more_writers_than_connections(self, store: FastTrackingStore) -> None:
        """With MLflow's store 16 of these wait for a second connection until they time out."""
        run = new_run(store)
        together(
            lambda thread: store.log_batch(
                run, [Metric("loss", 1.0, 1, thread)], [Param(f"p{thread}", "1")], []
            )
        )
        assert len(store.get_metric_history(run, "loss")) == THREADS
        assert store.engine.pool.checkedout() == 0

    def test_no_connection_left(self, postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MLFLOW_SQLALCHEMYSTORE_POOL_SIZE", "1")
        monkeypatch.setenv("MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW", "-1")
        store = FastTrackingStore(postgres.uri(postgres.new_database()), "s3://bucket/root")
        run = new_run(store)
        store.engine.pool._max_overflow = 0
        store.engine.pool._timeout = 0.01
        held = store.engine.connect()
        with pytest.raises(MlflowException, match="QueuePool limit of size 1") as caught:
            store.log_metric(run, Metric("loss", 1.0, 1, 1))
        assert caught.value.error_code == "BAD_REQUEST"
        held.close()
        store.log_metric(run, Metric("loss", 1.0, 1, 1))

    def test_a_statement_that_takes_too_long(
        self, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The timeout is reported once, not waited for again by another way."""
        uri = postgres.uri(postgres.new_database())
        FastTrackingStore(uri, "s3://bucket/root").engine.dispose()
        monkeypatch.setenv("PGOPTIONS", "-c statement_timeout=500ms")
        store = FastTrackingStore(uri, "s3://bucket/root")
        run = new_run(store)
        store.log_metric(run, Metric("loss", 1.0, 1, 1))
        with store.engine.begin() as other:
            other.exec_driver_sql("SELECT * FROM latest_metrics FOR UPDATE")
            with pytest.raises(MlflowException, match="canceling statement due to") as caught:
                store.log_metric(run, Metric("loss", 2.0, 2, 2))
        assert caught.value.error_code == "TEMPORARILY_UNAVAILABLE"
        assert len(store.get_metric_history(run, "loss")) == 1
