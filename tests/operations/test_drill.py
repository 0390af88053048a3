"""`drill`: what comes back is compared with the platform, and each difference is named."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest

from benchmarks.throwaway_postgres import ThrowawayPostgres
from operations.archive.postgres_tools import postgres_directory
from operations.database_login import NotReachable
from operations.drill import Drill
from operations.drill_postgres import DrillPostgres
from smoke_tests.errors import CouldNotLook
from smoke_tests.masking import Masker
from tests.operations.backup_platform import METRICS, RUNS, VERSION, BackupPlatform
from tests.operations.conftest import Operate

WEIGHTS = "1/run1/artifacts/model/weights.bin"
SHORTER = "1/run2/artifacts/a b/ü.txt"


@pytest.fixture
def platform(cluster: ThrowawayPostgres, tmp_path: Path, operate: Operate) -> BackupPlatform:
    return BackupPlatform(cluster, tmp_path, operate)


class TestWholeCircle:
    """Back up, restore beside, compare: no differences, and the platform was only read."""

    def test_no_difference(self, platform: BackupPlatform) -> None:
        before = platform.content()
        ran = platform.operate("drill", "--json", MLFLOW_PLATFORM_BACKUP_IDENTITY="")
        assert (ran.code, ran.err) == (0, "")
        document = ran.document
        assert document["differences"] == 0
        tables = {one["name"]: one for one in document["tables"]}
        for name, rows in (("runs", RUNS), ("metrics", METRICS), ("model versions", 1)):
            assert (tables[name]["in_platform"], tables[name]["in_copy"]) == (rows, rows)
        artifacts = document["artifacts"]
        assert artifacts["in_platform"] == artifacts["in_copy"] == len(before)
        assert artifacts["compared_bytes"] == sum(map(len, before.values()))
        assert document["uri"] is None
        assert document["mlflow"] == {
            "said": f"not asked: MLflow is {version('mlflow')} here and the backup is of {VERSION}",
            "opened": None,
        }
        assert platform.content() == before
        assert platform.backups == []

    def test_kept_where_it_was_asked_for(self, platform: BackupPlatform) -> None:
        ran = platform.operate("drill", "--to", str(platform.destination), "--json")
        assert (ran.code, ran.document["differences"]) == (0, 0)
        assert [path.name for path in platform.backups] == [ran.document["backup"]]

    def test_what_is_logged_meanwhile_is_no_difference(
        self, platform: BackupPlatform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        compare = Drill.compare

        def after_logging(drill: Drill, **arguments: str | None) -> object:
            platform.add_run("later")
            platform.query("DELETE FROM metrics WHERE step = 3")
            platform.write("1/run1/artifacts/model/weights.bin", b"overwritten")
            return compare(drill, **arguments)

        monkeypatch.setattr(Drill, "compare", after_logging)
        ran = platform.operate("drill", "--json")
        assert (ran.code, ran.document["differences"]) == (0, 0)
        assert ran.document["artifacts"]["changed_since"] == 3


class TestNamesDifferences:
    """A byte, a row, a value that is not what was backed up is found and named."""

    def test_all_kinds(self, platform: BackupPlatform) -> None:
        platform.make()
        platform.query("DELETE FROM metrics WHERE step = 7")
        platform.query("UPDATE runs SET end_time = 5 WHERE run_uuid = 'run3'")
        platform.query("INSERT INTO params VALUES ('depth', '8', 'run1')")
        weights = platform.artifacts / "1/run1/artifacts/model/weights.bin"
        content = bytearray(weights.read_bytes())
        content[123_456] ^= 1
        weights.write_bytes(content)
        (platform.artifacts / "1/run0/artifacts/empty").unlink()
        platform.write("1/run0/artifacts/new", b"new")
        platform.write("1/run2/artifacts/a b/ü.txt", b"short")
        ran = platform.operate("drill", "--from", str(platform.destination))
        assert ran.code == 1
        shown = [line for line in ran.out.splitlines() if line.startswith("  ")][:-1]
        assert [line for line in shown if ":" in line] == [
            "  run run3: end_time is not what was backed up",
            f"  metric loss of run run1, step 7, value {1 / 7}: it is not in the platform",
            "  parameter depth of run run1: it is not in the backup",
            "  artifact 1/run0/artifacts/empty: it is not in the platform",
            f"  artifact {WEIGHTS}: differs from byte 123,456 on (300,000 bytes)",
            f"  artifact {SHORTER}: 5 bytes in the platform, 6,500 in the backup",
            "  artifact 1/run0/artifacts/new: it is not in the backup",
        ]
        assert "7 differences" in ran.out

    def test_every_kind_of_row(self, platform: BackupPlatform) -> None:
        """No table is left out; another value in a key is a row less and a row more."""
        platform.make()
        tables = [
            row[0]
            for row in platform.query(
                "SELECT relname FROM pg_class WHERE relkind = 'r' "
                "AND relnamespace = 'public'::regnamespace"
            )
        ]
        changes = {
            "alembic_version": "UPDATE alembic_version SET version_num = 'other'",
            "experiments": "UPDATE experiments SET name = 'other'",
            "runs": "UPDATE runs SET start_time = NULL WHERE run_uuid = 'run0'",
            "metrics": "UPDATE metrics SET value = 0 WHERE step = 1",
            "params": "UPDATE params SET value = 'other' WHERE run_uuid = 'run5'",
            "tags": "DELETE FROM tags WHERE run_uuid = 'run5'",
            "registered_models": "INSERT INTO registered_models VALUES ('other')",
            "model_versions": "UPDATE model_versions SET source = NULL",
        }
        assert changes.keys() == set(tables)
        for change in changes.values():
            platform.query(change)
        ran = platform.operate("drill", "--from", str(platform.destination), "--json")
        assert ran.code == 1
        found = {one["name"]: one["differences"] for one in ran.document["tables"]}
        assert found.pop("indexes and other objects") == 0
        assert all(found.values())
        assert ran.document["differences"] == sum(found.values()) == len(changes) + 2

    def test_a_copy_that_mlflow_cannot_use(self, platform: BackupPlatform) -> None:
        """Every row may be the same, and it is still no database of MLflow's."""
        platform.export(mlflowVersion=version("mlflow"))
        ran = platform.operate("drill", "--json")
        assert ran.code == 1
        assert ran.document["differences"] == 0
        assert ran.document["mlflow"]["opened"] is False
        assert ran.document["mlflow"]["said"].startswith("MLflow cannot use the copy: ")

    def test_an_index_that_is_gone(self, platform: BackupPlatform) -> None:
        platform.query("CREATE INDEX by_start ON runs (start_time)")
        platform.make()
        platform.query(
            "DROP INDEX by_start; CREATE SEQUENCE anew; DROP TRIGGER guard ON alembic_version"
        )
        ran = platform.operate("drill", "--from", str(platform.destination))
        assert ran.code == 1
        assert "  index by_start: it is not in the platform\n" in ran.out
        assert "  sequence anew: it is not in the copy\n" in ran.out
        assert "  trigger guard: it is not in the platform\n" in ran.out
        assert "3 differences" in ran.out

    def test_a_table_that_one_side_lacks(self, platform: BackupPlatform) -> None:
        platform.make()
        platform.query("CREATE TABLE later (id int)")
        ran = platform.operate("drill", "--from", str(platform.destination))
        assert ran.code == 1
        assert "  the copy has no table later\n" in ran.out


