"""Where runs may be put away, and where they would be deleted with what they are a copy of."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from benchmarks.throwaway_postgres import ThrowawayPostgres
from operations.archive.folder_store import FolderStore
from operations.archive.s3_store import S3Store
from operations.retention_archive import Archive, refuse_overlap
from operations.retention_plan import Run
from smoke_tests.errors import CouldNotLook
from tests.operations.backup_platform import BackupPlatform
from tests.operations.conftest import Operate


@pytest.fixture
def platform(cluster: ThrowawayPostgres, tmp_path: Path, operate: Operate) -> BackupPlatform:
    return BackupPlatform(cluster, tmp_path, operate)


class NoRows:
    """A database without rows."""

    def execute(self, *_question: object) -> list[Any]:
        return []


class TestOverlap:
    """An archive is never a run's own folder: it would be deleted with the run."""

    def test_what_would_happen(self, tmp_path: Path) -> None:
        """The stack's name below the archive is the artifact root: copy and original are one."""
        artifacts, archive = FolderStore(str(tmp_path / "local")), FolderStore(str(tmp_path))
        artifacts.write("1/abc/artifacts/weights.bin", BytesIO(b"weights"))
        run = Run(
            run_id="abc",
            name="",
            experiment_id="1",
            experiment="e",
            status="FINISHED",
            deleted=False,
            last_moment=0,
            artifact_uri="mlflow-artifacts:/1/abc/artifacts",
        )
        shelf = Archive(
            place=archive, artifacts=artifacts, stack="local", now="", progress=lambda _: None
        )
        assert shelf.put(NoRows(), run).files == 2
        artifacts.delete("1/abc/artifacts/weights.bin")  # as the removal of the run does
        kept = {item.name for item in archive.list("local/1/abc/")}
        assert kept == {"local/1/abc/manifest.json", "local/1/abc/rows.jsonl"}
        with pytest.raises(CouldNotLook) as refused:
            refuse_overlap(archive, artifacts, "local")
        assert str(refused.value) == (
            f"--archive is {tmp_path}, and what it keeps of stack local would lie among the "
            f"artifacts in {tmp_path}/local, where it is deleted with the runs: name a place "
            "outside"
        )

    @pytest.mark.parametrize(
        ("archive", "artifacts"),
        [
            ("artifacts", "artifacts"),
            ("artifacts/old", "artifacts"),
            ("link", "artifacts"),
            (".", "local"),
        ],
    )
    def test_folders(self, archive: str, artifacts: str, tmp_path: Path) -> None:
        (tmp_path / "artifacts").mkdir()
        (tmp_path / "link").symlink_to("artifacts")
        place, root = (FolderStore(str(tmp_path / name)) for name in (archive, artifacts))
        with pytest.raises(CouldNotLook, match=r"name a place outside$"):
            refuse_overlap(place, root, "local")

    @pytest.mark.parametrize(
        "archive", ["s3://bucket/mlflow/old", "s3://bucket/mlflow", "s3://bucket"]
    )
    def test_buckets(self, archive: str) -> None:
        root = "s3://bucket/mlflow"
        with pytest.raises(CouldNotLook, match=r"name a place outside$"):
            refuse_overlap(S3Store(archive, {}), S3Store(root, {}), "mlflow")

    @pytest.mark.parametrize(
        ("archive", "artifacts"),
        [
            ("s3://cold/runs", "s3://bucket/mlflow"),
            ("s3://bucket/old", "s3://bucket/mlflow"),
            ("s3://bucket/mlflow-old", "s3://bucket/mlflow"),
            ("s3://bucket", "s3://bucket/mlflow"),
        ],
    )
    def test_apart(self, archive: str, artifacts: str) -> None:
        refuse_overlap(S3Store(archive, {}), S3Store(artifacts, {}), "local")


class TestNoTables:
    """A stack whose first deployment failed has a database and no table in it."""

    def test_no_schema(self, platform: BackupPlatform) -> None:
        platform.query("DROP TABLE runs CASCADE")
        ran = platform.operate("retention")
        assert (ran.code, ran.out) == (2, "")
        assert ran.err.startswith(f"error: the database {platform.database} at 127.0.0.1:")
        assert 'did not answer a question (relation "runs" does not exist' in ran.err
