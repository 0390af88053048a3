"""Threads that end late, exceptions and records nobody foresaw: nothing is lost or given away."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path

import pytest

from mlflow_platform_client import delivery
from mlflow_platform_client.spool import Spool, is_owned
from tests.client.fake_tracking import FakeTracking
from tests.client.logging_desk import URI, logger_on


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(delivery, "LONGEST_PAUSE_SECONDS", 0.01)


class TestAWriterThatIsStillWriting:
    """`close` takes neither the file nor the lock from a writer the disk holds up."""

    def test_the_session_stays_its_own_until_it_is_done(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server = FakeTracking()
        server.away = True
        logger = logger_on(server, tmp_path, spool_fsync=True)
        pipeline = logger._pipeline
        assert pipeline is not None
        [writer] = [thread for thread in pipeline._threads if thread.name.endswith("writer")]
        writing, go_on, real = threading.Event(), threading.Event(), os.fsync

        def slow(fd: int) -> None:
            if threading.current_thread() is writer:
                writing.set()
                assert go_on.wait(20)
            real(fd)

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", slow)
            logger.log_metric("loss", 1.0)
            assert writing.wait(20)
            assert not logger.close(0)
            assert is_owned(pipeline.session.folder)
            go_on.set()
            writer.join(20)
        assert not is_owned(pipeline.session.folder)
        server.away = False
        with logger_on(server, tmp_path) as later:
            assert later.flush(20)
        assert server["run1"].values == [1.0]


class TestAThreadThatLogsWhileAnotherCloses:
    """A value handed to a pipeline that has ended goes to a new one."""

    def test_it_arrives(self, tmp_path: Path) -> None:
        server = FakeTracking()
        logger = logger_on(server, tmp_path)
        ended = logger._pipeline
        assert logger.close()
        logger._pipeline = ended  # as seen by a thread that looked just before
        logger.log_metric("loss", 1.0)
        assert logger.close()
        assert server["run1"].values == [1.0]


class TestASessionThatCannotBeRead:
    """What another version left and nobody understands does not hold up this process's values."""

    @pytest.mark.parametrize("lane", ["batches", "texts"])
    def test_own_values_arrive(
        self, lane: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        session = Spool(tmp_path / "spool", fsync=False).create(URI)
        getattr(session, lane).append(["nonsense"])
        session.close()
        server = FakeTracking()
        with logger_on(server, tmp_path) as logger:
            logger.log_metric("loss", 1.0)
            assert logger.flush(20)
        assert server["run1"].values == [1.0]
        assert session.folder.is_dir()
        assert not is_owned(session.folder)
        assert f"{session.folder} cannot be replayed" in caplog.text


class TestAnExceptionNobodyForesaw:
    """It is told with its traceback, without the secrets in its text."""

    def test_a_password_in_it(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        class Broken(FakeTracking):
            broken = True

            def log_batch(self, body: bytes, timeout_seconds: float) -> None:
                if self.broken:
                    self.broken = False
                    raise ValueError("no adapter for https://me:correct-horse@mlflow.example/")
                super().log_batch(body, timeout_seconds)

        server = Broken()
        with caplog.at_level(logging.ERROR), logger_on(server, tmp_path) as logger:
            logger.log_metric("loss", 1.0)
            assert logger.flush(20)
        assert server["run1"].values == [1.0]
        assert "stumbled" in caplog.text
        assert "Traceback" in caplog.text
        assert "correct-horse" not in caplog.text
