"""Talking to a running supervisord: its XML-RPC interface over the Unix socket.

Owns the connection, its time limits and the few calls the platform makes. supervisor's own
transport has no time limit: a stopped supervisord would hang a refresh for ever.
"""

from __future__ import annotations

import http.client
import socket
import xmlrpc.client
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from infra.local.errors import LocalPlatformError

ALREADY_STARTED = 60
NOT_RUNNING = 70
BAD_NAME = 10

ALIVE_STATES = ("STARTING", "RUNNING")


class SupervisorUnreachableError(LocalPlatformError):
    """No supervisord answers on the socket."""

    def __init__(self, socket_path: Path, reason: str) -> None:
        """Say where it was looked for."""
        super().__init__(
            f"the supervisor of this stack does not answer on {socket_path} ({reason}): "
            "`make up` starts it again"
        )


class SupervisorRefusedError(LocalPlatformError):
    """supervisord answered that it cannot do what was asked."""

    def __init__(self, code: int, reason: str) -> None:
        """Keep supervisord's fault code and words."""
        super().__init__(f"supervisord refused: {reason}")
        self.code = code


@dataclass(frozen=True, kw_only=True, slots=True)
class ProcessReport:
    """What supervisord says of one program."""

    state: str  # STOPPED STARTING RUNNING BACKOFF STOPPING EXITED FATAL UNKNOWN
    pid: int  # 0 when there is no process
    uptime_seconds: int

    @property
    def alive(self) -> bool:
        """Whether there is a process that has not failed."""
        return self.state in ALIVE_STATES

    @property
    def failing(self) -> bool:
        """Whether it ended by itself and is about to be started again."""
        return self.state in ("BACKOFF", "EXITED")


@dataclass(frozen=True, slots=True)
class SupervisorClient:
    """One supervisord."""

    socket_path: Path
    timeout_seconds: float = 5.0

    def answers(self) -> bool:
        """Whether it is there and running."""
        try:
            state = cast("dict[str, Any]", self._call("supervisor.getState"))
        except (SupervisorUnreachableError, SupervisorRefusedError):
            return False
        return state.get("statename") == "RUNNING"

    def pid(self) -> int:
        """supervisord's own process id."""
        return int(cast("int", self._call("supervisor.getPID")))

    def shut_down(self) -> None:
        """Ask it to stop everything and end."""
        self._call("supervisor.shutdown")

    def report(self, name: str) -> ProcessReport | None:
        """State of a program; None when supervisord does not know it."""
        try:
            found = cast("dict[str, Any]", self._call("supervisor.getProcessInfo", name))
        except SupervisorRefusedError as error:
            if error.code == BAD_NAME:
                return None
            raise
        uptime = int(found["now"]) - int(found["start"]) if int(found["pid"]) else 0
        return ProcessReport(
            state=str(found["statename"]), pid=int(found["pid"]), uptime_seconds=uptime
        )

    def changed_programs(self) -> tuple[list[str], list[str], list[str]]:
        """Read the configuration files again: names of added, changed and removed programs."""
        answer = cast("list[list[list[str]]]", self._call("supervisor.reloadConfig"))
        added, changed, removed = answer[0]
        return added, changed, removed

    def add(self, name: str) -> None:
        """Take a program from the configuration into the running set."""
        self._call("supervisor.addProcessGroup", name)

    def remove(self, name: str) -> None:
        """Forget a stopped program."""
        self._call("supervisor.removeProcessGroup", name)

    def start(self, name: str) -> None:
        """Start a program and return at once; a running one is left alone."""
        try:
            self._call("supervisor.startProcess", name, False)
        except SupervisorRefusedError as error:
            if error.code != ALREADY_STARTED:
                raise

    def stop(self, name: str, patience_seconds: float) -> None:
        """Stop a program and wait until it has ended; a stopped one is left alone."""
        patient = SupervisorClient(self.socket_path, patience_seconds)
        try:
            patient._call("supervisor.stopProcess", name, True)
        except SupervisorRefusedError as error:
            if error.code not in (NOT_RUNNING, BAD_NAME):
                raise

    def _call(self, method: str, *arguments: str | bool) -> object:
        transport = _UnixTransport(self.socket_path, self.timeout_seconds)
        proxy = xmlrpc.client.ServerProxy("http://localhost", transport=transport)
        try:
            return getattr(proxy, method)(*arguments)
        except xmlrpc.client.Fault as fault:
            raise SupervisorRefusedError(fault.faultCode, fault.faultString) from fault
        except (OSError, http.client.HTTPException, xmlrpc.client.Error) as error:
            raise SupervisorUnreachableError(self.socket_path, str(error)) from error
        finally:
            transport.close()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class _UnixTransport(xmlrpc.client.Transport):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__()
        self._path = path
        self._timeout = timeout

    def make_connection(self, host: object) -> http.client.HTTPConnection:
        del host
        return _UnixConnection(self._path, self._timeout)
