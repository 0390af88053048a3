"""Which runs are old enough to go, and which stay although they are.

Owns the rule. A run goes when its last moment (its end, else its start) is longer ago than the days
asked for, and nothing speaks for it. What speaks for one: it is still running or waiting, it is the
parent of one that is; a version of a registered model was made from it or from a model it logged; a
person tagged it to be kept. A run that somebody deleted goes when the deletion is as long ago.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from operations.database_login import DatabaseLogin

KEEP_TAG = "mlflow-platform.keep"
"""A run with this tag is never taken, whatever its value."""

OVER = frozenset({"FINISHED", "FAILED", "KILLED"})
MILLISECONDS_PER_DAY = 24 * 3600 * 1000

Reason = Literal["registered", "running", "tagged"]


@dataclass(frozen=True, kw_only=True, slots=True)
class LoggedModel:
    """A model that a run logged: its files lie beside the run's, not among them."""

    model_id: str
    artifact_uri: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """A run, as far as its going is concerned."""

    run_id: str
    name: str
    experiment_id: str
    experiment: str
    status: str
    deleted: bool
    last_moment: int  # milliseconds since 1970: end, else start; of a deleted one its deletion
    artifact_uri: str
    models: tuple[LoggedModel, ...] = ()

    @property
    def artifact_uris(self) -> tuple[str, ...]:
        """Every folder that belongs to it."""
        return (self.artifact_uri, *(model.artifact_uri for model in self.models))


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """An old run that stays."""

    run: Run
    reason: Reason
    why: str  # `version 3 of model fraud`


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What the database says, at one moment."""

    runs: tuple[Run, ...]
    registered: Mapping[str, tuple[str, ...]]  # by run, its versions in words
    tagged: frozenset[str]  # runs
    parents: Mapping[str, str]  # by run
    running: frozenset[str] = field(default_factory=frozenset[str])  # runs of any age


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """What goes and what stays."""

    before: int  # milliseconds since 1970
    go: tuple[Run, ...]
    kept: tuple[Kept, ...]


def select(facts: Facts, *, before: int, registered_too: bool = False) -> Selection:
    """Apply the rule to every run whose last moment is before a time."""
    parents_of_running = {
        parent for run in facts.running for parent in _ancestors(run, facts.parents)
    }
    go: list[Run] = []
    kept: list[Kept] = []
    for run in facts.runs:
        if run.last_moment >= before:
            continue
        versions = facts.registered.get(run.run_id, ())
        if run.run_id in facts.running or run.status not in OVER:
            kept.append(Kept(run=run, reason="running", why=f"its status is {run.status}"))
        elif run.run_id in parents_of_running:
            kept.append(Kept(run=run, reason="running", why="a run below it is still running"))
        elif run.run_id in facts.tagged:
            kept.append(Kept(run=run, reason="tagged", why=f"it has the tag {KEEP_TAG}"))
        elif versions and not registered_too:
            kept.append(Kept(run=run, reason="registered", why=", ".join(versions)))
        else:
            go.append(run)
    return Selection(before=before, go=tuple(go), kept=tuple(kept))


def _ancestors(run: str, parents: Mapping[str, str]) -> Iterator[str]:
    seen = {run}
    while (parent := parents.get(run)) is not None and parent not in seen:
        yield parent
        seen.add(parent)
        run = parent


def read_facts(login: DatabaseLogin, *, before: int) -> Facts:
    """Ask the database for what is old, and for what speaks for it.

    Raises:
        CouldNotLook: it cannot be asked.
    """
    with login.asked() as connection:
        runs = list(_runs(connection, before))
        models = _models(connection)
        versions = list(
            connection.execute(
                "SELECT name, version, run_id, source, storage_location FROM model_versions "
                "WHERE current_stage IS DISTINCT FROM 'Deleted_Internal'"
            )
        )
        tags = list(
            connection.execute(
                "SELECT run_uuid, key, value FROM tags WHERE key IN (%s, 'mlflow.parentRunId')",
                [KEEP_TAG],
            )
        )
        running = connection.execute(
            "SELECT run_uuid FROM runs WHERE status IN ('RUNNING', 'SCHEDULED') "
            "AND lifecycle_stage = 'active'"
        )
        active = frozenset(row[0] for row in running)
    found = tuple(replace(run, models=models.get(run.run_id, ())) for run in runs)
    return Facts(
        runs=found,
        registered=_registered(found, versions),
        tagged=frozenset(row[0] for row in tags if row[1] == KEEP_TAG),
        parents={row[0]: row[2] for row in tags if row[1] == "mlflow.parentRunId"},
        running=active,
    )


def _runs(connection: Any, before: int) -> Iterator[Run]:
    rows = connection.execute(
        "SELECT r.run_uuid, r.name, r.experiment_id, e.name, r.status, r.lifecycle_stage, "
        "CASE WHEN r.lifecycle_stage = 'deleted' THEN coalesce(r.deleted_time, r.end_time, 0) "
        "ELSE greatest(coalesce(r.end_time, 0), coalesce(r.start_time, 0)) END AS last_moment, "
        "r.artifact_uri FROM runs r JOIN experiments e ON e.experiment_id = r.experiment_id "
        "WHERE CASE WHEN r.lifecycle_stage = 'deleted' "
        "THEN coalesce(r.deleted_time, r.end_time, 0) "
        "ELSE greatest(coalesce(r.end_time, 0), coalesce(r.start_time, 0)) END < %s "
        "ORDER BY last_moment, r.run_uuid",
        [before],
    )
    for identity, name, experiment_id, experiment, status, stage, moment, uri in rows:
        yield Run(
            run_id=identity,
            name=name or "",
            experiment_id=str(experiment_id),
            experiment=experiment,
            status=status,
            deleted=stage == "deleted",
            last_moment=int(moment),
            artifact_uri=uri or "",
        )


def _models(connection: Any) -> dict[str, tuple[LoggedModel, ...]]:
    rows = connection.execute(
        "SELECT source_run_id, model_id, artifact_location FROM logged_models "
        "WHERE source_run_id IS NOT NULL ORDER BY model_id"
    )
    found: dict[str, tuple[LoggedModel, ...]] = {}
    for run, model_id, uri in rows:
        model = LoggedModel(model_id=model_id, artifact_uri=uri)
        found[run] = (*found.get(run, ()), model)
    return found


def _registered(
    runs: Iterable[Run], versions: Iterable[tuple[str, int, str | None, str | None, str | None]]
) -> dict[str, tuple[str, ...]]:
    """Which versions come from which run: by its number, its model's, or its artifacts' address."""
    owners: dict[str, str] = {}
    for run in runs:
        owners[run.run_id] = run.run_id
        owners[f"runs:/{run.run_id}"] = run.run_id
        owners |= {f"models:/{model.model_id}": run.run_id for model in run.models}
        owners |= {uri.rstrip("/"): run.run_id for uri in run.artifact_uris if uri}
    found: dict[str, tuple[str, ...]] = {}
    for name, version, run_id, *addresses in versions:
        leads = {owners.get(place) for address in addresses for place in _above(address or "")}
        for owner in {owners.get(run_id or ""), *leads} - {None}:
            words = f"version {version} of model {name}"
            found[str(owner)] = (*found.get(str(owner), ()), words)
    return found


def _above(address: str) -> Iterator[str]:
    """An address and every folder that it lies in: `s3://b/1/run/model`, `s3://b/1/run`, …"""
    while "/" in address:
        yield address
        address = address.rpartition("/")[0]
