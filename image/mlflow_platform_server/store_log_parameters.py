"""What a run logs, checked as MLflow checks it and laid out for one statement.

Owns the parameters of `store_statements.log_statement`. Whatever MLflow's store would refuse, or
does in another way (a run's name among its tags), is not ordinary: it goes to that store.
"""

from __future__ import annotations

from collections.abc import Sequence

from mlflow.entities import Metric, Param, RunTag
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME

from mlflow_platform_server.store_metrics import NotOrdinary, metric_columns, model_metric_columns
from mlflow_platform_server.store_mlflow_names import (
    validate_batch_limits,
    validate_param,
    validate_params_unique,
    validate_run_id,
    validate_tag,
)


def log_parameters(
    run_id: str,
    metrics: Sequence[Metric],
    params: Sequence[Param],
    tags: Sequence[RunTag],
) -> dict[str, object]:
    """Parameters of the statement; a part that has nothing to write has no parameter.

    Raises:
        NotOrdinary: MLflow's store must see this one.
    """
    try:
        validate_run_id(run_id)
        validate_batch_limits(metrics, params, tags)
        validate_params_unique(params)
        return {
            "run_id": run_id,
            **_param_columns(params),
            **metric_columns(metrics),
            **model_metric_columns(metrics),
            **_tag_columns(tags),
        }
    except Exception as error:  # whatever it is, MLflow's store meets it too and says so
        raise NotOrdinary from error


def _param_columns(params: Sequence[Param]) -> dict[str, object]:
    checked = [validate_param(param.key, param.value) for param in params]
    if not all(type(param.value) is str for param in checked):
        raise NotOrdinary
    if not checked:
        return {}
    return {
        "param_keys": [param.key for param in checked],
        "param_values": [param.value for param in checked],
    }


def _tag_columns(tags: Sequence[RunTag]) -> dict[str, object]:
    """Of a key that is given twice the last value counts, at the place of the first."""
    checked = [validate_tag(tag.key, tag.value) for tag in tags]
    values: dict[str, str | None] = {tag.key: tag.value for tag in checked}
    if MLFLOW_RUN_NAME in values:
        raise NotOrdinary
    if not all(value is None or type(value) is str for value in values.values()):
        raise NotOrdinary
    if not values:
        return {}
    return {"tag_keys": list(values), "tag_values": list(values.values())}
