"""`drill`: does what is backed up come back? Back up, restore beside, compare everything.

Owns the circle. The restore goes into a PostgreSQL and a folder of the drill's own, so the platform
is only read. A fresh backup is compared with the platform at the very moment it was made of: the
snapshot stays open until the end, and what is logged meanwhile is no difference. With `--from` it
is an older backup that comes back, and it is compared with the platform as it is now.

Without `--to` the backup is made for the drill alone, with a key of its own, and is gone with it.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
from collections.abc import Generator
from pathlib import Path

from operations.archive.database_restore import restore_database
from operations.archive.encryption import Identities, Recipients, identities_of, new_identity
from operations.archive.folder_store import FolderStore
from operations.archive.manifest import Manifest
from operations.archive.postgres_tools import postgres_directory
from operations.archive.reading import SealedBackup
from operations.archive.rotation import find_backup
from operations.archive.snapshot import Snapshot, open_snapshot
from operations.archive.spool import Spool
from operations.archive.stores import Store, open_store
from operations.backup import make_backup
from operations.backup_access import (
    DatabaseAccess,
    add_backup_arguments,
    login_of,
    platform_of,
    temporary_folder,
)
from operations.backup_report import megabytes
from operations.backup_writer import BackupRequest
from operations.drill_comparison import compare_artifacts, compare_databases
from operations.drill_mlflow import ask_mlflow
from operations.drill_postgres import DrillPostgres
from operations.drill_report import Drilled
from operations.place import Place
from operations.report import Report
from operations.restore import add_source_arguments
from operations.restore_artifacts import ArtifactWriting
from smoke_tests.errors import CouldNotLook

_ROOM = 1.2
"""How much more than the data is needed on the disk: indexes, a write-ahead log."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what can be chosen."""
    where = parser.add_argument_group("which backup (default: one for the drill alone)")
    where.add_argument("--to", metavar="PLACE", help="make it there and keep it")
    add_source_arguments(parser, required=False)
    add_backup_arguments(parser)


def run(arguments: argparse.Namespace, place: Place) -> Report:
    """Back up, restore beside, compare.

    Raises:
        CouldNotLook: one of the steps could not be done.
    """
    if arguments.to and arguments.source:
        raise CouldNotLook(
            "--to makes a new backup and --from takes one that is there: give one of them"
        )
    if arguments.backup and not arguments.source:
        raise CouldNotLook("--backup names one of several: say with --from where they are")
    if arguments.to or arguments.source:
        identities = Identities.given(arguments.identity_file, place.environ, place.masker)
    else:
        identities = identities_of(new_identity()[0], place.masker)
    access = DatabaseAccess.from_arguments(arguments)
    with temporary_folder(arguments.scratch) as folder, contextlib.ExitStack() as closing:
        source = arguments.source or arguments.to or str(folder / "backup")
        drill = Drill(place, identities, access, folder)
        if arguments.source is None:
            recipients = (
                Recipients.given((), place.environ, otherwise=identities.recipients)
                if arguments.to
                else identities.recipients
            )
            drill.back_up(source, recipients, closing)
        else:
            drill.take(source, arguments.backup, closing)
        drill.restore_beside(closing)
        return drill.compare(kept=source if arguments.source or arguments.to else None)


