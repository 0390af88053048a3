"""A provider as a child process: its port, what it prints, and its end with ours.

Owns starting such a child and nothing that is said to it (`providers_client.py`). It imports
nothing heavy, so that the provider of dynamic resources, which takes half a second to import, can
be started before the engine itself is imported: `start_early`.
"""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import IO, Literal

from local_engine.errors import EngineError

Severity = Literal["info", "info#err"]
Emit = Callable[[Severity, str], None]

# The child ends with this process, however that ends: it holds the reading end of a pipe whose
# writing end lives here. Its own children do not inherit it.
_DYNAMIC_PROGRAM = """
import os, runpy, sys, threading
lifeline = int(sys.argv[1])
os.set_inheritable(lifeline, False)
def watch():
    os.read(lifeline, 1)
    os._exit(0)
threading.Thread(target=watch, daemon=True).start()
sys.path[0] = os.getcwd()
sys.argv = ["pulumi.dynamic", *sys.argv[2:]]
runpy.run_module("pulumi.dynamic", run_name="__main__", alter_sys=True)
"""


class ProviderProcess:
    """A provider that runs as a child and prints the port it listens on as its first line."""

    def __init__(
        self,
        command: list[str],
        directory: Path,
        environment: dict[str, str],
        emit: Emit | None,
        lifeline: tuple[int, int] | None = None,
    ) -> None:
        """Start `command`; the port is awaited by whoever asks for it first.

        Without `emit` what the child prints is kept until `listen` names one.
        """
        self._emit = emit
        self._unheard: list[tuple[Severity, str]] = []
        self._hearing = threading.Lock()
        self._lifeline = lifeline[1] if lifeline else None
        # A group of its own: Ctrl-C at the terminal is for the engine, which lets a provider
        # finish what it has begun.
        self._process = subprocess.Popen(
            command,
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=0,
            pass_fds=lifeline[:1] if lifeline else (),
        )
        if lifeline:
            os.close(lifeline[0])
        self._port: Future[int] = Future()
        assert self._process.stdout is not None  # noqa: S101
        assert self._process.stderr is not None  # noqa: S101
        self._forward(self._process.stdout, "info", first_is_port=True)
        self._forward(self._process.stderr, "info#err", first_is_port=False)
        atexit.register(self.stop)

    @property
    def running(self) -> bool:
        """Whether the child is still there."""
        return self._process.poll() is None

    def port(self) -> int:
        """Return the port, waiting until the child has printed it.

        Raises:
            EngineError: the child ended, or printed something else.
        """
        return self._port.result()

    def listen(self, emit: Emit) -> None:
        """Send what the child prints to `emit` from now on, and what it has printed so far."""
        with self._hearing:
            self._emit = emit
            for severity, line in self._unheard:
                emit(severity, line)
            self._unheard.clear()

    def stop(self) -> None:
        """End the child."""
        atexit.unregister(self.stop)
        if self._process.poll() is None:
            self._process.terminate()
        self._process.wait()
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None

    def _hear(self, severity: Severity, line: str) -> None:
        with self._hearing:
            if self._emit is None:
                self._unheard.append((severity, line))
            else:
                self._emit(severity, line)

    def _forward(self, stream: IO[bytes], severity: Severity, *, first_is_port: bool) -> None:
        def pump() -> None:
            awaiting_port = first_is_port
            with stream:
                for raw in stream:
                    line = raw.decode(errors="replace").rstrip("\n")
                    if awaiting_port and line.strip().isdigit():
                        self._port.set_result(int(line))
                        awaiting_port = False
                    else:
                        self._hear(severity, line)
            if awaiting_port:
                self._process.wait()
                self._port.set_exception(
                    EngineError(
                        f"the provider {self._process.args!r} ended with code "
                        f"{self._process.returncode} before it said where it listens"
                    )
                )

        threading.Thread(target=pump, name="provider-output", daemon=True).start()


_early: dict[tuple[str, Path], ProviderProcess] = {}


def start_dynamic(project: str, directory: Path) -> ProviderProcess:
    """Start the provider of dynamic resources, `python -m pulumi.dynamic`."""
    lifeline = os.pipe()
    command = [sys.executable, "-u", "-c", _DYNAMIC_PROGRAM, str(lifeline[0])]
    environment = {**os.environ, "PULUMI_PROJECT": project}
    return ProviderProcess(command, directory, environment, None, lifeline)


def start_early(project: str, directory: Path) -> None:
    """Start it for a deployment that is about to come in this process."""
    if (project, directory) not in _early:
        _early[project, directory] = start_dynamic(project, directory)


def take_early(project: str, directory: Path) -> ProviderProcess | None:
    """Hand over what `start_early` started, if it still runs."""
    process = _early.pop((project, directory), None)
    return process if process is not None and process.running else None
