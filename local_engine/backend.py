"""Where stacks are stored: the layout of Pulumi's file backend, read and written atomically.

    <root>/.pulumi/meta.yaml                                    version of the layout
    <root>/.pulumi/stacks/<project>/<stack>.json (.bak)         the state, and the one before
    <root>/.pulumi/history/<project>/<stack>/…                  one record per update
    <root>/.pulumi/backups/<project>/<stack>/…                  the state after each update
    <root>/.pulumi/locks/organization/<project>/<stack>/…       see lock.py

Owns files and folders; what stands in a state is `checkpoint.py`'s business. The files are those
the CLI writes, so either engine continues where the other stopped.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import re
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from local_engine.atomic_write import replace_file
from local_engine.errors import EngineError
from local_engine.json_shapes import rows, table
from local_engine.lock import hold_lock

_STACK_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")


class CorruptStateError(EngineError):
    """A state file exists and is not one: nothing is done with it."""


@dataclass(frozen=True)
class StackSummary:
    """One line of `stack ls`."""

    name: str
    last_update: str | None
    resource_count: int | None


class FileBackend:
    """The stacks below one folder."""

    def __init__(self, root: Path) -> None:
        """Use `root`; nothing is created until something is written."""
        self.root = root
        self._meta_seen = False

    @property
    def url(self) -> str:
        """The backend's address as PULUMI_BACKEND_URL would give it."""
        return f"file://{self.root}"

    def stack_file(self, project: str, stack: str) -> Path:
        """Where the state of a stack stands."""
        return self.root / ".pulumi" / "stacks" / project / f"{stack}.json"

    def exists(self, project: str, stack: str) -> bool:
        """Tell whether the stack has a state, deployed or empty."""
        return self._present(project, stack) is not None

    def read(self, project: str, stack: str) -> dict[str, Any] | None:
        """Return the versioned checkpoint of a stack, or nothing if there is no such stack.

        Raises:
            CorruptStateError: the file is there and cannot be used.
        """
        self._check_layout()
        file = self._present(project, stack)
        if file is None:
            return None
        try:
            content = file.read_bytes()
        except OSError as error:
            raise EngineError(
                f"The state {file} could not be read ({error.strerror}): make it readable for "
                "this user."
            ) from error
        return _parse(file, content)

    def write(self, project: str, stack: str, checkpoint: Mapping[str, Any]) -> None:
        """Replace the state of a stack; the one before stays beside it as .bak."""
        self._ensure_layout()
        file = self.stack_file(project, stack)
        text = json.dumps(checkpoint, ensure_ascii=False, separators=(",", ":"))
        replace_file(file, text.encode("utf-8", "surrogatepass"), backup=True)
        self._forget_attributes(file)
        with contextlib.suppress(OSError):
            file.with_name(f"{file.name}.gz").unlink()

    def remove(self, project: str, stack: str) -> None:
        """Forget a stack: its state becomes the .bak, its history goes."""
        file = self._present(project, stack) or self.stack_file(project, stack)
        with contextlib.suppress(FileNotFoundError):
            file.replace(file.with_name(f"{file.name}.bak"))
        self._forget_attributes(file)
        history = self.root / ".pulumi" / "history" / project / stack
        with contextlib.suppress(OSError):
            for entry in history.iterdir():
                entry.unlink()
            history.rmdir()

    def lock(
        self, project: str, stack: str, *, tell: Callable[[str], None] = lambda _: None
    ) -> AbstractContextManager[Path]:
        """Hold the stack for an update; see `lock.hold_lock`."""
        self._ensure_layout()
        return hold_lock(self.root, project, stack, tell=tell)

    def stacks(self, project: str) -> list[StackSummary]:
        """Return the project's stacks by name."""
        folder = self.root / ".pulumi" / "stacks" / project
        names = {
            file.name.removesuffix(".gz").removesuffix(".json")
            for file in folder.glob("*.json*")
            if file.name.endswith((".json", ".json.gz")) and not file.name.startswith(".")
        }
        return [self._summary(project, name) for name in sorted(names)]

    def record(self, project: str, stack: str, update: Mapping[str, Any]) -> None:
        """Add an update to the history, with the state it led to, and keep a backup of that."""
        file = self.stack_file(project, stack)
        now = time.time_ns()
        history = self.root / ".pulumi" / "history" / project / stack / f"{stack}-{now}"
        backup = self.root / ".pulumi" / "backups" / project / stack / f"{stack}.{now}.json"
        text = json.dumps(update, ensure_ascii=False, separators=(",", ":"))
        replace_file(history.with_name(f"{history.name}.history.json"), text.encode())
        with contextlib.suppress(FileNotFoundError):
            state = file.read_bytes()
            replace_file(history.with_name(f"{history.name}.checkpoint.json"), state)
            replace_file(backup, state)

    def _present(self, project: str, stack: str) -> Path | None:
        """Return the newest of the forms the CLI stores a state in."""
        plain = self.stack_file(project, stack)
        found: list[tuple[float, Path]] = []
        for file in (
            plain,
            plain.with_name(f"{plain.name}.gz"),
            plain.with_name(f"{plain.name}.zst"),
        ):
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                found.append((file.stat().st_mtime, file))
        if not found:
            return None
        newest = max(found)[1]
        if newest.suffix == ".zst":
            raise EngineError(
                f"The state {newest} is compressed with zstd, which this engine does not read: "
                "run any update with the Pulumi CLI and PULUMI_DIY_BACKEND_ZSTD unset."
            )
        return newest

    def _summary(self, project: str, name: str) -> StackSummary:
        try:
            document = self.read(project, name) or {}
        except CorruptStateError:
            return StackSummary(name, None, None)
        latest = table(table(document.get("checkpoint")).get("latest"))
        resources = rows(latest.get("resources"))
        when = table(latest.get("manifest")).get("time")
        zero = not when or str(when).startswith("0001-")
        return StackSummary(name, None if zero else str(when), len(resources))

    def _check_layout(self) -> bool:
        """Return whether the folder is marked as this layout; refuse the one before it."""
        meta = self.root / ".pulumi" / "meta.yaml"
        try:
            text = meta.read_text(encoding="utf-8")
        except FileNotFoundError:
            if any((self.root / ".pulumi" / "stacks").glob("*.json")):
                raise self._legacy() from None
            return False
        except (OSError, UnicodeDecodeError) as error:
            raise CorruptStateError(f"{meta} could not be read: {error}.") from None
        found = re.search(r"^version:\s*(\d+)\s*$", text, re.MULTILINE)
        if not found:
            raise CorruptStateError(f"{meta} has no `version:` line: write `version: 1` into it.")
        if found[1] == "0":
            raise self._legacy()
        return True

    def _ensure_layout(self) -> None:
        if self._meta_seen:
            return
        if not self._check_layout():
            replace_file(self.root / ".pulumi" / "meta.yaml", b"version: 1\n")
        self._meta_seen = True

    def _legacy(self) -> EngineError:
        return EngineError(
            f"{self.root} has the old layout without projects: run `pulumi state upgrade` on it "
            "with the Pulumi CLI."
        )

    @staticmethod
    def _forget_attributes(file: Path) -> None:
        """Remove the CLI's note of a file's checksum, which no longer fits."""
        for name in (f"{file.name}.attrs", f"{file.name}.bak.attrs"):
            with contextlib.suppress(OSError):
                file.with_name(name).unlink()


