"""What a start says of its database: at once when no retry can mend it, with patience otherwise."""

from __future__ import annotations

import socket
import sqlite3
from pathlib import Path

import pytest

from mlflow_platform_server import database_check
from mlflow_platform_server.database_check import check_database, shown
from mlflow_platform_server.errors import CannotStart
from mlflow_platform_server.schema_history import installed_revisions, read_history
from tests.image.serving.conftest import MIGRATED
from tests.image.serving.real_server import Database, free_port


def refusal(uri: str, wait_seconds: float = 0.0) -> str:
    with pytest.raises(CannotStart) as caught:
        check_database(uri, None, wait_seconds)
    return str(caught.value)


class TestNoRetryCanMendIt:
    """One sentence, at the first attempt, however long the patience is."""

    def test_an_unknown_database(self, database: Database) -> None:
        assert refusal(database.uri("nothing"), 600) == (
            f"postgresql://mlflow@127.0.0.1:{database.port}/nothing: FATAL:  database "
            '"nothing" does not exist; create it, or name the one that exists in '
            "--backend-store-uri"
        )

    def test_a_wrong_password(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PGPASSWORD", "wrong-horse")
        said = refusal(database.uri(MIGRATED, "locked"), 600)
        assert said.endswith(
            'FATAL:  password authentication failed for user "locked"; give the server the '
            "password that this user has (PGPASSWORD or PGPASSFILE)"
        )
        assert "wrong-horse" not in said

    def test_no_password(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("PGPASSWORD", raising=False)
        assert "no password supplied; give the server" in refusal(
            database.uri(MIGRATED, "locked"), 600
        )

    def test_an_unknown_user(self, database: Database) -> None:
        assert 'role "nobody-here" does not exist; create the role' in refusal(
            database.uri(MIGRATED, "nobody-here"), 600
        )

    def test_a_user_who_may_not_read(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PGPASSWORD", "correct-horse")
        said = refusal(database.uri(MIGRATED, "locked"), 600)
        assert "lets this user in but not read its schema" in said
        assert said.endswith("grant the user its tables")


class TestItMayStillCome:
    """Waited for, with a line at each attempt, and then given up with what it said last."""

    def test_nobody_listens(self, capsys: pytest.CaptureFixture[str]) -> None:
        uri = f"postgresql+psycopg://mlflow@127.0.0.1:{free_port()}/mlflow"
        said = refusal(uri, 0.6)
        place = shown(uri)
        assert said.startswith(f"{place} did not come within 0.6 s: ")
        assert "Connection refused" in said
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 1
        assert lines[0].startswith(f"waiting for {place} (0 of 0.6 s): ")

    def test_it_comes_in_the_end(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        """The first attempt meets a closed port; while the server pauses, the port opens."""
        import threading

        port = free_port()
        relays: list[socket.socket] = []

        def open_the_port(_seconds: float) -> None:
            if relays:
                return
            listener = socket.create_server(("127.0.0.1", port))
            relays.append(listener)
            threading.Thread(target=relay, args=(listener, database.port), daemon=True).start()

        monkeypatch.setattr(database_check.time, "sleep", open_the_port)
        check_database(f"postgresql+psycopg://mlflow@127.0.0.1:{port}/{MIGRATED}", None, 60)
        assert relays
        relays[0].close()

    @pytest.mark.parametrize(
        "message",
        [
            "connection failed: FATAL:  the database system is starting up",
            "connection failed: FATAL:  sorry, too many clients already",
            "connection timeout expired",
            'failed to resolve host "db": Name or service not known',
            "server closed the connection unexpectedly",
        ],
    )
    def test_words_of_a_database_that_may_come(self, message: str) -> None:
        assert database_check._hopeless(message) is None


class TestTheSchema:
    """At this MLflow's revision, or the start says how to get there."""

    def test_a_migrated_database_is_served(self, database: Database) -> None:
        check_database(database.uri(MIGRATED), None, 0)

    def test_none(self, database: Database) -> None:
        assert " has no MLflow schema: make it first, alone, with `python -m" in refusal(
            database.uri("empty")
        )

    @pytest.mark.parametrize(
        ("revision", "words"),
        [
            ("451aebb31d03", "make a backup, then upgrade it with `python -m"),
            ("0123456789ab", "which this MLflow does not know"),
        ],
    )
    def test_another_one(self, tmp_path: Path, revision: str, words: str) -> None:
        path = tmp_path / "mlflow.db"
        write_revision(path, revision)
        said = refusal(f"sqlite:///{path}")
        assert words in said
        assert f"is at revision {revision}" in said

    def test_a_sqlite_file_at_the_right_one(self, tmp_path: Path) -> None:
        path = tmp_path / "mlflow.db"
        write_revision(path, installed_revisions().head)
        check_database(f"sqlite:///{path}", None, 0)

    def test_a_sqlite_file_that_is_none(self, tmp_path: Path) -> None:
        path = tmp_path / "mlflow.db"
        path.write_text("this is no database, and long enough to be read as one")
        assert "name a SQLite file that nothing else holds" in refusal(f"sqlite:///{path}")

    def test_the_history_is_alembics(self) -> None:
        """Read from the scripts' text; Alembic itself says the same."""
        from mlflow.store.db.utils import _get_latest_schema_revision

        assert installed_revisions().head == _get_latest_schema_revision()

    def test_a_damaged_installation(self, tmp_path: Path) -> None:
        with pytest.raises(CannotStart, match=r"end in 0 revisions instead of one"):
            read_history(tmp_path)


class TestWhatIsShown:
    """Never a password, never a query."""

    @pytest.mark.parametrize(
        ("uri", "text"),
        [
            ("postgresql+psycopg://me:hush@db:5/runs?sslmode=require", "postgresql://me@db:5/runs"),
            ("postgresql+psycopg://mlflow@/mlflow", "postgresql://mlflow@/mlflow"),
            ("sqlite:////srv/mlflow.db", "sqlite:////srv/mlflow.db"),
        ],
    )
    def test_address(self, uri: str, text: str) -> None:
        assert shown(uri) == text


def write_revision(path: Path, revision: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES (?)", (revision,))


def relay(listener: socket.socket, port: int) -> None:
    """One connection, passed on."""
    import select

    client, _ = listener.accept()
    with client, socket.create_connection(("127.0.0.1", port)) as server:
        ends = {client: server, server: client}
        while True:
            for end in select.select(list(ends), [], [])[0]:
                data = end.recv(65536)
                if not data:
                    return
                ends[end].sendall(data)
