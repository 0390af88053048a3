"""The life of a logger: its start, its end, what a fork does to it and how to wait for it.

Owns when the threads behind a logger run (`pipeline`): from its making until `close` or the
interpreter's end, when every logger still open is closed; afresh, with a session of its own, in a
forked child that logs and after a `close` that was not the last word. Also what a person is told
at the end. What can be logged, and what becomes of a value that cannot, is `tracking_logger`'s.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
import weakref
from types import TracebackType
from typing import Protocol, Self, cast

import mlflow

from mlflow_platform_client.errors import ConfigurationError, SpoolError
from mlflow_platform_client.logging_settings import LoggingSettings
from mlflow_platform_client.metric_queue import QueueClosed
from mlflow_platform_client.pipeline import Pipeline
from mlflow_platform_client.record_encoding import HandedOver
from mlflow_platform_client.telemetry import ARTIFACT, MODEL_LOAD, REQUEST, Depth, Telemetry
from mlflow_platform_client.tracking_server import TrackingServer, connect

_logger = logging.getLogger(__name__)


class _RunInfo(Protocol):
    @property
    def run_id(self) -> str: ...


class Run(Protocol):
    """MLflow's run, or anything with `info.run_id`."""

    @property
    def info(self) -> _RunInfo:
        """What has the run's id."""
        ...


