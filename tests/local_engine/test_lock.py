"""Two updates of one stack cannot meet, and a dead one does not block for ever."""

from __future__ import annotations

import datetime
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from local_engine.lock import StackLockedError, hold_lock, holders, lock_folder, remove_locks


def write_lock(root: Path, pid: int, hostname: str, timestamp: str) -> Path:
    folder = lock_folder(root, "shelf", "dev")
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "0b6d.json"
    content = {"pid": pid, "username": "ann", "hostname": hostname, "timestamp": timestamp}
    file.write_text(json.dumps(content))
    return file


def dead_pid() -> int:
    finished = subprocess.Popen([sys.executable, "-c", ""])
    finished.wait()
    return finished.pid


NOW = "2999-01-01T00:00:00.123456789+01:00"


class TestHolding:
    """The lock is the CLI's file, there while it is held and gone afterwards."""

    def test_file(self, tmp_path: Path) -> None:
        with hold_lock(tmp_path, "shelf", "dev") as file:
            assert file.parent == tmp_path / ".pulumi/locks/organization/shelf/dev"
            content = json.loads(file.read_text())
            assert sorted(content) == ["hostname", "pid", "timestamp", "username"]
            assert (content["pid"], content["hostname"]) == (os.getpid(), socket.gethostname())
        assert holders(tmp_path, "shelf", "dev") == ()

    def test_released_after_a_failure(self, tmp_path: Path) -> None:
        with pytest.raises(RuntimeError), hold_lock(tmp_path, "shelf", "dev"):
            raise RuntimeError
        assert holders(tmp_path, "shelf", "dev") == ()

    def test_second_is_refused_and_takes_nothing_away(self, tmp_path: Path) -> None:
        with hold_lock(tmp_path, "shelf", "dev") as file:
            with pytest.raises(StackLockedError, match="wait for it to end, then run again"):
                hold_lock(tmp_path, "shelf", "dev").__enter__()
            assert list(file.parent.iterdir()) == [file]

    def test_other_stacks_are_free(self, tmp_path: Path) -> None:
        with hold_lock(tmp_path, "shelf", "dev"), hold_lock(tmp_path, "shelf", "prod"):
            assert len(holders(tmp_path, "shelf", "prod")) == 1

    def test_one_that_appears_in_between_makes_us_give_way(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from local_engine import lock

        write = lock.replace_file

        def race(path: Path, content: bytes) -> None:
            write(path, content)
            write_lock(tmp_path, os.getpid(), socket.gethostname(), NOW)

        monkeypatch.setattr(lock, "replace_file", race)
        with pytest.raises(StackLockedError):
            hold_lock(tmp_path, "shelf", "dev").__enter__()
        names = [file.name for file in lock_folder(tmp_path, "shelf", "dev").iterdir()]
        assert names == ["0b6d.json"]


class TestLeftBehind:
    """A lock says who holds it, and whether that process can still be alive."""

    def test_dead_process_of_this_host_is_taken_over(self, tmp_path: Path) -> None:
        pid = dead_pid()
        left = write_lock(tmp_path, pid, socket.gethostname(), NOW)
        told: list[str] = []
        with hold_lock(tmp_path, "shelf", "dev", tell=told.append) as own:
            assert not left.exists()
            assert [holder.file for holder in holders(tmp_path, "shelf", "dev")] == [own]
        assert told == [
            (
                f"The lock of ann@{socket.gethostname()} (pid {pid}) at {NOW} is taken over: that "
                "process no longer runs."
            )
        ]

    def test_living_holder_beside_a_dead_one_still_refuses(self, tmp_path: Path) -> None:
        write_lock(tmp_path, dead_pid(), socket.gethostname(), NOW)
        now = datetime.datetime.now().astimezone().isoformat()
        alive = write_lock(tmp_path, os.getpid(), socket.gethostname(), now).rename(
            lock_folder(tmp_path, "shelf", "dev") / "alive.json"
        )
        write_lock(tmp_path, dead_pid(), socket.gethostname(), NOW)
        with pytest.raises(StackLockedError, match="wait for it to end"):
            hold_lock(tmp_path, "shelf", "dev").__enter__()
        assert alive.exists()

    def test_cancel_removes_whatever_there_is(self, tmp_path: Path) -> None:
        write_lock(tmp_path, 1, "elsewhere", NOW)
        assert remove_locks(tmp_path, "shelf", "dev") == 1
        assert holders(tmp_path, "shelf", "dev") == ()

    @pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux")
    def test_number_given_to_a_later_process(self, tmp_path: Path) -> None:
        long_ago = "2001-02-03T04:05:06.789012345Z"
        write_lock(tmp_path, os.getpid(), socket.gethostname(), long_ago)
        assert holders(tmp_path, "shelf", "dev")[0].is_dead

    def test_other_host_is_never_called_dead(self, tmp_path: Path) -> None:
        write_lock(tmp_path, dead_pid(), "elsewhere", NOW)
        assert not holders(tmp_path, "shelf", "dev")[0].is_dead
        with pytest.raises(StackLockedError, match="once it is known to be dead, run"):
            hold_lock(tmp_path, "shelf", "dev").__enter__()

    @pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": "x"}'])
    def test_unreadable_lock_is_a_lock(self, tmp_path: Path, content: str) -> None:
        write_lock(tmp_path, 1, "x", NOW).write_text(content)
        with pytest.raises(StackLockedError, match=r"unknown@unknown \(pid 0\)"):
            hold_lock(tmp_path, "shelf", "dev").__enter__()
