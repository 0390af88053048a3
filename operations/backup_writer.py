"""The files of one backup, in the order that makes it consistent.

Owns the order (docs/decisions/0019): list the artifacts, dump the database in a snapshot that also
counts and hashes its tables, copy the artifacts, see that none which a row names went meanwhile,
write the manifest, write the seal. Whoever calls it takes away what an interruption left.
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from operations.archive.encryption import Recipients, encrypted
from operations.archive.locations import Named, dangling, lost, read_locations
from operations.archive.manifest import Manifest, TableContent, manifest_lines
from operations.archive.packs import PACK_BYTES, Packer
from operations.archive.postgres_tools import PostgresProgram
from operations.archive.seal import DUMP, MANIFEST, Seal, SealedFile, pack_name, write_seal
from operations.archive.snapshot import Snapshot, open_snapshot
from operations.archive.spool import Artifact, Spool
from operations.archive.stores import Store
from operations.archive.streams import Hashed, Pieces, Readable, Watched
from operations.backup_access import DatabaseAccess
from operations.backup_report import megabytes
from operations.database_login import DatabaseLogin
from operations.place import Place
from smoke_tests.errors import CouldNotLook

if TYPE_CHECKING:
    from infra.outputs import PlatformOutputs


@dataclass(frozen=True, kw_only=True, slots=True)
class BackupRequest:
    """What is asked for."""

    to: str  # path, s3://… or gs://…
    recipients: Recipients
    keep: int | None = None  # good backups of the stack to keep there; None: all
    access: DatabaseAccess = field(default_factory=DatabaseAccess)
    scratch: str | None = None  # for lists of names; None: the system's temporary folder
    pack_bytes: int = PACK_BYTES


class BackupWriter:
    """Writes the files of one backup, each once."""

    def __init__(
        self,
        place: Place,
        request: BackupRequest,
        login: DatabaseLogin,
        binaries: Path,
        source: Store,
        destination: Store,
        spool: Spool,
        name: str,
    ) -> None:
        """Nothing is read or written yet."""
        self._place = place
        self._request = request
        self._login = login
        self._binaries = binaries
        self._source = source
        self._destination = destination
        self._spool = spool
        self._name = name
        self._files: list[SealedFile] = []
        self._kept = 0

    def write(
        self, platform: PlatformOutputs, keep_snapshot: contextlib.ExitStack | None
    ) -> tuple[Manifest, Seal, Named, Named, Snapshot | None]:
        """The dump, the artifacts, the manifest, the seal: in this order."""
        place, spool = self._place, self._spool
        place.progress("listing the artifacts")
        spool.add_listed(item.name for item in self._source.list())
        with contextlib.ExitStack() as closed_here:
            snapshot = (keep_snapshot or closed_here).enter_context(open_snapshot(self._login))
            revision = snapshot.revision
            if revision is None:
                raise CouldNotLook(
                    f"the database {self._login.name} has no schema of MLflow's: there is nothing "
                    "to back up; deploy the stack first"
                )
            tables = self._tables(snapshot)
            locations = read_locations(snapshot, platform.artifact_root, spool)
            dump = self._dump(snapshot)
            created, server, schema = snapshot.created, snapshot.postgresql, snapshot.schema
        self._artifacts()
        missing = lost(spool)
        if missing.count:
            raise CouldNotLook(
                f"artifacts were deleted while the backup was made, of rows that it holds: "
                f"{missing}; make it again when nothing deletes (`mlflow gc`, retention)"
            )
        artifacts, size, packs = spool.totals()
        manifest = Manifest(
            backup=self._name,
            stack=str(place.stack),
            created=created,
            mlflow_version=platform.mlflow_version,
            schema_revision=revision,
            postgresql=server,
            database_schema=schema,
            artifact_root=platform.artifact_root,
            dump_bytes=dump.size_bytes,
            dump_sha256=dump.sha256,
            tables=tables,
            artifacts=artifacts,
            artifact_bytes=size,
            packs=packs if artifacts else 0,
            rooted=locations.rooted,
            outside=locations.outside.count,
        )
        self._put(MANIFEST, Pieces(manifest_lines(manifest, spool)))
        seal = Seal(
            backup=self._name,
            stack=str(place.stack),
            created=created,
            files=tuple(self._files),
        )
        write_seal(self._destination, seal)
        return manifest, seal, locations.outside, dangling(spool), keep_snapshot and snapshot

    def _tables(self, snapshot: Snapshot) -> tuple[TableContent, ...]:
        found: list[TableContent] = []
        names = snapshot.tables()
        for number, table in enumerate(names, start=1):
            self._place.progress(f"counting and hashing table {number} of {len(names)}: {table}")
            found.append(snapshot.content(table))
        return tuple(found)

    def _dump(self, snapshot: Snapshot) -> Hashed:
        arguments = [
            "--format=custom",
            "--no-owner",
            "--no-privileges",
            "--no-password",
            f"--schema={snapshot.schema}",
            f"--snapshot={snapshot.identifier}",
        ]
        with PostgresProgram(
            self._binaries / "pg_dump",
            arguments,
            login=self._login,
            environ=self._place.environ,
            masker=self._place.masker,
            stdout=subprocess.PIPE,
        ) as program:
            dump = Hashed(
                Watched(
                    _Output(program),
                    lambda size: self._place.progress(f"dumping the database: {megabytes(size)}"),
                )
            )
            self._put(DUMP, dump)
        return dump

    def _artifacts(self) -> None:
        packer = Packer(
            self._source, self._source.list(), self._keep, pack_bytes=self._request.pack_bytes
        )
        listed, packed_bytes = self._spool.listed(), 0

        def tell(more: int = 0) -> None:
            self._place.progress(
                f"artifacts: {self._kept:,} of about {listed:,}, "
                f"{megabytes(packed_bytes + more)} encrypted"
            )

        for pack in packer.packed():
            tell()
            self._put(pack_name(packer.packs), pack, about_bytes=packer.about_bytes, tell=tell)
            packed_bytes += self._files[-1].size_bytes

    def _keep(self, artifact: Artifact) -> None:
        self._spool.add(artifact)
        self._kept += 1

    def _put(
        self,
        name: str,
        source: Readable,
        *,
        about_bytes: int = 0,
        tell: Callable[[int], None] | None = None,
    ) -> None:
        with encrypted(source, self._request.recipients) as stream:
            hashed = Hashed(Watched(stream, tell) if tell else stream)
            self._destination.write(f"{self._name}/{name}", hashed, about_bytes=about_bytes)
        self._files.append(
            SealedFile(name=name, size_bytes=hashed.size_bytes, sha256=hashed.sha256)
        )


class _Output:
    """What pg_dump prints; its end is good only when pg_dump ended well."""

    def __init__(self, program: PostgresProgram) -> None:
        self._program = program

    def read(self, size: int, /) -> bytes:
        piece: bytes = self._program.stdout.read(size)
        if len(piece) < size:
            self._program.finish("dump the database")
        return piece
