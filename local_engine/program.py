"""Runs the user's program in this process, the way Pulumi's language host runs it in its own.

Owns the program's surroundings (working directory, `sys.argv`, its modules) and puts them back, so
that the program can run again for the update that follows a preview. An error of the program is
shown with the program's frames only; what it prints is in `program_output.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import importlib
import logging
import os
import runpy
import sys
import threading
import traceback
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pulumi
import pulumi.runtime
from pulumi.runtime.proto import engine_pb2_grpc, resource_pb2_grpc

from local_engine.events import Diagnostic
from local_engine.program_output import THREAD_PREFIX, captured_output

# The generated modules carry no usable types.
_monitor_grpc: Any = resource_pb2_grpc
_engine_grpc: Any = engine_pb2_grpc
_CHANNEL_OPTIONS = (("grpc.max_receive_message_length", 400 * 1024 * 1024),)
_ENGINE_PACKAGE = __name__.partition(".")[0]


@dataclass(frozen=True, kw_only=True)
class ProgramSettings:
    """What the SDK is told before the program runs."""

    project: str
    stack: str
    organization: str
    directory: Path
    address: str
    preview: bool
    parallel: int
    config: dict[str, str]
    secret_keys: list[str]


class ProgramRun:
    """One run of a program; `cancel` ends it from another thread."""

    def __init__(
        self,
        settings: ProgramSettings,
        emit: Callable[[Diagnostic], None],
        abandon: Callable[[], None],
    ) -> None:
        """Prepare; `emit` gets what the program prints, `abandon` ends calls under way."""
        self._abandon = abandon
        self._settings = settings
        self._emit = emit
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._cancelled = False

    def run(self) -> str | None:
        """Run to the end; returns an error for the user, or `None`."""
        # A fresh context: the SDK keeps its settings and the root resource in context variables.
        # Channels of our own, for the SDK never closes those that it opens.
        with (
            grpc.insecure_channel(self._settings.address, options=_CHANNEL_OPTIONS) as channel,
            _surroundings(self._settings.directory),
            captured_output(self._emit),
        ):
            try:
                return contextvars.Context().run(self._run, channel)
            except KeyboardInterrupt:
                self._abandon()
                raise

    def cancel(self) -> None:
        """End the program at its next wait; calls under way are answered first."""
        with self._lock:
            self._cancelled = True
            if self._loop is not None and self._task is not None:
                self._loop.call_soon_threadsafe(self._task.cancel)

    def _run(self, channel: grpc.Channel) -> str | None:
        settings = self._settings
        runtime: Any = pulumi.runtime
        runtime.set_all_config(settings.config, settings.secret_keys)
        runtime.configure(
            runtime.Settings(
                project=settings.project,
                stack=settings.stack,
                organization=settings.organization,
                root_directory=str(settings.directory),
                monitor=_monitor_grpc.ResourceMonitorStub(channel),
                engine=_engine_grpc.EngineStub(channel),
                parallel=settings.parallel,
                dry_run=settings.preview,
            )
        )
        # The SDK abandons futures when a deployment fails; asyncio would complain of each.
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        executor = ThreadPoolExecutor(
            max_workers=max(settings.parallel, 1) * 4, thread_name_prefix=THREAD_PREFIX
        )
        loop.set_default_executor(executor)
        loop.set_exception_handler(_ignore)
        try:
            task = loop.create_task(runtime.run_in_stack(_run_main))
            with self._lock:
                self._loop, self._task = loop, task
                if self._cancelled:
                    return None
            loop.run_until_complete(task)
        except asyncio.CancelledError:
            return None
        except SystemExit as stop:
            return _exit_message(stop)
        except pulumi.RunError as error:
            return None if self._cancelled else str(error)
        except Exception:
            if self._cancelled:
                return None
            return "Program failed with an unhandled exception:\n" + _user_trace()
        finally:
            with self._lock:
                self._loop = self._task = None
            _drain(loop)
            executor.shutdown(wait=True)
            loop.close()
            asyncio.set_event_loop(None)
        return None


def _ignore(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    del loop, context


def _run_main() -> None:
    try:
        runpy.run_path(".", run_name="__main__")
    except ImportError as error:
        files = {frame.filename for frame in traceback.extract_tb(error.__traceback__)}
        if files <= {__file__, runpy.__file__, "<frozen runpy>"}:
            raise pulumi.RunError(
                f"unable to find main python program `__main__.py` in `{Path.cwd()}`"
            ) from None
        raise


def _drain(loop: asyncio.AbstractEventLoop) -> None:
    pending = asyncio.all_tasks(loop)
    for task in pending:
        task.cancel()
    if pending:
        loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))


def _exit_message(stop: SystemExit) -> str | None:
    if stop.code is None or stop.code == 0:
        return None
    if isinstance(stop.code, str):
        return stop.code
    return f"Program exited with non-zero exit code: {stop.code}"


def _user_trace() -> str:
    """Format the current exception from the program's first frame on."""
    main = str(Path.cwd() / "__main__.py")
    frames = traceback.extract_tb(sys.exc_info()[2])
    for index, frame in enumerate(frames):
        if os.path.abspath(frame.filename) == main:  # noqa: PTH100  (no symlinks resolved)
            return traceback.format_exc(limit=index - len(frames))
    return traceback.format_exc()


@contextlib.contextmanager
def _surroundings(directory: Path) -> Generator[None]:
    before = set(sys.modules)
    argv, path, cwd = sys.argv, list(sys.path), Path.cwd()
    main = sys.modules.get("__main__")
    sys.argv = ["."]
    os.chdir(directory)
    # An importer of "." remembers the directory that "." was when it was made.
    sys.path_importer_cache.pop(".", None)
    importlib.invalidate_caches()
    try:
        yield
    finally:
        os.chdir(cwd)
        sys.path_importer_cache.pop(".", None)
        sys.argv, sys.path[:] = argv, path
        if main is not None:
            sys.modules["__main__"] = main
        for name in set(sys.modules) - before:
            if _is_program_module(sys.modules[name], directory):
                del sys.modules[name]


def _is_program_module(module: Any, directory: Path) -> bool:
    # A program may create resources while its modules are imported, so the next run must import
    # them again. Installed packages (a `.venv` below the project, too) stay.
    file = getattr(module, "__file__", None)
    if not file or module.__name__.partition(".")[0] == _ENGINE_PACKAGE:
        return False
    path = Path(os.path.abspath(file))  # noqa: PTH100
    return path.is_relative_to(directory) and "site-packages" not in path.parts
