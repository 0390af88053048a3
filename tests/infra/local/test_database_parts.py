"""Schema revisions, PostgreSQL's programs and data directory, masks and causes: no server."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from hypothesis import given
from hypothesis import strategies as st

from infra.local import log_tail, schema_revision
from infra.local.errors import LocalPlatformError
from infra.local.log_tail import LogTail, known_cause, masked
from infra.local.mlflow_process import lent_names
from infra.local.postgres_binaries import binary_directory, major_version, missing_binary
from infra.local.postgres_cluster import Cluster
from infra.local.privileges import Privileges
from infra.local.schema_revision import installed_revisions, read_revisions, store_revision
from infra.local.scram import scram_verifier
from infra.local.supervisor import SupervisorProvider


class TestInstalledRevisions:
    """The head is the one Alembic finds, without importing MLflow."""

    def test_agrees_with_alembic(self) -> None:
        versions = Path(schema_revision.find_spec("mlflow").submodule_search_locations[0])
        alembic = ScriptDirectory(
            str(versions / "store" / "db_migrations"),
            version_locations=[str(versions / schema_revision.MIGRATIONS)],
        )
        found = installed_revisions()
        assert [found.head] == alembic.get_heads()
        assert found.known == {script.revision for script in alembic.walk_revisions()}

    def test_merges_and_annotations(self, tmp_path: Path) -> None:
        (tmp_path / "a.py").write_text("revision = 'a'\ndown_revision = None\n")
        (tmp_path / "b.py").write_text("revision: str = 'b'\ndown_revision: str = 'a'\n")
        (tmp_path / "c.py").write_text("revision = 'c'\ndown_revision = 'a'\n\ndef up(): (\n")
        (tmp_path / "d.py").write_text("revision = 'd'\ndown_revision = ('b', 'c')\n")
        assert read_revisions(tmp_path).head == "d"

    def test_two_ends_are_a_damaged_installation(self, tmp_path: Path) -> None:
        for name in "ab":
            (tmp_path / f"{name}.py").write_text(f"revision = '{name}'\ndown_revision = None\n")
        with pytest.raises(LocalPlatformError, match="end in 2 revisions instead of one"):
            read_revisions(tmp_path)


class TestStoreRevision:
    """None while there is no schema; a store that does not answer is an error without secrets."""

    def test_sqlite(self, tmp_path: Path) -> None:
        path = tmp_path / "a b%#?.db"
        store = f"sqlite:///{path}"
        assert store_revision(store, "") is None
        assert not path.exists()
        connection = sqlite3.connect(path)
        assert store_revision(store, "") is None
        connection.executescript(
            "CREATE TABLE alembic_version (version_num); INSERT INTO alembic_version VALUES ('x');"
        )
        connection.close()
        assert store_revision(store, "") == "x"

    def test_a_file_that_is_no_database_is_named(self, tmp_path: Path) -> None:
        path = tmp_path / "notes.db"
        path.write_text("not a database, and longer than the header of one\n" * 40)
        with pytest.raises(LocalPlatformError, match=r"notes\.db cannot be asked for its schema"):
            store_revision(f"sqlite:///{path}", "")

    def test_a_locked_file_is_not_taken_for_an_empty_one(self, tmp_path: Path) -> None:
        path = tmp_path / "mlflow.db"
        with sqlite3.connect(path, isolation_level=None) as holder:
            holder.execute("CREATE TABLE alembic_version (version_num TEXT)")
            holder.execute("BEGIN EXCLUSIVE")
            with pytest.raises(LocalPlatformError, match="database is locked"):
                store_revision(f"sqlite:///{path}", "")

    def test_nobody_there(self) -> None:
        with pytest.raises(LocalPlatformError, match="cannot be asked for its schema"):
            store_revision("postgresql+psycopg://u@127.0.0.1:1/d?connect_timeout=1", "")


class TestPrograms:
    """PostgreSQL comes from the wheel, or from where the setting says; what is missing is named."""

    def test_of_the_wheel(self) -> None:
        directory = binary_directory("")
        assert missing_binary(directory) is None
        assert major_version(directory) == "16"

    def test_missing(self, tmp_path: Path) -> None:
        said = missing_binary(tmp_path)
        assert said is not None
        assert f"program postgres is not in {tmp_path}" in said
        assert "mlflow-platform:localPostgresBinDir" in said
        with pytest.raises(LocalPlatformError, match="does not run"):
            major_version(tmp_path)


class TestDataDirectory:
    """Never initialised over something, never opened by another major version."""

    def cluster(self, tmp_path: Path) -> Cluster:
        return Cluster(
            directory=tmp_path / "data",
            binaries=binary_directory(""),
            privileges=Privileges(uid=0, gid=0),
        )

    def test_another_version(self, tmp_path: Path) -> None:
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "PG_VERSION").write_text("9\n")
        with pytest.raises(LocalPlatformError, match=r"made by PostgreSQL 9 .* are PostgreSQL 16"):
            self.cluster(tmp_path).prepare("password")

    def test_something_else(self, tmp_path: Path) -> None:
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "thesis.tex").touch()
        with pytest.raises(LocalPlatformError, match="holds something else"):
            self.cluster(tmp_path).prepare("password")
        assert (tmp_path / "data" / "thesis.tex").exists()

    def test_a_move_that_leaves_data_behind_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "old" / "postgresql").mkdir(parents=True)
        (tmp_path / "old" / "postgresql" / "PG_VERSION").touch()
        olds, news = {"directory": str(tmp_path / "old")}, {"directory": str(tmp_path / "new")}
        # By the supervisor, which everything depends on: nothing has been stopped yet.
        (failure,) = SupervisorProvider().check(olds, news).failures
        assert failure.property == "directory"
        assert f"mv {tmp_path / 'old'} {tmp_path / 'new'}" in failure.reason


class TestScramVerifier:
    """PostgreSQL's form, salted, and without the password in it."""

    @given(st.text(min_size=8))
    def test_form(self, password: str) -> None:
        first, second = scram_verifier(password), scram_verifier(password)
        assert first.startswith("SCRAM-SHA-256$4096:")
        assert first != second
        assert password not in first

    def test_same_salt_same_verifier(self) -> None:
        assert scram_verifier("pencil", b"0" * 16) == scram_verifier("pencil", b"0" * 16)


