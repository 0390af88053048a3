"""The process that forks the workers, replaces a dead one and passes on the order to end.

Owns no request: it waits for signals and for its children. Its workers are copies of itself made
after everything was imported, so they start in milliseconds and share its memory. A worker that
dies is replaced; one whose event loop has not turned for two minutes is killed, then replaced.
Workers that die again and again before they serve end the server, so that what watches it can say
so.
"""

from __future__ import annotations

import gc
import logging
import mmap
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from mlflow_platform_server.serve_options import ServeOptions

logger = logging.getLogger("mlflow_platform_server")

SIGNALS = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)

SILENT_SECONDS = 120
"""Counted in looks at a worker, one a second: time in which nothing runs does not count."""

EARLY_SECONDS = 10.0
MOST_EARLY_DEATHS = 5
"""This many workers in a row that did not live longer than `EARLY_SECONDS`: it is no accident."""

KILL_SECONDS = 5.0
"""After drain and grace a worker has this long for its own farewell."""

Serve = Callable[[Callable[[], None]], None]


@dataclass(slots=True)
class Child:
    """One running worker."""

    slot: int
    started: float = field(default_factory=time.monotonic)
    turns: int = 0  # of its event loop, at our last look
    silent_looks: int = 0


class Supervisor:
    """Keeps `options.workers` copies of `serve` running until told to end."""

    def __init__(self, options: ServeOptions, listener: socket.socket, serve: Serve) -> None:
        """`serve` runs in each worker, with a function that it calls while it is alive."""
        self._options = options
        self._listener = listener
        self._serve = serve
        self._children: dict[int, Child] = {}
        self._turns = mmap.mmap(-1, max(mmap.PAGESIZE, 8 * options.workers))
        self._early_deaths = 0
        self._ending_since: float | None = None
        self._failed = False

    def run(self) -> int:
        """Serve; returns the exit code."""
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        gc.freeze()
        for slot in range(self._options.workers):
            self._fork(slot)
        while self._children:
            received = signal.sigtimedwait(SIGNALS, 1.0)
            if received is not None and received.si_signo != signal.SIGCHLD:
                self._end(signal.Signals(received.si_signo))
            self._bury_the_dead()
            if self._ending_since is None:
                self._kill_the_silent()
            elif time.monotonic() - self._ending_since > self._patience():
                self._signal_all(signal.SIGKILL)
        return 1 if self._failed else 0

    def _fork(self, slot: int) -> None:
        self._turns[8 * slot : 8 * slot + 8] = bytes(8)
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid:
            self._children[pid] = Child(slot)
            return
        code = 1
        try:
            for number in SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            # An order that came before the worker listens to it ends it: nothing is under way yet.
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            self._serve(self._sign_of_life(slot))
            code = 0
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 1
        except BaseException:
            logger.exception("worker %d stopped", os.getpid())
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)  # the parent's farewells are not ours to say

    def _sign_of_life(self, slot: int) -> Callable[[], None]:
        turns = self._turns
        place = slice(8 * slot, 8 * slot + 8)
        count = 0

        def alive() -> None:
            nonlocal count
            count += 1
            turns[place] = count.to_bytes(8, "little")

        return alive

    def _end(self, order: signal.Signals) -> None:
        """Pass the order on; a second one ends it at once."""
        if self._ending_since is not None:
            self._signal_all(signal.SIGKILL)
            return
        self._ending_since = time.monotonic()
        # The workers' copies keep it open for as long as they accept.
        self._listener.close()
        if order is signal.SIGTERM:
            logger.info("ending: draining for %g s", self._options.drain_seconds)
            self._signal_all(signal.SIGTERM)
        else:
            logger.info("ending")
            self._signal_all(signal.SIGQUIT)

    def _bury_the_dead(self) -> None:
        while self._children:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            child = self._children.pop(pid, None)
            if child is None:
                continue  # as process 1, also somebody else's orphan
            _forget_gauges(pid)
            if self._ending_since is not None:
                continue
            lived = time.monotonic() - child.started
            self._early_deaths = self._early_deaths + 1 if lived < EARLY_SECONDS else 0
            code = os.waitstatus_to_exitcode(status)
            how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
            if self._early_deaths >= MOST_EARLY_DEATHS:
                logger.error(
                    "worker %d ended with %s; %d in a row did not live for %g s: the lines above "
                    "say why, the server stops",
                    *(pid, how, self._early_deaths, EARLY_SECONDS),
                )
                self._failed = True
                self._end(signal.SIGQUIT)
                continue
            logger.error("worker %d ended with %s and is replaced", pid, how)
            self._fork(child.slot)

    def _kill_the_silent(self) -> None:
        for pid, child in self._children.items():
            turns = int.from_bytes(self._turns[8 * child.slot : 8 * child.slot + 8], "little")
            child.silent_looks = child.silent_looks + 1 if turns == child.turns else 0
            child.turns = turns
            if child.silent_looks == SILENT_SECONDS:
                logger.error("worker %d was silent for %d s and is killed", pid, SILENT_SECONDS)
                os.kill(pid, signal.SIGKILL)

    def _patience(self) -> float:
        return self._options.drain_seconds + self._options.grace_seconds + KILL_SECONDS

    def _signal_all(self, number: signal.Signals) -> None:
        for pid in self._children:
            os.kill(pid, number)


def _forget_gauges(pid: int) -> None:
    """A dead worker's gauges are no longer true; its counters are."""
    if os.environ.get("prometheus_multiproc_dir"):  # noqa: SIM112 - its name
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(pid)
