"""Sessions: one owner, no secrets, one bound."""

import os
import signal
from pathlib import Path

import pytest

from mlflow_platform_client.errors import SpoolError
from mlflow_platform_client.spool import Spool, is_owned, read_facts, without_credentials

URI = "https://mlflow.example"


def spool(folder: Path, **options: int) -> Spool:
    return Spool(folder / "spool", fsync=False, **options)


def in_child_until_killed(work: object) -> int:
    """Fork, run `work`, and return the child's id once it has."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            work()  # type: ignore[operator]
            os.write(writing, b"1")
            signal.pause()
        finally:
            os._exit(1)
    os.close(writing)
    assert os.read(reading, 1) == b"1"
    os.close(reading)
    return child


def kill(child: int) -> None:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


class TestOneOwner:
    """A session has one owner; a dead one, however it died, leaves it to be claimed."""

    def test_sessions_of_one_folder_do_not_clash(self, tmp_path: Path) -> None:
        folder = spool(tmp_path)
        sessions = [folder.create(URI) for _ in range(5)]
        assert len({session.folder for session in sessions}) == 5
        assert list(folder.orphans()) == []
        assert all(is_owned(session.folder) for session in sessions)

    def test_kill_minus_nine_frees_it_with_everything_in_it(self, tmp_path: Path) -> None:
        folder = spool(tmp_path)

        def write() -> None:
            folder.create(URI).batches.append(["a", "b"])

        child = in_child_until_killed(write)
        assert list(folder.orphans()) == []
        kill(child)
        [orphan] = folder.orphans(URI)
        assert orphan.pending == 2
        assert orphan.facts.pid == child
        assert list(folder.orphans()) == []  # it is ours now

    def test_a_forked_child_that_lets_go_takes_nothing_away(self, tmp_path: Path) -> None:
        folder = spool(tmp_path)
        session = folder.create(URI)
        child = in_child_until_killed(session.close)
        assert is_owned(session.folder)
        kill(child)
        assert is_owned(session.folder)

    def test_orphans_of_other_servers_are_left_alone(self, tmp_path: Path) -> None:
        folder = spool(tmp_path)
        folder.create("https://other.example").close()
        assert list(folder.orphans(URI)) == []

    def test_oldest_first(self, tmp_path: Path) -> None:
        folder = spool(tmp_path)
        made = [folder.create(URI) for _ in range(4)]
        for session in reversed(made):
            session.close()
        assert [s.folder for s in folder.orphans(URI)] == [s.folder for s in made]

    def test_a_removed_session_cannot_be_claimed(self, tmp_path: Path) -> None:
        folder = spool(tmp_path)
        session = folder.create(URI)
        session.remove()
        assert folder.claim(session.folder) is None
        assert folder.sessions() == []


class TestSecrets:
    """A password in the tracking URI never reaches the disk; only this user can read the rest."""

    def test_no_credentials(self, tmp_path: Path) -> None:
        session = spool(tmp_path).create("https://user:hunter2@mlflow.example/prefix/")
        facts = read_facts(session.folder)
        assert facts is not None
        assert facts.tracking_uri == "https://mlflow.example/prefix"
        assert "hunter2" not in (session.folder / "session.json").read_text()

    def test_modes(self, tmp_path: Path) -> None:
        session = spool(tmp_path).create(URI)
        session.batches.append(["a"])
        for path in (session.folder.parent, session.folder, session.folder / "batches"):
            assert path.stat().st_mode & 0o777 == 0o700
        [segment] = (session.folder / "batches").glob("*.log")
        assert segment.stat().st_mode & 0o777 == 0o600

    @pytest.mark.parametrize("uri", ["sqlite:///mlflow.db", "./mlruns", "databricks"])
    def test_uris_without_a_host_stay(self, uri: str) -> None:
        assert without_credentials(uri) == uri


class TestTheBound:
    """The folder's bound counts what all processes keep in it."""

    def test_others_count(self, tmp_path: Path) -> None:
        first = spool(tmp_path).create(URI)
        first.batches.append(["x" * 1000])
        assert spool(tmp_path, max_bytes=3000).has_room_for(100, 0)
        assert not spool(tmp_path, max_bytes=1200).has_room_for(100, 0)


class TestAFolderThatCannotBeWritten:
    """Said before training begins, with the setting that names another."""

    def test_a_file_in_the_way(self, tmp_path: Path) -> None:
        (tmp_path / "spool").write_text("")
        with pytest.raises(SpoolError, match="MLFLOW_PLATFORM_SPOOL_DIRECTORY"):
            spool(tmp_path).create(URI)

    def test_a_folder_that_is_not_there_has_no_sessions(self, tmp_path: Path) -> None:
        assert spool(tmp_path).sessions() == []
