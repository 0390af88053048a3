"""`backups`: which backups of a stack there are, and whether one is whole.

Owns the looking, at backups only: no platform is needed, nothing is restored and nothing changed.
Without a key a backup is checked as it lies there, file by file; with the key that opens it also
what is inside: the manifest, the dump, every artifact.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from operations.archive.encryption import (
    IDENTITY_FILE_VARIABLE,
    IDENTITY_VARIABLE,
    Identities,
)
from operations.archive.errors import BackupDamaged
from operations.archive.manifest import Manifest
from operations.archive.reading import SealedBackup
from operations.archive.rotation import find_backup, names_of
from operations.archive.seal import read_seal
from operations.archive.spool import Spool
from operations.archive.stores import open_store
from operations.backup_access import temporary_folder
from operations.backup_report import megabytes
from operations.place import Place
from operations.report import ExitCode, Line, Report
from operations.restore import add_source_arguments


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """One backup, or what is left of one."""

    name: str
    created: str | None
    size_bytes: int
    problem: str | None  # None: all files are there in their sizes


@dataclass(frozen=True, kw_only=True, slots=True)
class BackupList:
    """What is at a place."""

    uri: str
    stack: str
    backups: tuple[Listed, ...]

    @property
    def exit_code(self) -> ExitCode:
        """1: one is damaged or unfinished, or there is none."""
        return 1 if not self.backups or any(one.problem for one in self.backups) else 0

    def document(self) -> dict[str, object]:
        """For a machine."""
        return {"uri": self.uri, "backups": [asdict(one) for one in self.backups]}

    def lines(self) -> Iterable[Line]:
        """For a person."""
        if not self.backups:
            yield Line(f"{self.uri} has no backup of the stack {self.stack}", "red")
        for one in self.backups:
            if one.problem:
                yield Line(f"{one.name}  {one.problem}", "red")
            else:
                yield Line(f"{one.name}  {one.created}  {megabytes(one.size_bytes)}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """One backup, read whole."""

    name: str
    problem: str | None
    manifest: Manifest | None  # None: checked without a key, or damaged
    size_bytes: int
    seconds: float

    @property
    def exit_code(self) -> ExitCode:
        """1: it is damaged."""
        return 1 if self.problem else 0

    def document(self) -> dict[str, object]:
        """For a machine."""
        return {
            "backup": self.name,
            "damage": self.problem,
            "bytes": self.size_bytes,
            "opened": self.manifest is not None,
            "manifest": None if self.manifest is None else asdict(self.manifest),
            "seconds": round(self.seconds, 1),
        }

    def lines(self) -> Iterable[Line]:
        """For a person."""
        if self.problem:
            yield Line(self.problem, "red")
            yield Line("  choose an older one: `python -m operations backups` lists them")
            return
        took = f"{megabytes(self.size_bytes)} read in {self.seconds:.1f} s"
        if self.manifest is None:
            yield Line(f"{self.name}: every file is as it was made ({took})", "green")
            yield Line("  not opened: no key was given (--identity-file)", "dim")
            return
        manifest = self.manifest
        yield Line(f"{self.name} is whole ({took})", "green")
        yield Line(
            f"  {manifest.count('runs'):,} runs, {manifest.count('metrics'):,} metrics in "
            f"{len(manifest.tables)} tables; {manifest.artifacts:,} artifacts "
            f"({megabytes(manifest.artifact_bytes)}); schema {manifest.schema_revision}, MLflow "
            f"{manifest.mlflow_version}"
        )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what can be chosen."""
    add_source_arguments(parser)
    add = parser.add_argument
    add("--verify", action="store_true", help="read one backup whole and check every byte")
    add("--scratch", metavar="DIR", help="where temporary files go (default: the system's place)")


def run(arguments: argparse.Namespace, place: Place) -> Report:
    """List, or verify one.

    Raises:
        CouldNotLook: the place cannot be read, or the key is another one's.
    """
    store = open_store(arguments.source, place.environ, setting="--from", unfinished_too=True)
    stack = str(place.stack)
    if not arguments.verify:
        listed: list[Listed] = []
        for name in names_of(store, stack):
            place.progress(f"looking at {name}")
            try:
                sealed = SealedBackup(store, read_seal(store, name))
                sealed.require_files()
            except BackupDamaged as problem:
                listed.append(Listed(name=name, created=None, size_bytes=0, problem=str(problem)))
            else:
                seal = sealed.seal
                listed.append(
                    Listed(
                        name=name, created=seal.created, size_bytes=seal.size_bytes, problem=None
                    )
                )
        return BackupList(uri=store.uri, stack=stack, backups=tuple(listed))
    began = place.clock.monotonic()
    manifest: Manifest | None = None
    damage: str | None = None
    name, size = arguments.backup or stack, 0
    try:
        sealed = find_backup(store, stack, arguments.backup)
        name, size = sealed.name, sealed.seal.size_bytes
        identities = _identities(arguments, place)
        if identities is None:
            sealed.verify_files(place.progress)
        else:
            with temporary_folder(arguments.scratch) as folder, Spool(folder) as spool:
                manifest = sealed.verify(identities, spool, place.progress)
    except BackupDamaged as problem:
        damage = str(problem)
    return Checked(
        name=name,
        problem=damage,
        manifest=manifest,
        size_bytes=size,
        seconds=place.clock.monotonic() - began,
    )


def _identities(arguments: argparse.Namespace, place: Place) -> Identities | None:
    """The key, when there is one; a backup can be checked without."""
    given = arguments.identity_file or any(
        place.environ.get(name) for name in (IDENTITY_FILE_VARIABLE, IDENTITY_VARIABLE)
    )
    if not given:
        return None
    return Identities.given(arguments.identity_file, place.environ, place.masker)
