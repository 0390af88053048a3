"""`backup`: consistent, whole or nothing, and rotated without losing the last good one."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from benchmarks.throwaway_postgres import ThrowawayPostgres, free_port
from operations.archive import packs
from operations.archive.encryption import decrypted
from operations.archive.folder_store import UNFINISHED, FolderStore
from operations.archive.streams import pieces_of
from operations.backup import BackupRequest, make_backup
from smoke_tests.errors import CouldNotLook
from tests.operations.backup_platform import METRICS, PASSWORD, RUNS, VERSION, BackupPlatform
from tests.operations.conftest import Operate

ROOT = Path(__file__).resolve().parents[2]

NAME = re.compile(r"local-\d{8}T\d{9}Z-[0-9a-f]{4}")


@pytest.fixture
def platform(cluster: ThrowawayPostgres, tmp_path: Path, operate: Operate) -> BackupPlatform:
    return BackupPlatform(cluster, tmp_path, operate)


class TestWhatABackupHolds:
    """One manifest ties the dump, the revision, the counts and every artifact together."""

    def test_report(self, platform: BackupPlatform) -> None:
        ran = platform.back_up("--json")
        assert (ran.code, ran.err) == (0, "")
        document = ran.document
        manifest = document["manifest"]
        assert NAME.fullmatch(document["backup"])
        assert document["uri"] == f"{platform.destination}/{document['backup']}"
        assert manifest["schema_revision"] == "a1b2c3"
        assert manifest["mlflow_version"] == VERSION
        assert manifest["stack"] == "local"
        counts = {table["name"]: table["rows"] for table in manifest["tables"]}
        assert counts == {
            "alembic_version": 1,
            "experiments": 1,
            "metrics": METRICS,
            "model_versions": 1,
            "params": RUNS,
            "registered_models": 1,
            "runs": RUNS,
            "tags": RUNS,
        }
        assert manifest["artifacts"] == len(platform.content()) == 2 * RUNS + 1
        assert manifest["artifact_bytes"] == sum(map(len, platform.content().values()))
        assert (document["removed"], document["artifacts_outside"]) == ([], 0)
        assert document["models_without_artifacts"] == 0

    def test_only_the_seal_can_be_read_without_the_key(self, platform: BackupPlatform) -> None:
        platform.back_up()
        (backup,) = platform.backups
        files = {path.name: path.read_bytes() for path in backup.iterdir()}
        assert sorted(files) == [
            "artifacts-00000.tar.age",
            "database.dump.age",
            "manifest.jsonl.age",
            "seal.json",
        ]
        seal = files.pop("seal.json")
        assert all(content.startswith(b"age-encryption.org/v1\n") for content in files.values())
        assert {file["name"] for file in json.loads(seal)["files"]} == files.keys()
        for word in (b"run1", b"weights", b"loss", b"resnet"):
            assert word not in seal
            assert not any(word in content for content in files.values())

    def test_artifacts_elsewhere_and_models_without_any_are_named(
        self, platform: BackupPlatform
    ) -> None:
        platform.query("UPDATE runs SET artifact_uri = 's3://other/r' WHERE run_uuid = 'run2'")
        platform.query(
            "INSERT INTO model_versions VALUES ('resnet', 2, 'mlflow-artifacts:/9/x', NULL, 'run1')"
        )
        ran = platform.back_up()
        assert ran.code == 0
        assert "  not in it: artifacts outside the platform's: run run2 (s3://other/r)\n" in ran.out
        assert "  models that have no artifacts: version 2 of model resnet\n" in ran.out

    def test_many_packs(self, platform: BackupPlatform) -> None:
        made = platform.make(pack_bytes=20_000)
        assert made.manifest.packs > 3
        assert (
            platform.operate("backups", "--from", str(platform.destination), "--verify").code == 0
        )


class TestWholeOrNothing:
    """What did not end well left nothing that looks like a backup."""

    def test_dump_fails(self, platform: BackupPlatform, tmp_path: Path) -> None:
        broken = tmp_path / "broken"
        broken.mkdir()
        for name in ("pg_dump", "pg_restore", "psql"):
            (broken / name).write_text(
                "#!/bin/sh\nhead -c 100000 /dev/zero\n"
                "echo 'pg_dump: error: disk on fire' >&2\nexit 1\n"
            )
            (broken / name).chmod(0o755)
        ran = platform.back_up(
            "--postgres-bin-dir", str(broken), PATH=f"{tmp_path}/bin:/usr/bin:/bin"
        )
        assert ran.code == 2
        assert ran.err == (
            "error: pg_dump could not dump the database: pg_dump: error: disk on fire\n"
        )
        assert platform.backups == []

    def test_older_programs(self, platform: BackupPlatform, tmp_path: Path) -> None:
        programs = tmp_path / "programs"
        programs.mkdir()
        for name in ("pg_dump", "pg_restore", "psql"):
            (programs / name).write_text(
                "#!/bin/sh\necho 'pg_dump: error: aborting because of server version "
                "mismatch' >&2\n"
                "exit 1\n"
            )
            (programs / name).chmod(0o755)
        ran = platform.back_up("--postgres-bin-dir", str(programs))
        assert ran.code == 2
        assert ran.err == (
            "error: pg_dump is older than the database's server (pg_dump: error: aborting because "
            "of server version mismatch): give the programs of that version of PostgreSQL with "
            "--postgres-bin-dir\n"
        )

    def test_what_an_extension_brought_is_not_ours(self, platform: BackupPlatform) -> None:
        """Its tables and views are in no dump: a restore must not miss them."""
        platform.query(
            "CREATE TABLE of_extension (id int); "
            "INSERT INTO pg_depend (classid, objid, objsubid, refclassid, refobjid, refobjsubid, "
            "deptype) SELECT 'pg_class'::regclass, 'of_extension'::regclass, 0, "
            "'pg_extension'::regclass, oid, 0, 'e' FROM pg_extension WHERE extname = 'plpgsql'"
        )
        made = platform.make()
        assert "of_extension" not in {table.name for table in made.manifest.tables}
        ran = platform.operate("drill", "--from", str(platform.destination), "--json")
        assert (ran.code, ran.document["differences"]) == (0, 0)

    def test_interrupted_while_artifacts_are_copied(
        self, platform: BackupPlatform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        opened = FolderStore.open

        def interrupted(store: FolderStore, name: str) -> Any:
            if name.endswith("weights.bin"):
                raise KeyboardInterrupt
            return opened(store, name)

        monkeypatch.setattr(FolderStore, "open", interrupted)
        ran = platform.back_up()
        assert (ran.code, ran.err) == (2, "Interrupted: the command did not finish.\n")
        assert platform.backups == []

    def test_killed_before_the_seal(self, platform: BackupPlatform) -> None:
        platform.back_up()
        (backup,) = platform.backups
        (backup / "seal.json").unlink()  # the last file that is written
        listed = platform.operate("backups", "--from", str(platform.destination))
        assert listed.code == 1
        assert f"{backup.name}  {backup} has no seal.json" in listed.out
        ran = platform.operate("restore", "--from", str(platform.destination), "--confirm", "local")
        assert ran.code == 2
        assert ran.err.startswith(
            f"error: {platform.destination} has no complete backup of the stack local"
        )

    def stuck(self, platform: BackupPlatform, tmp_path: Path) -> subprocess.Popen[str]:
        """A backup whose pg_dump has written a little and hangs; its process id is in `pid`."""
        programs = tmp_path / "programs"
        programs.mkdir()
        for name in ("pg_dump", "pg_restore", "psql"):
            (programs / name).write_text(
                f"#!/bin/sh\nhead -c 100000 /dev/zero\necho $$ > {tmp_path}/pid\nexec sleep 600\n"
            )
            (programs / name).chmod(0o755)
        command = ["-m", "operations", "backup", "--stack", "local"]
        command += ["--to", str(platform.destination), "--postgres-bin-dir", str(programs)]
        backup = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env={
                **platform.environ,
                "PATH": f"{tmp_path}/bin:/usr/bin:/bin",
                "TMPDIR": str(tmp_path),  # a killed process leaves its folder there
            },
            stderr=subprocess.PIPE,
            text=True,
        )
        deadline = time.monotonic() + 60
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text().strip():
            assert backup.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return backup

    def test_told_to_end(self, platform: BackupPlatform, tmp_path: Path) -> None:
        """A job's deadline ends it as Ctrl-C does, pg_dump included, even where that hangs."""
        backup = self.stuck(platform, tmp_path)
        backup.terminate()
        _, said = backup.communicate(timeout=60)
        assert (backup.returncode, said) == (2, "Interrupted: the command did not finish.\n")
        assert platform.backups == []
        with pytest.raises(ProcessLookupError):
            os.kill(int((tmp_path / "pid").read_text()), 0)

    def test_killed_while_it_writes(self, platform: BackupPlatform, tmp_path: Path) -> None:
        """Nothing of it counts, and the first rotation a day later takes it away."""
        backup = self.stuck(platform, tmp_path)
        backup.kill()
        backup.communicate()
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
        (left,) = platform.backups
        (file,) = left.iterdir()
        assert file.name.startswith(UNFINISHED)

        listed = platform.operate("backups", "--from", str(platform.destination))
        assert listed.code == 1
        assert "has no seal.json: it is no backup" in listed.out
        assert platform.make(keep=1).removed == ()
        os.utime(file, (1, 1))
        assert platform.make(keep=5).removed == (left.name,)
        assert left not in platform.backups

    def test_artifacts_deleted_meanwhile(
        self, platform: BackupPlatform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As `mlflow gc` does, between the snapshot and the copy."""
        pack = packs.Packer.packed

        def after_gc(packer: packs.Packer) -> Any:
            (platform.artifacts / "1/run3/artifacts/a b/ü.txt").unlink()
            return pack(packer)

        monkeypatch.setattr(packs.Packer, "packed", after_gc)
        ran = platform.back_up()
        assert ran.code == 2
        assert ran.err == (
            "error: artifacts were deleted while the backup was made, of rows that it holds: "
            "1/run3/artifacts/a b/\\xfc.txt of run run3; make it again when nothing deletes "
            "(`mlflow gc`, retention)\n"
        )
        assert platform.backups == []


class TestMeanwhile:
    """What is logged while a backup is made is in it or not, and never in half."""

    def test_an_artifact_that_is_rewritten_while_it_is_read(
        self, platform: BackupPlatform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = platform.write("1/run4/artifacts/checkpoint", b"old" * 200_000)
        read = FolderStore.open
        times = iter((b"new" * 100_000, b"newer" * 150_000))

        def rewriting(store: FolderStore, name: str) -> Any:
            context = read(store, name)
            if not name.endswith("checkpoint"):
                return context
            opened = context.__enter__()
            content = next(times, None)
            if content is not None:
                path.write_bytes(content)

            class Wrapped:
                def __enter__(self) -> Any:
                    return opened

                def __exit__(self, *exception: Any) -> Any:
                    return context.__exit__(*exception)

            return Wrapped()

        monkeypatch.setattr(FolderStore, "open", rewriting)
        platform.make()
        monkeypatch.undo()
        assert path.read_bytes() == b"newer" * 150_000
        ran = platform.operate("drill", "--from", str(platform.destination), "--json")
        assert (ran.code, ran.document["differences"]) == (0, 0)

    def test_one_that_never_rests_ends_the_backup(
        self, platform: BackupPlatform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = platform.artifacts / "1/run0/artifacts/empty"
        read = FolderStore.open

        def growing(store: FolderStore, name: str) -> Any:
            context = read(store, name)
            if name.endswith("run0/artifacts/empty"):
                opened = context.__enter__()
                with path.open("ab") as file:
                    file.write(b"more")

                class Wrapped:
                    def __enter__(self) -> Any:
                        return opened

                    def __exit__(self, *exception: Any) -> Any:
                        return context.__exit__(*exception)

                return Wrapped()
            return context

        monkeypatch.setattr(FolderStore, "open", growing)
        with pytest.raises(
            CouldNotLook, match="5 times: stop what writes it, then make the backup"
        ):
            platform.make()
        assert platform.backups == []


class TestRotation:
    """`--keep N` deletes what is older than the newest N good backups, and nothing else."""

    def test_keep_two(self, platform: BackupPlatform) -> None:
        names = [platform.make().name for _ in range(2)]
        other = platform.destination / "local-two-20200101T000000000Z-0000"
        shutil.copytree(platform.backups[0], other)
        ran = platform.back_up("--keep", "2", "--json")
        document = ran.document
        assert document["removed"] == sorted(names)[:1]
        left = [path.name for path in platform.backups]
        assert left == sorted([*sorted(names)[1:], document["backup"], other.name])

    def test_damaged_ones_count_for_nothing_and_stay(self, platform: BackupPlatform) -> None:
        good, damaged = platform.make().name, platform.make().name
        (platform.destination / damaged / "database.dump.age").unlink()
        last = platform.make(keep=2)
        assert last.removed == ()
        assert {path.name for path in platform.backups} == {good, damaged, last.name}

    def test_unfinished_ones_go_after_a_day(
        self, platform: BackupPlatform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from operations.archive import rotation

        unfinished = platform.make().name
        (platform.destination / unfinished / "seal.json").unlink()
        assert platform.make(keep=1).removed == ()
        monkeypatch.setattr(rotation, "_UNFINISHED_SECONDS", -1)
        assert unfinished in platform.make(keep=1).removed


class TestSecrets:
    """The database's password is in no argument and in no file; programs get it by environment."""

    def test_what_pg_dump_is_given(self, platform: BackupPlatform, tmp_path: Path) -> None:
        programs = tmp_path / "programs"
        programs.mkdir()
        for name in ("pg_dump", "pg_restore", "psql"):
            (programs / name).write_text(
                f"#!{sys.executable}\nimport json, os, sys\n"
                f"json.dump([sys.argv, dict(os.environ)], open({str(tmp_path / 'call')!r}, 'w'))\n"
                "print(f'password is {os.environ[\"PGPASSWORD\"]}: error', file=sys.stderr)\n"
                "sys.exit(1)\n"
            )
            (programs / name).chmod(0o755)
        ran = platform.back_up(
            "--postgres-bin-dir",
            str(programs),
            PGHOST="another.example.com",
            PGOPTIONS="-c x=y",
            PGSSLROOTCERT="/certificates",
        )
        assert ran.err == (
            "error: pg_dump could not dump the database: password is [secret]: error\n"
        )
        words, environment = json.loads((tmp_path / "call").read_text())
        assert not any(PASSWORD in word for word in words)
        assert environment["PGPASSWORD"] == PASSWORD
        assert environment["PGHOST"] == "127.0.0.1"
        assert environment["PGSSLROOTCERT"] == "/certificates"
        assert "PGOPTIONS" not in environment

    def test_nothing_secret_is_written(self, platform: BackupPlatform) -> None:
        name = platform.make().name
        seal = (platform.destination / name / "seal.json").read_bytes()
        file = FolderStore(str(platform.destination)).open(f"{name}/manifest.jsonl.age")
        with file as opened, decrypted(opened, platform.identities, name="it") as stream:
            manifest = b"".join(pieces_of(stream))
        assert b"weights.bin" in manifest
        for text in (seal, manifest):
            assert PASSWORD.encode() not in text
            assert platform.secret_key.encode() not in text


class TestRefusals:
    """What cannot be done is said in one sentence, before anything is written."""

    def refused(self, platform: BackupPlatform, *words: str, **environ: str) -> str:
        ran = platform.back_up(*words, **environ)
        assert ran.code == 2
        assert platform.backups == []
        return ran.err

    def test_keep_none(self, platform: BackupPlatform) -> None:
        assert self.refused(platform, "--keep", "0") == (
            "error: --keep is '0': give a whole number from 1 to 100000\n"
        )

    def test_no_key(self, platform: BackupPlatform) -> None:
        assert self.refused(platform, MLFLOW_PLATFORM_BACKUP_RECIPIENT="") == (
            "error: no key is given that the backup shall be encrypted for: give age's public key "
            "with --recipient age1\\u2026 or MLFLOW_PLATFORM_BACKUP_RECIPIENT; `python -m "
            "operations backup-key --to FILE` makes a pair\n"
        )

    def test_the_secret_key_by_mistake(self, platform: BackupPlatform) -> None:
        assert self.refused(platform, "--recipient", platform.secret_key) == (
            "error: --recipient is no public key of age (age1\\u2026): give the line that `python "
            "-m operations backup-key` or `age-keygen -y` prints\n"
        )

    def test_inside_the_artifacts(self, platform: BackupPlatform) -> None:
        ran = platform.operate("backup", "--to", f"{platform.artifacts}/backups")
        assert ran.code == 2
        assert "inside the artifact store" in ran.err
        assert "backups" not in {path.name for path in platform.artifacts.iterdir()}

    def test_sqlite(self, platform: BackupPlatform) -> None:
        platform.export(backendStore="sqlite:////tmp/mlflow.db")
        ran = platform.back_up()
        assert ran.code == 2
        assert ran.err.startswith("error: the backend store of stack local is a SQLite file: stop")

    def test_a_registry_of_its_own(self, platform: BackupPlatform) -> None:
        platform.config = {
            "mlflow-platform:backendStoreUri": {"value": "postgresql://mlflow:some-word@h/mlflow"},
            "mlflow-platform:registryStoreUri": {"value": "postgresql://mlflow@h/registry"},
        }
        platform.export()
        assert self.refused(platform).startswith(
            "error: mlflow-platform:registryStoreUri keeps the model registry in a database of its "
        )

    def test_no_schema(self, platform: BackupPlatform) -> None:
        platform.query("DROP TABLE alembic_version")
        ran = platform.back_up()
        assert ran.code == 2
        assert ran.err.endswith(
            "has no schema of MLflow's: there is nothing to back up; deploy the stack first\n"
        )
        assert platform.backups == []


class TestPrivateDatabase:
    """A database that the outputs' address does not reach is reached through a tunnel."""

    def test_refused_then_through_the_tunnel(self, platform: BackupPlatform) -> None:
        platform.export(databaseHost="127.0.0.1", databasePort=free_port(), databasePassword=None)
        unknown = platform.back_up()
        assert unknown.code == 2
        assert unknown.err == (
            "error: the database of stack local cannot be reached: the stack exports no "
            "databasePassword; a password that the stack does not export is read from "
            "PGPASSWORD, and the end of a tunnel is given with --database-host and "
            "--database-port\n"
        )
        private = platform.back_up(PGPASSWORD="tr0ub4dor-and-three")
        assert private.code == 2
        assert "cannot be reached from here at 127.0.0.1:" in private.err
        assert private.err.endswith(
            "give the tunnel's end with --database-host and --database-port\n"
        )
        tunnel = ["--database-host", "localhost", "--database-port", str(platform.cluster.port)]
        assert platform.back_up(*tunnel, PGPASSWORD="tr0ub4dor-and-three").code == 0

    def test_the_name_is_still_the_databases_own(self, platform: BackupPlatform) -> None:
        """A certificate is checked against it, and pg_dump is told the same."""
        from operations.backup import DatabaseAccess, login_of

        platform.export(
            databaseHost="db.internal",
            backendStore="postgresql://m@db.internal/x?sslmode=verify-full",
        )
        login = login_of(platform.place(), DatabaseAccess(host="127.0.0.1", port=7))
        environment = login.libpq_environment()
        assert environment["PGHOST"] == "db.internal"
        assert environment["PGHOSTADDR"] == "127.0.0.1"
        assert (environment["PGPORT"], environment["PGSSLMODE"]) == ("7", "verify-full")


class TestInterfaceForCommands:
    """`make_backup` gives what another command needs to come back to it."""

    def test_name_and_manifest(self, platform: BackupPlatform) -> None:
        made = make_backup(
            platform.place(),
            BackupRequest(to=str(platform.destination), recipients=platform.identities.recipients),
        )
        assert made.uri == f"{platform.destination}/{made.name}"
        assert made.manifest.count("runs") == RUNS
        assert made.snapshot is None
