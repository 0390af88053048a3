"""Root becomes a user that reaches PostgreSQL's files, whatever folders they lie in."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from infra.local import privileges
from infra.local.errors import LocalPlatformError

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has rights to drop")


@pytest.fixture
def closed_folder(tmp_path: Path) -> Path:
    """A folder that only its owner may enter, as root makes the platform's own."""
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o700)
    return folder


class TestOrdinaryUser:
    """Whoever is not root runs PostgreSQL as themselves."""

    @pytest.mark.skipif(os.geteuid() == 0, reason="root drops its rights")
    def test_nothing_is_dropped(self, closed_folder: Path) -> None:
        mine = privileges.for_database("", [closed_folder])
        assert mine == privileges.Privileges(uid=os.geteuid(), gid=os.getegid())


@as_root
class TestRoot:
    """Root becomes an ordinary user without opening a folder for it."""

    def test_the_user_can_work_in_a_folder_of_its_own_inside_a_closed_one(
        self, closed_folder: Path
    ) -> None:
        """The case of every checkout deployed by root: `.state/local` is root's alone."""
        chosen = privileges.for_database("", [closed_folder])
        data = closed_folder / "data"
        data.mkdir(mode=0o700)
        chosen.own(data)
        subprocess.run([*chosen.prefix, "touch", str(data / "file")], check=True, cwd="/")
        assert (data / "file").stat().st_uid == chosen.uid
        assert chosen.uid != 0
        assert closed_folder.stat().st_mode & 0o777 == 0o700

    def test_no_right_of_root_is_left_where_none_is_needed(self) -> None:
        chosen = privileges.for_database("", [Path("/usr")])
        status = subprocess.run(
            [*chosen.prefix, "cat", "/proc/self/status"], check=True, capture_output=True, text=True
        ).stdout
        effective = next(line for line in status.splitlines() if line.startswith("CapEff:"))
        assert int(effective.split()[1], 16) == 0

    def test_a_user_that_is_not_there_is_named(self) -> None:
        with pytest.raises(LocalPlatformError, match="localServiceUser is 'no-such-user'"):
            privileges.for_database("no-such-user", [])
