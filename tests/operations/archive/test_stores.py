"""A folder, S3 and Cloud Storage: one behaviour, over their real protocols."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests

from benchmarks.throwaway_postgres import free_port
from operations.archive.errors import ObjectChanged, ObjectGone, StoreProblem
from operations.archive.folder_store import UNFINISHED, FolderStore
from operations.archive.stores import Store, open_store
from operations.archive.streams import pieces_of
from smoke_tests.errors import CouldNotLook

Opener = Callable[[], tuple[Store, dict[str, str]]]


@pytest.fixture(scope="module")
def s3() -> Iterator[Opener]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        environ = {"AWS_ENDPOINT_URL": f"http://{host}:{port}"}

        def opener() -> tuple[Store, dict[str, str]]:
            import boto3

            bucket = f"bucket-{uuid4().hex[:8]}"
            client: Any = boto3.client("s3", endpoint_url=environ["AWS_ENDPOINT_URL"])
            client.create_bucket(
                Bucket=bucket,
                CreateBucketConfiguration={"LocationConstraint": "eu-central-1"},
            )
            return open_store(f"s3://{bucket}/some/prefix", environ, setting="--to"), environ

        yield opener
    server.stop()


@pytest.fixture(scope="module")
def gcs() -> Iterator[Opener]:
    from gcp_storage_emulator.server import create_server

    port = free_port()
    server = create_server("127.0.0.1", port, in_memory=True)
    server.start()
    address = f"http://127.0.0.1:{port}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STORAGE_EMULATOR_HOST", address)

        def opener() -> tuple[Store, dict[str, str]]:
            bucket = f"bucket-{uuid4().hex[:8]}"
            made = requests.post(f"{address}/storage/v1/b", json={"name": bucket}, timeout=10)
            assert made.ok
            environ = {"STORAGE_EMULATOR_HOST": address}
            return open_store(f"gs://{bucket}/some/prefix", environ, setting="--to"), environ

        yield opener
    server.stop()


@pytest.fixture(params=["folder", "s3", "gcs"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "folder":
        return open_store(str(tmp_path / "store"), {}, setting="--to")
    opener: Opener = request.getfixturevalue(request.param)
    return opener()[0]


def read(store: Store, name: str) -> bytes:
    with store.open(name) as opened:
        content = b"".join(pieces_of(opened))
        assert opened.size_bytes == len(content)
    return content


class Failing:
    """Gives some bytes, then an error: a source that is cut off."""

    def __init__(self, good: int) -> None:
        self._left = good

    def read(self, size: int, /) -> bytes:
        if self._left <= 0:
            raise ValueError("cut off")
        piece = bytes(min(size, self._left))
        self._left -= len(piece)
        return piece


class TestEveryStore:
    """List, read, write whole or not at all, delete."""

    @pytest.mark.parametrize("size", [0, 1, 300_000, 20 << 20])
    def test_what_is_written_is_read(self, store: Store, size: int) -> None:
        content = os.urandom(size)
        store.write("a b/ü/file", BytesIO(content), about_bytes=size)
        assert read(store, "a b/ü/file") == content
        (listed,) = store.list()
        assert (listed.name, listed.size_bytes) == ("a b/ü/file", size)
        assert listed.modified > 1_700_000_000

    def test_list_by_prefix(self, store: Store) -> None:
        for name in ("a/1", "a/2", "ab/1", "b"):
            store.write(name, BytesIO(b"x"))
        assert sorted(item.name for item in store.list()) == ["a/1", "a/2", "ab/1", "b"]
        assert sorted(item.name for item in store.list("a/")) == ["a/1", "a/2"]
        assert sorted(item.name for item in store.list("a")) == ["a/1", "a/2", "ab/1"]
        assert list(store.list("zz/")) == []

    @pytest.mark.parametrize("good", [0, 1000, 20 << 20])
    def test_a_source_that_fails_leaves_what_was_there(self, store: Store, good: int) -> None:
        store.write("kept", BytesIO(b"old"))
        for name in ("kept", "new"):
            with pytest.raises(ValueError, match="cut off"):
                store.write(name, Failing(good))
        assert [item.name for item in store.list()] == ["kept"]
        assert read(store, "kept") == b"old"

    def test_delete_and_gone(self, store: Store) -> None:
        store.write("a/1", BytesIO(b"x"))
        store.delete("a/1")
        store.delete("a/1")
        assert list(store.list()) == []
        with pytest.raises(ObjectGone, match="is not there"), store.open("a/1"):
            pass

    def test_replaced(self, store: Store) -> None:
        store.write("a", BytesIO(b"old and longer"))
        store.write("a", BytesIO(b"new"))
        assert read(store, "a") == b"new"


class TestBuckets:
    """What is refused by the cloud is a sentence with its code and what is needed."""

    def test_no_bucket_s3(self, s3: Opener) -> None:
        _, environ = s3()
        store = open_store("s3://nowhere-at-all", environ, setting="--to")
        with pytest.raises(StoreProblem, match=r"refuses to list \(NoSuchBucket\).*s3:ListBucket"):
            list(store.list())
        with pytest.raises(StoreProblem, match=r"refuses to write"):
            store.write("a", BytesIO(b"x"))

    def test_no_bucket_gcs(self, gcs: Opener) -> None:
        _, environ = gcs()
        store = open_store("gs://nowhere-at-all", environ, setting="--to")
        with pytest.raises(StoreProblem):
            list(store.list())

    def test_nothing_outside_the_prefix_is_seen(self, s3: Opener) -> None:
        store, environ = s3()
        bucket = store.uri.rpartition("/some/prefix")[0]
        open_store(bucket, environ, setting="--to").write("some/prefixed", BytesIO(b"x"))
        assert list(store.list()) == []

    def test_no_such_kind(self) -> None:
        with pytest.raises(CouldNotLook, match="--to is 'ftp://x/y', which is neither a path nor"):
            open_store("ftp://x/y", {}, setting="--to")


class TestFolder:
    """Nothing outside the folder, nothing half written, nothing read in two versions."""

    def test_links_are_not_followed(self, tmp_path: Path) -> None:
        (tmp_path / "outside").mkdir()
        (tmp_path / "outside" / "file").write_bytes(b"secret")
        store = FolderStore(str(tmp_path / "store"))
        store.write("a", BytesIO(b"x"))
        (tmp_path / "store" / "link").symlink_to(tmp_path / "outside")
        (tmp_path / "store" / "file").symlink_to(tmp_path / "outside" / "file")
        with pytest.raises(StoreProblem, match="store/file is a link, and what it leads to"):
            list(store.list())
        with pytest.raises(StoreProblem), store.open("file"):
            pass
        with pytest.raises(StoreProblem, match="is a link"):
            store.write("link/file", BytesIO(b"overwritten"))
        assert (tmp_path / "outside" / "file").read_bytes() == b"secret"

    @pytest.mark.parametrize("name", ["../a", "a/../../b", "/etc/passwd", "a//b", "", "."])
    def test_names_stay_inside(self, tmp_path: Path, name: str) -> None:
        store = FolderStore(str(tmp_path / "store"))
        with pytest.raises(StoreProblem, match="is no name of a file below"):
            store.write(name, BytesIO(b"x"))
        assert not (tmp_path / "a").exists()

    def test_written_to_while_read(self, tmp_path: Path) -> None:
        store = FolderStore(str(tmp_path))
        store.write("a", BytesIO(b"x" * 1000))
        with store.open("a") as opened:
            opened.read(10)
            os.utime(tmp_path / "a", ns=(1, 1))
            (tmp_path / "a").write_bytes(b"y" * 500)
            with pytest.raises(ObjectChanged, match="was written to while it was being read"):
                list(pieces_of(opened))

    def test_unfinished_files_are_not_listed(self, tmp_path: Path) -> None:
        (tmp_path / f"{UNFINISHED}x").write_bytes(b"half")
        assert list(FolderStore(str(tmp_path)).list()) == []

    def test_names_that_are_no_unicode(self, tmp_path: Path) -> None:
        raw = os.fsdecode(b"caf\xe9")
        store = FolderStore(str(tmp_path))
        store.write(raw, BytesIO(b"x"))
        assert [item.name for item in store.list()] == [raw]
        assert read(store, raw) == b"x"
