"""`restore`: a stack's database and artifacts as a backup has them.

Owns the order in which nothing is lost by accident: every byte of the backup is read and checked,
the plan says what happens to data that exists, the stack's name is asked for; then the artifacts
are written (each whole or not at all), and last the database is replaced in one transaction that
is only committed when every table holds what was backed up. Interrupted in between, the database
is as it was and the command can be run again.

Rows: all that exist are replaced by the backup's. Artifacts: those of the backup are written, one
of the same name and other bytes is overwritten, and what the backup does not know is kept.

For other commands: `restore_backup(place, RestoreRequest(source=…, identities=…, backup=name))`;
without `confirm` it does not ask, and whoever calls it has asked.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from operations.archive.database_restore import restore_database
from operations.archive.encryption import Identities
from operations.archive.errors import ObjectGone
from operations.archive.locations import Named
from operations.archive.manifest import Manifest
from operations.archive.postgres_tools import postgres_directory
from operations.archive.rotation import find_backup
from operations.archive.snapshot import open_snapshot
from operations.archive.spool import Artifact, Spool
from operations.archive.stores import Store, open_store
from operations.archive.streams import Hashed, Readable, drain
from operations.backup import (
    DatabaseAccess,
    add_backup_arguments,
    age_of,
    login_of,
    megabytes,
    platform_of,
    temporary_folder,
)
from operations.confirmation import add_confirmation, require_confirmation
from operations.database_login import DatabaseLogin
from operations.place import Place
from operations.report import ExitCode, Line, Report
from smoke_tests.errors import CouldNotLook

if TYPE_CHECKING:
    from infra.outputs import PlatformOutputs


@dataclass(frozen=True, kw_only=True, slots=True)
class RestoreRequest:
    """What is asked for."""

    source: str  # path, s3://… or gs://…
    identities: Identities
    backup: str | None = None  # its name; None: the stack's newest
    access: DatabaseAccess = field(default_factory=DatabaseAccess)
    scratch: str | None = None


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Restored:
    """What was done."""

    manifest: Manifest
    uri: str  # of the backup
    written: int  # artifacts
    written_bytes: int
    unchanged: int  # artifacts that were there with these bytes
    kept: int  # artifacts that the backup does not know
    seconds: float

    @property
    def exit_code(self) -> ExitCode:
        """It is done, and checked."""
        return 0

    def document(self) -> dict[str, object]:
        """For a machine."""
        return {
            "backup": self.manifest.backup,
            "uri": self.uri,
            "rows": self.manifest.rows,
            "runs": self.manifest.count("runs"),
            "metrics": self.manifest.count("metrics"),
            "artifacts": self.manifest.artifacts,
            "artifacts_written": self.written,
            "artifacts_unchanged": self.unchanged,
            "artifacts_kept": self.kept,
            "written_bytes": self.written_bytes,
            "schema_revision": self.manifest.schema_revision,
            "mlflow_version": self.manifest.mlflow_version,
            "seconds": round(self.seconds, 1),
        }

    def lines(self) -> Iterable[Line]:
        """For a person."""
        manifest = self.manifest
        yield Line(f"restored from {self.uri} in {self.seconds:.1f} s", "green")
        yield Line(
            f"  database   {len(manifest.tables)} tables, {manifest.rows:,} rows, each table "
            "counted and hashed before the commit"
        )
        yield Line(
            f"  artifacts  {self.written:,} written ({megabytes(self.written_bytes)}), "
            f"{self.unchanged:,} were there, {self.kept:,} kept that the backup does not know"
        )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what can be chosen."""
    add_source_arguments(parser)
    add_confirmation(parser)
    add_backup_arguments(parser)


