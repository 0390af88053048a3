"""Keeping programs alive: one supervisord per stack, and the programs it looks after.

Owns starting and stopping supervisord, and bringing a program to its definition: start it, leave
it alone when it runs with that definition already, restart it when the definition differs. Every
step can be repeated after it was interrupted: the running program is compared with the wanted
one through supervisord itself, not through a note of ours.
"""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from infra.local import leftovers, supervisor_files
from infra.local.errors import LocalPlatformError
from infra.local.layout import Layout, interpreter, private_directory, write_private_file
from infra.local.leftovers import MARK, Trace
from infra.local.program import Program, load, save
from infra.local.supervisor_client import (
    ProcessReport,
    SupervisorClient,
    SupervisorRefusedError,
    SupervisorUnreachableError,
)

START_SECONDS = 30
STOP_SECONDS = 180
POLL_SECONDS = 0.05

INHERITED = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR")
"""What of the caller's environment a supervised process may see; above all no passphrase."""


@dataclass(frozen=True, slots=True)
class Supervision:
    """The supervisord of one stack."""

    layout: Layout

    @property
    def client(self) -> SupervisorClient:
        """Its interface."""
        return SupervisorClient(supervisor_files.socket_path(self.layout))

    def mark(self, name: str) -> str:
        """The mark of a program's processes; empty while this stack never ran anything."""
        try:
            instance = self._instance_file().read_text(encoding="utf-8").strip()
        except OSError:
            return ""
        return f"{instance}/{name}"

    def is_running(self) -> bool:
        """Whether supervisord answers and is configured as it would be now."""
        return self._configured() and self.client.answers()

    def ensure_running(self) -> None:
        """Start supervisord unless it runs; replace one that hangs or has an old configuration."""
        if not self._instance_file().exists():
            # Random, and in the folder: a moved checkout still recognises its processes.
            write_private_file(self._instance_file(), secrets.token_hex(8))
        if self.is_running():
            return
        self.shut_down()
        self._forget_other_places()
        self._start()

    def _forget_other_places(self) -> None:
        """Drop programs defined for another folder: the checkout was moved while they ran.

        supervisord refuses to start on them; the resources define them anew, for this folder.
        """
        for file in self.layout.programs.glob("*.conf"):
            text = file.read_text(encoding="utf-8", errors="replace")
            # supervisord's own escape of a percent sign, which it takes off twice.
            if str(self.layout.logs) not in text.replace("%%%%", "%"):
                file.unlink(missing_ok=True)

    def shut_down(self) -> None:
        """End supervisord and with it every program; none running is fine."""
        try:
            self.client.shut_down()
        except (SupervisorUnreachableError, SupervisorRefusedError):
            pass
        else:
            _wait(lambda: not leftovers.find(self._trace()), STOP_SECONDS)
        leftovers.end(self._trace())
        supervisor_files.socket_path(self.layout).unlink(missing_ok=True)

    def apply(self, program: Program) -> Literal["unchanged", "started", "restarted"]:
        """Bring a program to its definition; does not wait until it is ready."""
        self.ensure_running()
        current = self.definition_path(program.name)
        if current is None or load(current) != program:
            current = self._next_definition_path(program.name)
            save(program, current)
        text = supervisor_files.program_text(program, current, self.layout)
        write_private_file(self._program_file(program.name), text)
        outcome = self._follow_configuration(program)
        self._forget_definitions(program.name, keep=current)
        return outcome

    def report(self, name: str) -> ProcessReport | None:
        """What supervisord says of a program; None: it does not know it, or is not there."""
        try:
            return self.client.report(name)
        except SupervisorUnreachableError:
            return None

    def running_definition(self, name: str) -> Program | None:
        """The definition a program was last started with."""
        path = self.definition_path(name)
        return load(path) if path else None

    def stop(self, name: str, trace: Trace) -> None:
        """Stop a program and whatever is left of it; a stopped one is fine."""
        with suppress(SupervisorUnreachableError):  # without it only leftovers can be there
            self.client.stop(name, STOP_SECONDS)
        leftovers.end(trace)

    def restart(self, program: Program) -> None:
        """Stop and start a program that runs with the right definition but does not serve."""
        self.stop(program.name, program.trace)
        self.apply(program)

    def discard(self, name: str, trace: Trace) -> None:
        """Stop a program and forget it."""
        self.stop(name, trace)
        self._program_file(name).unlink(missing_ok=True)
        with suppress(SupervisorUnreachableError, SupervisorRefusedError):  # gone already
            self.client.remove(name)
        self._forget_definitions(name, keep=None)

    def definition_path(self, name: str) -> Path | None:
        """The definition that supervisord's configuration names for a program."""
        try:
            text = self._program_file(name).read_text(encoding="utf-8")
        except OSError:
            return None
        found = re.search(rf"{re.escape(name)}\.(\d+)\.json", text)
        return self.layout.run / found.group(0) if found else None

    def _follow_configuration(
        self, program: Program
    ) -> Literal["unchanged", "started", "restarted"]:
        name = program.name
        added, changed, _ = self.client.changed_programs()
        if name in changed:
            self.stop(name, program.trace)
            self.client.remove(name)
        if name in changed or name in added:
            self.client.add(name)
        report = self.client.report(name)
        if report is not None and report.alive:
            return "unchanged"
        if report is not None and report.state == "BACKOFF":
            self.client.stop(name, STOP_SECONDS)  # do not sit out the pause between two tries
        # Now, not only in the launcher: what a dead supervisor left serving would answer in the
        # place of the process that is about to start, and pass for ready.
        leftovers.end(program.trace)
        self.client.start(name)
        return "restarted" if name in changed else "started"

    def _start(self) -> None:
        configuration = self._configuration_file()
        socket_path = supervisor_files.socket_path(self.layout)
        for folder in (self.layout.run, self.layout.logs, self.layout.programs):
            private_directory(folder)
        if socket_path.parent != self.layout.run:
            supervisor_files.require_private(socket_path.parent)
        write_private_file(configuration, supervisor_files.supervisord_text(self.layout))
        environment = {**inherited_environment(), MARK: self.mark("supervisord")}
        try:
            done = subprocess.run(
                [interpreter(), "-m", "supervisor.supervisord", "-c", str(configuration)],
                cwd=self.layout.run,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=START_SECONDS,
                check=False,
                text=True,
            )
        except subprocess.TimeoutExpired:
            raise self._start_failed(f"hung for {START_SECONDS} s") from None
        if done.returncode != 0 or not _wait(self.client.answers, START_SECONDS):
            raise self._start_failed(f"said: {' '.join(done.stdout.split()[-60:]) or 'nothing'}")

    def _start_failed(self, how: str) -> LocalPlatformError:
        log = self.layout.logs / "supervisord.log"
        return LocalPlatformError(
            f"supervisord did not start and {how}; its log {log} may name the cause: mend that "
            "and deploy again"
        )

    def _configured(self) -> bool:
        try:
            text = self._configuration_file().read_text(encoding="utf-8")
        except OSError:
            return False
        return text == supervisor_files.supervisord_text(self.layout)

    def _trace(self) -> Trace:
        return Trace(mark=self.mark("supervisord"), grace_seconds=STOP_SECONDS)

    def _instance_file(self) -> Path:
        return self.layout.root / "instance"

    def _configuration_file(self) -> Path:
        return self.layout.run / "supervisord.conf"

    def _program_file(self, name: str) -> Path:
        return self.layout.programs / f"{name}.conf"

    def _next_definition_path(self, name: str) -> Path:
        """A number, not a digest: a digest of secrets in a file's name could be tried out."""
        taken = [int(path.name.split(".")[-2]) for path in self._definitions(name)]
        return self.layout.run / f"{name}.{max(taken, default=0) + 1}.json"

    def _definitions(self, name: str) -> list[Path]:
        pattern = re.compile(rf"{re.escape(name)}\.\d+\.json")
        if not self.layout.run.is_dir():
            return []
        return [path for path in self.layout.run.iterdir() if pattern.fullmatch(path.name)]

    def _forget_definitions(self, name: str, keep: Path | None) -> None:
        for path in self._definitions(name):
            if path != keep:
                path.unlink(missing_ok=True)


def inherited_environment() -> dict[str, str]:
    """The part of the caller's environment that supervised processes see."""
    environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
    environment.setdefault("PATH", os.defpath)
    environment.setdefault("HOME", str(Path.home()))
    return environment


def _wait(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True
