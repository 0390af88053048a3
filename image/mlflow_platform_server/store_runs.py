"""A new run and a changed one: what the statement is given, and what the caller gets back.

Owns the entities, made from the same values that are written, so that nothing has to be read back.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from mlflow.entities import (
    LifecycleStage,
    Run,
    RunData,
    RunInfo,
    RunInputs,
    RunStatus,
    RunTag,
)
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME

from mlflow_platform_server.store_metrics import NotOrdinary, is_bigint
from mlflow_platform_server.store_mlflow_names import (
    append_to_uri_path,
    random_name,
    run_name_of,
)
from mlflow_platform_server.store_round_trip import Row

ARTIFACTS_FOLDER = "artifacts"
LARGEST_INTEGER = 2**31 - 1


@dataclass(frozen=True, slots=True)
class NewRun:
    """What `create_run` was asked for."""

    experiment_id: str
    user_id: str
    start_time: int
    tags: Sequence[RunTag] | None
    run_name: str | None

    def experiment_number(self) -> int:
        """The experiment's key in the database."""
        given = self.experiment_id
        if type(given) is str and given.isascii() and given.isdigit() and str(int(given)) == given:
            number = int(given)
            if number <= LARGEST_INTEGER:
                return number
        raise NotOrdinary


def new_run(wanted: NewRun, artifact_location: str) -> tuple[Run, dict[str, object]]:
    """The run as it will be, and the statement's parameters.

    Raises:
        NotOrdinary: MLflow's store must see this one.
    """
    tags = list(wanted.tags or ())
    name_tag = run_name_of(tags)
    if wanted.run_name and name_tag and wanted.run_name != name_tag:
        raise NotOrdinary
    name = wanted.run_name or name_tag or random_name()
    if not name_tag:
        tags.append(RunTag(MLFLOW_RUN_NAME, name))
    if type(wanted.user_id) is not str or not is_bigint(wanted.start_time):
        raise NotOrdinary
    run_id = uuid.uuid4().hex
    artifact_uri = append_to_uri_path(artifact_location, run_id, ARTIFACTS_FOLDER)
    run = Run(
        RunInfo(
            run_id=run_id,
            run_name=name,
            experiment_id=wanted.experiment_id,
            user_id=wanted.user_id,
            status=RunStatus.to_string(RunStatus.RUNNING),
            start_time=wanted.start_time,
            end_time=None,
            lifecycle_stage=LifecycleStage.ACTIVE,
            artifact_uri=artifact_uri,
        ),
        RunData(metrics=[], params=[], tags=[RunTag(tag.key, tag.value) for tag in tags]),
        RunInputs(dataset_inputs=[]),
    )
    return run, {
        "run_id": run_id,
        "experiment_id": wanted.experiment_number(),
        "artifact_location": artifact_location,
        "artifact_uri": artifact_uri,
        "name": name,
        "user_id": wanted.user_id,
        "start_time": wanted.start_time,
        "tag_keys": [tag.key for tag in tags],
        "tag_values": [tag.value for tag in tags],
    }


def run_change_parameters(
    run_id: str, run_status: int | None, end_time: int | None, run_name: str | None
) -> dict[str, object]:
    """The statement's parameters for `update_run_info`.

    Raises:
        NotOrdinary: MLflow's store must see this one.
    """
    if end_time is not None and not is_bigint(end_time):
        raise NotOrdinary
    if run_status is not None and run_status not in RunStatus.all_status():
        raise NotOrdinary
    return {
        "run_id": run_id,
        "status": None if run_status is None else RunStatus.to_string(run_status),
        "end_time": end_time,
        "name": run_name or None,
    }


def changed_run_info(row: Row) -> RunInfo:
    """The run as `store_statements.update_run_statement` left it."""
    run_id, name, experiment_id, user_id, status, start, end, stage, artifact_uri, name_tag = row
    return RunInfo(
        run_id=run_id,
        run_name=name or name_tag or name,
        experiment_id=str(experiment_id),
        user_id=user_id,
        status=status,
        start_time=start,
        end_time=end,
        lifecycle_stage=stage,
        artifact_uri=artifact_uri,
    )
