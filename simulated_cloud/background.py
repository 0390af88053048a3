"""A simulated cloud in the background: one per state directory, for a shell with several commands.

Owns the announcement (`running.json`: process and environment, there while the process is), how a
second `start` finds the first, and the end. A process that died leaves an announcement that
nobody believes: who reads it asks for the process first.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

ANNOUNCEMENT = "running.json"
START_SECONDS = 30
STOP_SECONDS = 10


class NotRunningError(Exception):
    """The cloud did not start."""


@contextmanager
def announced(state: Path, environment: Mapping[str, str]) -> Generator[None]:
    """Tell others how to reach the cloud for as long as the block lasts."""
    path = state / ANNOUNCEMENT
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps({"process": os.getpid(), "environment": dict(environment)}))
    fresh.replace(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def running(state: Path) -> tuple[int, dict[str, str]] | None:
    """Return process and environment of the cloud with this state directory, if it runs."""
    try:
        told = json.loads((state / ANNOUNCEMENT).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    process = int(told["process"])
    return (process, told["environment"]) if _is_cloud(process, state) else None


def start(state: Path) -> dict[str, str]:
    """Start a cloud in the background, unless it runs; return its environment."""
    found = running(state)
    if found is not None:
        return found[1]
    state.mkdir(parents=True, exist_ok=True)
    log = state / "serve.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "simulated_cloud", "serve", "--state", str(state.resolve())],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=Path(__file__).parents[1],
            start_new_session=True,
        )
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        found = running(state)
        if found is not None and found[0] == process.pid:
            return found[1]
        time.sleep(0.05)
    raise NotRunningError(f"the simulated cloud did not start: see {log}")


def stop(state: Path) -> bool:
    """End the cloud with this state directory; return whether it ran."""
    found = running(state)
    if found is None:
        return False
    os.kill(found[0], signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while running(state) is not None:
        if time.monotonic() > deadline:
            raise NotRunningError(f"the simulated cloud (process {found[0]}) does not end")
        time.sleep(0.05)
    return True


def _is_cloud(process: int, state: Path) -> bool:
    """Whether this process is the cloud of this directory, and not a later one of its number."""
    import psutil

    try:
        words = psutil.Process(process).cmdline()
    except psutil.Error:
        return False
    return "simulated_cloud" in words and any(
        Path(word).resolve() == state.resolve() for word in words if word
    )
