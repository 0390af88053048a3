"""A server under measurement: its start, its warm-up, its end.

Owns the process of one variant, from exec to the first answered question to the database, and that
nothing of it is left afterwards. What it costs is read in `processes`.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.server_comparison.processes import cpu_seconds, tree
from benchmarks.server_comparison.variants import Launch, Place, Variant

START_SECONDS = 180.0
STOP_SECONDS = 5.0
POLL_SECONDS = 0.02
SETTLED_SHARE = 0.1  # of a core
WARM_UP_CONNECTIONS = 32
WORDS = 3000  # of a log that are shown
QUESTION = ("/api/2.0/mlflow/experiments/search", '{"max_results": 1}')

INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "USER")
"""A server sees what a variant gives it: nothing that a shell happens to have exported."""

HUEY = "HUEY_STORAGE_PATH"
"""Part of the variable that names the folder in /dev/shm that MLflow's job runner leaves behind."""


class ServerFailedError(RuntimeError):
    """The server did not start, or ended."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """How long a server is made ready and looked at, beside its measurements."""

    warm_up_seconds: float = 1.0  # of questions, and again of writes
    settle_look_seconds: float = 0.5
    settle_seconds: float = 30.0  # at the most
    idle_seconds: float = 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class StartTimes:
    """Seconds from exec."""

    health: float  # to an answered /health
    answer: float  # to the first answered question to the database


class RunningServer:
    """One variant's server, between `start` and `stop`."""

    def __init__(self, variant: Variant, place: Place, work: Path, pace: Pace = Pace()) -> None:
        """Nothing runs yet."""
        self._pace = pace
        self.variant = variant
        self.place = place
        self._work = work
        self._process: subprocess.Popen[bytes] | None = None
        self._log = place.folder / "server.log"
        self._log_begins = 0  # where this start's words begin

    @property
    def pid(self) -> int:
        """The first process."""
        if self._process is None:
            raise ServerFailedError(f"{self.variant.name} does not run")
        return self._process.pid

    @property
    def launch(self) -> Launch:
        """How it is called."""
        return self.variant.launch(self.place, self._work)

    @property
    def artifacts(self) -> Path:
        """Where uploads arrive."""
        return self.launch.artifacts

    def migrate(self) -> None:
        """Give MLflow's schema what the variant's own deployment adds to it."""
        if self.variant.migration is None:
            return
        launch = self.variant.migration(self.place, self._work)
        done = subprocess.run(
            launch.command,
            env={**_environment(), **launch.environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            start_new_session=True,
        )
        if done.returncode != 0:
            raise ServerFailedError(f"its migration failed:\n{done.stderr[-2000:]}")

    def start(self) -> StartTimes:
        """Start it and wait until it answers a question to the database."""
        begun = self.launch_process()
        health = self._wait_for("GET", "/health", "") - begun
        return StartTimes(health=health, answer=self._wait_for("POST", *QUESTION) - begun)

    def launch_process(self) -> float:
        """Only start it; returns when that was."""
        launch = self.launch
        self.place.folder.mkdir(parents=True, exist_ok=True)
        launch.artifacts.mkdir(exist_ok=True)
        with self._log.open("ab") as log:
            self._log_begins = log.tell()
            begun = time.monotonic()
            self._process = subprocess.Popen(
                launch.command,
                cwd=self.place.folder,
                env={**_environment(), **launch.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return begun

    def warm_up(self) -> None:
        """Let every worker answer: each loads what it needs with its first question."""
        until = time.monotonic() + self._pace.warm_up_seconds

        def ask() -> None:
            while True:
                with contextlib.suppress(OSError, http.client.HTTPException):
                    self._ask("POST", *QUESTION, timeout_seconds=30)
                if time.monotonic() > until:
                    return

        with ThreadPoolExecutor(WARM_UP_CONNECTIONS) as pool:
            for _ in range(WARM_UP_CONNECTIONS):
                pool.submit(ask)

    def settle(self) -> None:
        """Wait until it has nothing more to do: job runners go on starting behind an answer."""
        pause = self._pace.settle_look_seconds
        until = time.monotonic() + self._pace.settle_seconds
        quiet = 0
        while quiet < 2 and time.monotonic() < until:
            before = self.cpu_seconds()
            time.sleep(pause)
            busy = (self.cpu_seconds() - before) / pause
            quiet = quiet + 1 if busy < SETTLED_SHARE else 0

    def cpu_seconds(self) -> float:
        """Processor time of all its processes so far."""
        return cpu_seconds(tree(self.pid))

    def stop(self) -> None:
        """Kill it and whatever it started, and remove what it left in shared memory.

        Not asked to end: how long a server drains is not what is measured here.
        """
        if self._process is None:
            return
        leftovers: set[Path] = set()
        # Until none is left: one that is being killed may just have started another.
        while family := _family(self._process.pid):
            for process in family:
                leftovers |= _shared_memory_folders(process)
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs(family, timeout=STOP_SECONDS)
        self._process.wait()
        self._process = None
        for folder in leftovers:
            shutil.rmtree(folder, ignore_errors=True)

    def _wait_for(self, method: str, path: str, body: str) -> float:
        """The moment of the first answer 200."""
        assert self._process is not None
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            if self._process.poll() is not None:
                raise ServerFailedError(
                    f"{self.variant.name} ended during its start{self._words()}"
                )
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self._ask(method, path, body, timeout_seconds=START_SECONDS) == 200:
                    return time.monotonic()
            time.sleep(POLL_SECONDS)
        raise ServerFailedError(
            f"{self.variant.name} did not answer {path} within {START_SECONDS:.0f} s{self._words()}"
        )

    def _ask(self, method: str, path: str, body: str, *, timeout_seconds: float) -> int:
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.place.port, timeout=timeout_seconds
        )
        with contextlib.closing(connection):
            connection.request(method, path, body or None, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
            if answer.status == 200 and method == "POST":
                json.loads(text)
            return answer.status

    def _words(self) -> str:
        with self._log.open(encoding="utf-8", errors="replace") as log:
            log.seek(self._log_begins)
            return f"; its last words:\n{log.read()[-WORDS:]}"


def _environment() -> dict[str, str]:
    environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return environment | {"DO_NOT_TRACK": "true", "MLFLOW_DISABLE_TELEMETRY": "true"}


def _family(pid: int) -> list[psutil.Process]:
    """All that descend from a process, and all of its session (orphans included)."""
    found = {process.pid: process for process in tree(pid)}
    for process in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if process.pid not in found and os.getsid(process.pid) == pid:
                found[process.pid] = process
    return [process for process in found.values() if _lives(process)]


def _lives(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _shared_memory_folders(process: psutil.Process) -> set[Path]:
    try:
        environment = process.environ()
    except (psutil.Error, OSError):
        return set()
    paths = {Path(value) for name, value in environment.items() if HUEY in name}
    return {path for path in paths if path.parent == Path("/dev/shm")}