class TestLogTail:
    """What is shown of a log is new, short, explained and without secrets."""

    def test_only_what_is_new(self, tmp_path: Path) -> None:
        log = tmp_path / "x.log"
        log.write_text("old\n")
        tail = LogTail.from_now(log)
        with log.open("a") as file:
            file.write("new\n")
        assert tail.text() == "new\n"

    def test_a_rotated_log_is_all_new(self, tmp_path: Path) -> None:
        log = tmp_path / "x.log"
        log.write_text("a long old text\n")
        tail = LogTail.from_now(log)
        log.write_text("new\n")
        assert tail.text() == "new\n"

    def test_explanation(self, tmp_path: Path) -> None:
        log = tmp_path / "x.log"
        tail = LogTail.from_now(log)
        log.write_text("line\n" * 40 + "[Errno 98] Address already in use: secret-value\n")
        said = tail.explanation(["secret-value"])
        assert said.startswith(f": its port is taken; the last lines of {log}:")
        assert said.count("\n") == log_tail.SHOWN_LINES
        assert "secret-value" not in said

    def test_a_missing_log_says_nothing(self, tmp_path: Path) -> None:
        assert LogTail.from_now(tmp_path / "x").explanation().endswith("(nothing)")

    @given(st.text(st.characters(categories=["L", "N"]), min_size=6, max_size=30))
    def test_credentials_are_masked(self, secret: str) -> None:
        for text in (f"postgresql://u:{secret}@h/d", f"password={secret}", f"Token: {secret}"):
            assert secret not in masked(text)
        assert secret not in masked(f"so it is {secret} then", [secret])

    @pytest.mark.parametrize(
        ("text", "cause"),
        [
            ('password authentication failed for user "m"', "refuses the user or the password"),
            ('database "x" does not exist', "the database does not exist"),
            ("Detected out-of-date database schema", "schema"),
            ("Connection refused", "cannot be reached"),
        ],
    )
    def test_causes(self, text: str, cause: str) -> None:
        assert cause in (known_cause(text) or "")
        assert known_cause("all is well") is None


class TestLentEnvironment:
    """The server sees a cloud's credentials only where the artifacts lie in that cloud."""

    def test_by_store(self) -> None:
        assert lent_names("/a/folder") == []
        assert "AWS_*" in lent_names("s3://bucket/x")
        assert "AWS_*" not in lent_names("gs://bucket")
        assert "GOOGLE_*" in lent_names("gs://bucket")
