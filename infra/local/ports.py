"""Whether a port is free, and whose it is when it is not.

Owns the question, asked before anything is started. It never ends a process: the answer names
it, the person decides.
"""

from __future__ import annotations

import errno
import socket
from contextlib import suppress

import psutil

from infra.local import leftovers
from infra.local.leftovers import Trace


def problem_with_port(host: str, port: int, *, setting: str, ours: Trace | None) -> str | None:
    """Why a server cannot listen there, in one sentence; None when it can.

    `ours` is the trace of the program that is to have the port: a previous life of it that still
    holds the port is ended before the start and is no problem.
    """
    error = _try_to_listen(host, port)
    if error is None:
        return None
    if error.errno == errno.EADDRINUSE:
        holder = _holder(port)
        if ours is not None and _is_ours(holder, ours):
            return None
        return (
            f"port {port} on {host} is taken{_described(holder)}: stop that process, or set "
            f"mlflow-platform:{setting} to a free port"
        )
    if error.errno == errno.EACCES:
        return (
            f"port {port} may not be used by an ordinary user (ports below 1024 are the system's)"
            f": set mlflow-platform:{setting} to 1024 or more"
        )
    return (
        f"cannot listen on {host} port {port} ({error.strerror}): set an address of this machine "
        f"and a free port with mlflow-platform:{setting}"
    )


def _try_to_listen(host: str, port: int) -> OSError | None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # As servers do: connections of a server that just ended do not hold the port.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            probe.listen(1)
    except OSError as error:
        return error
    return None


def _holder(port: int) -> psutil.Process | None:
    """The listening process, where the system lets us see it (our own, or all as root)."""
    with suppress(psutil.Error, OSError):
        for connection in psutil.net_connections(kind="tcp"):
            listening = connection.status == psutil.CONN_LISTEN
            if listening and connection.laddr and connection.laddr[1] == port and connection.pid:
                return psutil.Process(connection.pid)
    return None


def _is_ours(holder: psutil.Process | None, ours: Trace) -> bool:
    return holder is not None and holder.pid in {item.pid for item in leftovers.find(ours)}


def _described(holder: psutil.Process | None) -> str:
    if holder is None:
        return " by a process of another user"
    with suppress(psutil.Error, OSError):
        # Names only: an argument list may hold somebody's password.
        return f" by {holder.name()} (process {holder.pid}, user {holder.username()})"
    return f" by process {holder.pid}"
