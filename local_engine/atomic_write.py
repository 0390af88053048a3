"""Replace a file so that a crash leaves either the old content or the new one, never a half.

Owns the order of system calls: write beside the target, fsync, keep the old content as `.bak`,
rename, fsync the folder. What the bytes mean is the caller's business.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from local_engine.errors import EngineError


def replace_file(path: Path, content: bytes, *, mode: int = 0o644, backup: bool = False) -> None:
    """Put `content` at `path` atomically; with `backup`, the old content stays as `<path>.bak`.

    Raises:
        EngineError: the folder or the disk does not take the file; the old content is untouched.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    except OSError as error:
        raise EngineError(_not_written(path, error)) from error
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            # mkstemp gives 0600; the umask would not apply to a later chmod, so ask for `mode`
            # as it would have come out of open().
            os.fchmod(file.fileno(), mode & ~_umask())
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if backup and path.exists():
            _keep_old(path)
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise EngineError(_not_written(path, error)) from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()


def _keep_old(path: Path) -> None:
    """Give the old content a second name; a hard link costs no copy and cannot be torn."""
    backup = path.with_name(f"{path.name}.bak")
    link = path.with_name(f".{path.name}.bak.tmp")
    with contextlib.suppress(FileNotFoundError):
        link.unlink()
    try:
        os.link(path, link)
    except OSError:  # some network file systems have no hard links
        shutil.copyfile(path, link)
    link.replace(backup)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:  # a file system that cannot sync folders still has the renamed file
        pass
    finally:
        os.close(descriptor)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def _not_written(path: Path, error: OSError) -> str:
    reason = error.strerror or type(error).__name__
    return (
        f"{path} could not be written ({reason}): free space or make {path.parent} writable "
        "for this user, then run the command again; the previous content is untouched."
    )
