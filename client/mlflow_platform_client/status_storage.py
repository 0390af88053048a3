"""Where status files are kept: a folder, gs://, s3://, or anything else fsspec knows.

Owns writing one small file so that a reader sees the old content or the new one, never half of it:
on a disk by renaming, in an object store because an upload becomes visible when it is complete.
fsspec is loaded only for an address; it is an optional extra.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import tempfile
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from mlflow_platform_client.deadline import within
from mlflow_platform_client.errors import ServerUnreachable, StatusFileError
from mlflow_platform_client.masking import mask, mask_exception

_SECONDS = 60.0


class StatusStorage(Protocol):
    """A folder, wherever it is."""

    def write(self, name: str, content: bytes) -> None:
        """Replace a file as a whole."""
        ...

    def read(self, name: str) -> bytes | None:
        """A file's content; None when there is none."""
        ...

    def remove(self, name: str) -> None:
        """Take a file away, if it is there."""
        ...


def open_storage(directory: str) -> StatusStorage:
    """The storage behind a folder's path or address; nothing is opened yet."""
    parts = urlsplit(directory)
    if parts.scheme in ("", "file") or len(parts.scheme) == 1:  # C:\ is no address
        return FolderStorage(Path(unquote(parts.path) if parts.scheme == "file" else directory))
    return ObjectStorage(directory.rstrip("/"))


class FolderStorage:
    """A folder on this machine."""

    def __init__(self, folder: Path) -> None:
        """The folder is made when the first file is written."""
        self._folder = folder.expanduser()

    def write(self, name: str, content: bytes) -> None:
        """Write beside it, flush to disk, rename over it."""
        path = self._folder / name
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(prefix=f".{name}.", dir=self._folder)
            try:
                with os.fdopen(descriptor, "wb") as stream:
                    stream.write(content)
                    stream.flush()
                    os.fsync(stream.fileno())
                # A web application under another account reads it.
                Path(temporary).chmod(0o644)
                Path(temporary).replace(path)
            except BaseException:
                with contextlib.suppress(OSError):
                    Path(temporary).unlink()
                raise
        except OSError as error:
            raise _refused("written", str(path), error) from error

    def read(self, name: str) -> bytes | None:
        """Read it whole."""
        path = self._folder / name
        try:
            return path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _refused("read", str(path), error) from error

    def remove(self, name: str) -> None:
        """Unlink it."""
        path = self._folder / name
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise _refused("removed", str(path), error) from error


class ObjectStorage:
    """A prefix in an object store, through fsspec."""

    def __init__(self, prefix: str) -> None:
        """Nothing is opened yet."""
        self._prefix = prefix

    def write(self, name: str, content: bytes) -> None:
        """One upload; object stores show it when it is complete."""

        def write(system: Any, path: str) -> None:
            system.pipe_file(path, content)

        self._call("written", name, write)

    def read(self, name: str) -> bytes | None:
        """One download."""

        def read(system: Any, path: str) -> bytes | None:
            system.invalidate_cache()
            try:
                return bytes(system.cat_file(path))
            except FileNotFoundError:
                return None

        return self._call("read", name, read)

    def remove(self, name: str) -> None:
        """One deletion."""

        def remove(system: Any, path: str) -> None:
            with contextlib.suppress(FileNotFoundError):
                system.rm_file(path)

        self._call("removed", name, remove)

    def _call(self, verb: str, name: str, call: Any) -> Any:
        address = f"{self._prefix}/{name}"
        scheme = urlsplit(self._prefix).scheme
        try:
            core: Any = importlib.import_module("fsspec.core")
        except ImportError as error:
            raise StatusFileError(
                f"{address} cannot be {verb}: fsspec is not installed; install "
                f"mlflow-platform-client[{scheme}]"
            ) from error
        try:
            return within(_SECONDS, f"reach {self._prefix}", lambda: call(*core.url_to_fs(address)))
        except ImportError as error:
            raise StatusFileError(
                f"{address} cannot be {verb}: no driver for {scheme}://; install "
                f"mlflow-platform-client[{scheme}]"
            ) from error
        except ServerUnreachable as error:
            raise StatusFileError(f"{address} cannot be {verb}: {error}") from error
        except Exception as error:
            raise _refused(verb, address, error) from mask_exception(error)


def _refused(verb: str, where: str, error: Exception) -> StatusFileError:
    reason = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
    words = " ".join(mask(str(reason)).split())[:300]
    return StatusFileError(f"{mask(where)} cannot be {verb}: {words}")
