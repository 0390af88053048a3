"""The four stages of the check: health, experiment, run, metric.

Owns what is asked of a platform before it is called working, and the words in which the answers
are reported; both are those of the team's integration guide, whose readers know them. Each stage
builds on the one before, so a failure ends the check.

The health stage proves only that a server process lives: MLflow answers `/health` while its
database is down. The other three prove the rest, by writing and reading back. The last one
compares key and value with what was written instead of counting metrics.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import cast

from smoke_tests.errors import StageFailed
from smoke_tests.json_document import Document, find, find_documents, find_text
from smoke_tests.mlflow_api import Experiment, Metric
from smoke_tests.stage import Evidence, Stage, Weight
from smoke_tests.tracking_server import CallFailed
from smoke_tests.visit import Visit

_DATABASE_REMEDY = (
    "The server accepted the write and lost or changed it: check that all its workers use one "
    "database, and that no cache answers GET requests to /api in front of it."
)
# What MLflow answers when a run is created in an experiment that was deleted meanwhile.
_EXPERIMENT_IS_GONE = frozenset({"INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST"})


def answer_health(visit: Visit) -> Iterator[Evidence]:
    """Ask the server whether its process lives."""
    with _reported_as("MLflow server not reachable"):
        seconds = visit.server.health()
    yield Evidence(f"MLflow server healthy (response time: {seconds:.1f}s)")


def get_or_create_experiment(visit: Visit) -> Iterator[Evidence]:
    """Find the experiment, or create it; another check may do so at the same moment."""
    name = visit.experiment_name
    with _reported_as("Failed to get/create experiment"):
        experiment = visit.api.experiment_by_name(name)
        if experiment is None:
            yield Evidence("Experiment not found, creating...", Weight.REMARK)
            visit.experiment_id = visit.api.create_experiment(name, visit.token)
            if visit.experiment_id is not None:
                visit.experiment_is_ours = True
                yield Evidence(f"Created experiment: {name} (id={visit.experiment_id})")
                return
            experiment = visit.api.experiment_by_name(name)
    experiment = _usable(experiment, name)
    visit.experiment_id = experiment.experiment_id
    # True when our own creation succeeded and its answer was lost on the way.
    visit.experiment_is_ours = experiment.token == visit.token
    yield Evidence(f"Got existing experiment: {name} (id={visit.experiment_id})")


def create_run_and_log_metric(visit: Visit) -> Iterator[Evidence]:
    """Create a run, log one metric, end the run."""
    metric = visit.metric
    with _reported_as("Failed to create run"):
        visit.run_id = _create_run(visit)
    yield Evidence(f"Created run: {visit.run_id}")
    with _reported_as("Failed to log metric"):
        visit.api.log_metric(visit.run_id, metric)
    yield Evidence(f"Logged metric: {metric.key}={metric.value}")
    with _reported_as("Failed to end run"):
        visit.api.end_run(visit.run_id, end_time=visit.clock.epoch_milliseconds())
    yield Evidence("Ended run successfully")


def retrieve_metrics(visit: Visit) -> Iterator[Evidence]:
    """Read the run back and compare it with what was written."""
    run_id = cast("str", visit.run_id)  # the runner stops at the first failed stage
    with _reported_as("Failed to retrieve metrics"):
        run = visit.api.get_run(run_id)
    metrics = find_documents(run, "data", "metrics")
    for problem in _differences(run, metrics, run_id, visit.metric):
        raise StageFailed(f"Failed to retrieve metrics: {problem}", _DATABASE_REMEDY)
    yield Evidence(f"Retrieved {len(metrics)} metrics")
    for metric in metrics:
        yield Evidence(f"{metric.get('key')}: {metric.get('value')}", Weight.DETAIL)


FOUR_STAGES = (
    Stage(
        number=1,
        name="health",
        title="MLflow Server Health",
        question="Does the server process answer?",
        failed_sentence="MLflow server not reachable. Check Cloud Run service.",
        run=answer_health,
    ),
    Stage(
        number=2,
        name="experiment",
        title="Create/Get Experiment",
        question="Can this identity get or create the experiment?",
        failed_sentence="Cannot create experiment. Check IAM permissions.",
        run=get_or_create_experiment,
    ),
    Stage(
        number=3,
        name="run",
        title="Create Run and Log Metrics",
        question="Can a run be created, given a metric, and ended?",
        failed_sentence="Cannot create run. Check MLflow configuration.",
        run=create_run_and_log_metric,
    ),
    Stage(
        number=4,
        name="metric",
        title="Retrieve Metrics",
        question="Does the metric come back as it was written?",
        failed_sentence="Cannot retrieve metrics.",
        run=retrieve_metrics,
    ),
)


@contextmanager
def _reported_as(headline: str) -> Generator[None]:
    try:
        yield
    except CallFailed as failure:
        raise StageFailed(f"{headline}: {failure.problem}", failure.remedy) from None


def _create_run(visit: Visit) -> str:
    experiment_id = cast("str", visit.experiment_id)
    try:
        return _new_run(visit, experiment_id)
    except CallFailed as failure:
        if failure.error_code not in _EXPERIMENT_IS_GONE:
            raise
        # A check beside this one may have cleaned up the experiment that it had created, between
        # our finding it and our writing to it. Then there is a new one to be had.
        current = visit.api.experiment_by_name(visit.experiment_name)
        if current is not None and current.experiment_id == experiment_id and current.active:
            raise
        for _ in get_or_create_experiment(visit):
            pass
        return _new_run(visit, cast("str", visit.experiment_id))


def _new_run(visit: Visit, experiment_id: str) -> str:
    return visit.api.create_run(
        experiment_id, name=visit.run_name, token=visit.token, start_time=visit.metric.timestamp
    )


def _usable(experiment: Experiment | None, name: str) -> Experiment:
    if experiment is None:
        raise StageFailed(
            f"Failed to get/create experiment: {name!r} can be neither created nor read",
            "MLflow says the name is taken and shows no such experiment: this identity may lack "
            "permission to read it, or another workspace owns the name.",
        )
    if not experiment.active:
        raise StageFailed(
            f"Failed to get/create experiment: {name!r} (id={experiment.experiment_id}) is deleted",
            "A deleted experiment keeps its name: restore it with `mlflow experiments restore "
            f"--experiment-id {experiment.experiment_id}`, or choose another one with "
            "--experiment.",
        )
    return experiment


def _differences(
    run: Document, metrics: list[Document], run_id: str, written: Metric
) -> Iterator[str]:
    found = find_text(run, "info", "run_id")
    if found != run_id:
        yield f"asked for run {run_id}, got {found}"
    status = find(run, "info", "status")
    if status != "FINISHED":
        yield f"the run was ended, and reads back as {status}"
    values = [metric.get("value") for metric in metrics if metric.get("key") == written.key]
    if not values:
        keys = ", ".join(str(metric.get("key")) for metric in metrics) or "none"
        yield f"{written.key} was written, and the metrics are: {keys}"
    elif values != [written.value]:
        found_values = ", ".join(str(value) for value in values)
        yield f"{written.key} was written as {written.value}, and reads back as {found_values}"
