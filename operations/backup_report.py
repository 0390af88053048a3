"""What `backup` has to say: what was taken, where it lies, what is not in it.

Owns the report and how sizes and ages are written.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

from operations.archive.locations import Named
from operations.archive.manifest import Manifest
from operations.archive.snapshot import Snapshot
from operations.report import ExitCode, Line


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
            f"in {counted(manifest.packs, 'pack')}"
        )
        yield Line(f"  encrypted  {megabytes(self.size_bytes)} in {self.seconds:.1f} s")
        if self.outside.count:
            yield Line(f"  not in it: artifacts outside the platform's: {self.outside}", "yellow")
        if self.dangling.count:
            yield Line(f"  models that have no artifacts: {self.dangling}", "yellow")
        for name in self.removed:
            yield Line(f"  removed    {name}", "dim")


def megabytes(size: int) -> str:
    """For a person."""
    return f"{size / 1e6:,.1f} MB"


def counted(number: int, thing: str) -> str:
    """`1 pack`, `2 packs`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def age_of(created: str, epoch: float) -> float:
    """Hours since a moment as manifests write it."""
    moment = datetime.strptime(created, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    return (epoch - moment.timestamp()) / 3600
