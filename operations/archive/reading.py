"""Reading a backup, with every byte checked on its way.

Owns the way from a sealed file to what it holds: hash of the encrypted file against the seal, age's
own authentication, hash of the content against the manifest. `verify` reads all of it and keeps
nothing; a restore reads the same way once more.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

from operations.archive.encryption import Identities, decrypted
from operations.archive.errors import BackupDamaged, ObjectGone
from operations.archive.manifest import Manifest, read_manifest
from operations.archive.packs import unpacked
from operations.archive.seal import DUMP, MANIFEST, Seal, missing_files, pack_name
from operations.archive.spool import Artifact, Spool
from operations.archive.stores import Store
from operations.archive.streams import Checked, Readable, Watched, drain


@dataclass(frozen=True, slots=True)
class SealedBackup:
    """A backup that is complete by its seal."""

    store: Store
    seal: Seal

    @property
    def name(self) -> str:
        """Its folder's."""
        return self.seal.backup

    def require_files(self) -> None:
        """Whether all files are there, in their sizes.

        Raises:
            BackupDamaged: not so.
        """
        for problem in missing_files(self.store, self.seal):
            raise BackupDamaged(problem)

    def verify_files(self, progress: Callable[[str], None]) -> None:
        """Read every file as it lies there, without a key.

        Raises:
            BackupDamaged: one is missing, or holds other bytes than when it was sealed.
        """
        self.require_files()
        for number, file in enumerate(self.seal.files, start=1):
            progress(f"reading {self.name}: file {number} of {len(self.seal.files)}")
            with self._sealed(file.name) as source:
                drain(source)

    def verify(
        self, identities: Identities, spool: Spool, progress: Callable[[str], None]
    ) -> Manifest:
        """Read and check everything; the artifacts' names are in the spool then.

        Raises:
            BackupDamaged: something is missing or was changed.
            WrongKey: it is encrypted for others.
        """
        self.require_files()
        manifest = self.manifest(identities, spool)
        progress(f"checking {self.name}: the database's dump")
        with self.dump(identities, manifest) as dump:
            drain(dump)
        done = 0

        def tell(more: int = 0) -> None:
            progress(
                f"checking {self.name}: {(done + more) / 1e6:,.0f} of "
                f"{manifest.artifact_bytes / 1e6:,.0f} MB of artifacts"
            )

        for number, (artifact, content) in enumerate(
            self.artifacts(identities, manifest, spool), start=1
        ):
            drain(Watched(content, tell))
            done += artifact.size_bytes
            if number % 100 == 0:
                tell()
        return manifest

    def manifest(self, identities: Identities, spool: Spool) -> Manifest:
        """The manifest, and every artifact's line into the spool.

        Raises:
            BackupDamaged: it is not whole.
            WrongKey: it is encrypted for others.
        """
        with self._opened(MANIFEST, identities) as source:
            manifest = read_manifest(source, spool, name=f"{self.name}/{MANIFEST}")
        if (manifest.backup, manifest.stack) != (self.seal.backup, self.seal.stack):
            raise BackupDamaged(
                f"{self.name} is damaged: its manifest is that of {manifest.backup}"
            )
        return manifest

    @contextlib.contextmanager
    def dump(self, identities: Identities, manifest: Manifest) -> Generator[Readable]:
        """The database's dump; reading its end fails where it is not the manifest's."""
        with self._opened(DUMP, identities) as source:
            yield Checked(
                source,
                size_bytes=manifest.dump_bytes,
                sha256=manifest.dump_sha256,
                problem=lambda: BackupDamaged(
                    f"{self.name}/{DUMP} is damaged: its content is not what the manifest says"
                ),
            )

    def artifacts(
        self, identities: Identities, manifest: Manifest, spool: Spool
    ) -> Iterator[tuple[Artifact, Readable]]:
        """Every artifact with its content, which has to be read before the next one.

        Raises:
            BackupDamaged: a content is not what the manifest says, or an artifact is missing.
        """
        found = 0
        for number in range(manifest.packs):
            file = pack_name(number)
            with self._opened(file, identities) as source:
                for packed in unpacked(source, name=f"{self.name}/{file}"):
                    artifact = spool.find(packed.name)
                    if artifact is None or (artifact.pack, artifact.entry) != (
                        number,
                        packed.entry,
                    ):
                        continue  # changed while it was read: it follows again
                    found += 1
                    yield (
                        artifact,
                        Checked(
                            packed.content,
                            size_bytes=artifact.size_bytes,
                            sha256=artifact.sha256,
                            problem=lambda artifact=artifact: BackupDamaged(
                                f"{self.name} is damaged: the artifact {artifact.name} is not what "
                                "the manifest says"
                            ),
                        ),
                    )
        if found != manifest.artifacts:
            raise BackupDamaged(
                f"{self.name} is incomplete: it holds {found:,} of {manifest.artifacts:,} artifacts"
            )

    @contextlib.contextmanager
    def _opened(self, file: str, identities: Identities) -> Generator[Readable]:
        name = f"{self.name}/{file}"
        with self._sealed(file) as source, decrypted(source, identities, name=name) as content:
            yield content

    @contextlib.contextmanager
    def _sealed(self, file: str) -> Generator[Readable]:
        sealed = self.seal.file(file)
        try:
            with self.store.open(f"{self.name}/{file}") as opened:
                yield Checked(
                    opened,
                    size_bytes=sealed.size_bytes,
                    sha256=sealed.sha256,
                    problem=lambda: BackupDamaged(
                        f"{self.name}/{file} is damaged: it holds other bytes than when it was made"
                    ),
                )
        except ObjectGone:
            raise BackupDamaged(f"{self.name} is incomplete: {file} is missing") from None