class Drill:
    """The steps, in their order; the platform is only read."""

    def __init__(
        self, place: Place, identities: Identities, access: DatabaseAccess, folder: Path
    ) -> None:
        """`folder` is empty and this command's own."""
        self._place = place
        self._identities = identities
        self._access = access
        self._folder = folder
        self._platform = platform_of(place)
        self._artifacts = open_store(
            self._platform.artifact_root, place.environ, setting="output artifactRoot"
        )
        self._backup_seconds: float | None = None
        self._since: float | None = None

    def back_up(self, to: str, recipients: Recipients, closing: contextlib.ExitStack) -> None:
        """Make a backup, and keep seeing the moment it was made of."""
        self._since = self._place.clock.epoch()
        self._require_room(
            sum(item.size_bytes for item in self._artifacts.list()), copies=1 if "://" in to else 2
        )
        made = make_backup(
            self._place,
            BackupRequest(
                to=to, recipients=recipients, access=self._access, scratch=str(self._folder.parent)
            ),
            keep_snapshot=closing,
        )
        self._backup_seconds = made.seconds
        if made.snapshot is None:
            raise RuntimeError("the snapshot was asked for")
        self._live = made.snapshot
        self._open(to, made.name)

    def take(self, source: str, name: str | None, closing: contextlib.ExitStack) -> None:
        """Take a backup that is there."""
        self._live = closing.enter_context(open_snapshot(login_of(self._place, self._access)))
        self._open(source, name)

    def restore_beside(self, closing: contextlib.ExitStack) -> None:
        """Check the backup whole, then restore it into a database and a folder of our own."""
        place, sealed = self._place, self._sealed
        began = place.clock.monotonic()
        binaries = postgres_directory(self._access.postgres_bin_dir)
        self._spool = closing.enter_context(Spool(self._folder))
        self._manifest = sealed.verify(self._identities, self._spool, place.progress)
        self._require_room(self._manifest.artifact_bytes + 4 * self._manifest.dump_bytes)
        self._copy: Store = FolderStore(str(self._folder / "artifacts"), is_durable=False)
        writing = ArtifactWriting(self._copy, place.progress, self._manifest.artifacts)
        for artifact, content in sealed.artifacts(self._identities, self._manifest, self._spool):
            writing.put(artifact, content)
        place.progress("starting a PostgreSQL beside")
        cluster = closing.enter_context(_cluster_folder(self._folder.parent))
        self.beside = closing.enter_context(DrillPostgres(binaries, cluster, place.masker)).login
        place.progress("restoring the database beside")
        with sealed.dump(self._identities, self._manifest) as dump:
            restore_database(
                self.beside,
                binaries,
                dump,
                self._manifest,
                environ=place.environ,
                masker=place.masker,
            )
        self._restore_seconds = place.clock.monotonic() - began

    def compare(self, *, kept: str | None) -> Drilled:
        """Everything with everything."""
        place = self._place
        began = place.clock.monotonic()
        with open_snapshot(self.beside) as copy:
            tables = tuple(compare_databases(self._live, copy, place.progress))
        artifacts = compare_artifacts(
            self._artifacts, self._copy, self._spool, place.progress, since=self._since
        )
        place.progress("asking MLflow to open the copy")
        # Last: it writes into the copy.
        mlflow = ask_mlflow(self.beside, self._manifest, environ=place.environ)
        return Drilled(
            backup=self._sealed.name,
            manifest=self._manifest,
            kept=kept,
            tables=tables,
            artifacts=artifacts,
            mlflow=mlflow,
            backup_bytes=self._sealed.seal.size_bytes,
            backup_seconds=self._backup_seconds,
            restore_seconds=self._restore_seconds,
            compare_seconds=place.clock.monotonic() - began,
        )

    _live: Snapshot
    _sealed: SealedBackup
    _spool: Spool
    _manifest: Manifest
    _restore_seconds: float

    def _open(self, source: str, name: str | None) -> None:
        store = open_store(source, self._place.environ, setting="--from")
        self._sealed = find_backup(store, str(self._place.stack), name)

    def _require_room(self, size: int, *, copies: int = 1) -> None:
        free = shutil.disk_usage(self._folder).free
        needed = int(size * copies * _ROOM)
        if needed > free:
            raise CouldNotLook(
                f"the drill needs about {megabytes(needed)} in {self._folder.parent} and "
                f"{megabytes(free)} are free: give another folder with --scratch"
            )


@contextlib.contextmanager
def _cluster_folder(beside: Path) -> Generator[Path]:
    """Beside the drill's own folder, which another user may not enter."""
    with temporary_folder(str(beside)) as folder:
        yield folder
