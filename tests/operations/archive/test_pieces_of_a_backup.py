"""Streams, encryption, packs, manifest, spool: what goes in comes out, and damage is seen."""

from __future__ import annotations

import os
import tarfile
import threading
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from operations.archive.encryption import (
    Identities,
    decrypted,
    encrypted,
    identities_of,
    new_identity,
)
from operations.archive.errors import BackupDamaged, WrongKey
from operations.archive.folder_store import FolderStore
from operations.archive.locations import name_below
from operations.archive.manifest import Manifest, TableContent, manifest_lines, read_manifest
from operations.archive.packs import Packer, unpacked
from operations.archive.spool import Artifact, Spool
from operations.archive.streams import Checked, Pieces, pieces_of
from smoke_tests.masking import Masker

KEY = identities_of(new_identity()[0], Masker())

NAMES = st.lists(
    st.text(
        st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters="/"),
        min_size=1,
        max_size=60,
    ).filter(lambda part: part not in (".", "..") and not part.startswith(".unfinished-")),
    min_size=1,
    max_size=5,
).map("/".join)


def sealed(content: bytes, key: Identities = KEY) -> bytes:
    with encrypted(BytesIO(content), key.recipients) as stream:
        return b"".join(pieces_of(stream))


def opened(content: bytes, key: Identities = KEY) -> bytes:
    with decrypted(BytesIO(content), key, name="it") as stream:
        return b"".join(pieces_of(stream))


class TestEncryption:
    """age, as a stream: whole, or an error; never some bytes that look like all of them."""

    @pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 3_000_000])
    def test_round_trip(self, size: int) -> None:
        content = os.urandom(size)
        assert opened(sealed(content)) == content

    @pytest.mark.parametrize("cut", [1, 16, 300, 65_552, 150_000])
    def test_cut_short(self, cut: int) -> None:
        with pytest.raises(BackupDamaged, match=r"^it is damaged: bytes were changed or are miss"):
            opened(sealed(bytes(200_000))[:-cut])

    @given(at=st.integers(0, 200_000))
    @settings(max_examples=60, deadline=None)
    def test_any_flipped_byte(self, at: int) -> None:
        content = bytearray(sealed(bytes(200_000)))
        content[at] ^= 1
        with pytest.raises((BackupDamaged, WrongKey)):
            opened(bytes(content))

    def test_wrong_key(self) -> None:
        with pytest.raises(WrongKey, match=r"^it is encrypted for another key than the one given"):
            opened(sealed(b"x"), identities_of(new_identity()[0], Masker()))

    def test_for_two(self) -> None:
        other = identities_of(new_identity()[0], Masker())
        both = type(KEY.recipients)((*KEY.recipients.keys, *other.recipients.keys))
        with encrypted(BytesIO(b"x"), both) as stream:
            content = stream.read(10_000)
        assert opened(content) == opened(content, other) == b"x"

    def test_a_source_that_fails_fails_the_stream(self) -> None:
        class Failing:
            def __init__(self) -> None:
                self.left = 100

            def read(self, size: int, /) -> bytes:
                self.left -= 1
                if not self.left:
                    raise ZeroDivisionError("my own")
                return bytes(size)

        with (
            encrypted(Failing(), KEY.recipients) as stream,
            pytest.raises(ZeroDivisionError, match="my own"),
        ):
            list(pieces_of(stream))

    def test_left_early_nothing_goes_on(self) -> None:
        class Endless:
            def read(self, size: int, /) -> bytes:
                return bytes(size)

        before = threading.active_count()
        with encrypted(Endless(), KEY.recipients) as stream:
            stream.read(10)
        assert threading.active_count() == before

    def test_the_key_is_in_no_text_of_it(self) -> None:
        secret, _ = new_identity()
        masker = Masker()
        key = identities_of(secret, masker)
        assert secret not in repr(key)
        assert masker.report(f"it was {secret}") == "it was [secret]"


