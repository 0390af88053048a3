"""The spool: a folder in which every process keeps what the server has not acknowledged.

    <spool>/20250923T101500.123456Z-host-4711-9f3a21c0/   a session: one logger of one process
        session.json    which server it is for (never with a password), who wrote it
        owner.lock      held with flock while somebody writes or replays the session
        batches/        metrics, parameters and tags, in order (see `spool_lane`)
        texts/          texts on their way to the artifact store
    <spool>/rejected/   what the server refused, with its reason (see `dead_letters`)

Owns sessions: making, claiming, listing, measuring and removing them. The lock is the kernel's, so
that it is free the moment its holder is dead, however it died; two processes never send one
session. A session appears under its name only when it is locked and complete. flock is the reason
for POSIX and for a local disk: on NFS a lock may outlive its holder.
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import json
import os
import secrets
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

from mlflow_platform_client.errors import SpoolError
from mlflow_platform_client.spool_lane import Lane
from mlflow_platform_client.spool_segments import sync_folder

FORMAT = 1
REJECTED = "rejected"
_OTHERS_MEASURED_EVERY_SECONDS = 5.0


class SessionFacts(NamedTuple):
    """What `session.json` says."""

    tracking_uri: str
    host: str
    pid: int
    created: str


class Session:
    """One session, locked by this process until `close` or `remove`."""

    def __init__(self, folder: Path, facts: SessionFacts, lock_fd: int, *, fsync: bool) -> None:
        """For `Spool.create` and `Spool.claim`."""
        self.folder = folder
        self.facts = facts
        self._lock_fd = lock_fd
        rejected = folder.parent / REJECTED
        self.batches = Lane(folder / "batches", fsync=fsync, set_aside=rejected)
        self.texts = Lane(folder / "texts", fsync=fsync, set_aside=rejected)

    @property
    def pending(self) -> int:
        """Records that the server has not acknowledged."""
        return self.batches.pending + self.texts.pending

    def close(self) -> None:
        """Leave the session to whoever claims it next. In a forked child this is safe too:
        closing the child's copy of the descriptor does not release the parent's lock.
        """
        self.batches.close()
        self.texts.close()
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1

    def remove(self) -> None:
        """Everything is with the server: the session is done."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.close()


class Spool:
    """A folder of sessions, shared by any number of processes."""

    def __init__(self, folder: Path, *, max_bytes: int = 1024**3, fsync: bool = True) -> None:
        """Nothing is touched before a session is made or claimed."""
        self.folder = folder
        self.max_bytes = max_bytes
        self._fsync = fsync
        self._others = 0
        self._others_measured = -_OTHERS_MEASURED_EVERY_SECONDS

    @property
    def rejected(self) -> Path:
        """Where refused items lie."""
        return self.folder / REJECTED

    def create(self, tracking_uri: str) -> Session:
        """A new session, owned by this process."""
        now = datetime.datetime.now(datetime.UTC)
        host = socket.gethostname().partition(".")[0] or "host"
        name = f"{now:%Y%m%dT%H%M%S.%fZ}-{host}-{os.getpid()}-{secrets.token_hex(4)}"
        facts = SessionFacts(without_credentials(tracking_uri), host, os.getpid(), now.isoformat())
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            temporary = self.folder / f".new-{name}"
            temporary.mkdir(mode=0o700)
            written = {"format": FORMAT, **facts._asdict()}
            (temporary / "session.json").write_text(json.dumps(written), encoding="utf-8")
            lock_fd = _lock(temporary)
            (temporary / "batches").mkdir(mode=0o700)
            (temporary / "texts").mkdir(mode=0o700)
            folder = self.folder / name
            temporary.rename(folder)
            if self._fsync:
                sync_folder(self.folder)
        except OSError as error:
            raise SpoolError(
                f"the spool {self.folder} cannot be written ({error.strerror or error}): logging "
                "keeps there what the server has not acknowledged. Make the folder writable, or "
                "name another in MLFLOW_PLATFORM_SPOOL_DIRECTORY."
            ) from error
        if lock_fd is None:  # pragma: no cover  # the name is random and not yet visible
            raise SpoolError(f"the new session {folder} is locked by another process")
        return Session(folder, facts, lock_fd, fsync=self._fsync)

    def claim(self, folder: Path) -> Session | None:
        """Take over a session whose owner is gone; None when it is not, or is removed."""
        try:
            lock_fd = _lock(folder)
            if lock_fd is None:
                return None
            if (facts := read_facts(folder)) is None:
                os.close(lock_fd)
                return None
            return Session(folder, facts, lock_fd, fsync=self._fsync)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise SpoolError(f"the session {folder} cannot be opened: {error}") from error

    def sessions(self) -> list[Path]:
        """Every session's folder, oldest first."""
        try:
            found = [path for path in self.folder.iterdir() if (path / "session.json").is_file()]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise SpoolError(
                f"the spool {self.folder} cannot be read ({error.strerror}): check its owner and "
                "its mode, or name another in MLFLOW_PLATFORM_SPOOL_DIRECTORY."
            ) from error
        return sorted(path for path in found if not path.name.startswith("."))

    def orphans(self, tracking_uri: str | None = None) -> Iterator[Session]:
        """Claim, oldest first, the sessions of this server that nobody owns."""
        wanted = None if tracking_uri is None else without_credentials(tracking_uri)
        for folder in self.sessions():
            facts = read_facts(folder)
            if facts is None or wanted not in (None, facts.tracking_uri):
                continue
            if (session := self.claim(folder)) is not None:
                yield session

    def has_room_for(self, size: int, own_bytes: int) -> bool:
        """Whether the folder stays within its bound; others' sessions count as well."""
        now = time.monotonic()
        if now - self._others_measured >= _OTHERS_MEASURED_EVERY_SECONDS:
            self._others = max(0, bytes_in(self.folder) - own_bytes)
            self._others_measured = now
        return self._others + own_bytes + size <= self.max_bytes


def read_facts(folder: Path) -> SessionFacts | None:
    """Who wrote a session and for which server; None when this version cannot know."""
    try:
        found = json.loads((folder / "session.json").read_text(encoding="utf-8"))
        if found["format"] != FORMAT:
            return None
        return SessionFacts(
            str(found["tracking_uri"]), str(found["host"]), int(found["pid"]), found["created"]
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def is_owned(folder: Path) -> bool:
    """Whether a process holds the session now."""
    try:
        lock_fd = _lock(folder)
    except OSError:
        return False
    if lock_fd is None:
        return True
    os.close(lock_fd)
    return False


def bytes_in(folder: Path) -> int:
    """Bytes of all files below a folder that others may be changing."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += (Path(parent) / name).stat().st_size
    return total


def without_credentials(uri: str) -> str:
    """A tracking URI as it may lie on disk, in one spelling."""
    parts = urlsplit(uri)
    if not parts.netloc:
        return uri.rstrip("/")
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])).rstrip("/")


def _lock(folder: Path) -> int | None:
    path = folder / "owner.lock"
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Its last owner may have removed the session between our open and our lock.
        if path.stat().st_ino == os.fstat(fd).st_ino:
            return fd
    except BlockingIOError:
        os.close(fd)
        return None
    except BaseException:
        os.close(fd)
        raise
    os.close(fd)
    return None
