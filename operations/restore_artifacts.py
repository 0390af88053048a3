"""Artifacts of a backup, put where they belong.

Owns the writing: what is there with these bytes is left alone, everything else is written whole or
not at all.
"""

from __future__ import annotations

from collections.abc import Callable

from operations.archive.errors import ObjectGone
from operations.archive.spool import Artifact
from operations.archive.stores import Store
from operations.archive.streams import Hashed, Readable, Watched, drain
from operations.backup_report import megabytes


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
        content = Watched(content, self._tell)
        if self._is_there(artifact):
            drain(content)
            self.unchanged += 1
        else:
            self._target.write(artifact.name, content, about_bytes=artifact.size_bytes)
            self.written += 1
            self.written_bytes += artifact.size_bytes
        if (self.written + self.unchanged) % 50 == 0:
            self._tell()

    def _tell(self, more: int = 0) -> None:
        done = self.written + self.unchanged
        said = f", {megabytes(more)} of the next one" if more else ""
        self._progress(f"restored artifacts: {done:,} of {self._expected:,}{said}")

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
