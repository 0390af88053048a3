"""`restore`: checked whole first, asked for, one transaction, nothing lost by accident."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from benchmarks.throwaway_postgres import ThrowawayPostgres
from operations.archive.encryption import new_identity
from operations.restore import RestoreRequest, restore_backup
from tests.operations.backup_platform import METRICS, RUNS, VERSION, BackupPlatform
from tests.operations.conftest import Operate, Ran


@pytest.fixture
def platform(cluster: ThrowawayPostgres, tmp_path: Path, operate: Operate) -> BackupPlatform:
    return BackupPlatform(cluster, tmp_path, operate)


def restore(platform: BackupPlatform, *words: str, **environ: str) -> Ran:
    return platform.operate("restore", "--from", str(platform.destination), *words, **environ)


def state(platform: BackupPlatform) -> tuple[list[object], dict[str, bytes]]:
    rows = [
        platform.query(f"SELECT * FROM {table} ORDER BY 1, 2, 3")
        for table in ("runs", "metrics", "params", "tags", "model_versions", "experiments")
    ]
    return [rows], platform.content()


class TestComesBack:
    """After a restore the platform holds what it held when the backup was made."""

    def test_same_platform(self, platform: BackupPlatform) -> None:
        before = state(platform)
        platform.back_up()
        platform.query("DELETE FROM metrics WHERE step = 7")
        platform.query("UPDATE params SET value = 'x' WHERE run_uuid = 'run2'")
        platform.query("CREATE TABLE later (id int)")
        platform.add_run("run99")
        weights = platform.artifacts / "1/run1/artifacts/model/weights.bin"
        weights.write_bytes(b"x" + weights.read_bytes()[1:])
        (platform.artifacts / "1/run0/artifacts/a b/ü.txt").unlink()
        ran = restore(platform, "--confirm", "local", "--json")
        assert ran.code == 0
        document = ran.document
        assert document["artifacts_written"] == 2
        assert document["artifacts_unchanged"] == 2 * RUNS - 1
        assert document["artifacts_kept"] == 2
        rows, artifacts = state(platform)
        kept = {name for name in artifacts if "run99" in name}
        assert len(kept) == 2
        assert (rows, {k: v for k, v in artifacts.items() if k not in kept}) == before
        assert platform.query("SELECT to_regclass('later')") == [(None,)]

    def test_types_views_functions_and_triggers_too(self, platform: BackupPlatform) -> None:
        platform.back_up()
        assert restore(platform, "--confirm", "local").code == 0
        assert platform.query("SELECT * FROM newest") == [(1,)]
        with pytest.raises(Exception, match="no"):
            platform.query("DELETE FROM alembic_version")

    def test_new_rows_get_new_numbers(self, platform: BackupPlatform) -> None:
        platform.back_up()
        restore(platform, "--confirm", "local")
        platform.query("INSERT INTO experiments (name) VALUES ('after')")
        assert platform.query("SELECT max(experiment_id) FROM experiments") == [(2,)]

    def test_empty_platform(self, platform: BackupPlatform) -> None:
        before = state(platform)
        platform.back_up()
        platform.query("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        shutil.rmtree(platform.artifacts)
        ran = restore(platform, "--confirm", "local")
        assert ran.code == 0
        assert ": empty, gets everything\n" in ran.err
        assert state(platform) == before

    def test_an_older_one_by_name(self, platform: BackupPlatform) -> None:
        first = platform.make().name
        platform.query("DELETE FROM metrics")
        platform.make()
        restore(platform, "--confirm", "local", "--backup", first)
        assert platform.count("metrics") == METRICS

    def test_without_asking_for_other_commands(self, platform: BackupPlatform) -> None:
        made = platform.make()
        platform.query("DELETE FROM metrics")
        done = restore_backup(
            platform.place(),
            RestoreRequest(
                source=str(platform.destination), identities=platform.identities, backup=made.name
            ),
        )
        assert done.manifest == made.manifest
        assert platform.count("metrics") == METRICS


class TestAsked:
    """The plan is shown, and without the stack's name nothing is changed."""

    def test_plan_without_an_answer(self, platform: BackupPlatform) -> None:
        name = platform.make().name
        platform.query("DELETE FROM metrics WHERE step <= 10")
        platform.write("1/run0/artifacts/later", b"new")
        platform.write("1/run0/artifacts/a b/ü.txt", b"shorter")
        before = state(platform)
        ran = restore(platform)
        assert (ran.code, ran.out) == (2, "")
        assert ran.err == (
            f"Restore of {name}, 0.0 hours old, checked whole:\n"
            f"  {RUNS} runs, {METRICS} metrics, 13 artifacts (0.3 MB), schema a1b2c3, "
            f"MLflow {VERSION}\n"
            f"  database   {platform.database} at 127.0.0.1:{platform.cluster.port}: {RUNS} runs "
            f"and {METRICS - 10} metrics are there (schema a1b2c3); every table is dropped and "
            "replaced, in one transaction\n"
            f"  artifacts  {platform.artifacts}: 0 missing, written; 12 there, overwritten where "
            "their bytes differ; 1 of another size, overwritten; 1 unknown to the backup, kept\n"
            "    overwritten: 1/run0/artifacts/a b/\\xfc.txt\n"
            "    kept: 1/run0/artifacts/later\n"
            "error: nothing was changed: a restore replaces what the stack local holds, and nobody "
            "can be asked without a terminal; repeat the command with --confirm local\n"
        )
        assert state(platform) == before

    def test_another_name(self, platform: BackupPlatform) -> None:
        platform.make()
        platform.query("DELETE FROM metrics")
        ran = restore(platform, "--confirm", "prod")
        assert ran.code == 2
        assert ran.err.endswith(
            "error: nothing was changed: --confirm is 'prod' and the stack is 'local'; repeat the "
            "command with --confirm local if that is the one\n"
        )
        assert platform.count("metrics") == 0


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def same_size_cut(path: Path) -> None:
    """A truncated file that the file system filled up with zeros."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2].ljust(len(content), b"\0"))


class TestDamage:
    """A damaged or incomplete backup is refused before anything is touched."""

    @pytest.mark.parametrize(
        ("file", "damage", "said"),
        [
            ("artifacts-00000.tar.age", lambda p: flip(p, 5000), "is damaged: "),
            ("artifacts-00000.tar.age", cut, "bytes instead of"),
            ("artifacts-00000.tar.age", Path.unlink, "artifacts-00000.tar.age is missing"),
            ("database.dump.age", lambda p: flip(p, 3000), "is damaged: "),
            ("database.dump.age", cut, "is damaged: database.dump.age has"),
            ("database.dump.age", same_size_cut, "is damaged: "),
            ("manifest.jsonl.age", Path.unlink, "manifest.jsonl.age is missing"),
            ("manifest.jsonl.age", lambda p: flip(p, 1500), "is damaged: "),
            ("seal.json", lambda p: flip(p, 300), "seal.json is damaged: it was changed"),
            ("seal.json", Path.unlink, "has no seal.json: it is no backup"),
        ],
    )
    def test_refused(
        self,
        platform: BackupPlatform,
        file: str,
        damage: Callable[[Path], None],
        said: str,
    ) -> None:
        name = platform.make().name
        platform.query("DELETE FROM metrics")
        (platform.artifacts / "1/run1/artifacts/model/weights.bin").unlink()
        before = state(platform)
        damage(platform.destination / name / file)
        ran = restore(platform, "--confirm", "local", "--backup", name)
        assert ran.code == 2
        assert said in ran.err
        assert "Restore of" not in ran.err  # not even a plan
        assert state(platform) == before
        checked = platform.operate(
            "backups", "--from", str(platform.destination), "--verify", "--backup", name
        )
        assert checked.code == 1
        assert said in checked.out

    def test_pieces_of_two_backups(self, platform: BackupPlatform) -> None:
        """Each is whole and of the right key, and they do not belong together."""
        import json

        first, second = platform.make().name, platform.make().name
        for file in ("artifacts-00000.tar.age", "database.dump.age", "manifest.jsonl.age"):
            shutil.copy(platform.destination / first / file, platform.destination / second / file)
        seal = json.loads((platform.destination / first / "seal.json").read_text())
        assert seal["backup"] == first
        shutil.copy(
            platform.destination / first / "seal.json", platform.destination / second / "seal.json"
        )
        ran = restore(platform, "--confirm", "local", "--backup", second)
        assert ran.code == 2
        assert "seal.json is damaged" in ran.err

    def test_wrong_key(self, platform: BackupPlatform) -> None:
        name = platform.make().name
        before = state(platform)
        ran = restore(
            platform, "--confirm", "local", MLFLOW_PLATFORM_BACKUP_IDENTITY=new_identity()[0]
        )
        assert ran.code == 2
        assert ran.err == (
            f"error: {name}/manifest.jsonl.age is encrypted for another key than the one given: "
            "give the identity that belongs to the recipient of this backup with --identity-file\n"
        )
        assert state(platform) == before

    def test_a_dump_that_does_not_give_what_was_counted(self, platform: BackupPlatform) -> None:
        """The last guard: the transaction looks at every table before it is committed."""
        from dataclasses import replace

        from operations.archive.manifest import TableContent
        from operations.archive.reading import SealedBackup

        platform.make()
        platform.query("DELETE FROM metrics WHERE step = 1")
        before = state(platform)
        manifest_of = SealedBackup.manifest

        def other(sealed: SealedBackup, *arguments: object) -> object:
            manifest = manifest_of(sealed, *arguments)  # type: ignore[arg-type]
            tables = tuple(
                TableContent(name=t.name, rows=t.rows, digest="1") if t.name == "runs" else t
                for t in manifest.tables
            )
            return replace(manifest, tables=tables)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(SealedBackup, "manifest", other)
            ran = restore(platform, "--confirm", "local")
        assert ran.code == 2
        assert "psql could not restore the database, which is as it was before" in ran.err
        assert f"table runs would hold {RUNS} rows, and other ones than were backed up" in ran.err
        assert state(platform)[0] == before[0]

    def test_statistics_that_cannot_be_taken(
        self, platform: BackupPlatform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """They come after the commit: what is restored is not said to be as it was before."""
        monkeypatch.setattr("operations.archive.database_restore.LOCK_SECONDS", 1)
        platform.make()
        before = state(platform)
        platform.query("DELETE FROM metrics WHERE step = 1")
        platform.query("CREATE SCHEMA another CREATE TABLE report (id int)")
        with psycopg.connect(platform.cluster.dsn(platform.database)) as reader:
            reader.execute("LOCK TABLE another.report IN ACCESS EXCLUSIVE MODE")
            ran = restore(platform, "--confirm", "local")
        assert ran.code == 0, ran.err
        assert state(platform) == before


class TestFits:
    """A backup goes into the platform it was made of, or into an empty one that can use it."""

    def test_another_stacks_runs_are_not_overwritten(self, platform: BackupPlatform) -> None:
        name = platform.make().name
        place = platform.place("staging")
        with pytest.raises(Exception, match=f"the stack staging has {RUNS} runs of its own"):
            restore_backup(
                place,
                RestoreRequest(
                    source=str(platform.destination), identities=platform.identities, backup=name
                ),
            )

    def test_an_older_server(self, platform: BackupPlatform) -> None:
        platform.make()
        platform.export(mlflowVersion="3.16.1")
        ran = restore(platform, "--confirm", "local")
        assert ran.code == 2
        assert "server is 3.16.1, which does not know that schema: deploy that version" in ran.err

    def test_rows_that_name_the_old_bucket(self, platform: BackupPlatform, tmp_path: Path) -> None:
        platform.query(
            "UPDATE runs SET artifact_uri = replace(artifact_uri, 'mlflow-artifacts:', %s)",
            str(platform.artifacts),
        )
        platform.make()
        platform.export(artifactRoot=str(tmp_path / "elsewhere"))
        ran = restore(platform, "--confirm", "local")
        assert ran.code == 2
        assert f"{RUNS} rows of local-" in ran.err
        assert "they would lead to the old place" in ran.err
        assert not (tmp_path / "elsewhere").exists()


class TestKeys:
    """`backup-key` makes a pair where age is not installed."""

    def test_pair(self, platform: BackupPlatform, tmp_path: Path) -> None:
        file = tmp_path / "key"
        ran = platform.operate("backup-key", "--to", str(file), "--json")
        assert ran.code == 0
        assert file.stat().st_mode & 0o777 == 0o600
        secret = file.read_text().splitlines()[-1]
        assert secret.startswith("AGE-SECRET-KEY-1")
        assert secret not in ran.out
        recipient = ran.document["recipient"]
        assert platform.back_up("--recipient", recipient).code == 0
        ran = restore(platform, "--identity-file", str(file), "--confirm", "local")
        assert ran.code == 0
        again = platform.operate("backup-key", "--to", str(file))
        assert again.code == 2
        assert again.err.endswith("exists: backups may depend on the key in it; name a new file\n")
        assert file.read_text().splitlines()[-1] == secret

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (None, "cannot be read (FileNotFoundError)"),
            ("age1public\n", "holds no secret key of age"),
        ],
    )
    def test_no_key_in_the_file(
        self, platform: BackupPlatform, tmp_path: Path, content: str | None, said: str
    ) -> None:
        platform.make()
        file = tmp_path / "key"
        if content is not None:
            file.write_text(content)
        ran = restore(platform, "--identity-file", str(file))
        assert ran.code == 2
        assert said in ran.err
