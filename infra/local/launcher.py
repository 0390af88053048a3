"""What supervisord really starts: clear up after the last life of a program, then become it.

Owns three things that no supervisor does. It ends processes that a killed parent left behind (a
uvicorn worker keeps the port, an orphaned PostgreSQL backend keeps the shared memory: the next
start would fail for as long as they live). It gives the program exactly the environment of its
definition, secrets included, so that they stand in no configuration and no argument list. It
empties scratch folders. Then it replaces itself by the program: supervisord's child is the
program, not a wrapper.

Run as `python -m infra.local.launcher <definition.json>`.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import NoReturn

from infra.local import leftovers
from infra.local.layout import private_directory, write_private_file
from infra.local.program import Program, load


def prepare(program: Program) -> int:
    """Make the ground clean for a start; returns how many leftover processes were ended."""
    ended = leftovers.end(program.trace)
    for directory in program.fresh_directories:
        shutil.rmtree(directory, ignore_errors=True)
        private_directory(Path(directory))
    for path, text in program.files.items():
        write_private_file(Path(path), text)
    return ended


def become(program: Program) -> NoReturn:
    """Replace this process by the program."""
    os.chdir(program.directory)
    os.execve(program.command[0], program.command, program.environment)  # noqa: S606 - no shell


def main(arguments: list[str]) -> int:
    """Become the program whose definition is named; returns only when that is impossible."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m infra.local.launcher DEFINITION.json\n")
        return 64  # EX_USAGE
    program = load(Path(arguments[0]))
    if program is None:
        sys.stderr.write(f"launcher: {arguments[0]} is missing or damaged; `make up` rewrites it\n")
        return 78  # EX_CONFIG
    ended = prepare(program)
    if ended:
        sys.stderr.write(f"launcher: ended {ended} leftover processes of {program.name}\n")
    sys.stderr.write(f"launcher: starting {program.name}\n")
    sys.stderr.flush()
    become(program)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
