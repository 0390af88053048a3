"""Random calls as training jobs make them, and as they should not."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import strategies as st
from mlflow.entities import Metric, Param, RunStatus, RunTag
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME

from tests.image.tracking_store.two_stores import Call, Side

RUNS = 2
MODELS = 2

good_names = st.sampled_from(["loss", "loss/train", "a b.c:d-e_f", "Метрика", "k" * 250, "tail\n"])
bad_names = st.sampled_from(["k" * 251, "semi;colon", "../up", "/root", "", ".", "nul\0"])
names = st.one_of(good_names, good_names, good_names, good_names, bad_names)

values = st.one_of(
    st.sampled_from([0.0, 1.0, float("nan"), float("inf"), float("-inf"), 5e-324]),
    st.floats(width=64),
    st.integers(-(2**54), 2**54),
).map(lambda value: 0.0 if value == 0 else value)
"""Without -0.0: to SQLAlchemy it is no change of a latest 0.0, whose sign MLflow's store keeps."""

odd_values = st.sampled_from([None, True, "0.5", Decimal("0.5"), 10**400, 2**53 + 1])
times = st.sampled_from([0, 1, 2, 1_700_000_000_000, 2**63 - 1])
odd_times = st.sampled_from([-1, 2**63, 1.5])
steps = st.sampled_from([0, 1, 2, -1, 2**63 - 1, -(2**63)])
odd_steps = st.sampled_from([2**63, 0.5, "1"])


def seldom(ordinary: st.SearchStrategy[object], odd: st.SearchStrategy[object]):
    """Mostly the first: a batch in which everything is odd is refused at its first metric."""
    return st.integers(0, 60).flatmap(lambda draw: odd if draw == 60 else ordinary)


runs = st.integers(0, RUNS)  # the last does not exist
models = st.one_of(st.none(), st.none(), st.none(), st.integers(0, MODELS))
datasets = st.sampled_from([(None, None), ("data", "digest")])
texts = st.one_of(
    st.sampled_from(["", "value", "other", "x" * 6000, "x" * 6001, "y" * 8001, "nul\0", "\ud800"]),
    st.text(max_size=5),
)
metric_parts = st.tuples(
    seldom(names, names),
    seldom(values, odd_values),
    seldom(times, odd_times),
    seldom(steps, odd_steps),
    models,
    datasets,
)
plain_metric_parts = st.tuples(
    st.sampled_from(["loss", "accuracy", "Метрика"]),
    values,
    st.sampled_from([1, 2]),
    st.sampled_from([1, 2]),
    models,
    datasets,
)
metrics = st.one_of(metric_parts, plain_metric_parts)
param_parts = st.tuples(names, seldom(texts, st.none()))
tag_names = st.one_of(names, names, st.just(MLFLOW_RUN_NAME))
tag_parts = st.tuples(tag_names, seldom(texts, st.none()))


def as_metric(side: Side, parts: tuple) -> Metric:
    name, value, time, step, model, (dataset, digest) = parts
    return Metric(name, value, time, step, side.model(model), dataset, digest)


def log_metric(run: int, parts: tuple) -> Call:
    return lambda side: side.store.log_metric(side.run(run), as_metric(side, parts))


def log_param(run: int, parts: tuple) -> Call:
    return lambda side: side.store.log_param(side.run(run), Param(*parts))


def set_tag(run: int, parts: tuple) -> Call:
    return lambda side: side.store.set_tag(side.run(run), RunTag(*parts))


def log_batch(run: int, some_metrics: list, params: list, tags: list) -> Call:
    return lambda side: side.store.log_batch(
        side.run(run),
        [as_metric(side, parts) for parts in some_metrics],
        [Param(*parts) for parts in params],
        [RunTag(*parts) for parts in tags],
    )


def delete_run(run: int) -> Call:
    return lambda side: side.store.delete_run(side.run(run))


def restore_run(run: int) -> Call:
    return lambda side: side.store.restore_run(side.run(run))


def delete_tag(run: int, name: str) -> Call:
    return lambda side: side.store.delete_tag(side.run(run), name)


def update_run(run: int, status: int | None, end: object, name: str | None) -> Call:
    return lambda side: side.store.update_run_info(side.run(run), status, end, name)


def create_run(user: object, start: object, tags: list, name: str) -> Call:
    def create(side: Side) -> object:
        created = side.store.create_run(
            side.experiment, user, start, [RunTag(*parts) for parts in tags], name
        )
        side.runs.append(created.info.run_id)
        return created

    return create


calls = st.one_of(
    st.builds(log_metric, runs, metrics),
    st.builds(log_metric, runs, plain_metric_parts),
    st.builds(
        log_batch,
        runs,
        st.lists(metrics, max_size=6),
        st.lists(param_parts, max_size=3),
        st.lists(tag_parts, max_size=3),
    ),
    st.builds(
        log_batch,
        st.just(0),
        st.lists(plain_metric_parts, max_size=12),
        st.lists(st.tuples(good_names, st.sampled_from(["1", "2"])), max_size=2),
        st.lists(st.tuples(good_names, texts), max_size=2),
    ),
    st.builds(log_param, runs, param_parts),
    st.builds(set_tag, runs, tag_parts),
    st.builds(delete_tag, runs, names),
    st.builds(delete_run, runs),
    st.builds(restore_run, runs),
    st.builds(
        update_run,
        runs,
        st.sampled_from([None, RunStatus.FINISHED, RunStatus.FAILED, 99]),
        seldom(st.sampled_from([None, 0, 5, 2**63 - 1]), st.sampled_from([2**63, 1.5])),
        st.sampled_from([None, "", "renamed", "n" * 251]),
    ),
    st.builds(
        create_run,
        seldom(st.just("someone"), st.sampled_from([None, "u" * 257])),
        seldom(st.sampled_from([0, 5]), st.sampled_from([None, 2**63, "5"])),
        st.lists(tag_parts, max_size=3),
        st.sampled_from(["named", "n" * 251]),
    ),
)
