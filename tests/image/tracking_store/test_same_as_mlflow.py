"""Whatever is called, in whatever order: the rows, the answers and the errors are MLflow's."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mlflow.entities import Metric, Param, RunTag, ViewType
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME

from mlflow_platform_server.tracking_store import FastTrackingStore
from tests.image.tracking_store import operations
from tests.image.tracking_store.two_stores import Call, Side, begin, compared

names = (f"experiment {number}" for number in itertools.count())


@pytest.fixture
def sides(stock: SqlAlchemyStore, fast: FastTrackingStore) -> list[Side]:
    return begin([fast, stock], next(names), runs=2, models=2)


class TestRandomCalls:
    """Every call has the same outcome in both stores, and leaves the same rows."""

    @given(calls=st.lists(operations.calls, min_size=1, max_size=8))
    @settings(
        max_examples=60,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    def test_outcomes_and_rows(
        self, calls: list[Call], stock: SqlAlchemyStore, fast: FastTrackingStore
    ) -> None:
        sides = begin([fast, stock], next(names), operations.RUNS, operations.MODELS)
        for call in calls:
            compared(sides, call)
            ours, theirs = (side.rows() for side in sides)
            assert ours == theirs


class TestRefusals:
    """What MLflow refuses is refused in its words, and what it keeps of the rest is kept."""

    @pytest.mark.parametrize(
        ("call", "words"),
        [
            (
                operations.log_metric(2, ("loss", 1.0, 1, 1, None, (None, None))),
                "Run with id=<other> not found",
            ),
            (
                operations.log_param(0, ("semi;colon", "1")),
                "Invalid value \"semi;colon\" for parameter 'key' supplied: Names may only",
            ),
            (
                operations.log_metric(0, ("loss", "0.5", 1, 1, None, (None, None))),
                "Please specify value as a valid double (64-bit floating point)",
            ),
        ],
        ids=["a run that does not exist", "a name", "a value that is none"],
    )
    def test_words(self, call: Call, words: str, sides: list[Side]) -> None:
        assert words in compared(sides, call)[2]

    def test_a_deleted_run(self, sides: list[Side]) -> None:
        compared(sides, operations.delete_run(0))
        for call in (
            operations.log_metric(0, ("loss", 1.0, 1, 1, None, (None, None))),
            operations.log_param(0, ("depth", "1")),
            operations.set_tag(0, ("team", "a")),
            operations.log_batch(0, [], [], []),
            operations.update_run(0, None, 5, None),
        ):
            kind, code, words = compared(sides, call)
            assert (kind, code) == ("MlflowException", "INVALID_PARAMETER_VALUE")
            assert words == (
                "The run <run 0> must be in the 'active' state. Current state is deleted."
            )
        assert sides[0].rows() == sides[1].rows()

    def test_a_parameter_stays_what_it_is(self, sides: list[Side]) -> None:
        assert compared(sides, operations.log_param(0, ("depth", "3"))) is None
        assert compared(sides, operations.log_param(0, ("depth", "3"))) is None
        assert compared(sides, operations.log_param(0, ("depth", "5")))[2] == (
            "Changing param values is not allowed. Param with key='depth' was already logged with "
            "value='3' for run ID='<run 0>'. Attempted logging new value '5'."
        )
        batch = operations.log_batch(
            0,
            [("loss", 1.0, 1, 1, None, (None, None))],
            [("width", "1"), ("depth", "5")],
            [("team", "a")],
        )
        assert compared(sides, batch)[2] == (
            "Changing param values is not allowed. Params were already logged='[{'key': 'depth', "
            "'old_value': '3', 'new_value': '5'}]' for run ID='<run 0>'."
        )
        rows = sides[0].rows()
        assert rows == sides[1].rows()
        assert rows["metrics"] == []

    def test_limits_of_a_batch(self, sides: list[Side]) -> None:
        metric = ("loss", 1.0, 1, 1, None, (None, None))
        for metrics, params, tags in ((1001, 0, 0), (0, 101, 0), (0, 0, 101), (999, 1, 1)):
            call = operations.log_batch(
                0,
                [metric] * metrics,
                [(f"p{place}", "1") for place in range(params)],
                [(f"t{place}", "1") for place in range(tags)],
            )
            assert "A batch logging request can contain at most" in compared(sides, call)[2]

    def test_a_batch_that_fails_late_keeps_what_mlflow_keeps(self, sides: list[Side]) -> None:
        """MLflow writes parameters first: a metric PostgreSQL refuses leaves them behind."""
        call = operations.log_batch(
            0,
            [("loss", 1.0, 2**63, 1, None, (None, None))],
            [("depth", "3")],
            [("team", "a")],
        )
        assert compared(sides, call)[0] == "MlflowException"
        rows = sides[0].rows()
        assert rows == sides[1].rows()
        assert (len(rows["params"]), len(rows["metrics"])) == (1, 0)


class TestLatestMetric:
    """The latest value is the greatest by step, then timestamp, then value; NaN counts as 0."""

    @pytest.mark.parametrize("one_batch", [True, False])
    @given(
        values=st.lists(operations.plain_metric_parts, min_size=1, max_size=20),
    )
    @settings(
        max_examples=25,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    def test_by_batch_and_one_by_one(
        self, values: list, one_batch: bool, stock: SqlAlchemyStore, fast: FastTrackingStore
    ) -> None:
        sides = begin([fast, stock], next(names), runs=1, models=0)
        plain = [(*parts[:4], None, (None, None)) for parts in values]
        calls = (
            [operations.log_batch(0, plain, [], [])]
            if one_batch
            else [operations.log_metric(0, parts) for parts in plain]
        )
        for call in calls:
            compared(sides, call)
        assert sides[0].rows() == sides[1].rows()

    def test_a_thousand_metrics_again_and_again(self, sides: list[Side]) -> None:
        parts = [
            (f"m{place % 700}", float(place), 1, place % 3, None, (None, None))
            for place in range(1000)
        ]
        for shift in (0, 0, 500):
            compared(sides, operations.log_batch(0, parts[shift:] + parts[:shift], [], []))
        assert sides[0].rows() == sides[1].rows()
        assert len(sides[0].rows()["latest_metrics"]) == 700


class TestNewRun:
    """A created run is what MLflow would have created, and what it reads back."""

    def test_random_name(self, sides: list[Side]) -> None:
        for side in sides:
            created = side.store.create_run(side.experiment, "someone", 7, [], "")
            assert created.info.run_name
            assert created.data.tags == {MLFLOW_RUN_NAME: created.info.run_name}
            read = side.store.get_run(created.info.run_id)
            assert dict(read.info) == dict(created.info)
            assert read.data.to_dictionary() == created.data.to_dictionary()

    def test_two_names_that_differ(self, sides: list[Side]) -> None:
        call = operations.create_run("someone", 1, [(MLFLOW_RUN_NAME, "one")], "another")
        assert "Both 'run_name' argument and 'mlflow.runName' tag" in compared(sides, call)[2]

    def test_deleted_experiment(self, sides: list[Side]) -> None:
        for side in sides:
            side.store.create_run(side.experiment, "someone", 1, [], "before")
            side.store.delete_experiment(side.experiment)
        outcomes = [
            side.outcome(operations.create_run("someone", 1, [], "after")) for side in sides
        ]
        for side, outcome in zip(sides, outcomes, strict=True):
            state = f"The experiment {side.experiment} must be in the 'active' state."
            message = f"{state} Current state is deleted."
            assert outcome == ("MlflowException", "INVALID_PARAMETER_VALUE", message)

    def test_experiment_that_does_not_exist(self, sides: list[Side]) -> None:
        for experiment in ("999999", "0999999", "x", "-1", str(2**31)):

            def create(side: Side, experiment: str = experiment) -> object:
                return side.store.create_run(experiment, "someone", 1, [], "run")

            assert compared(sides, create)[0] == "MlflowException"

    def test_a_moved_artifact_location_is_noticed(self, fast: FastTrackingStore) -> None:
        """Nothing of MLflow moves it, but a person with psql may."""
        experiment = fast.create_experiment(next(names))
        fast.create_run(experiment, "someone", 1, [], "before")
        with fast.engine.begin() as connection:
            connection.exec_driver_sql(
                "UPDATE experiments SET artifact_location = 'gs://moved' "
                f"WHERE experiment_id = {experiment}"
            )
        for _ in range(2):
            run = fast.create_run(experiment, "someone", 1, [], "after")
            assert run.info.artifact_uri == f"gs://moved/{run.info.run_id}/artifacts"


class TestReads:
    """Reads answer as before, from sessions without a transaction."""

    def test_what_was_written_is_read(self, sides: list[Side]) -> None:
        batch = operations.log_batch(
            0,
            [("loss", float("nan"), 1, 1, None, (None, None)), ("a", 2.0, 1, 1, 0, ("d", "1"))],
            [("depth", "3")],
            [("team", "a")],
        )
        compared(sides, batch)
        reads: list[Callable[[Side], object]] = [
            lambda side: [vars(m) for m in side.store.get_metric_history(side.run(0), "loss")],
            lambda side: [
                run.info.run_id
                for run in side.store.search_runs(
                    [side.experiment], "metrics.a > 1", ViewType.ACTIVE_ONLY
                )
            ],
            # MLflow gives a run's metrics in no order.
            lambda side: sorted(side.store.get_run(side.run(0)).data.metrics.items()),
            lambda side: side.store.get_run(side.run(0)).data.params,
            lambda side: sorted(side.store.get_run(side.run(0)).data.tags.items()),
        ]
        for read in reads:
            compared(sides, read)


def test_the_comparison_sees_a_difference(sides: list[Side]) -> None:
    """The fake that all of this rests on: rows that differ are told apart."""
    sides[0].store.log_metric(sides[0].run(0), Metric("loss", 1.0, 1, 1))
    sides[1].store.log_metric(sides[1].run(0), Metric("loss", 1.0, 1, 2))
    assert sides[0].rows() != sides[1].rows()
    sides[0].store.log_param(sides[0].run(1), Param("depth", "3"))
    with pytest.raises(AssertionError):
        compared(sides, operations.log_param(1, ("depth", "5")))
    sides[0].store.set_tag(sides[0].run(1), RunTag("team", "a"))
    assert sides[0].rows()["tags"] != sides[1].rows()["tags"]
