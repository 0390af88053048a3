"""Processes that outlived the supervisor or the parent that should have ended them.

Owns how such a process is recognised and ended. MLflow's HTTP workers carry a mark in their
environment (their parent may be gone, their process id may be anything); PostgreSQL's processes
overwrite their environment, but all of them work in the data directory. Both survive a renamed
checkout, a killed supervisor and a reused process id, which a file with a process id does not.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

POLL_SECONDS = 0.02

MARK = "MLFLOW_PLATFORM_PROCESS"
"""Environment variable that says which supervised program a process belongs to."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Trace:
    """What the processes of one program have in common."""

    mark: str = ""
    """Value of `MARK` in their environment."""

    database_directory: str = ""
    """PostgreSQL's data directory, which they work in."""

    grace_seconds: int = 10
    """How long they may take to end in good order."""

    def as_dict(self) -> dict[str, Any]:
        """For a file; `Trace(**…)` reads it back."""
        return asdict(self)


def find(trace: Trace) -> list[psutil.Process]:
    """Living processes of the program, the calling one left out."""
    return [process for process in _others() if _matches(process, trace)]


def end(trace: Trace) -> int:
    """End the program's processes: in good order, then by force; returns how many there were."""
    processes = find(trace)
    if not processes:
        return 0
    postmaster = _postmaster(trace, processes)
    if postmaster is not None:
        # The postmaster ends its own children: fast shutdown, connections closed, data on disk.
        _send([postmaster], signal.SIGINT)
    elif trace.database_directory:
        # Without a postmaster its orphans keep the shared memory that the next one must not share.
        _send(processes, signal.SIGQUIT)
    else:
        _send(processes, signal.SIGTERM)
    alive = _still_alive(processes, trace.grace_seconds)
    _send(alive, signal.SIGKILL)
    # Children started in the meantime, and what ignored the first signal.
    late = find(trace)
    _send(late, signal.SIGKILL)
    _still_alive([*alive, *late], 10)
    return len(processes)


def _others() -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        if process.pid != os.getpid():
            yield process


def _matches(process: psutil.Process, trace: Trace) -> bool:
    # A process that ends while it is looked at, or belongs to someone else, is not ours.
    with suppress(psutil.Error, OSError):
        if _is_over(process):
            return False
        if trace.mark:
            return process.environ().get(MARK) == trace.mark
        if trace.database_directory and process.name() == "postgres":
            return process.cwd() == os.path.realpath(trace.database_directory)
    return False


def _still_alive(processes: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait until all of them are over; those that are not after so many seconds."""
    deadline = time.monotonic() + seconds
    while (alive := [item for item in processes if not _is_over(item)]) and (
        time.monotonic() < deadline
    ):
        time.sleep(POLL_SECONDS)
    return alive


def _is_over(process: psutil.Process) -> bool:
    """Ended, buried or not: the first process of many a container buries nobody's orphans."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _postmaster(trace: Trace, processes: list[psutil.Process]) -> psutil.Process | None:
    if not trace.database_directory:
        return None
    try:
        text = (Path(trace.database_directory) / "postmaster.pid").read_text(encoding="utf-8")
        identifier = int(text.splitlines()[0])
    except (OSError, ValueError, IndexError):
        return None
    return next((process for process in processes if process.pid == identifier), None)


def _send(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.Error):
            process.send_signal(number)
