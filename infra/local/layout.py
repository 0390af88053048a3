"""Where the platform on this machine keeps things: one folder per stack, one subfolder per purpose.

Owns the names below `<localStateDir>/<stack>/`, and how its folders are made (for their owner
alone) and removed. It leaves the engine's own state (`<localStateDir>/pulumi`) alone.
"""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from infra.local.errors import LocalPlatformError

PROJECT_DIRECTORY = Path(__file__).resolve().parents[2]
"""The checkout: what a relative `localStateDir` is relative to, and where `infra` is imported."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The folders of one stack."""

    root: Path

    @property
    def data(self) -> Path:
        """PostgreSQL's data directory."""
        return self.root / "postgresql"

    @property
    def artifacts(self) -> Path:
        """What the server stores artifacts in."""
        return self.root / "artifacts"

    @property
    def logs(self) -> Path:
        """Rotated logs of everything that runs."""
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """What processes need while they run; made anew when missing."""
        return self.root / "run"

    @property
    def programs(self) -> Path:
        """One supervisord configuration file per supervised program."""
        return self.run / "programs"

    @property
    def prometheus(self) -> Path:
        """Counters that the server's workers share."""
        return self.run / "prometheus"

    @property
    def password_file(self) -> Path:
        """The server's way into its database, in libpq's format."""
        return self.run / "mlflow.pgpass"

    @property
    def admin_password(self) -> Path:
        """The generated password of MLflow's administrator, kept as long as the data."""
        return self.root / "secrets" / "admin-password"

    @property
    def auth_config(self) -> Path:
        """MLflow's `basic_auth.ini`."""
        return self.run / "basic_auth.ini"


def stack_layout(state_dir: str, stack: str) -> Layout:
    """The folders of `stack`; a relative `state_dir` is relative to the checkout."""
    return Layout((PROJECT_DIRECTORY / Path(state_dir).expanduser() / stack).absolute())


def interpreter() -> str:
    """The Python of the running environment, by the one name every engine gives it.

    One engine starts this program as `python`, another as `python3`; a definition that said which
    would look changed to the other.
    """
    python = Path(sys.prefix) / "bin" / "python"
    return str(python) if python.exists() else sys.executable


def private_directory(path: Path) -> Path:
    """Make `path` and its missing parents for their owner alone; leave existing ones as they are.

    Raises:
        LocalPlatformError: the file system refuses, with the setting that chooses another place.
    """
    try:
        for folder in reversed([path, *path.parents]):
            if not folder.is_dir():
                folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise LocalPlatformError(
            f"cannot make the folder {path} ({error.strerror}): make its parent writable, or set "
            "mlflow-platform:localStateDir to a folder you can write to"
        ) from error
    return path


def write_private_file(path: Path, content: str) -> None:
    """Write `path` whole or not at all, readable by its owner alone from its first byte.

    Never through a link: root writes into PostgreSQL's data directory, which another user owns.
    """
    private_directory(path.parent)
    scratch = path.with_name(f".{path.name}.new")
    scratch.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(scratch, flags, 0o600), "w", encoding="utf-8") as file:
        file.write(content)
    scratch.replace(path)


def unwritable_ancestor(path: Path) -> Path | None:
    """The folder that stops `path` from being made or written to, if one does; touches nothing."""
    for folder in (path, *path.parents):
        try:
            there = folder.exists()
        except PermissionError:
            continue  # a parent may not even be looked into; it is the one to name
        if there:
            usable = folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)
            return None if usable else folder
    return None


def has_content(folder: Path) -> bool:
    """Whether there is anything in it that we can see."""
    try:
        return any(folder.iterdir())
    except OSError:
        return False


def remove_folder(path: Path) -> None:
    """Remove a folder and everything in it; absent already is fine.

    Raises:
        LocalPlatformError: something in it cannot be removed.
    """
    if not path.exists():
        return
    try:
        shutil.rmtree(path)
    except OSError as error:
        raise LocalPlatformError(
            f"cannot remove {error.filename} ({error.strerror}): remove {path} by hand"
        ) from error
