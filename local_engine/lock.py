"""One update at a time per stack, by the lock files of Pulumi's file backend.

A lock is a file `.pulumi/locks/organization/<project>/<stack>/<random>.json` that says who holds
it. The protocol is the CLI's: look for other locks, write one's own, look again and give way if
another appeared in between; so this engine and the CLI exclude each other. A lock whose process is
known to be gone (this host, and no process of that number and age) is taken over: the state that
it guarded is whole after every step, so there is nothing to wait for.
"""

from __future__ import annotations

import contextlib
import datetime
import getpass
import json
import os
import socket
import uuid
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from local_engine.atomic_write import replace_file
from local_engine.errors import EngineError


@dataclass(frozen=True)
class LockHolder:
    """Who holds a lock, as its file says."""

    file: Path
    pid: int
    username: str
    hostname: str
    timestamp: str

    @property
    def is_on_this_host(self) -> bool:
        """Whether the process can be looked up here."""
        return self.hostname == socket.gethostname()

    @property
    def is_dead(self) -> bool:
        """Whether the process that took the lock is known to be gone."""
        return self.is_on_this_host and not _runs(self.pid, self.timestamp)

    def __str__(self) -> str:
        """Return who, where and since when, in Pulumi's words."""
        return f"{self.username}@{self.hostname} (pid {self.pid}) at {self.timestamp}"


class StackLockedError(EngineError):
    """Another process updates the stack, or did and left its lock."""

    def __init__(self, stack: str, holders: tuple[LockHolder, ...]) -> None:
        """Say who holds the lock and what to do about it."""
        self.holders = holders
        who = "; ".join(str(holder) for holder in holders)
        command = f"`python -m local_engine cancel --stack {stack}`"
        if all(holder.is_on_this_host for holder in holders):
            what = "wait for it to end, then run again."
        else:
            what = f"wait for it to end or, once it is known to be dead, run {command}."
        super().__init__(f"Stack '{stack}' is locked by {who}: {what}")


def lock_folder(root: Path, project: str, stack: str) -> Path:
    """Return where the locks of one stack stand."""
    return root / ".pulumi" / "locks" / "organization" / project / stack


@contextlib.contextmanager
def hold_lock(
    root: Path, project: str, stack: str, *, tell: Callable[[str], None] = lambda _: None
) -> Generator[Path]:
    """Hold the stack's lock for the length of the block.

    `tell` hears of every dead process's lock that is taken over.

    Raises:
        StackLockedError: another process holds it.
        EngineError: the lock cannot be written.
    """
    folder = lock_folder(root, project, stack)
    for holder in _holders(folder, own=None):
        if holder.is_dead:
            _remove(holder)
            tell(f"The lock of {holder} is taken over: that process no longer runs.")
    _refuse_if_held(folder, stack, own=None)
    own = folder / f"{uuid.uuid4()}.json"
    content = {
        "pid": os.getpid(),
        "username": _username(),
        "hostname": socket.gethostname(),
        "timestamp": datetime.datetime.now().astimezone().isoformat(),
    }
    replace_file(own, json.dumps(content, separators=(",", ":")).encode())
    try:
        _refuse_if_held(folder, stack, own=own)
        yield own
    finally:
        with contextlib.suppress(FileNotFoundError):
            own.unlink()


def holders(root: Path, project: str, stack: str) -> tuple[LockHolder, ...]:
    """Return who holds locks on the stack; normally nobody or one."""
    return _holders(lock_folder(root, project, stack), own=None)


def remove_locks(root: Path, project: str, stack: str) -> int:
    """Delete every lock of the stack; returns how many there were."""
    return sum(_remove(holder) for holder in holders(root, project, stack))


def _remove(holder: LockHolder) -> bool:
    """Delete a lock; False when it was gone already."""
    try:
        holder.file.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise EngineError(
            f"The lock {holder.file} could not be removed ({error.strerror}): delete it as "
            "the user who owns it."
        ) from error
    with contextlib.suppress(OSError):
        holder.file.with_name(f"{holder.file.name}.attrs").unlink()
    return True


def _refuse_if_held(folder: Path, stack: str, *, own: Path | None) -> None:
    others = _holders(folder, own=own)
    if others:
        raise StackLockedError(stack, others)


def _holders(folder: Path, *, own: Path | None) -> tuple[LockHolder, ...]:
    try:
        files = sorted(folder.glob("*.json"))
    except OSError:
        return ()
    found = (_read(file) for file in files if file != own and not file.name.startswith("."))
    return tuple(holder for holder in found if holder is not None)


def _read(file: Path) -> LockHolder | None:
    try:
        raw: object = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        raw = None
    # A lock that cannot be read is a lock all the same: somebody wrote it for a reason.
    content = cast("dict[str, Any]", raw) if isinstance(raw, dict) else {}
    pid = content.get("pid")
    return LockHolder(
        file=file,
        pid=pid if isinstance(pid, int) else 0,
        username=str(content.get("username") or "unknown"),
        hostname=str(content.get("hostname") or "unknown"),
        timestamp=str(content.get("timestamp") or "an unknown time"),
    )


def _runs(pid: int, timestamp: str) -> bool:
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    # In a container the same small number soon belongs to another process: one that started
    # after the lock was taken cannot be its holder. A minute allows for clocks being set.
    started, taken = _start_of(pid), _moment(timestamp)
    return started is None or taken is None or started <= taken + 60


def _start_of(pid: int) -> float | None:
    """Return when a process started, in seconds since 1970, where the kernel tells (Linux)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = next(
            int(line.split()[1])
            for line in Path("/proc/stat").read_text().splitlines()
            if line.startswith("btime ")
        )
        return boot + int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, StopIteration):
        return None


def _moment(timestamp: str) -> float | None:
    # Go writes nanoseconds; the parser takes microseconds at most, and a second is enough here.
    head, dot, tail = timestamp.partition(".")
    zone = tail.lstrip("0123456789") if dot else ""
    try:
        return datetime.datetime.fromisoformat(head + zone).timestamp()
    except ValueError:
        return None


def _username() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user id without a name
        return str(os.getuid())