class TestPostgresOfItsOwn:
    """It holds a copy of everything: nobody else reaches it, and it does not outlive the drill."""

    def test_no_network_and_gone_afterwards(self, tmp_path: Path) -> None:
        folder = tmp_path / "cluster"
        folder.mkdir()
        with DrillPostgres(postgres_directory(None), folder, Masker()) as postgres:
            with postgres.login.connect() as connection:
                assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
                assert connection.execute("SHOW log_statement").fetchone() == ("none",)
            assert folder.stat().st_mode & 0o777 == 0o700
            assert list(folder.glob(".s.PGSQL.*")) != []
        assert list(folder.glob(".s.PGSQL.*")) == []
        assert not (folder / "data" / "postmaster.pid").exists()
        with pytest.raises(NotReachable):
            postgres.login.connect()

    def test_one_whose_start_is_interrupted(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Ctrl-C between its start and the word that it runs leaves nobody with the data."""
        run = DrillPostgres._run

        def interrupted(self: DrillPostgres, program: str, *arguments: str) -> None:
            run(self, program, *arguments)
            if program == "pg_ctl":
                raise KeyboardInterrupt

        monkeypatch.setattr(DrillPostgres, "_run", interrupted)
        folder = tmp_path / "cluster"
        folder.mkdir()
        with (
            pytest.raises(KeyboardInterrupt),
            DrillPostgres(postgres_directory(None), folder, Masker()),
        ):
            pass
        assert list(folder.glob(".s.PGSQL.*")) == []
        assert not (folder / "data" / "postmaster.pid").exists()

    def test_programs_without_a_server(self, tmp_path: Path) -> None:
        with (
            pytest.raises(CouldNotLook, match="has no initdb: give the directory of a whole"),
            DrillPostgres(tmp_path, tmp_path, Masker()),
        ):
            pass


class TestRefusals:
    """What cannot be drilled is said in a sentence."""

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["--to", "a", "--from", "b"], "--to makes a new backup and --from takes one"),
            (["--backup", "x"], "--backup names one of several: say with --from where they are"),
            (["--from", "/nowhere"], "/nowhere has no complete backup of the stack local"),
        ],
    )
    def test_arguments(self, platform: BackupPlatform, words: list[str], said: str) -> None:
        ran = platform.operate("drill", *words)
        assert ran.code == 2
        assert said in ran.err
