"""Artifacts in S3 or Cloud Storage, backups in either: the same circle over their protocols."""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path

import pytest

from benchmarks.throwaway_postgres import ThrowawayPostgres
from operations.archive.stores import Store
from operations.archive.streams import pieces_of
from tests.operations.archive.test_stores import Opener, gcs, s3
from tests.operations.backup_platform import BackupPlatform
from tests.operations.conftest import Operate

__all__ = ["gcs", "s3"]


def content(store: Store) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for item in store.list():
        with store.open(item.name) as opened:
            found[item.name] = b"".join(pieces_of(opened))
    return found


class TestCircle:
    """Back up, damage, restore, drill: with artifacts in one cloud and backups in the other."""

    @pytest.mark.parametrize(("artifacts_in", "backups_in"), [("s3", "gcs"), ("gcs", "s3")])
    def test_there_and_back(
        self,
        request: pytest.FixtureRequest,
        cluster: ThrowawayPostgres,
        tmp_path: Path,
        operate: Operate,
        artifacts_in: str,
        backups_in: str,
    ) -> None:
        platform = BackupPlatform(cluster, tmp_path, operate)
        open_artifacts: Opener = request.getfixturevalue(artifacts_in)
        open_backups: Opener = request.getfixturevalue(backups_in)
        artifacts, environ = open_artifacts()
        backups, more = open_backups()
        environ |= more
        for name, bytes_ in platform.content().items():
            artifacts.write(name, BytesIO(bytes_))
        artifacts.write("1/run1/artifacts/large", BytesIO(os.urandom(20 << 20)))
        platform.export(artifactRoot=artifacts.uri)
        before = content(artifacts)

        made = platform.operate("backup", "--to", backups.uri, "--keep", "2", "--json", **environ)
        assert made.code == 0, made.err
        assert made.document["manifest"]["artifacts"] == len(before)
        checked = platform.operate("backups", "--from", backups.uri, "--verify", **environ)
        assert checked.code == 0, checked.out

        artifacts.delete("1/run0/artifacts/a b/ü.txt")
        artifacts.write("1/run1/artifacts/model/weights.bin", BytesIO(b"other"))
        platform.query("DELETE FROM metrics WHERE step = 7")
        drilled = platform.operate("drill", "--from", backups.uri, "--json", **environ)
        assert (drilled.code, drilled.document["differences"]) == (1, 3)

        restored = platform.operate(
            "restore", "--from", backups.uri, "--confirm", "local", "--json", **environ
        )
        assert restored.code == 0, restored.err
        assert restored.document["artifacts_written"] == 2
        assert content(artifacts) == before
        again = platform.operate("drill", "--to", backups.uri, "--json", **environ)
        assert (again.code, again.document["differences"]) == (0, 0)

        # One byte of a pack, in the bucket itself.
        name = f"{again.document['backup']}/artifacts-00000.tar.age"
        with backups.open(name) as opened:
            pack = bytearray(b"".join(pieces_of(opened)))
        pack[70_000] ^= 1
        backups.write(name, BytesIO(bytes(pack)))
        damaged = platform.operate(
            "restore", "--from", backups.uri, "--confirm", "local", **environ
        )
        assert damaged.code == 2
        assert f"{name} is damaged" in damaged.err
        assert content(artifacts) == before

        third = platform.operate("backup", "--to", backups.uri, "--keep", "1", "--json", **environ)
        assert made.document["backup"] in third.document["removed"]
        left = {item.name.partition("/")[0] for item in backups.list()}
        assert third.document["backup"] in left
        assert made.document["backup"] not in left
