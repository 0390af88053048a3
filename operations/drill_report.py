"""What `drill` has to say: both sides in numbers, and each difference in words.

Owns the report alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from operations.archive.manifest import Manifest
from operations.backup_report import counted, megabytes
from operations.drill_comparison import ArtifactsCompared, Compared
from operations.drill_mlflow import MlflowAnswer
from operations.report import ExitCode, Line


@dataclass(frozen=True, kw_only=True, slots=True)
class Drilled:
    """What a drill saw."""

    backup: str
    manifest: Manifest
    kept: str | None  # where the backup is, when it was not made for the drill alone
    tables: tuple[Compared, ...]
    artifacts: ArtifactsCompared
    mlflow: MlflowAnswer
    backup_bytes: int
    backup_seconds: float | None  # None: it was there
    restore_seconds: float
    compare_seconds: float

    @property
    def differences(self) -> int:
        """Of all kinds."""
        return sum(one.differences for one in (*self.tables, self.artifacts))

    @property
    def exit_code(self) -> ExitCode:
        """1: the copy is not what the platform is."""
        return 1 if self.differences or self.mlflow.is_good is False else 0

    def document(self) -> dict[str, object]:
        """For a machine."""
        return {
            "backup": self.backup,
            "uri": self.kept,
            "differences": self.differences,
            "tables": [asdict(one) for one in self.tables],
            "artifacts": asdict(self.artifacts),
            "mlflow": self.mlflow.document(),
            "rows": self.manifest.rows,
            "database_bytes": self.manifest.dump_bytes,
            "artifact_bytes": self.manifest.artifact_bytes,
            "backup_bytes": self.backup_bytes,
            "backup_seconds": _rounded(self.backup_seconds),
            "restore_seconds": _rounded(self.restore_seconds),
            "compare_seconds": _rounded(self.compare_seconds),
        }

    def lines(self) -> Iterable[Line]:
        """For a person."""
        yield Line(f"{'':26}{'platform':>12}{'copy':>12}{'differences':>13}", "dim")
        for one in (*self.tables, self.artifacts):
            if one.in_platform or one.in_copy or one.differences:
                yield Line(
                    f"{one.name:26}{one.in_platform:12,}{one.in_copy:12,}{one.differences:13,}",
                    "red" if one.differences else None,
                )
        for one in (*self.tables, self.artifacts):
            for text in one.shown:
                yield Line(f"  {text}", "red")
            if one.differences > len(one.shown):
                yield Line(f"  … and {one.differences - len(one.shown):,} more {one.name}", "red")
        if self.artifacts.changed_since:
            yield Line(
                f"  {self.artifacts.changed_since:,} artifacts were written after the snapshot: "
                "not compared",
                "dim",
            )
        yield Line(self.mlflow.text, "red" if self.mlflow.is_good is False else None)
        steps = [
            "backup there already"
            if self.backup_seconds is None
            else f"backup {self.backup_seconds:.1f} s",
            f"check and restore beside {self.restore_seconds:.1f} s",
            f"compare {self.compare_seconds:.1f} s",
        ]
        yield Line(
            f"{self.manifest.rows:,} rows, {megabytes(self.artifacts.compared_bytes)} of artifacts "
            f"byte by byte, {megabytes(self.backup_bytes)} encrypted: {', '.join(steps)}"
        )
        verdict = f"{self.backup}: {counted(self.differences, 'difference')}"
        yield Line(verdict, "red" if self.differences else "green")
        if self.kept:
            yield Line(f"  kept at {self.kept}", "dim")


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)
