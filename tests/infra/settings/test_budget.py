"""The connection budget: what is derived holds, what breaks it is refused with the arithmetic."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.connection_budget import ConnectionBudget
from infra.settings import PlatformSettings, SettingsError, load_settings
from infra.settings_declarations import AUTO
from tests.infra.settings.loading import load, problems

EXTERNAL = "postgresql://mlflow@db.example/mlflow"


def budget(**numbers: int) -> ConnectionBudget:
    given = {
        "replicas": 1,
        "workers": 2,
        "threads": 40,
        "pool_size": 20,
        "max_overflow": 60,
        "max_connections": 220,
        "reserved_connections": 10,
    }
    return ConnectionBudget(**given | numbers)  # pyright: ignore[reportArgumentType]


class TestArithmetic:
    """Both rules are counted from the numbers, with nothing else in between."""

    def test_a_pool_of_two_per_request_is_just_enough(self) -> None:
        assert budget(threads=40, pool_size=20, max_overflow=60).pool_serves_every_request
        assert not budget(threads=40, pool_size=20, max_overflow=59).pool_serves_every_request

    def test_a_database_with_just_enough_connections_fits(self) -> None:
        """2 workers × (80 + 20 idle in the registry's pool) + 10 reserved."""
        assert budget(max_connections=210).fits_the_database
        assert not budget(max_connections=209).fits_the_database

    def test_in_words(self) -> None:
        assert budget().describe() == (
            "1 replica × 2 workers × (20 + 60 in use + 20 idle in other pools) = 200 connections "
            "≤ 220 of the database − 10 reserved = 210"
        )

    def test_a_rollout_has_one_server_more(self) -> None:
        rolling = budget(surge=1, replicas=2, max_connections=610)
        assert rolling.describe() == (
            "(2 replicas + 1 during a rollout) × 2 workers × (20 + 60 in use + 20 idle in other "
            "pools) = 600 connections ≤ 610 of the database − 10 reserved = 600"
        )
        assert not budget(surge=1, replicas=2, max_connections=609).fits_the_database

    def test_a_deployment_is_counted_with_it_and_one_machine_without(self) -> None:
        local, cluster = load(), load(target="aws")
        assert local.connection_budget is not None
        assert cluster.connection_budget is not None
        assert (local.connection_budget.surge, cluster.connection_budget.surge) == (0, 1)


class TestDerivedNumbers:
    """What the user leaves to the platform is filled in so that the budget holds."""

    @pytest.mark.parametrize("kind", ["uvicorn", "gunicorn"])
    def test_two_cores_get_the_pool_of_ten_and_twenty(self, kind: str) -> None:
        """The numbers of the pooling fix this platform grew from."""
        settings = load(cores=2, serverKind=kind)
        assert (settings.server.workers, settings.server.threads) == (2, 15)
        assert (settings.pool.size, settings.pool.max_overflow) == (10, 20)
        assert settings.pool.recycle_seconds == 1800

    @pytest.mark.parametrize(
        ("size", "cores", "workers", "threads"),
        [
            ("small", 64, 1, 10),
            ("medium", 1, 1, 15),
            ("medium", 64, 2, 15),
            ("large", 3, 3, 15),
            ("large", 64, 4, 15),
        ],
    )
    def test_workers_and_threads_by_size_and_cores(
        self, size: str, cores: int, workers: int, threads: int
    ) -> None:
        server = load(cores=cores, serverSize=size).server
        assert (server.workers, server.threads) == (workers, threads)

    def test_the_deploying_machines_cores_say_nothing_of_a_container(self) -> None:
        assert load(cores=1, target="aws", serverSize="large").server.workers == 4

    def test_workers_are_lowered_to_what_an_external_database_has_room_for(self) -> None:
        """3 workers × (30 + 10 idle) + 10 reserved."""
        settings = load(
            cores=4, serverSize="large", backendStoreUri=EXTERNAL, databaseMaxConnections="130"
        )
        assert settings.server.workers == 3

    def test_a_small_external_database_gets_a_smaller_pool_and_a_larger_burst(self) -> None:
        settings = load(cores=4, backendStoreUri=EXTERNAL, serverThreads="40")
        assert settings.server.workers == 1
        assert (settings.pool.size, settings.pool.max_overflow) == (10, 70)
        assert settings.database.max_connections == 100

    def test_basic_authentication_has_a_pool_of_its_own(self) -> None:
        settings = load(backendStoreUri=EXTERNAL, authentication="basic")
        assert settings.connection_budget is not None
        assert settings.connection_budget.stores == 3
        assert settings.connection_budget.fits_the_database

    def test_our_database_is_made_large_enough(self) -> None:
        settings = load(serverWorkers="16")
        assert settings.connection_budget is not None
        assert settings.connection_budget.fits_the_database
        assert settings.database.max_connections % 20 == 0

    def test_a_changed_pool_leaves_our_database_as_it_is(self) -> None:
        """PostgreSQL restarts for `max_connections`; a pool is the server's alone."""
        small, large = load(poolSize="5"), load(poolSize="25")
        assert small.database.max_connections == large.database.max_connections

    def test_sqlite_has_one_worker_and_a_pool_that_cannot_deadlock(self) -> None:
        settings = load(cores=8, backendStoreUri="sqlite:///mlflow.db")
        assert settings.server.workers == 1
        assert settings.pool.size + settings.pool.max_overflow == 30
        assert settings.connection_budget is None

    def test_given_numbers_are_never_changed(self) -> None:
        settings = load(
            serverKind="gunicorn",
            serverThreads="9",
            serverWorkers="3",
            poolSize="8",
            poolMaxOverflow="12",
            databaseMaxConnections="150",
        )
        assert (settings.server.threads, settings.server.workers) == (9, 3)
        assert (settings.pool.size, settings.pool.max_overflow) == (8, 12)
        assert settings.database.max_connections == 150


class TestRefusals:
    """A stack that breaks the budget is refused with the arithmetic and the way out."""

    def test_a_pool_that_deadlocks(self) -> None:
        (found,) = problems(serverThreads="40", poolSize="10", poolMaxOverflow="20")
        assert found == (
            "mlflow-platform:poolMaxOverflow: gives a worker 10 + 20 = 30 connections, but it "
            "serves 40 requests at once and each log-batch holds 2: 40 × 2 = 80. With fewer it "
            "deadlocks under load and loses metrics; raise poolMaxOverflow to 70, lower "
            "serverThreads to 15, or leave both at auto"
        )

    def test_a_pool_that_deadlocks_on_sqlite(self) -> None:
        """Measured: 40 threads on sqlite with 5 + 10 stood still; with 20 + 60 they did not."""
        found = problems(backendStoreUri="sqlite:///mlflow.db", poolSize="5", poolMaxOverflow="10")
        assert len(found) == 1
        assert "5 + 10 = 15 connections" in found[0]

    def test_workers_that_an_external_database_cannot_hold(self) -> None:
        (found,) = problems(backendStoreUri=EXTERNAL, serverWorkers="4")
        assert found == (
            "mlflow-platform:serverWorkers: does not fit: 1 replica × 4 workers × (10 + 20 in use "
            "+ 10 idle in other pools) = 160 connections > 100 of the database − 10 reserved = 90."
            " Past that PostgreSQL refuses connections; raise databaseMaxConnections to 170 (and "
            "the database with it), or lower serverReplicas, serverWorkers, poolSize or "
            "poolMaxOverflow"
        )

    def test_a_database_too_small_for_one_worker(self) -> None:
        found = problems(backendStoreUri=EXTERNAL, databaseMaxConnections="40")
        assert len(found) == 1
        assert found[0].startswith("mlflow-platform:databaseMaxConnections: does not fit: ")

    def test_zero_overflow_is_refused(self) -> None:
        """MLflow reads 0 as not set, and SQLAlchemy's 10 would apply unseen."""
        assert problems(poolSize="80", poolMaxOverflow="0") == [
            "mlflow-platform:poolMaxOverflow: is 0; write a whole number of 1 or more, or auto"
        ]


def numbers(low: int, high: int) -> st.SearchStrategy[str]:
    return st.one_of(st.just(AUTO), st.integers(low, high).map(str))


STACKS = st.fixed_dictionaries(
    {
        "target": st.sampled_from(["local", "aws", "gcp"]),
        "serverKind": st.sampled_from(["uvicorn", "gunicorn"]),
        "serverWorkers": numbers(1, 20),
        "serverThreads": numbers(1, 100),
        "serverReplicas": st.integers(1, 10).map(str),
        "poolSize": numbers(1, 200),
        "poolMaxOverflow": numbers(1, 200),
        "databaseMaxConnections": numbers(10, 2000),
        "databaseReservedConnections": st.integers(3, 50).map(str),
        "backendStoreUri": st.sampled_from(["", EXTERNAL, "sqlite:///mlflow.db"]),
        "authentication": st.sampled_from(["off", "basic"]),
        "serverJobExecution": st.sampled_from(["true", "false"]),
    }
)


def outcome(values: dict[str, str], cores: int) -> PlatformSettings | SettingsError:
    try:
        return load_settings(values, stack="local", environ={}, cores=cores)
    except SettingsError as error:
        return error


class TestWhateverIsAuto:
    """Whatever is given and whatever is left to us, the budget holds or the stack is refused."""

    @given(values=STACKS, cores=st.integers(1, 128))
    def test_the_budget_holds_or_is_refused(self, values: dict[str, str], cores: int) -> None:
        settings = outcome(values, cores)
        if isinstance(settings, SettingsError):
            assert settings.problems
            assert all(len(item.message) > 20 for item in settings.problems)
            return
        pool = settings.pool.size + settings.pool.max_overflow
        assert pool >= 2 * settings.server.threads
        counted = settings.connection_budget
        if counted is None:
            assert settings.server.workers == 1
            return
        assert counted.fits_the_database
        assert counted.pool_serves_every_request
        assert (counted.workers, counted.threads, counted.replicas) == (
            settings.server.workers,
            settings.server.threads,
            settings.server.replicas,
        )
        assert (counted.pool_size, counted.max_overflow) == (
            settings.pool.size,
            settings.pool.max_overflow,
        )
        assert counted.max_connections == settings.database.max_connections

    @given(values=STACKS, cores=st.integers(1, 128))
    def test_a_given_number_stands_or_is_refused(self, values: dict[str, str], cores: int) -> None:
        settings = outcome(values, cores)
        if isinstance(settings, SettingsError):
            return
        found = {
            "serverWorkers": settings.server.workers,
            "serverThreads": settings.server.threads,
            "poolSize": settings.pool.size,
            "poolMaxOverflow": settings.pool.max_overflow,
            "databaseMaxConnections": settings.database.max_connections,
        }
        given = {key: int(values[key]) for key in found if values[key] != AUTO}
        assert {key: found[key] for key in given} == given

    @given(
        cores=st.integers(1, 128),
        kind=st.sampled_from(["uvicorn", "gunicorn"]),
        uri=st.sampled_from(["", EXTERNAL, "sqlite:///mlflow.db"]),
        authentication=st.sampled_from(["off", "basic"]),
    )
    def test_all_auto_always_loads(
        self, cores: int, kind: str, uri: str, authentication: str
    ) -> None:
        """An untouched PostgreSQL with its 100 connections included."""
        load(cores=cores, serverKind=kind, backendStoreUri=uri, authentication=authentication)