def check_stack_name(name: str) -> str:
    """Return the bare name of `<stack>`, `organization/<stack>` or the form with the project.

    Raises:
        EngineError: not such a name.
    """
    *prefix, bare = name.split("/")
    if not _STACK_NAME.fullmatch(bare) or bare in (".", "..") or len(prefix) > 2:
        raise EngineError(
            f"The stack name {name!r} is not usable: letters, digits, '-', '_' and '.' are "
            "allowed, up to 100 of them."
        )
    if prefix and prefix[0] != "organization":
        raise EngineError(
            f"The stack name {name!r} names the organization {prefix[0]!r}: a file backend has "
            "'organization' only; write the stack's name alone."
        )
    return bare


def backend_root(url: str) -> Path:
    """Return the folder of a `file://` address.

    Raises:
        EngineError: another kind of backend.
    """
    if not url.startswith("file://"):
        raise EngineError(
            f"The backend '{urlsplit(url).scheme or url}' is not a folder, and this engine keeps "
            "state in folders only: unset PULUMI_BACKEND_URL or set it to file://<folder>, or "
            "install the Pulumi CLI (https://www.pulumi.com/docs/install/)."
        )
    path = unquote(url.removeprefix("file://").partition("?")[0])
    return Path(path or ".").expanduser().absolute()


def _parse(file: Path, content: bytes) -> dict[str, Any]:
    try:
        if content.startswith(b"\x1f\x8b"):
            content = gzip.decompress(content)
        document: object = json.loads(content)
    except (ValueError, OSError, EOFError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise CorruptStateError(
            f"The state {file} is not readable JSON ({len(content)} bytes): copy "
            f"{file.name}.bak over it, or the newest file of {_backups(file)}."
        )
    return cast("dict[str, Any]", document)


def _backups(file: Path) -> Path:
    project, stack = file.parent.name, file.name.removesuffix(".gz").removesuffix(".json")
    return file.parents[2] / "backups" / project / stack
