"""Metrics as the columns of one statement, instead of one object and two checks for each.

Owns what becomes of a metric on its way to PostgreSQL: NaN and infinity, which of a key's values is
the newest, which metrics belong to a logged model. Whatever is not an ordinary metric (a value that
is no float, a name MLflow refuses, a time out of range) makes `metric_columns` give up: MLflow's
store then says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import isinf

from mlflow.entities import Metric
from mlflow.exceptions import MlflowException
from mlflow.utils.validation import MAX_ENTITY_KEY_LENGTH

from mlflow_platform_server.store_mlflow_names import validate_metric_name

LARGEST_FLOAT = 1.7976931348623157e308
"""What MLflow stores for infinity."""

LARGEST_EXACT_INTEGER = 2**53
LARGEST_BIGINT = 2**63 - 1


class NotOrdinary(Exception):  # noqa: N818 - reads as what was found
    """For MLflow's own store to take or to refuse."""


@lru_cache(maxsize=65536)
def _name_is_valid(name: str) -> bool:
    """Keys repeat: a name is checked once, not for every value."""
    try:
        validate_metric_name(name)
    except MlflowException:
        return False
    return len(name) <= MAX_ENTITY_KEY_LENGTH


def metric_columns(metrics: Sequence[Metric]) -> dict[str, object]:
    """The parameters of the statement's metrics; empty when there are none.

    Raises:
        NotOrdinary: one of the metrics is not.
    """
    keys: list[str] = []
    values: list[float] = []
    timestamps: list[int] = []
    steps: list[int] = []
    nans: list[bool] = []
    newest_of: dict[str, tuple[int, int, float]] = {}
    newest_at: dict[str, int] = {}
    for place, metric in enumerate(metrics):
        key, timestamp, step = metric.key, metric.timestamp, metric.step
        value, is_nan = stored_value(metric.value)
        if type(key) is not str or not _name_is_valid(key):
            raise NotOrdinary
        if not is_bigint(timestamp, at_least=0) or not is_bigint(step):
            raise NotOrdinary
        keys.append(key)
        values.append(value)
        timestamps.append(timestamp)
        steps.append(step)
        nans.append(is_nan)
        rank = (step, timestamp, value)
        newest = newest_of.get(key)
        if newest is None or rank > newest:  # of equals the first stays, as in MLflow
            newest_of[key], newest_at[key] = rank, place
    if not keys:
        return {}
    chosen = set(newest_at.values())
    return {
        "keys": keys,
        "values": values,
        "timestamps": timestamps,
        "steps": steps,
        "nans": nans,
        "newest": [place in chosen for place in range(len(keys))],
    }


def model_metric_columns(metrics: Sequence[Metric]) -> dict[str, object]:
    """The parameters of the metrics that belong to a logged model; empty when none does."""
    chosen = dict.fromkeys(metric for metric in metrics if metric.model_id is not None)
    if not chosen:
        return {}
    return {
        "model_ids": [metric.model_id for metric in chosen],
        "model_keys": [metric.key for metric in chosen],
        "model_timestamps": [metric.timestamp for metric in chosen],
        "model_steps": [metric.step for metric in chosen],
        "model_values": [stored_value(metric.value)[0] for metric in chosen],
        "dataset_names": [metric.dataset_name for metric in chosen],
        "dataset_digests": [metric.dataset_digest for metric in chosen],
    }


def stored_value(value: object) -> tuple[float, bool]:
    """What the database keeps of a value, and whether it stands for NaN."""
    if type(value) is int and -LARGEST_EXACT_INTEGER <= value <= LARGEST_EXACT_INTEGER:
        return float(value), False
    if type(value) is not float:
        raise NotOrdinary
    if value != value:
        return 0.0, True
    if isinf(value):
        return (LARGEST_FLOAT if value > 0 else -LARGEST_FLOAT), False
    return value, False


def is_bigint(value: object, at_least: int = -LARGEST_BIGINT - 1) -> bool:
    """Whether PostgreSQL's bigint takes it as it is."""
    return type(value) is int and at_least <= value <= LARGEST_BIGINT