def add_source_arguments(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Declare which backup, and the key to it."""
    add = parser.add_argument
    add(
        "--from",
        dest="source",
        metavar="PLACE",
        required=required,
        help="where backups are: a path, s3://bucket/… or gs://bucket/…",
    )
    add("--backup", metavar="NAME", help="which one (default: the stack's newest)")
    add("--identity-file", metavar="FILE", help="the file with age's secret key")


def run(arguments: argparse.Namespace, place: Place) -> Report:
    """Check, show the plan, ask, restore.

    Raises:
        CouldNotLook: the backup is damaged, nobody said yes, or it could not be done.
    """
    identities = Identities.given(arguments.identity_file, place.environ, place.masker)
    request = RestoreRequest(
        source=arguments.source,
        identities=identities,
        backup=arguments.backup,
        access=DatabaseAccess.from_arguments(arguments),
        scratch=arguments.scratch,
    )

    def confirm(plan: RestorePlan) -> None:
        for line in plan.lines():
            place.show(line)
        require_confirmation(
            place, arguments.confirm, f"a restore replaces what the stack {place.stack} holds"
        )

    return restore_backup(place, request, confirm=confirm)


def restore_backup(
    place: Place,
    request: RestoreRequest,
    *,
    confirm: Callable[[RestorePlan], None] | None = None,
) -> Restored:
    """Restore into the stack, after checking every byte; `confirm` raises to stop before a change.

    Raises:
        CouldNotLook: it was not done, or stopped before the database was touched.
    """
    began = place.clock.monotonic()
    platform = platform_of(place)
    binaries = postgres_directory(request.access.postgres_bin_dir)
    login = login_of(place, request.access)
    target = open_store(platform.artifact_root, place.environ, setting="output artifactRoot")
    store = open_store(request.source, place.environ, setting="--from")
    sealed = find_backup(store, str(place.stack), request.backup)
    with temporary_folder(request.scratch) as folder, Spool(folder) as spool:
        manifest = sealed.verify(request.identities, spool, place.progress)
        plan = _plan(place, platform, login, target, manifest, spool)
        _refuse_unfitting(place, plan)
        if confirm is not None:
            confirm(plan)
        writing = ArtifactWriting(target, place.progress, manifest.artifacts)
        for artifact, content in sealed.artifacts(request.identities, manifest, spool):
            writing.put(artifact, content)
        place.progress("restoring the database")
        with sealed.dump(request.identities, manifest) as dump:
            restore_database(
                login, binaries, dump, manifest, environ=place.environ, masker=place.masker
            )
    return Restored(
        manifest=manifest,
        uri=f"{store.uri}/{sealed.name}",
        written=writing.written,
        written_bytes=writing.written_bytes,
        unchanged=writing.unchanged,
        kept=plan.artifacts.unknown.count,
        seconds=place.clock.monotonic() - began,
    )


class ArtifactWriting:
    """Writes artifacts that are not there with these bytes already."""

    def __init__(self, target: Store, progress: Callable[[str], None], expected: int) -> None:
        """`expected` is how many there will be."""
        self._target = target
        self._progress = progress
        self._expected = expected
        self.written = self.written_bytes = self.unchanged = 0

    def put(self, artifact: Artifact, content: Readable) -> None:
        """Write one; its content is read to the end in any case."""
        if self._is_there(artifact):
            drain(content)
            self.unchanged += 1
        else:
            self._target.write(artifact.name, content, about_bytes=artifact.size_bytes)
            self.written += 1
            self.written_bytes += artifact.size_bytes
        done = self.written + self.unchanged
        if done % 50 == 0:
            self._progress(f"restoring artifact {done:,} of {self._expected:,}")

    def _is_there(self, artifact: Artifact) -> bool:
        try:
            with self._target.open(artifact.name) as opened:
                if opened.size_bytes != artifact.size_bytes:
                    return False
                hashed = Hashed(opened)
                drain(hashed)
        except ObjectGone:
            return False
        return hashed.sha256 == artifact.sha256


def _plan(
    place: Place,
    platform: PlatformOutputs,
    login: DatabaseLogin,
    target: Store,
    manifest: Manifest,
    spool: Spool,
) -> RestorePlan:
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


def _refuse_unfitting(place: Place, plan: RestorePlan) -> None:
    """A backup that this platform could not use, or another platform's over this one's runs."""
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
