"""What a server costs its machine: processes, memory and processor time.

Owns reading /proc for a tree of processes. Memory is PSS (a page that three processes share counts
a third for each), so that a sum over forked workers is what they really take. Processor time
includes that of children which have ended.
"""

from __future__ import annotations

import contextlib
import statistics
import threading
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil

MIB = 1 << 20
_GONE = (psutil.NoSuchProcess, psutil.ZombieProcess, FileNotFoundError, ProcessLookupError)


@dataclass(frozen=True, kw_only=True, slots=True)
class Footprint:
    """What a tree of processes holds at a moment."""

    processes: int
    workers: int  # processes that serve: they listen and have the database open
    pss_mib: float  # all of them together
    worker_pss_mib: float  # a worker's share, the median; 0 where none has the database open


def tree(root_pid: int) -> list[psutil.Process]:
    """A process and all that descend from it."""
    try:
        root = psutil.Process(root_pid)
        return [root, *root.children(recursive=True)]
    except _GONE:
        return []


def cpu_seconds(processes: Iterable[psutil.Process]) -> float:
    """Processor time of all, and of their children that have ended."""
    total = 0.0
    for process in processes:
        with contextlib.suppress(*_GONE):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def pss_mib(processes: Iterable[psutil.Process]) -> float:
    """Memory of all together."""
    return sum(_pss_bytes(process.pid) for process in processes) / MIB


def footprint(root_pid: int, port: int, database_port: int) -> Footprint:
    """Of the server whose first process is `root_pid`."""
    processes = tree(root_pid)
    workers = [process for process in processes if _serves(process, port, database_port)]
    sizes = [_pss_bytes(process.pid) / MIB for process in workers]
    return Footprint(
        processes=len(processes),
        workers=len(workers),
        pss_mib=pss_mib(processes),
        worker_pss_mib=statistics.median(sizes) if sizes else 0.0,
    )


@contextlib.contextmanager
def watched_memory(root_pid: int, every_seconds: float = 0.25) -> Generator[list[float]]:
    """The tree's memory in MiB over time, first value first; filled until the block ends.

    Not more often: a look at fifteen processes takes the machine some 30 ms.
    """
    samples = [pss_mib(tree(root_pid))]
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(every_seconds):
            samples.append(pss_mib(tree(root_pid)))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        ended.set()
        thread.join()
        samples.append(pss_mib(tree(root_pid)))


def _serves(process: psutil.Process, port: int, database_port: int) -> bool:
    try:
        connections = process.net_connections(kind="tcp")
    except (*_GONE, psutil.AccessDenied):
        return False
    listens = any(
        item.status == psutil.CONN_LISTEN and item.laddr.port == port for item in connections
    )
    asks = any(item.raddr and item.raddr.port == database_port for item in connections)
    return listens and asks


def _pss_bytes(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except (*_GONE, PermissionError):
        return 0
    for line in text.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0
