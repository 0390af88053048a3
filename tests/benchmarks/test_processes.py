"""Memory and processor time are those of a whole family, the dead included."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import ExitStack

import pytest

from benchmarks.server_comparison.processes import (
    cpu_seconds,
    footprint,
    pss_mib,
    tree,
    watched_memory,
)

Start = Callable[[str], subprocess.Popen[str]]
NOBODY = 2**22  # beyond the largest process number
LISTENING = (
    "import socket, sys\n"
    "listener = socket.create_server(('127.0.0.1', 0))\n"
    "asking = socket.create_connection(('127.0.0.1', {database}))\n"
    "print(listener.getsockname()[1], flush=True)\n"
    "sys.stdin.read()\n"
)
GROWING = "import sys; input(); held = bytearray(80 << 20); print('grown', flush=True); input()"
BUSY_CHILD = (
    "import subprocess, sys\n"
    "burn = 'import time\\nwhile time.process_time() < 0.5: pass'\n"
    "subprocess.run([sys.executable, '-c', burn])\n"
    "print('done', flush=True)\n"
    "input()\n"
)


@pytest.fixture
def start() -> Generator[Start]:
    """Starts a program that ends with the test."""
    with ExitStack() as stack:

        def run(code: str) -> subprocess.Popen[str]:
            child = subprocess.Popen(
                [sys.executable, "-c", code],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            stack.callback(child.communicate)
            stack.callback(child.kill)
            return child

        yield run


def said(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


def tell(child: subprocess.Popen[str]) -> None:
    assert child.stdin is not None
    child.stdin.write("go\n")
    child.stdin.flush()


class TestFamilies:
    """Nobody has no figures; a family has its members' sum."""

    def test_nobody(self) -> None:
        assert tree(NOBODY) == []
        assert cpu_seconds([]) == 0
        assert pss_mib([]) == 0
        held = footprint(NOBODY, 1, 2)
        assert (held.processes, held.workers, held.worker_pss_mib) == (0, 0, 0.0)

    def test_one_that_serves_listens_and_has_the_database_open(self, start: Start) -> None:
        with socket.create_server(("127.0.0.1", 0)) as database:
            database_port = database.getsockname()[1]
            child = start(LISTENING.format(database=database_port))
            port = int(said(child))
            held = footprint(child.pid, port, database_port)
            assert (held.processes, held.workers) == (1, 1)
            assert 1 < held.worker_pss_mib <= held.pss_mib
            # Another port, or no database: it does not serve.
            assert footprint(child.pid, database_port, database_port).workers == 0
            assert footprint(child.pid, port, port).workers == 0

    def test_time_of_a_child_that_has_ended(self, start: Start) -> None:
        child = start(BUSY_CHILD)
        assert said(child) == "done"
        assert cpu_seconds(tree(child.pid)) >= 0.5


class TestWatchedMemory:
    """The first value is what was held before, and the most is among the others."""

    def test_growth(self, start: Start) -> None:
        child = start(GROWING)
        with watched_memory(child.pid, every_seconds=60) as samples:
            tell(child)
            assert said(child) == "grown"
        assert len(samples) == 2
        assert max(samples) - samples[0] >= 79
