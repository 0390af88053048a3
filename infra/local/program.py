"""What a supervised program is: its command, its environment, its files and how it ends.

Owns the definition and its form on disk (one private JSON file that the launcher reads). Secrets
are part of it, which is why neither supervisord's configuration nor any argument list holds more
than the file's name. Two definitions that are equal need no restart: that comparison decides
whether an update touches the running process.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from infra.local.layout import write_private_file
from infra.local.leftovers import Trace


@dataclass(frozen=True, kw_only=True, slots=True)
class Program:
    """One program that supervisord keeps alive."""

    name: str
    command: tuple[str, ...]  # the first word is an absolute path
    environment: dict[str, str] = field(default_factory=dict[str, str], repr=False)
    directory: str  # working directory
    trace: Trace  # how what a killed life of it left behind is recognised
    files: dict[str, str] = field(default_factory=dict[str, str], repr=False)
    """Path → text of private files written before every start."""

    fresh_directories: tuple[str, ...] = ()
    """Emptied before every start: what a dead process left there would be taken for live."""

    stop_signal: str = "TERM"
    stop_seconds: int = 30  # between the stop signal and SIGKILL
    settle_seconds: int = 5  # a life shorter than this counts as a failed start (backoff)
    signal_whole_group: bool = True  # PostgreSQL's postmaster wants to end its children itself
    version: str = ""  # of the software: a new one is a reason to restart

    def to_json(self) -> str:
        """The definition as stored."""
        return json.dumps(asdict(self), indent=1, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Program:
        """The definition as stored, read back."""
        values: dict[str, Any] = json.loads(text)
        values["trace"] = Trace(**values["trace"])
        for name in ("command", "fresh_directories"):
            values[name] = tuple(values[name])
        return cls(**values)


def load(path: Path) -> Program | None:
    """The definition stored at `path`; None when there is none that can be read."""
    try:
        return Program.from_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def save(program: Program, path: Path) -> None:
    """Store the definition for the launcher, readable by its owner alone."""
    write_private_file(path, program.to_json())
