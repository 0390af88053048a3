"""The calls of MLflow's REST API that the check makes.

Owns paths, bodies and the shape of answers (REST API 2.0), and which calls are safe to repeat:
logging the same metric at the same time and step twice is one metric, ending a run twice is one
end, and a run is looked up by its tag before it is created a second time.
https://mlflow.org/docs/latest/api_reference/rest-api.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from smoke_tests.json_document import Document, as_document, find, find_documents, find_text
from smoke_tests.tracking_server import CallFailed, TrackingServer

TOKEN_TAG = "smoke_test_token"  # noqa: S105  # marks what one check wrote; unique, not secret


@dataclass(frozen=True, kw_only=True, slots=True)
class Metric:
    """A metric as it is written and read."""

    key: str
    value: float
    timestamp: int  # milliseconds
    step: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Experiment:
    """What the check needs to know about an experiment."""

    experiment_id: str
    name: str
    active: bool
    token: str | None  # of the check that created it, if one did


class MlflowApi:
    """MLflow's REST API, as far as the check uses it."""

    def __init__(self, server: TrackingServer) -> None:
        """Speak to that server."""
        self._server = server

    def experiment_by_name(self, name: str) -> Experiment | None:
        """The experiment of that name, deleted ones included; None where there is none."""
        try:
            answer = self._server.get(
                "experiments/get-by-name", {"experiment_name": name}, subject="Get experiment"
            )
        except CallFailed as failure:
            if failure.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise
        experiment = as_document(find(answer, "experiment"))
        return Experiment(
            experiment_id=_required(answer, "experiment", "experiment_id"),
            name=_required(answer, "experiment", "name"),
            active=find_text(experiment, "lifecycle_stage") != "deleted",
            token=_tags(experiment).get(TOKEN_TAG),
        )

    def create_experiment(self, name: str, token: str) -> str | None:
        """Create it and return its id; None when the name is taken, perhaps by ourselves."""
        content = {"name": name, "tags": [{"key": TOKEN_TAG, "value": token}]}
        try:
            answer = self._server.post("experiments/create", content, subject="Create experiment")
        except CallFailed as failure:
            if failure.error_code == "RESOURCE_ALREADY_EXISTS":
                return None
            raise
        return _required(answer, "experiment_id")

    def rename_experiment(self, experiment_id: str, name: str) -> None:
        """Give it another name."""
        content = {"experiment_id": experiment_id, "new_name": name}
        self._server.post("experiments/update", content, subject="Rename experiment")

    def delete_experiment(self, experiment_id: str) -> None:
        """Delete it with its runs; MLflow keeps both until `mlflow gc`."""
        content = {"experiment_id": experiment_id}
        self._server.post("experiments/delete", content, subject="Delete experiment")

    def create_run(self, experiment_id: str, *, name: str, token: str, start_time: int) -> str:
        """Create a run and return its id; never two of them for one token."""
        content = {
            "experiment_id": experiment_id,
            "run_name": name,
            "start_time": start_time,
            "tags": [
                {"key": TOKEN_TAG, "value": token},
                {"key": "mlflow.source.name", "value": "smoke_tests"},
                {"key": "mlflow.source.type", "value": "LOCAL"},
            ],
        }

        def look_first() -> Document | None:
            found = self._server.search("runs/search", _search(experiment_id, token))
            runs = find_documents(found, "runs")
            return {"run": runs[0]} if runs else None

        answer = self._server.post(
            "runs/create", content, subject="Create run", look_first=look_first
        )
        return _required(answer, "run", "info", "run_id")

    def log_metric(self, run_id: str, metric: Metric) -> None:
        """Write one value of a metric."""
        content = {
            "run_id": run_id,
            "key": metric.key,
            "value": metric.value,
            "timestamp": metric.timestamp,
            "step": metric.step,
        }
        self._server.post("runs/log-metric", content, subject="Log metric")

    def end_run(self, run_id: str, *, end_time: int) -> None:
        """Mark the run as finished."""
        content = {"run_id": run_id, "status": "FINISHED", "end_time": end_time}
        self._server.post("runs/update", content, subject="End run")

    def get_run(self, run_id: str) -> Document:
        """The run as MLflow answers it: `info` and `data`."""
        answer = self._server.get("runs/get", {"run_id": run_id}, subject="Get run")
        run = as_document(find(answer, "run"))
        if run is None:
            raise _strange("run")
        return run

    def delete_run(self, run_id: str) -> None:
        """Delete a run; MLflow keeps it until `mlflow gc`."""
        self._server.post("runs/delete", {"run_id": run_id}, subject="Delete run")

    def runs_of(self, experiment_id: str, token: str) -> list[str]:
        """The runs a check left alive: one, or two when an answer came after its deadline."""
        found = self._server.post(
            "runs/search", _search(experiment_id, token), subject="Search runs"
        )
        ids = [find_text(run, "info", "run_id") for run in find_documents(found, "runs")]
        return [run_id for run_id in ids if run_id is not None]

    def is_used_by_others(self, experiment_id: str, token: str) -> bool:
        """Whether the experiment holds anything but this check's runs and other checks' remains.

        A deleted run of somebody else's counts: its owner may want it back.
        """
        alive = self._runs(experiment_id, "ACTIVE_ONLY")
        deleted = self._runs(experiment_id, "DELETED_ONLY")
        return (
            any(_token(run) != token for run in find_documents(alive, "runs"))
            or any(_token(run) is None for run in find_documents(deleted, "runs"))
            or find_text(deleted, "next_page_token") is not None
        )

    def _runs(self, experiment_id: str, view: str) -> Document:
        content = {"experiment_ids": [experiment_id], "run_view_type": view, "max_results": 100}
        return self._server.post("runs/search", content, subject="Search runs")


def _search(experiment_id: str, token: str) -> Mapping[str, object]:
    return {
        "experiment_ids": [experiment_id],
        "filter": f"tags.{TOKEN_TAG} = '{token}'",
        "run_view_type": "ACTIVE_ONLY",
        "max_results": 10,
    }


def _tags(owner: Document | None) -> dict[str, str]:
    return {
        key: value
        for tag in find_documents(owner, "tags")
        if (key := find_text(tag, "key")) and (value := find_text(tag, "value"))
    }


def _token(run: Document) -> str | None:
    return _tags(as_document(find(run, "data"))).get(TOKEN_TAG)


def _required(answer: Document, *keys: str) -> str:
    text = find_text(answer, *keys)
    if text is None:
        raise _strange(".".join(keys))
    return text


def _strange(missing: str) -> CallFailed:
    return CallFailed(
        f"the answer has no {missing}",
        "Something else than MLflow answers there, or an MLflow of another API version: check the "
        "tracking URI and the server's version.",
        passes_with_time=False,
    )