class LoggerLife:
    """A logger without its vocabulary: made, waited for, closed, forked. Thread-safe."""

    def __init__(
        self,
        run: str | Run | None = None,
        *,
        tracking_uri: str | None = None,
        settings: LoggingSettings | None = None,
        server: TrackingServer | None = None,
    ) -> None:
        """Without a run MLflow's active one; `server` replaces `tracking_uri`'s connection.

        Raises `SpoolError` or `ConfigurationError`.
        """
        self.settings = LoggingSettings.from_environment() if settings is None else settings
        self.run_id = _run_id(run)
        self.tracking_uri = tracking_uri or mlflow.get_tracking_uri()
        self.telemetry = Telemetry(
            {
                REQUEST: self.settings.slow_request_ms / 1000,
                ARTIFACT: self.settings.slow_artifact_upload_seconds,
                MODEL_LOAD: self.settings.slow_model_load_seconds,
            }
        )
        self._server = server or connect(
            self.tracking_uri, connect_seconds=self.settings.connect_seconds
        )
        self._wait_for_disk = self.settings.durable
        self._block_seconds = self.settings.max_block_ms / 1000
        self._starting = threading.RLock()
        self._warned: set[str] = set()
        self._pipeline: Pipeline | None = None
        self._start()
        _open_loggers.add(self)

    # --- waiting and looking -----------------------------------------------------------------

    @property
    def depth(self) -> Depth:
        """How much is on its way, in memory and on disk."""
        pipeline = self._pipeline
        return Depth() if pipeline is None else pipeline.depth()

    @property
    def spool_path(self) -> str:
        """Where this process keeps what is not acknowledged; empty when closed."""
        pipeline = self._pipeline
        return "" if pipeline is None else str(pipeline.session.folder)

    def commit(self, seconds: float | None = None) -> bool:
        """Wait until everything handed over is on disk: call it before saving a checkpoint."""
        pipeline, limit = self._pipeline, self._block_seconds if seconds is None else seconds
        return pipeline is None or pipeline.commit(limit)

    def flush(self, seconds: float = 60.0) -> bool:
        """Wait until everything handed over is with the server; False when time ends first."""
        pipeline = self._pipeline
        return pipeline is None or pipeline.flush(seconds)

    def close(self, seconds: float | None = None) -> bool:
        """Flush and stop; what cannot be sent stays in the spool, and its path is printed."""
        with self._starting:
            pipeline, self._pipeline = self._pipeline, None
        if pipeline is None:
            return True
        return self._end(pipeline, self.settings.close_seconds if seconds is None else seconds)

    def __enter__(self) -> Self:
        """The logger itself."""
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    # --- inside ------------------------------------------------------------------------------

    def _put(self, entry: HandedOver, size: int) -> None:
        while True:
            pipeline = self._pipeline or self._start_again()
            if pipeline is None:
                return
            try:
                placed = pipeline.queue.put(entry, size)
            except QueueClosed:  # another thread has closed it since we looked
                with self._starting:
                    self._pipeline = None if self._pipeline is pipeline else self._pipeline
            else:
                break
        if not placed:
            self._warn(
                "dropped",
                f"the queue of {self.settings.queue_max_items} values has had no room for "
                f"{self._block_seconds:g} s: values are dropped until it has (depth.dropped "
                "counts them). Free or enlarge the spool, or log less often.",
            )
        elif self._wait_for_disk and not pipeline.commit(self._block_seconds):
            self._warn(
                "late",
                f"the disk of {pipeline.session.folder} did not confirm within "
                f"{self._block_seconds:g} s: values are handed over but not yet durable.",
            )

    def _start(self) -> Pipeline:
        with self._starting:
            if self._pipeline is None:
                self._pipeline = Pipeline(
                    self.settings, self.tracking_uri, self._server, self.telemetry
                )
            return self._pipeline

    def _start_again(self) -> Pipeline | None:
        """After a fork, or after `close`: in the middle of training, so nothing is raised."""
        try:
            pipeline = self._start()
        except (SpoolError, RuntimeError) as error:
            self._warn("not started", f"values are dropped, logging cannot start: {error}")
            return None
        _open_loggers.add(self)
        _close_with_multiprocessing(self)
        return pipeline

    def _end(self, pipeline: Pipeline, seconds: float) -> bool:
        try:
            flushed = pipeline.close(seconds)
        except KeyboardInterrupt:
            flushed = False
        depth = pipeline.depth()
        left = depth.queue_items + depth.spool_records
        if not flushed and left:
            folder = self.settings.spool_directory
            _print(
                f"mlflow_platform_client: {left} values of run {self.run_id} are not with the "
                f"server yet; they are kept in {pipeline.session.folder}. The next logger on this "
                "spool sends them, or: python -m mlflow_platform_client spool replay --directory "
                f"{folder}"
            )
        if depth.dropped:
            _print(
                f"mlflow_platform_client: {depth.dropped} values of run {self.run_id} were "
                f"dropped: the spool {self.settings.spool_directory} had no room."
            )
        return flushed

    def _warn(self, subject: str, text: str) -> None:
        if subject not in self._warned:
            self._warned.add(subject)
            _logger.warning("%s", text)

    def _after_fork_in_child(self) -> None:
        # The parent sends what the parent was given. Locks may have been held by its threads.
        if self._pipeline is not None:
            self._pipeline.abandon()
        self._pipeline = None
        self._starting = threading.RLock()
        self.telemetry.forget()


_open_loggers: weakref.WeakSet[LoggerLife] = weakref.WeakSet()


def _run_id(run: str | Run | None) -> str:
    if isinstance(run, str):
        return run
    if run is None:
        run = cast("Run | None", mlflow.active_run())
        if run is None:
            raise ConfigurationError(
                "TrackingLogger was given no run and MLflow has no active one; pass a run or its "
                "id, or call mlflow.start_run() first."
            )
    return run.info.run_id


def _print(text: str) -> None:
    """To a person, at exit, when logging may be configured away."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def _close_all() -> None:
    for logger in list(_open_loggers):
        logger.close()


def _after_fork_in_child() -> None:
    for logger in list(_open_loggers):
        logger._after_fork_in_child()  # pyright: ignore[reportPrivateUsage]


def _close_with_multiprocessing(logger: LoggerLife) -> None:
    """A child of multiprocessing leaves through os._exit: only its own finalizers run."""
    process = sys.modules.get("multiprocessing.process")
    if process is not None and process.parent_process() is not None:
        sys.modules["multiprocessing.util"].Finalize(logger, logger.close, exitpriority=10)


atexit.register(_close_all)
os.register_at_fork(after_in_child=_after_fork_in_child)
