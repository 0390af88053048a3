"""`backup`: the database and the artifacts of a stack, as they belong together.

Owns what comes before and after the files (`backup_writer`): what is refused, what an interruption
leaves, and that older backups go only when the new one is seen to be whole.

For other commands:

    made = make_backup(place, BackupRequest(to=…, recipients=…))     # made.name, made.manifest
    restored = restore_backup(place, RestoreRequest(source=…, identities=…, backup=made.name))

`make_backup` raises `CouldNotLook` with one sentence, and has then left nothing that looks like a
backup. `operations.restore` has the other half.
"""

from __future__ import annotations

import argparse
import contextlib

from operations.archive.encryption import Recipients
from operations.archive.postgres_tools import postgres_directory
from operations.archive.rotation import delete_backup, new_name, rotate
from operations.archive.seal import missing_files
from operations.archive.spool import Spool
from operations.archive.stores import Store, lies_inside, open_store
from operations.backup_access import (
    DatabaseAccess,
    add_backup_arguments,
    login_of,
    platform_of,
    temporary_folder,
    whole_number,
)
from operations.backup_report import BackupMade, megabytes
from operations.backup_writer import BackupRequest, BackupWriter
from operations.place import Place
from operations.report import Report
from smoke_tests.errors import CouldNotLook

__all__ = (
    "BackupMade",
    "BackupRequest",
    "DatabaseAccess",
    "add_arguments",
    "add_backup_arguments",
    "login_of",
    "make_backup",
    "megabytes",
    "platform_of",
    "run",
    "temporary_folder",
    "whole_number",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what can be chosen."""
    add = parser.add_argument
    add("--to", metavar="PLACE", required=True, help="a path, s3://bucket/… or gs://bucket/…")
    add("--keep", metavar="N", help="then delete all but the newest N good backups of the stack")
    add(
        "--recipient",
        metavar="KEY",
        action="append",
        default=[],
        help="age's public key to encrypt for (again for another one)",
    )
    add_backup_arguments(parser)


def run(arguments: argparse.Namespace, place: Place) -> Report:
    """Make a backup.

    Raises:
        CouldNotLook: an argument is not allowed, or it could not be made.
    """
    keep = arguments.keep
    return make_backup(
        place,
        BackupRequest(
            to=arguments.to,
            recipients=Recipients.given(arguments.recipient, place.environ),
            keep=None if keep is None else whole_number("--keep", keep, largest=100_000),
            access=DatabaseAccess.from_arguments(arguments),
            scratch=arguments.scratch,
        ),
    )


def make_backup(
    place: Place, request: BackupRequest, *, keep_snapshot: contextlib.ExitStack | None = None
) -> BackupMade:
    """Make a complete backup, or none.

    With `keep_snapshot` the moment that was backed up stays open as `snapshot`, until it is closed.

    Raises:
        CouldNotLook: it could not be made; what was written of it is gone again.
    """
    began = place.clock.monotonic()
    platform = platform_of(place)
    binaries = postgres_directory(request.access.postgres_bin_dir)
    login = login_of(place, request.access)
    source = open_store(platform.artifact_root, place.environ, setting="output artifactRoot")
    destination = open_store(request.to, place.environ, setting="--to", unfinished_too=True)
    _refuse_inside(source, destination)
    _refuse_second_database(place)
    stack = str(place.stack)
    name = new_name(stack, place.clock.epoch())
    with temporary_folder(request.scratch) as folder, Spool(folder) as spool:
        writer = BackupWriter(place, request, login, binaries, source, destination, spool, name)
        try:
            made = writer.write(platform, keep_snapshot)
        except BaseException:
            place.progress(f"taking the unfinished {name} away")
            with contextlib.suppress(CouldNotLook):
                delete_backup(destination, name)
            raise
        manifest, seal, outside, without, snapshot = made
    # Nothing older goes before this one is seen to be whole.
    for problem in missing_files(destination, seal):
        raise CouldNotLook(f"what was written is not what {destination.uri} holds now: {problem}")
    removed = (
        rotate(destination, stack, request.keep, now=place.clock.epoch()) if request.keep else []
    )
    return BackupMade(
        name=name,
        uri=f"{destination.uri}/{name}",
        manifest=manifest,
        size_bytes=seal.size_bytes,
        seconds=place.clock.monotonic() - began,
        removed=tuple(removed),
        outside=outside,
        dangling=without,
        snapshot=snapshot,
    )


def _refuse_second_database(place: Place) -> None:
    """One snapshot is of one database."""
    settings = place.settings
    if settings is not None and settings.registry.store_uri:
        raise CouldNotLook(
            "mlflow-platform:registryStoreUri keeps the model registry in a database of its own, "
            "which no snapshot of the backend store holds: these commands back up one database; "
            "use your database server's own backups for both"
        )


def _refuse_inside(source: Store, destination: Store) -> None:
    """A backup among the artifacts would be in the next backup, and in the one after it."""
    if lies_inside(destination.uri, source.uri):
        raise CouldNotLook(
            f"--to is {destination.uri}, inside the artifact store {source.uri}: every backup "
            "would hold the ones before; choose a place outside"
        )
