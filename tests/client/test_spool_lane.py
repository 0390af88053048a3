"""Records on disk: nothing lost, order kept, damage and full disks survived."""

import errno
import io
import logging
import os
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlflow_platform_client import spool_blocks, spool_lane
from mlflow_platform_client.spool_lane import Lane


def lane(folder: Path, **options: object) -> Lane:
    return Lane(folder / "batches", fsync=False, **options)  # type: ignore[arg-type]


def read_all(line: Lane) -> list[bytes]:
    found: list[bytes] = []
    while (record := line.read()) is not None:
        found.append(record)
    return found


class TestNothingIsLostAndOrderIsKept:
    """Append, read, acknowledge, reopen at will: what is not acknowledged comes again."""

    @settings(deadline=None, max_examples=200)
    @given(
        st.lists(
            st.one_of(
                st.tuples(st.just("append"), st.integers(1, 30)),
                st.tuples(st.just("read"), st.integers(1, 40)),
                st.tuples(st.just("acknowledge"), st.just(0)),
                st.tuples(st.just("reopen"), st.just(0)),
            ),
            max_size=30,
        )
    )
    def test_any_history(
        self, tmp_path_factory: pytest.TempPathFactory, history: list[tuple[str, int]]
    ) -> None:
        folder = tmp_path_factory.mktemp("lane")
        written = read = acknowledged = 0
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(spool_lane, "SEGMENT_BYTES", 200)
            line = lane(folder)
            for action, number in history:
                if action == "append":
                    line.append([f"record {written + index}" for index in range(number)])
                    written += number
                elif action == "read":
                    for _ in range(number):
                        record = line.read()
                        if record is None:
                            assert read == written
                            break
                        assert record == b"record %d" % read
                        read += 1
                elif action == "acknowledge":
                    line.acknowledge(line.cursor, read - acknowledged)
                    acknowledged = read
                else:
                    line.close()
                    line = lane(folder)
                    read = acknowledged
                assert line.pending == written - acknowledged
            line.close()
            again = lane(folder)
            expected = [b"record %d" % index for index in range(acknowledged, written)]
            assert read_all(again) == expected
            again.close()

    def test_what_is_appended_after_all_was_acknowledged_and_deleted(self, tmp_path: Path) -> None:
        first = lane(tmp_path)
        first.append(["a"])
        first.close()
        second = lane(tmp_path)
        assert read_all(second) == [b"a"]
        second.acknowledge(second.cursor, 1)
        second.close()
        third = lane(tmp_path)
        third.append(["b"])
        assert read_all(third) == [b"b"]

    def test_acknowledged_segments_are_deleted(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(spool_lane, "SEGMENT_BYTES", 100)
        line = lane(tmp_path)
        for number in range(10):
            line.append([f"record {number}" * 5])
        assert len(list(line.folder.glob("*.log"))) == 10
        assert line.bytes == sum(path.stat().st_size for path in line.folder.glob("*.log"))
        read_all(line)
        line.acknowledge(line.cursor, 10)
        assert len(list(line.folder.glob("*.log"))) == 1

    def test_a_lost_position_means_sending_again(self, tmp_path: Path) -> None:
        line = lane(tmp_path)
        line.append(["a", "b"])
        line.read()
        line.acknowledge(line.cursor, 1)
        line.close()
        (line.folder / "position").write_bytes(b"")
        assert read_all(lane(tmp_path)) == [b"a", b"b"]


class TestAWriterThatDied:
    """A block it did not finish was never promised, and hides nothing before it."""

    def test_a_torn_end_is_passed_over(self, tmp_path: Path) -> None:
        line = lane(tmp_path)
        line.append(["a"])
        line.append(["b"])
        line.close()
        segment = line.folder / "00000001.log"
        segment.write_bytes(segment.read_bytes()[:-1])
        again = lane(tmp_path)
        again.append(["c"])
        assert read_all(again) == [b"a", b"c"]


class TestSomebodyElsesBytes:
    """Damage costs what follows it in its segment, is said, and a copy is kept."""

    def test_damage(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        line = lane(tmp_path)
        line.append(["a"])
        line.append(["b"])
        line.close()
        segment = line.folder / "00000001.log"
        content = bytearray(segment.read_bytes())
        content[-2] ^= 1
        segment.write_bytes(content)
        kept = tmp_path / "rejected"
        again = lane(tmp_path, set_aside=kept)
        again.append(["c"])
        with caplog.at_level(logging.ERROR):
            assert read_all(again) == [b"a", b"c"]
        [copy] = kept.iterdir()
        assert copy.read_bytes() == bytes(content)
        assert "is damaged at byte 29" in caplog.text
        again.acknowledge(again.cursor, 2)
        again.settle()
        assert again.pending == 0

    def test_damage_in_the_segment_being_written_is_said_once(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        line = lane(tmp_path)
        line.append(["a"])
        segment = line.folder / "00000001.log"
        segment.write_bytes(segment.read_bytes().swapcase())
        with caplog.at_level(logging.ERROR):
            assert read_all(line) == []
            line.append(["b"])
            assert read_all(line) == [b"b"]
            assert read_all(line) == []
        assert len(caplog.records) == 1


class TestManyRecordsAtOnce:
    """However much is appended at once can be read again."""

    def test_more_than_one_block_may_hold(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(spool_lane, "SEGMENT_BYTES", 200)
        monkeypatch.setattr(spool_blocks, "LARGEST_BLOCK", 400)
        records = [f"record {number:03d}" for number in range(100)]
        line = lane(tmp_path)
        line.append(records)
        assert line.pending == 100
        line.close()
        again = lane(tmp_path)
        assert again.pending == 100
        assert read_all(again) == [record.encode() for record in records]

    def test_the_longest_text_the_settings_allow(self, tmp_path: Path) -> None:
        """Ten million characters, twelve bytes each as JSON, and their path."""
        assert spool_blocks.LARGEST_BLOCK > 12 * 10_000_000 + 1_000_000


class TestAForkWhileTheLaneIsRead:
    """The child closes its copy of the file: no lock in it may stay with the parent's thread."""

    def test_the_file_has_no_lock(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        files: list[object] = []

        def looked(file: BinaryIO) -> tuple[spool_blocks.Header, list[bytes]] | None:
            files.append(file)
            return spool_blocks.read_block(file)

        monkeypatch.setattr(spool_lane, "read_block", looked)
        line = lane(tmp_path)
        line.append(["a"])
        assert read_all(line) == [b"a"]
        # A BufferedReader locks itself while it waits for the disk and for the interpreter.
        assert all(isinstance(file, io.RawIOBase) for file in files)


class TestAFullDisk:
    """An append that fails leaves nothing behind, and the next one is readable."""

    def test_half_a_block_is_taken_back(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        line = lane(tmp_path)
        line.append(["a"])
        real = os.write
        calls: list[int] = []

        def write_half(fd: int, data: bytes) -> int:
            calls.append(fd)
            if len(calls) == 1:
                return real(fd, bytes(data)[:5])
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "write", write_half)
            with pytest.raises(OSError, match="No space left"):
                line.append(["lost"])
        line.append(["b"])
        assert read_all(line) == [b"a", b"b"]
        assert line.pending == 2

    def test_half_a_block_that_cannot_be_taken_back(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        line = lane(tmp_path)
        line.append(["a"])
        real = os.write

        calls: list[int] = []

        def write_half(fd: int, data: bytes) -> int:
            calls.append(fd)
            return real(fd, bytes(data)[:5]) if len(calls) == 1 else broken()

        def broken(*_: object) -> int:
            raise OSError(errno.EIO, "Input/output error")

        with monkeypatch.context() as patch:
            patch.setattr(os, "ftruncate", broken)
            patch.setattr(os, "write", write_half)
            with pytest.raises(OSError, match="Input/output"):
                line.append(["lost"])
        line.append(["b"])
        assert read_all(line) == [b"a", b"b"]
        line.close()
        assert read_all(lane(tmp_path)) == [b"a", b"b"]
