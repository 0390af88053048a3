"""What every command begins with: the workspace, the stack that is meant, and a way to ask."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path

from local_engine.errors import EngineError
from local_engine.workspace import Stack, Workspace


def open_workspace(options: argparse.Namespace) -> Workspace:
    """Return the project of the folder the command was started in, or of --cwd."""
    folder = Path(options.cwd)
    if not folder.is_dir():
        raise EngineError(f"--cwd {folder} is not a folder: name the project's folder.")
    return Workspace(folder, os.environ)


def open_stack(options: argparse.Namespace) -> Stack:
    """Return the stack the flags mean; it need not exist yet."""
    name = getattr(options, "stack_name", None) or options.stack
    return open_workspace(options).stack(name)


def can_ask(options: argparse.Namespace) -> bool:
    """Whether a person sits at both ends."""
    return sys.stdin.isatty() and sys.stdout.isatty() and not options.non_interactive


def confirm(options: argparse.Namespace, question: str, word: str) -> None:
    """Go on only if the person types `word`, or --yes was given.

    Raises:
        EngineError: they did not, or nobody is there to be asked.
    """
    if options.yes:
        return
    if not can_ask(options):
        raise EngineError(
            f"{question} Nobody can be asked here: pass --yes to go on without confirmation."
        )
    sys.stdout.write(f"{question}\nType '{word}' to go on: ")
    sys.stdout.flush()
    if sys.stdin.readline().strip() != word:
        raise EngineError("Confirmation declined: nothing was changed.")


def write(text: str) -> None:
    """Print one line for the person, or for the program that reads the output."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def warn(text: str) -> None:
    """Print one line of warning where it does not mix with output that a program reads."""
    sys.stderr.write(f"warning: {text}\n")
    sys.stderr.flush()


def locked(stack: Stack) -> AbstractContextManager[Path]:
    """Hold the stack's lock for the length of a `with` block."""
    return stack.backend.lock(stack.project.name, stack.name, tell=warn)


def table(headers: tuple[str, ...], rows: Iterable[tuple[str, ...]], indent: int = 0) -> None:
    """Print rows in columns, as Pulumi does."""
    lines = [headers, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headers))]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        write(" " * indent + "  ".join(cells).rstrip())
