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

from operations.archive.database_restore import restore_database
from operations.archive.encryption import Identities
from operations.archive.manifest import Manifest
from operations.archive.postgres_tools import postgres_directory
from operations.archive.rotation import find_backup
from operations.archive.spool import Spool
from operations.archive.stores import open_store
from operations.backup_access import (
    DatabaseAccess,
    add_backup_arguments,
    login_of,
    platform_of,
    temporary_folder,
)
from operations.backup_report import megabytes
from operations.confirmation import add_confirmation, require_confirmation
from operations.place import Place
from operations.report import ExitCode, Line, Report
from operations.restore_artifacts import ArtifactWriting
from operations.restore_plan import RestorePlan, make_plan, refuse_unfitting


@dataclass(frozen=True, kw_only=True, slots=True)
class RestoreRequest:
    """What is asked for."""

    source: str  # path, s3://… or gs://…
    identities: Identities
    backup: str | None = None  # its name; None: the stack's newest
    access: DatabaseAccess = field(default_factory=DatabaseAccess)
    scratch: str | None = None


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
        plan = make_plan(place, platform, login, target, manifest, spool)
        refuse_unfitting(place, plan)
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
