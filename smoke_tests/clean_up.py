"""Takes away what a pass of the check wrote, when asked to.

Owns `--cleanup`: the pass's run is deleted, and its experiment too if this very pass created it and
nobody else has used it since. MLflow keeps the name of a deleted experiment taken, so it is renamed
first; otherwise the next check would find a deleted experiment of its name and fail.
"""

from __future__ import annotations

from collections.abc import Iterator

from smoke_tests.errors import StageFailed
from smoke_tests.stage import Evidence, Stage, Weight
from smoke_tests.tracking_server import CallFailed
from smoke_tests.visit import Visit


def clean_up(visit: Visit) -> Iterator[Evidence]:
    """Delete the run, and the experiment where it is ours alone."""
    try:
        yield from _delete_runs(visit)
        if visit.experiment_is_ours and visit.experiment_id is not None:
            yield from _delete_experiment(visit, visit.experiment_id)
    except CallFailed as failure:
        raise StageFailed(
            f"Failed to clean up: {failure.problem}",
            f"Everything this check wrote carries the tag smoke_test_token={visit.token}; delete "
            f"it by hand. {failure.remedy}",
        ) from None


CLEAN_UP = Stage(
    number=5,
    name="clean_up",
    title="Clean Up",
    question="Can what the check wrote be removed?",
    failed_sentence="Cannot clean up what the test wrote.",
    run=clean_up,
)


def _delete_runs(visit: Visit) -> Iterator[Evidence]:
    if visit.experiment_id is None:
        yield Evidence("Nothing was written", Weight.REMARK)
        return
    # Searched, not remembered: a run whose creation was never answered may exist all the same.
    run_ids = visit.api.runs_of(visit.experiment_id, visit.token)
    for run_id in run_ids:
        visit.api.delete_run(run_id)
        yield Evidence(f"Deleted run: {run_id}")
    if not run_ids:
        yield Evidence("No run to delete", Weight.REMARK)


def _delete_experiment(visit: Visit, experiment_id: str) -> Iterator[Evidence]:
    api, name = visit.api, visit.experiment_name
    if api.is_used_by_others(experiment_id, visit.token):
        yield Evidence(f"Kept experiment: {name} (others use it)", Weight.REMARK)
        return
    api.rename_experiment(experiment_id, f"{name} (deleted by smoke test {visit.token})")
    # Whoever looks by name no longer finds it; look once more for those who came before.
    if api.is_used_by_others(experiment_id, visit.token):
        api.rename_experiment(experiment_id, name)
        yield Evidence(f"Kept experiment: {name} (others use it)", Weight.REMARK)
        return
    api.delete_experiment(experiment_id)
    yield Evidence(f"Deleted experiment: {name} (id={experiment_id})")
