"""The MLflow server under supervisord: its process, its start and how it is found.

Owns what is between a server definition and a server that answers. The process runs as whoever
deploys, also when that is root: only PostgreSQL is dropped, because PostgreSQL refuses root, while
the server works with that person's artifacts, credentials and Python environment. It sees what
the definition names, a few variables of the caller (`INHERITED`), and the cloud's credentials
only where the artifacts lie in that cloud.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from infra.local.errors import LocalPlatformError
from infra.local.layout import interpreter
from infra.local.leftovers import MARK, Trace
from infra.local.log_tail import LogTail
from infra.local.program import Program
from infra.local.readiness import Question
from infra.local.supervised_server import ServerState, SupervisedServer
from infra.local.supervision import inherited_environment
from infra.local.supervisor_files import log_path
from infra.server_address import reachable_host

NAME = "mlflow"
POLL_SECONDS = 0.1


@dataclass(frozen=True)
class ServerProcess(SupervisedServer):
    """The MLflow server that a resource's properties describe."""

    name: ClassVar[str] = NAME
    port_setting: ClassVar[str] = "serverPort"

    @cached_property
    def trace(self) -> Trace:
        """How its processes are recognised, whoever started them."""
        return Trace(mark=self.supervision.mark(NAME), grace_seconds=self.props["grace_seconds"])

    @cached_property
    def program(self) -> Program:
        """What supervisord runs; the running definition itself when that is as good.

        As good: it differs only in what the caller's environment lent it. A deployment from
        another terminal is no reason for a restart.
        """
        wanted = Program(
            name=NAME,
            command=tuple(self.props["command"]),
            environment={**self._lent_environment(), **self._own_environment()},
            directory=str(self.layout.run),
            trace=self.trace,
            files=self.props["files"],
            fresh_directories=tuple(self.props["fresh_directories"]),
            stop_seconds=self.props["grace_seconds"] + 5,
            settle_seconds=10,  # its imports take half of that
            version=self.props["version"],
        )
        running = self.supervision.running_definition(NAME)
        return running if running and self._as_good(running, wanted) else wanted

    def start(self) -> None:
        """Make it run with this definition and wait until it serves; unchanged is left alone.

        Raises:
            LocalPlatformError: it does not come up, with the cause and its last words.
        """
        self.supervision.ensure_running()
        taken = self.port_problem()
        if taken:
            raise LocalPlatformError(taken)
        log = LogTail.from_now(log_path(NAME, self.layout))
        if self.supervision.apply(self.program) == "unchanged" and self._is_stuck():
            self.supervision.restart(self.program)
        self._wait_until_ready(log)

    def judge(self, uptime_seconds: int) -> ServerState:
        """By what its liveness probe asks; one that is still young may be starting."""
        if self._alive().passes():
            return "running"
        return "starting" if uptime_seconds < self.props["start_seconds"] else "silent"

    def _wait_until_ready(self, log: LogTail) -> None:
        seconds = self.props["start_seconds"]
        deadline = time.monotonic() + seconds
        while not self._ready().passes():
            report = self.supervision.report(NAME)
            failed = report is None or not report.alive
            if failed or time.monotonic() > deadline:
                how = "stopped during its start" if failed else f"was not ready after {seconds} s"
                secrets = self.props["secret_environment"].values()
                raise LocalPlatformError(f"the MLflow server {how}{log.explanation(secrets)}")
            time.sleep(POLL_SECONDS)

    def _is_stuck(self) -> bool:
        report = self.supervision.report(NAME)
        old = report is not None and report.uptime_seconds >= self.props["start_seconds"]
        return old and not self._ready().passes()

    def _ready(self) -> Question:
        return self._question(self.props["readiness_path"], self.props["readiness_seconds"])

    def _alive(self) -> Question:
        return self._question(self.props["liveness_path"], self.props["liveness_seconds"])

    def _question(self, path: str, seconds: float) -> Question:
        return Question(
            host=reachable_host(self.props["host"]),
            port=self.props["port"],
            path=path,
            timeout_seconds=seconds,
            user=self.props["probe_user"],
            password=self.props["probe_password"],
        )

    def _own_environment(self) -> dict[str, str]:
        return {
            **self.props["environment"],
            **self.props["secret_environment"],
            "PYTHONUNBUFFERED": "1",  # the log ends with what was said last
            MARK: self.trace.mark,
        }

    def _lent_environment(self) -> dict[str, str]:
        lent = inherited_environment()
        for name, value in os.environ.items():
            if any(fnmatchcase(name, pattern) for pattern in self.props["lent_environment"]):
                lent[name] = value
        lent["PATH"] = os.pathsep.join((str(Path(interpreter()).parent), lent["PATH"]))
        return lent

    def _as_good(self, running: Program, wanted: Program) -> bool:
        own = self._own_environment()
        kept = {name: running.environment.get(name) for name in own}
        return kept == own and replace(running, environment=wanted.environment) == wanted
