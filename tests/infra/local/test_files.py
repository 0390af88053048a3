"""Folders and files of the local stack: private, whole, kept."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.local import supervisor_files
from infra.local.artifact_folder import ArtifactFolderProvider
from infra.local.errors import LocalPlatformError
from infra.local.layout import (
    PROJECT_DIRECTORY,
    Layout,
    private_directory,
    stack_layout,
    unwritable_ancestor,
    write_private_file,
)
from infra.local.leftovers import Trace
from infra.local.password_file import PasswordFileProvider, password_line
from infra.local.program import Program, load, save

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1
).filter(lambda name: "/" not in name and name not in (".", "..") and name == name.strip())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def program(**changes: Any) -> Program:
    values = {"name": "x", "command": ("/bin/x",), "directory": "/", "trace": Trace(mark="m")}
    return Program(**{**values, **changes})


class TestLayout:
    """One folder per stack, below the checkout unless the setting says otherwise."""

    def test_relative_and_absolute(self) -> None:
        assert stack_layout(".state", "local").root == PROJECT_DIRECTORY / ".state" / "local"
        assert stack_layout("/var/x", "local").root == Path("/var/x/local")

    def test_new_folders_are_private_and_old_ones_untouched(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o755)
        private_directory(tmp_path / "a" / "b")
        assert [mode(tmp_path / part) for part in (".", "a", "a/b")] == [0o755, 0o700, 0o700]

    def test_a_file_in_the_way_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(LocalPlatformError, match=r"cannot make the folder .*localStateDir"):
            private_directory(tmp_path / "file" / "x")
        assert unwritable_ancestor(tmp_path / "file" / "x") == tmp_path / "file"
        assert unwritable_ancestor(tmp_path / "new" / "x") is None

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_a_read_only_folder_is_named(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o500)
        assert unwritable_ancestor(tmp_path / "new") == tmp_path

    def test_files_are_private_and_whole(self, tmp_path: Path) -> None:
        target = tmp_path / "secret"
        target.write_text("old and longer")
        target.chmod(0o644)
        write_private_file(target, "new")
        assert (target.read_text(), mode(target)) == ("new", 0o600)
        assert [path.name for path in tmp_path.iterdir()] == ["secret"]

    def test_a_planted_link_is_not_written_through(self, tmp_path: Path) -> None:
        other = tmp_path / "of-somebody-else"
        other.write_text("untouched")
        (tmp_path / "secret").symlink_to(other)
        (tmp_path / ".secret.new").symlink_to(other)
        write_private_file(tmp_path / "secret", "mine")
        assert other.read_text() == "untouched"
        assert not (tmp_path / "secret").is_symlink()


class TestPasswordFile:
    """libpq can read it back, and only its owner can read it."""

    def props(self, path: Path, **changes: Any) -> dict[str, Any]:
        values = {"host": "h", "port": 5432, "database": "d", "user": "u", "password": "p"}
        return {"path": str(path), "state": "intact", **values, **changes}

    @given(TEXT, TEXT)
    def test_any_user_and_password_is_escaped(self, user: str, password: str) -> None:
        line = password_line(self.props(Path("x"), user=user, password=password))
        fields = re.findall(r"((?:\\.|[^:\\])*)(?::|\n\Z)", line, re.DOTALL)
        assert [re.sub(r"\\(.)", r"\1", field, flags=re.DOTALL) for field in fields[:5]] == [
            "h", "5432", "d", user, password,
        ]  # fmt: skip

    def test_changed_readable_or_missing_is_drift(self, tmp_path: Path) -> None:
        provider, props = PasswordFileProvider(), self.props(tmp_path / "f")
        provider.create(dict(props))
        assert mode(tmp_path / "f") == 0o600
        assert provider.read("f", dict(props)).outs == props
        (tmp_path / "f").chmod(0o644)
        assert provider.read("f", dict(props)).inputs["state"] == "changed"
        (tmp_path / "f").unlink()
        assert provider.read("f", dict(props)).id == ""
        provider.delete("f", dict(props))


class TestArtifactFolder:
    """Kept on destroy unless told otherwise; never moved away from silently."""

    @pytest.mark.parametrize("purge", [False, True])
    def test_destroy(self, tmp_path: Path, purge: bool) -> None:
        props = {"path": str(tmp_path / "artifacts"), "purge": purge}
        provider = ArtifactFolderProvider()
        provider.create(dict(props))
        (tmp_path / "artifacts" / "model").write_text("x")
        provider.create(dict(props))  # adopts
        provider.delete("id", dict(props))
        assert (tmp_path / "artifacts" / "model").exists() is not purge

    def test_a_move_that_leaves_artifacts_behind_is_refused(self, tmp_path: Path) -> None:
        old, new = tmp_path / "old", tmp_path / "new"
        old.mkdir()
        (old / "model").touch()
        check = ArtifactFolderProvider().check({"path": str(old)}, {"path": str(new)})
        assert f"mv {old} {new}" in check.failures[0].reason
        old.rename(new)
        assert not ArtifactFolderProvider().check({"path": str(old)}, {"path": str(new)}).failures


class TestProgramDefinition:
    """Stored as it is, readable by its owner alone."""

    @given(st.dictionaries(TEXT, TEXT), st.lists(TEXT, min_size=1))
    def test_reads_back_equal(self, environment: dict[str, str], words: list[str]) -> None:
        wanted = program(environment=environment, command=tuple(words))
        assert Program.from_json(wanted.to_json()) == wanted

    def test_damaged_or_missing_is_none(self, tmp_path: Path) -> None:
        save(program(), tmp_path / "p.json")
        assert mode(tmp_path / "p.json") == 0o600
        (tmp_path / "bad.json").write_text('{"name": ')
        (tmp_path / "other.json").write_text("{}")
        assert load(tmp_path / "bad.json") is None
        assert load(tmp_path / "other.json") is None
        assert load(tmp_path / "none.json") is None

    def test_secrets_are_not_shown(self) -> None:
        assert "hidden" not in repr(program(environment={"P": "hidden"}, files={"f": "hidden"}))


class TestSupervisorConfiguration:
    """Any folder name survives supervisord's expansion; a socket's path is always short enough."""

    @given(st.lists(NAMES, min_size=1, max_size=4))
    def test_paths_come_out_as_they_went_in(self, parts: list[str]) -> None:
        layout = Layout(Path("/", *parts))
        if supervisor_files.unusable_path(layout.root):
            return
        text = supervisor_files.program_text(program(), layout.run / "x.1.json", layout)
        parser = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"), strict=False)
        parser.read_string(text)
        section = parser["program:x"]
        assert shlex.split(section["command"] % {})[-1] == str(layout.run / "x.1.json")
        # supervisord expands this value twice.
        assert section["stdout_logfile"] % {} % {} == str(layout.logs / "x.log")

    @given(st.lists(NAMES, min_size=1, max_size=8))
    def test_socket_path_fits(self, parts: list[str]) -> None:
        path = supervisor_files.socket_path(Layout(Path("/", *parts)))
        assert len(os.fsencode(path)) <= supervisor_files.SOCKET_PATH_LIMIT

    def test_long_paths_get_a_folder_each(self) -> None:
        first, second = (
            supervisor_files.socket_path(Layout(Path("/") / (letter * 120))) for letter in "ab"
        )
        assert first.parent != second.parent

    @pytest.mark.parametrize("name", ["a ;b", "a #b", "a\nb"])
    def test_what_cannot_be_written_is_refused(self, name: str) -> None:
        assert supervisor_files.unusable_path(Path("/x") / name)

    def test_a_socket_folder_of_others_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "open").mkdir(mode=0o755)
        with pytest.raises(LocalPlatformError, match="does not belong to you alone"):
            supervisor_files.require_private(tmp_path / "open")
        (tmp_path / "link").symlink_to(tmp_path)
        with pytest.raises(LocalPlatformError, match="does not belong to you alone"):
            supervisor_files.require_private(tmp_path / "link")
        supervisor_files.require_private(tmp_path / "new")
        assert mode(tmp_path / "new") == 0o700
