"""`backup`: the database and the artifacts of a stack, as they belong together.

Owns the order, which is what makes a backup consistent (docs/decisions/0019): the artifacts are
listed, the database is dumped at one moment, then the artifacts are copied. A row that the dump
holds names artifacts that were there before it, so they are in the copy; one that was listed, is
named and is gone when it is copied ends the backup. The manifest ties both together, and the seal,
last, makes it count.

For other commands:

    made = make_backup(place, BackupRequest(to=…, recipients=…))     # made.name, made.manifest
    restored = restore_backup(place, RestoreRequest(source=…, identities=…, backup=made.name))

`make_backup` raises `CouldNotLook` with one sentence, and has then left nothing that looks like a
backup. `operations.restore` has the other half.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import tempfile
from collections.abc import Generator, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from operations.archive.encryption import Recipients, encrypted
from operations.archive.locations import Named, dangling, lost, read_locations
from operations.archive.manifest import Manifest, TableContent, manifest_lines
from operations.archive.packs import PACK_BYTES, Packer
from operations.archive.postgres_tools import PostgresProgram, postgres_directory
from operations.archive.rotation import delete_backup, new_name, rotate
from operations.archive.seal import (
    DUMP,
    MANIFEST,
    Seal,
    SealedFile,
    missing_files,
    pack_name,
    write_seal,
)
from operations.archive.snapshot import Snapshot, open_snapshot
from operations.archive.spool import Artifact, Spool
from operations.archive.stores import Store, open_store
from operations.archive.streams import Hashed, Pieces, Readable
from operations.database_login import DatabaseLogin, NotReachable, add_database_arguments
from operations.place import Place
from operations.report import ExitCode, Line, Report
from smoke_tests.errors import CouldNotLook

if TYPE_CHECKING:
    from infra.outputs import PlatformOutputs


@dataclass(frozen=True, kw_only=True, slots=True)
class DatabaseAccess:
    """How the database is reached, where the stack's outputs are not enough."""

    host: str | None = None  # a tunnel's end
    port: int | None = None
    postgres_bin_dir: str | None = None

    @classmethod
    def from_arguments(cls, arguments: argparse.Namespace) -> DatabaseAccess:
        """As `add_database_arguments` declares them."""
        port = arguments.database_port
        return cls(
            host=arguments.database_host,
            port=None if port is None else whole_number("--database-port", port, largest=65_535),
            postgres_bin_dir=arguments.postgres_bin_dir,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class BackupRequest:
    """What is asked for."""

    to: str  # path, s3://… or gs://…
    recipients: Recipients
    keep: int | None = None  # good backups of the stack to keep there; None: all
    access: DatabaseAccess = field(default_factory=DatabaseAccess)
    scratch: str | None = None  # for lists of names; None: the system's temporary folder
    pack_bytes: int = PACK_BYTES


@dataclass(frozen=True, kw_only=True, slots=True)
class BackupMade:
    """A complete backup."""

    name: str
    uri: str  # of its folder
    manifest: Manifest
    size_bytes: int  # encrypted, all files
    seconds: float
    removed: tuple[str, ...]  # by rotation
    outside: Named  # rows that keep artifacts elsewhere than in the artifact root
    dangling: Named  # models whose artifacts the store does not have
    snapshot: Snapshot | None = field(
        default=None, repr=False
    )  # still open, where it was asked for

    @property
    def exit_code(self) -> ExitCode:
        """What was asked for is there."""
        return 0

    def document(self) -> dict[str, object]:
        """For a machine."""
        return {
            "backup": self.name,
            "uri": self.uri,
            "bytes": self.size_bytes,
            "seconds": round(self.seconds, 1),
            "removed": list(self.removed),
            "artifacts_outside": self.outside.count,
            "models_without_artifacts": self.dangling.count,
            "manifest": asdict(self.manifest),
        }

    def lines(self) -> Iterable[Line]:
        """For a person."""
        manifest = self.manifest
        yield Line(f"{self.uri}", "green")
        yield Line(
            f"  database   {len(manifest.tables)} tables, {manifest.rows:,} rows "
            f"({manifest.count('runs'):,} runs, {manifest.count('metrics'):,} metrics), "
            f"{megabytes(manifest.dump_bytes)}; schema {manifest.schema_revision}, "
            f"MLflow {manifest.mlflow_version}"
        )
        yield Line(
            f"  artifacts  {manifest.artifacts:,}, {megabytes(manifest.artifact_bytes)}, "
            f"in {manifest.packs:,} packs"
        )
        yield Line(f"  encrypted  {megabytes(self.size_bytes)} in {self.seconds:.1f} s")
        if self.outside.count:
            yield Line(f"  not in it: artifacts outside the platform's: {self.outside}", "yellow")
        if self.dangling.count:
            yield Line(f"  models that have no artifacts: {self.dangling}", "yellow")
        for name in self.removed:
            yield Line(f"  removed    {name}", "dim")


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


def add_backup_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what backup, restore and drill share."""
    add_database_arguments(parser)
    add = parser.add_argument
    add("--postgres-bin-dir", metavar="DIR", help="PostgreSQL's programs (default: the package's)")
    add("--scratch", metavar="DIR", help="where temporary files go (default: the system's place)")


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
    destination = open_store(request.to, place.environ, setting="--to")
    _refuse_inside(source, destination)
    _refuse_second_database(place)
    stack = str(place.stack)
    name = new_name(stack, place.clock.epoch())
    with temporary_folder(request.scratch) as folder, Spool(folder) as spool:
        writer = _Writer(place, request, login, binaries, source, destination, spool, name)
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


class _Writer:
    """Writes the files of one backup."""

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
        self._place = place
        self._request = request
        self._login = login
        self._binaries = binaries
        self._source = source
        self._destination = destination
        self._spool = spool
        self._name = name
        self._files: list[SealedFile] = []

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
            dump = Hashed(_Output(program, self._place))
            self._put(DUMP, dump)
        return dump

    def _artifacts(self) -> None:
        packer = Packer(
            self._source, self._source.list(), self._keep, pack_bytes=self._request.pack_bytes
        )
        self._kept = 0
        for pack in packer.packed():
            self._put(pack_name(packer.packs), pack, about_bytes=packer.about_bytes)

    def _keep(self, artifact: Artifact) -> None:
        self._spool.add(artifact)
        self._kept += 1
        if self._kept % 50 == 0:
            self._place.progress(f"artifacts: {self._kept:,} of about {self._spool.listed():,}")

    def _put(self, name: str, source: Readable, *, about_bytes: int = 0) -> None:
        with encrypted(source, self._request.recipients) as stream:
            hashed = Hashed(stream)
            self._destination.write(f"{self._name}/{name}", hashed, about_bytes=about_bytes)
        self._files.append(
            SealedFile(name=name, size_bytes=hashed.size_bytes, sha256=hashed.sha256)
        )


class _Output:
    """What pg_dump prints; its end is good only when pg_dump ended well."""

    def __init__(self, program: PostgresProgram, place: Place) -> None:
        self._program = program
        self._place = place
        self._size_bytes = 0

    def read(self, size: int, /) -> bytes:
        piece: bytes = self._program.stdout.read(size)
        if len(piece) < size:
            self._program.finish("dump the database")
        before = self._size_bytes >> 24
        self._size_bytes += len(piece)
        if self._size_bytes >> 24 != before:
            self._place.progress(f"dumping the database: {megabytes(self._size_bytes)}")
        return piece


def platform_of(place: Place) -> PlatformOutputs:
    """The stack's outputs, of a kind that can be backed up.

    Raises:
        CouldNotLook: no stack, or one whose data a backup would not hold whole.
    """
    outputs = place.outputs
    if outputs is None:
        raise CouldNotLook("no stack is named: give one with --stack")
    if outputs.backend_store.startswith("sqlite:"):
        raise CouldNotLook(
            f"the backend store of stack {place.stack} is a SQLite file: stop the server and copy "
            "the file and the artifact folder; the commands here back up PostgreSQL"
        )
    return outputs


def login_of(place: Place, access: DatabaseAccess) -> DatabaseLogin:
    """The way into the stack's database.

    Raises:
        CouldNotLook: the outputs show none.
    """
    outputs = platform_of(place)
    try:
        login = DatabaseLogin.from_outputs(outputs, place.masker, environ=place.environ)
        return login.through(access.host, access.port)
    except NotReachable as problem:
        raise CouldNotLook(
            f"the database of stack {place.stack} cannot be reached: {problem}; a password that "
            "the stack does not export is read from PGPASSWORD, and the end of a tunnel is given "
            "with --database-host and --database-port"
        ) from None


@contextlib.contextmanager
def temporary_folder(scratch: str | None) -> Generator[Path]:
    """A folder for this user alone, gone afterwards.

    Raises:
        CouldNotLook: it cannot be made there.
    """
    try:
        folder = tempfile.TemporaryDirectory(prefix="mlflow-platform-", dir=scratch)
    except OSError as error:
        raise CouldNotLook(
            f"no temporary folder can be made in {scratch or tempfile.gettempdir()} "
            f"({error.strerror}): give another place with --scratch"
        ) from None
    with folder as name:
        yield Path(name)


def whole_number(option: str, written: str, *, largest: int) -> int:
    """A whole number from 1 on.

    Raises:
        CouldNotLook: it is something else.
    """
    if written.isascii() and written.isdigit() and 1 <= int(written) <= largest:
        return int(written)
    raise CouldNotLook(f"{option} is {written!r}: give a whole number from 1 to {largest}")


def megabytes(size: int) -> str:
    """For a person."""
    return f"{size / 1e6:,.1f} MB"


def age_of(created: str, epoch: float) -> float:
    """Hours since a moment as manifests write it."""
    moment = datetime.strptime(created, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    return (epoch - moment.timestamp()) / 3600


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
    if f"{destination.uri}/".startswith(f"{source.uri}/"):
        raise CouldNotLook(
            f"--to is {destination.uri}, inside the artifact store {source.uri}: every backup "
            "would hold the ones before; choose a place outside"
        )


__all__: Sequence[str] = (
    "BackupMade",
    "BackupRequest",
    "DatabaseAccess",
    "add_arguments",
    "make_backup",
    "run",
)
