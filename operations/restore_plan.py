"""What a restore would do to what exists, before it does anything.

Owns the plan that is shown, and the refusals that need no answer: a backup that this platform could
not use, or another platform's over this one's runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from operations.archive.locations import Named
from operations.archive.manifest import Manifest
from operations.archive.snapshot import open_snapshot
from operations.archive.spool import Spool
from operations.archive.stores import Store
from operations.backup_report import age_of, megabytes
from operations.database_login import DatabaseLogin
from operations.place import Place
from smoke_tests.errors import CouldNotLook

if TYPE_CHECKING:
    from infra.outputs import PlatformOutputs


@dataclass(slots=True)
class ArtifactPlan:
    """What a restore does to artifacts, as far as a listing shows it."""

    missing: int = 0
    same_size: int = 0
    overwritten: Named = field(default_factory=Named)  # of another size
    unknown: Named = field(default_factory=Named)  # to the backup: kept


@dataclass(frozen=True, kw_only=True, slots=True)
class RestorePlan:
    """What a restore would do."""

    manifest: Manifest
    hours_old: float
    database: str  # where
    revision_before: str | None  # None: no schema
    runs_before: int
    metrics_before: int
    connections: int  # others than ours, now
    artifact_root: str
    artifacts: ArtifactPlan
    server_version: str

    def lines(self) -> Iterable[str]:
        """For a person, before it is asked."""
        manifest, artifacts = self.manifest, self.artifacts
        yield f"Restore of {manifest.backup}, {self.hours_old:,.1f} hours old, checked whole:"
        yield (
            f"  {manifest.count('runs'):,} runs, {manifest.count('metrics'):,} metrics, "
            f"{manifest.artifacts:,} artifacts ({megabytes(manifest.artifact_bytes)}), schema "
            f"{manifest.schema_revision}, MLflow {manifest.mlflow_version}"
        )
        if self.revision_before is None:
            yield f"  database   {self.database}: empty, gets everything"
        else:
            yield (
                f"  database   {self.database}: {self.runs_before:,} runs and "
                f"{self.metrics_before:,} metrics are there (schema {self.revision_before}); every "
                "table is dropped and replaced, in one transaction"
            )
        if self.connections:
            yield (
                f"  {self.connections} connections are open there: what is logged from now on is "
                "lost; stop the clients"
            )
        yield (
            f"  artifacts  {self.artifact_root}: {artifacts.missing:,} missing, written; "
            f"{artifacts.same_size:,} there, overwritten where their bytes differ; "
            f"{artifacts.overwritten.count:,} of another size, overwritten; "
            f"{artifacts.unknown.count:,} unknown to the backup, kept"
        )
        for title, named in (
            ("overwritten", artifacts.overwritten),
            ("kept", artifacts.unknown),
        ):
            if named.count:
                yield f"    {title}: {named}"
        if manifest.mlflow_version != self.server_version:
            yield (
                f"  the server is MLflow {self.server_version}: run `make up` afterwards, which "
                "brings the schema up to it"
            )


def make_plan(
    place: Place,
    platform: PlatformOutputs,
    login: DatabaseLogin,
    target: Store,
    manifest: Manifest,
    spool: Spool,
) -> RestorePlan:
    """Look at what is there, and change nothing.

    Raises:
        CouldNotLook: the database or the artifact store cannot be read.
    """
    place.progress("looking at what is there")
    with open_snapshot(login) as snapshot:
        revision = snapshot.revision
        runs, metrics = snapshot.count("runs"), snapshot.count("metrics")
        connections = snapshot.other_connections()
    artifacts = ArtifactPlan()
    known = 0
    for item in target.list():
        artifact = spool.find(item.name)
        if artifact is None:
            artifacts.unknown.add(item.name)
            continue
        known += 1
        if artifact.size_bytes == item.size_bytes:
            artifacts.same_size += 1
        else:
            artifacts.overwritten.add(item.name)
    artifacts.missing = manifest.artifacts - known
    return RestorePlan(
        manifest=manifest,
        hours_old=age_of(manifest.created, place.clock.epoch()),
        database=f"{login.name} at {login.address or login.host}:{login.port}",
        revision_before=revision,
        runs_before=runs,
        metrics_before=metrics,
        connections=connections,
        artifact_root=platform.artifact_root,
        artifacts=artifacts,
        server_version=platform.mlflow_version,
    )


def refuse_unfitting(place: Place, plan: RestorePlan) -> None:
    """Stop a backup that this platform could not use, or another one's over this one's runs.

    Raises:
        CouldNotLook: it does not fit.
    """
    manifest = plan.manifest
    if manifest.stack != place.stack and plan.runs_before:
        raise CouldNotLook(
            f"{manifest.backup} is a backup of the stack {manifest.stack}, and the stack "
            f"{place.stack} has {plan.runs_before:,} runs of its own: restore into an empty "
            "platform, or into the one it was made of"
        )
    if _minor(manifest.mlflow_version) > _minor(plan.server_version):
        raise CouldNotLook(
            f"{manifest.backup} was made of MLflow {manifest.mlflow_version}, and the stack's "
            f"server is {plan.server_version}, which does not know that schema: deploy that "
            "version first"
        )
    root = plan.artifact_root.rstrip("/")
    if manifest.rooted and manifest.artifact_root.rstrip("/") != root:
        raise CouldNotLook(
            f"{manifest.rooted:,} rows of {manifest.backup} name their artifacts by the address "
            f"{manifest.artifact_root}, and the stack {place.stack} keeps artifacts in {root}: "
            "they would lead to the old place; restore into a stack whose artifactStore is that "
            "address"
        )


def _minor(version: str) -> tuple[int, ...]:
    numbers = version.split(".")[:2]
    return tuple(int(number) for number in numbers if number.isdigit())
