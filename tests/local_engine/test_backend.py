"""The files of Pulumi's file backend: never half a file, never a guess about a broken one."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest

from local_engine.atomic_write import replace_file
from local_engine.backend import CorruptStateError, FileBackend, backend_root, check_stack_name
from local_engine.errors import EngineError

EMPTY = {"version": 3, "checkpoint": {"stack": "organization/shelf/dev", "latest": {}}}


@pytest.fixture
def backend(tmp_path: Path) -> FileBackend:
    return FileBackend(tmp_path / "root")


class TestLayout:
    """Files stand where the CLI looks for them, and nothing is written by looking."""

    def test_reading_writes_nothing(self, backend: FileBackend) -> None:
        assert backend.read("shelf", "dev") is None
        assert backend.stacks("shelf") == []
        assert not backend.root.exists()

    def test_write_read_and_the_one_before(self, backend: FileBackend) -> None:
        backend.write("shelf", "dev", EMPTY)
        backend.write("shelf", "dev", {**EMPTY, "features": ["é\ud800"]})
        written = backend.root / ".pulumi" / "stacks" / "shelf"
        assert sorted(entry.name for entry in written.iterdir()) == ["dev.json", "dev.json.bak"]
        assert json.loads((written / "dev.json.bak").read_bytes()) == EMPTY
        assert backend.read("shelf", "dev") == {**EMPTY, "features": ["é\ud800"]}
        assert (backend.root / ".pulumi" / "meta.yaml").read_text() == "version: 1\n"

    def test_checksum_note_of_the_cli_does_not_outlive_its_file(self, backend: FileBackend) -> None:
        backend.write("shelf", "dev", EMPTY)
        note = backend.stack_file("shelf", "dev").with_name("dev.json.attrs")
        note.write_text("{}")
        backend.write("shelf", "dev", EMPTY)
        assert not note.exists()

    def test_compressed_state_of_the_cli_is_read_and_replaced(self, backend: FileBackend) -> None:
        backend.write("other", "x", EMPTY)
        file = backend.stack_file("shelf", "dev")
        file.parent.mkdir(parents=True)
        packed = file.with_name("dev.json.gz")
        packed.write_bytes(gzip.compress(json.dumps(EMPTY).encode()))
        assert backend.read("shelf", "dev") == EMPTY
        assert [entry.name for entry in backend.stacks("shelf")] == ["dev"]
        backend.write("shelf", "dev", EMPTY)
        assert (file.exists(), packed.exists()) == (True, False)

    def test_history_and_backup(self, backend: FileBackend) -> None:
        backend.write("shelf", "dev", EMPTY)
        backend.record("shelf", "dev", {"kind": "update", "result": "succeeded"})
        history = backend.root / ".pulumi" / "history" / "shelf" / "dev"
        backups = backend.root / ".pulumi" / "backups" / "shelf" / "dev"
        names = sorted(entry.name for entry in history.iterdir())
        assert [name.split(".", 1)[1] for name in names] == ["checkpoint.json", "history.json"]
        assert all(name.startswith("dev-") for name in names)
        assert [json.loads(entry.read_bytes()) for entry in backups.iterdir()] == [EMPTY]

    def test_removed_stack_leaves_its_last_state_as_bak(self, backend: FileBackend) -> None:
        backend.write("shelf", "dev", EMPTY)
        backend.record("shelf", "dev", {})
        backend.remove("shelf", "dev")
        assert not backend.exists("shelf", "dev")
        assert backend.stack_file("shelf", "dev").with_name("dev.json.bak").exists()
        assert not (backend.root / ".pulumi" / "history" / "shelf" / "dev").exists()


class TestDamage:
    """A broken file is reported, with the way back, and left as it is."""

    @pytest.mark.parametrize(
        "content", [b"", b"{", b'{"version": 3, "chec', b"[1]", b"\x1f\x8bnot gzip", b"\xff\xfe"]
    )
    def test_state_that_is_no_json(self, backend: FileBackend, content: bytes) -> None:
        backend.write("shelf", "dev", EMPTY)
        file = backend.stack_file("shelf", "dev")
        file.write_bytes(content)
        with pytest.raises(CorruptStateError) as caught:
            backend.read("shelf", "dev")
        folder = backend.root / ".pulumi" / "backups" / "shelf" / "dev"
        assert str(caught.value) == (
            f"The state {file} is not readable JSON ({len(content)} bytes): copy dev.json.bak over "
            f"it, or the newest file of {folder}."
        )
        assert file.read_bytes() == content
        assert backend.stacks("shelf")[0].resource_count is None

    def test_old_layout(self, backend: FileBackend) -> None:
        stacks = backend.root / ".pulumi" / "stacks"
        stacks.mkdir(parents=True)
        (stacks / "dev.json").write_text("{}")
        with pytest.raises(EngineError, match="old layout without projects"):
            backend.read("shelf", "dev")

    def test_meta_without_version(self, backend: FileBackend) -> None:
        (backend.root / ".pulumi").mkdir(parents=True)
        (backend.root / ".pulumi" / "meta.yaml").write_text("what: ever\n")
        with pytest.raises(CorruptStateError, match="has no `version:` line"):
            backend.write("shelf", "dev", EMPTY)


class TestAtomicWriting:
    """Whoever looks sees the old file or the new one, also when writing fails."""

    def test_failure_leaves_the_old_content_and_no_litter(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = tmp_path / "state.json"
        replace_file(file, b"old")

        def full(descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(EngineError) as caught:
            replace_file(file, b"new", backup=True)
        assert str(caught.value) == (
            f"{file} could not be written (No space left on device): free space or make "
            f"{tmp_path} writable for this user, then run the command again; the previous content "
            "is untouched."
        )
        assert file.read_bytes() == b"old"
        assert [entry.name for entry in tmp_path.iterdir()] == ["state.json"]

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
    def test_read_only_folder(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o500)
        try:
            with pytest.raises(EngineError, match="Permission denied"):
                replace_file(tmp_path / "state.json", b"new")
        finally:
            tmp_path.chmod(0o700)

    def test_folder_that_is_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(EngineError, match="could not be written"):
            replace_file(tmp_path / "file" / "state.json", b"new")

    def test_umask_is_honoured(self, tmp_path: Path) -> None:
        before = os.umask(0o077)
        try:
            replace_file(tmp_path / "private", b"")
        finally:
            os.umask(before)
        assert (tmp_path / "private").stat().st_mode & 0o777 == 0o600


class TestNames:
    """A stack's name becomes a file's name: what could leave the folder is refused."""

    @pytest.mark.parametrize(
        "name", ["dev", "a.b-c_d", "organization/dev", "organization/shelf/dev"]
    )
    def test_accepted(self, name: str) -> None:
        assert check_stack_name(name) == name.rpartition("/")[2]

    @pytest.mark.parametrize("name", ["", "..", ".", "a b", "../../x", "acme/dev", "a/b/c/d", "é"])
    def test_refused(self, name: str) -> None:
        with pytest.raises(EngineError, match="The stack name"):
            check_stack_name(name)

    def test_backend_addresses(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        assert backend_root("file:///a/b%20c") == Path("/a/b c")
        assert backend_root("file://./x") == tmp_path / "x"
        assert backend_root("file://~/x") == Path.home() / "x"
        with pytest.raises(EngineError, match="The backend 's3' is not a folder"):
            backend_root("s3://bucket")
