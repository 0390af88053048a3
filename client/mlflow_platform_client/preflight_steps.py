"""The seven questions of the preflight, from the server's pulse to a byte in the artifact store.

Owns what each question asks and when its answer is good. Each step does what the training job will
do next, through the same credentials; nothing here waits or retries (reaching the server does, in
`server_health`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mlflow_platform_client.artifact_probe import probe_artifacts
from mlflow_platform_client.clock import Clock
from mlflow_platform_client.errors import AuthenticationFailed, RequestRejected, TrackingError
from mlflow_platform_client.findings import Outcome
from mlflow_platform_client.preflight_step import Step, StepFailed, Verdict
from mlflow_platform_client.server_health import reach_server
from mlflow_platform_client.tracking_api import TrackingApi
from mlflow_platform_client.versions import compare_versions

METRIC_KEY = "preflight_seconds"
_LAGGING = "The server reads from another database than it writes to: check for a lagging replica."


@dataclass(kw_only=True, slots=True)
class Visit:
    """One preflight as it goes along: what was asked for, and what was learnt."""

    api: TrackingApi
    clock: Clock
    client_version: str
    restore_deleted_experiment: bool = False
    run_name: str | None = None
    resumed_run_id: str | None = None
    tags: dict[str, str] = field(default_factory=dict[str, str])

    began: float = 0.0
    server_version: str | None = None
    experiment_id: str | None = None
    artifact_location: str | None = None
    run_id: str | None = None
    artifact_uri: str | None = None


def _reach(visit: Visit) -> Verdict:
    return reach_server(visit.api, visit.clock)


def _authenticate(visit: Visit) -> Verdict:
    # A real query: /health is answered even while the database is down, and by Cloud Run's front
    # end to whom MLflow itself would not answer.
    visit.api.post("experiments/search", action="list experiments", max_results=1)
    settings = visit.api.settings
    if settings.username:
        return Verdict(f"the server knows {settings.username}, and its database answers")
    return Verdict("the server answers this job, and its database answers")


def _compare_versions(visit: Visit) -> Verdict:
    try:
        answer = visit.api.ask("/version", action="ask for the server's version")
    except AuthenticationFailed:
        # Said once, by the step whose question it is.
        return Verdict("the server tells its version to callers it knows", None, Outcome.NOT_RUN)
    except RequestRejected as error:
        if error.status != 404:
            raise
        return Verdict(
            "the server does not tell its version",
            "Check by hand that client and server have the same major version.",
            Outcome.WARNING,
        )
    visit.server_version = answer.body[:100].decode("utf-8", "replace").strip()
    comparison = compare_versions(client=visit.client_version, server=visit.server_version)
    if comparison.outcome is Outcome.FAILED:
        raise StepFailed(comparison.message, comparison.remedy or "")
    return Verdict(comparison.message, comparison.remedy, comparison.outcome)


def _find_experiment(visit: Visit) -> Verdict:
    name = visit.api.settings.experiment_name
    found, verb = _experiment_named(visit.api, name), "found"
    if found is None:
        found, verb = _create_experiment(visit.api, name)
    visit.experiment_id = str(found["experiment_id"])
    visit.artifact_location = str(found.get("artifact_location") or "")
    if found.get("lifecycle_stage") == "deleted":
        if not visit.restore_deleted_experiment:
            raise StepFailed(
                f"experiment {name!r} (id {visit.experiment_id}) was deleted",
                "Restore it with --restore-deleted-experiment (restore_deleted_experiment=True), "
                "or name another experiment in MLFLOW_EXPERIMENT_NAME.",
            )
        visit.api.post(
            "experiments/restore",
            action=f"restore experiment {name!r}",
            experiment_id=visit.experiment_id,
        )
        verb = "restored"
    return Verdict(f"{verb} {name!r} (id {visit.experiment_id})")


def _experiment_named(api: TrackingApi, name: str) -> dict[str, Any] | None:
    try:
        answer = api.get(
            "experiments/get-by-name", action=f"look for experiment {name!r}", experiment_name=name
        )
    except RequestRejected as error:
        if error.code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise
    return answer["experiment"]


def _create_experiment(api: TrackingApi, name: str) -> tuple[dict[str, Any], str]:
    verb = "created"
    try:
        api.post("experiments/create", action=f"create experiment {name!r}", name=name)
    except RequestRejected as error:
        # Another job created it in between: that is as good.
        if error.code != "RESOURCE_ALREADY_EXISTS":
            raise
        verb = "found"
    found = _experiment_named(api, name)
    if found is None:
        raise StepFailed(
            f"experiment {name!r} was created and is not there",
            _LAGGING,
        )
    return found, verb


def _start_run(visit: Visit) -> Verdict:
    api = visit.api
    if visit.resumed_run_id is None:
        created = api.post(
            "runs/create",
            action="start a run",
            experiment_id=visit.experiment_id,
            start_time=int(visit.clock.epoch() * 1000),
            tags=[{"key": key, "value": value} for key, value in visit.tags.items()],
            **({} if visit.run_name is None else {"run_name": visit.run_name}),
        )
        visit.run_id = str(created["run"]["info"]["run_id"])
    else:
        visit.run_id = visit.resumed_run_id
        api.post("runs/update", action="resume the run", run_id=visit.run_id, status="RUNNING")
    info = api.get("runs/get", action="read the run back", run_id=visit.run_id)["run"]["info"]
    if info["run_id"] != visit.run_id or str(info["experiment_id"]) != visit.experiment_id:
        raise StepFailed(
            f"run {visit.run_id} was read back as run {info['run_id']} of experiment "
            f"{info['experiment_id']}, not {visit.experiment_id}",
            "A resumed run must belong to the experiment: check run_id and MLFLOW_EXPERIMENT_NAME.",
        )
    if info.get("lifecycle_stage") == "deleted":
        raise StepFailed(
            f"run {visit.run_id} was deleted", "Restore it, or start a new one without run_id."
        )
    visit.artifact_uri = str(info.get("artifact_uri") or "")
    verb = "started" if visit.resumed_run_id is None else "resumed"
    return Verdict(f"{verb} {info.get('run_name') or visit.run_id} ({visit.run_id})")


def _log_metric(visit: Visit) -> Verdict:
    value = round(visit.clock.monotonic() - visit.began, 3)
    timestamp = int(visit.clock.epoch() * 1000)
    visit.api.post(
        "runs/log-metric",
        action="log a metric",
        run_id=visit.run_id,
        key=METRIC_KEY,
        value=value,
        timestamp=timestamp,
        step=0,
    )
    history = visit.api.get(
        "metrics/get-history",
        action="read the metric back",
        run_id=str(visit.run_id),
        metric_key=METRIC_KEY,
    )
    found = [
        item
        for item in history.get("metrics", [])
        if float(item["value"]) == value and int(item["timestamp"]) == timestamp
    ]
    if not found:
        raise StepFailed(
            f"metric {METRIC_KEY}={value} was acknowledged and is not in the run's history",
            _LAGGING,
        )
    return Verdict(f"{METRIC_KEY}={value} is in the run's history")


def _store_artifact(visit: Visit) -> Verdict:
    return probe_artifacts(visit.artifact_uri or visit.artifact_location or "", visit.api)


STEPS: tuple[Step[Visit], ...] = (
    Step(name="health", question="Does the server answer?", run=_reach),
    Step(
        name="authentication",
        question="Does it know this job, and does its database answer?",
        run=_authenticate,
        needs=("health",),
    ),
    Step(
        name="versions",
        question="Do client and server go together?",
        run=_compare_versions,
        needs=("health",),
    ),
    Step(
        name="experiment",
        question="Is there an experiment to write to?",
        run=_find_experiment,
        needs=("authentication",),
    ),
    Step(name="run", question="Can a run be started?", run=_start_run, needs=("experiment",)),
    Step(
        name="metric", question="Is a logged metric really there?", run=_log_metric, needs=("run",)
    ),
    Step(
        name="artifact",
        question="Can this job's own identity write and read artifacts?",
        run=_store_artifact,
        needs=("experiment",),
    ),
)


def end_run(visit: Visit, status: str, *, delete: bool = False) -> None:
    """End the run that this preflight started; nothing is lost when that fails."""
    if visit.run_id is None or visit.resumed_run_id is not None:
        return
    try:
        visit.api.post(
            "runs/update",
            action="end the run",
            run_id=visit.run_id,
            status=status,
            end_time=int(visit.clock.epoch() * 1000),
        )
        if delete:
            visit.api.post("runs/delete", action="delete the run", run_id=visit.run_id)
    except TrackingError:
        return
