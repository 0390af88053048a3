"""The same calls to MLflow's store and to ours, and everything that can be seen of the result.

Runs and models have random names: in what is compared, each is called by when it was made.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from sqlalchemy import text

TABLES = {
    "metrics": 'run_uuid, key, value, "timestamp", step, is_nan',
    "latest_metrics": 'run_uuid, key, value, "timestamp", step, is_nan',
    "params": "run_uuid, key, value",
    "tags": "run_uuid, key, value",
    "logged_model_metrics": "run_id, model_id, metric_name, metric_timestamp_ms, metric_step,"
    " metric_value, experiment_id, dataset_uuid, dataset_name, dataset_digest",
    "runs": "run_uuid, name, source_type, source_name, entry_point_name, user_id, status,"
    " start_time, end_time, deleted_time IS NULL, source_version, lifecycle_stage, artifact_uri,"
    " experiment_id",
}

Call = Callable[["Side"], object]


@dataclass
class Side:
    """One store with the experiment, runs and models that an example has made in it."""

    store: SqlAlchemyStore
    experiment: str = ""
    runs: list[str] = field(default_factory=list[str])
    models: list[str] = field(default_factory=list[str])

    def run(self, place: int) -> str:
        """A run's id; one beyond the last is a run that does not exist."""
        return self.runs[place] if place < len(self.runs) else "0" * 32

    def model(self, place: int | None) -> str | None:
        if place is None:
            return None
        return self.models[place] if place < len(self.models) else "m-" + "0" * 32

    def outcome(self, call: Call) -> object:
        """What the call returned, or how it failed: the error's kind, code and whole text."""
        try:
            return self.plain(call(self))
        except MlflowException as error:
            return (type(error).__name__, error.error_code, self.plain(str(error)))

    def plain(self, value: object) -> object:
        """Without the names that differ between the two."""
        if isinstance(value, str):
            for kind, names in (("run", self.runs), ("model", self.models)):
                for place, name in enumerate(names):
                    value = value.replace(name, f"<{kind} {place}>")
            return re.sub(r"\b(?:d-|m-)?[0-9a-f]{32}\b", "<other>", value)
        if isinstance(value, dict):
            return {key: self.plain(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.plain(item) for item in value]
        if hasattr(value, "to_dictionary"):
            return self.plain(value.to_dictionary())
        if value is None or isinstance(value, (int, float)):
            return value
        return self.plain(dict(vars(value)))

    def rows(self) -> dict[str, list[str]]:
        """Every row that the example has written, in an order of their content."""
        found: dict[str, list[str]] = {}
        with self.store.engine.connect() as connection:
            for table, columns in TABLES.items():
                run = "run_id" if table == "logged_model_metrics" else "run_uuid"
                answer = connection.execute(
                    text(f"SELECT {columns} FROM {table} WHERE {run} = ANY(:runs)"),
                    {"runs": self.runs},
                )
                found[table] = sorted(repr(self.plain(list(row))) for row in answer)
        return found


def begin(stores: Sequence[SqlAlchemyStore], name: str, runs: int, models: int) -> list[Side]:
    """The same experiment, runs and models in each store."""
    sides: list[Side] = []
    for store in stores:
        side = Side(store, store.create_experiment(name))
        for place in range(runs):
            run = store.create_run(side.experiment, "someone", 1, [], f"run {place}")
            side.runs.append(run.info.run_id)
        for place in range(models):
            model = store.create_logged_model(side.experiment, f"model-{place}", side.runs[0])
            side.models.append(model.model_id)
        sides.append(side)
    return sides


def compared(sides: list[Side], call: Call) -> Any:
    """What both answered, which is the same."""
    ours, theirs = (side.outcome(call) for side in sides)
    assert repr(ours) == repr(theirs)
    return ours