class TestStreams:
    """Bytes are handed on as they come, and their end is only good when they are the right ones."""

    @given(pieces=st.lists(st.binary(max_size=50)), size=st.integers(1, 60))
    def test_pieces(self, pieces: list[bytes], size: int) -> None:
        source = Pieces(iter(pieces))
        found: list[bytes] = []
        while piece := source.read(size):
            found.append(piece)
        assert b"".join(found) == b"".join(pieces)
        assert all(len(piece) == size for piece in found[:-1])

    @pytest.mark.parametrize("content", [b"", b"abc", b"abd", b"abcd", b"ab"])
    def test_checked(self, content: bytes) -> None:
        import hashlib

        source = Checked(
            BytesIO(content),
            size_bytes=3,
            sha256=hashlib.sha256(b"abc").hexdigest(),
            problem=lambda: BackupDamaged("other bytes"),
        )
        if content == b"abc":
            assert b"".join(pieces_of(source)) == content
        else:
            with pytest.raises(BackupDamaged, match="other bytes"):
                list(pieces_of(source))


class TestPacks:
    """Artifacts of any name and size come out of their packs as they went in."""

    @given(
        contents=st.dictionaries(NAMES, st.binary(max_size=3000), max_size=8),
        pack_bytes=st.integers(1, 5000),
    )
    @settings(
        max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    def test_round_trip(
        self, tmp_path_factory: pytest.TempPathFactory, contents: dict[str, bytes], pack_bytes: int
    ) -> None:
        store = FolderStore(str(tmp_path_factory.mktemp("store")))
        written: dict[str, bytes] = {}
        for name, content in contents.items():
            parents = {"/".join(name.split("/")[:i]) for i in range(1, name.count("/") + 1)}
            taken = any(parents & {other} or other.startswith(f"{name}/") for other in written)
            if not taken and all(len(os.fsencode(part)) < 250 for part in name.split("/")):
                store.write(name, BytesIO(content))
                written[name] = content
        kept: list[Artifact] = []
        packer = Packer(store, store.list(), kept.append, pack_bytes=pack_bytes)
        packs = [b"".join(pieces_of(pack)) for pack in packer.packed()]
        found = {
            (number, packed.entry): (packed.name, b"".join(pieces_of(packed.content)))
            for number, pack in enumerate(packs)
            for packed in unpacked(BytesIO(pack), name="it")
        }
        assert {(one.pack, one.entry): one.name for one in kept} == {
            place: name for place, (name, _) in found.items()
        }
        assert dict(found.values()) == written

    def test_any_tar_program_opens_it(self, tmp_path: Path) -> None:
        store = FolderStore(str(tmp_path))
        store.write("1/run/artifacts/" + "long/" * 40 + "ü", BytesIO(b"x" * 1000))
        packer = Packer(store, store.list(), lambda _: None)
        (pack,) = [b"".join(pieces_of(pack)) for pack in packer.packed()]
        with tarfile.open(fileobj=BytesIO(pack)) as tar:
            (member,) = tar.getmembers()
        assert member.name == "artifacts/1/run/artifacts/" + "long/" * 40 + "ü"
        assert (member.size, member.mode) == (1000, 0o600)

    @pytest.mark.parametrize("content", [b"", b"no tar at all" * 100])
    def test_no_pack(self, content: bytes) -> None:
        with pytest.raises(BackupDamaged, match=r"^it is damaged: it is no whole tar file"):
            list(unpacked(BytesIO(content), name="it"))


def a_manifest(spool: Spool) -> Manifest:
    artifacts, size, packs = spool.totals()
    return Manifest(
        backup="local-20261121T101112Z-abcd",
        stack="local",
        created="2026-11-21T10:11:12Z",
        mlflow_version="3.17.2",
        schema_revision="abc",
        postgresql="16.9",
        database_schema="public",
        artifact_root="/a",
        dump_bytes=7,
        dump_sha256="00",
        tables=(TableContent(name="runs", rows=3, digest="-5"),),
        artifacts=artifacts,
        artifact_bytes=size,
        packs=packs,
        rooted=0,
        outside=0,
    )


@pytest.fixture
def spools(tmp_path: Path) -> Iterator[tuple[Spool, Spool]]:
    (tmp_path / "1").mkdir()
    (tmp_path / "2").mkdir()
    with Spool(tmp_path / "1") as one, Spool(tmp_path / "2") as two:
        yield one, two


def an_artifact(name: str, number: int = 0) -> Artifact:
    return Artifact(name=name, size_bytes=number, sha256="ab", pack=0, entry=number)


class TestManifest:
    """The manifest comes back as it was, and notices any change of itself."""

    def document(self, spool: Spool) -> bytes:
        for number, name in enumerate(["1/a", "ü/b c", os.fsdecode(b"caf\xe9")]):
            spool.add(an_artifact(name, number))
        return b"".join(manifest_lines(a_manifest(spool), spool))

    def test_round_trip(self, spools: tuple[Spool, Spool]) -> None:
        document = self.document(spools[0])
        found = read_manifest(BytesIO(document), spools[1], name="it")
        assert found == a_manifest(spools[0])
        assert list(spools[1].artifacts()) == list(spools[0].artifacts())
        assert (found.count("runs"), found.count("unknown"), found.rows) == (3, 0, 3)

    @given(data=st.data())
    @settings(
        max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    def test_any_change(
        self, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
    ) -> None:
        with Spool(tmp_path_factory.mktemp("spool")) as spool:
            document = bytearray(self.document(spool))
        kind = data.draw(st.sampled_from(["flip", "cut", "line"]))
        if kind == "flip":
            at = data.draw(st.integers(0, len(document) - 2))
            document[at] ^= data.draw(st.integers(1, 255))
        elif kind == "cut":
            document = document[: data.draw(st.integers(0, len(document) - 1))]
        else:
            lines = bytes(document).splitlines(keepends=True)
            lines.pop(data.draw(st.integers(0, len(lines) - 1)))
            document = bytearray(b"".join(lines))
        with (
            Spool(tmp_path_factory.mktemp("spool")) as other,
            pytest.raises(BackupDamaged, match=r"^it is damaged: "),
        ):
            read_manifest(BytesIO(bytes(document)), other, name="it")

    def test_of_a_later_program(self, spools: tuple[Spool, Spool]) -> None:
        document = self.document(spools[0]).replace(b'"version":1', b'"version":2', 1)
        with pytest.raises(BackupDamaged, match="it is of version 2, and this program reads 1"):
            read_manifest(BytesIO(document), spools[1], name="it")


class TestSpool:
    """Lists as long as there are artifacts, on disk."""

    def test_owner_is_the_nearest_row(self, spools: tuple[Spool, Spool]) -> None:
        spool, _ = spools
        spool.add_locations([("1/r/artifacts", "run r"), ("1/models/m", "model m")])
        assert spool.owner_of("1/r/artifacts/a/b") == "run r"
        assert spool.owner_of("1/r/artifacts") == "run r"
        assert spool.owner_of("1/r/artifacts2/a") is None
        assert spool.owner_of("1/q/artifacts/a") is None

    def test_holds_below(self, spools: tuple[Spool, Spool]) -> None:
        spool, _ = spools
        spool.add(an_artifact("a/b/c"))
        assert [spool.holds_below(name) for name in ("a", "a/b", "a/b/", "a/b/c")] == [True] * 4
        assert [spool.holds_below(name) for name in ("a/b/c/d", "a/bc", "b")] == [False] * 3

    def test_a_later_one_takes_the_place(self, spools: tuple[Spool, Spool]) -> None:
        spool, _ = spools
        spool.add(an_artifact("a", 1))
        spool.add(an_artifact("a", 2))
        assert list(spool.artifacts()) == [an_artifact("a", 2)]
        assert spool.totals() == (1, 2, 1)


class TestLocations:
    """What MLflow writes down, as a name below the artifact root."""

    @pytest.mark.parametrize(
        ("root", "uri", "name"),
        [
            ("/data/a", "mlflow-artifacts:/1/r/artifacts", "1/r/artifacts"),
            ("/data/a", "mlflow-artifacts://host:5000/1/r", "1/r"),
            ("/data/a", "/data/a/1/r", "1/r"),
            ("/data/a", "file:///data/a/1/r%20s", "1/r s"),
            ("/data/a", "/data/ab/1/r", None),
            ("s3://b/p", "s3://b/p/1/r", "1/r"),
            ("s3://b/p/", "s3://b/p", ""),
            ("s3://b/p", "s3://b/q/1/r", None),
            ("s3://b/p", "gs://b/p/1/r", None),
        ],
    )
    def test_name(self, root: str, uri: str, name: str | None) -> None:
        assert name_below(root, uri) == name
