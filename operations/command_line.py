"""`python -m operations <command>`: parse, call, render, exit.

Owns what all commands share: `--stack`, `--url`, `--json`, the masking of everything that is
printed, and the exit codes. What keeps a command from looking ends here in one sentence on stderr
and exit code 2; with `--json` the sentence is in the object too, so that a program reading it
never mistakes an absent answer for a clean one.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TextIO, cast

from operations.commands import COMMANDS, Command
from operations.place import Place
from operations.report import Report
from smoke_tests.errors import CouldNotLook
from smoke_tests.masking import Masker
from smoke_tests.retrying import Clock
from smoke_tests.terminal import Terminal

COULD_NOT_LOOK = 2

_OUTCOMES = {0: "clean", 1: "found", 2: "could_not_look"}


def main(
    argv: Sequence[str] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    stdout: TextIO | None = None,
    stderr: TextIO | None = None,
    clock: Clock | None = None,
    commands: Sequence[Command] = COMMANDS,
) -> int:
    """Run a command and return its exit code."""
    environ = os.environ if environ is None else environ
    out = cast("TextIO", sys.stdout) if stdout is None else stdout
    errors = Terminal(cast("TextIO", sys.stderr) if stderr is None else stderr, environ)
    argv = sys.argv[1:] if argv is None else argv
    command = _named(argv, commands)
    arguments = make_parser(commands, load=command).parse_args(argv)
    masker = Masker()
    place = Place(
        stack=arguments.stack,
        url=getattr(arguments, "url", None),
        environ=environ,
        masker=masker,
        clock=clock or Clock(),
        progress=lambda text: errors.write_temporarily(masker.report(text)),
        show=lambda text: errors.write(masker.report(text)),
    )
    try:
        result = _run(commands, arguments, place)
        errors.erase()
        if isinstance(result, CouldNotLook):
            errors.write(f"error: {masker.report(str(result))}")
        if arguments.json:
            out.write(_to_json(arguments, result, masker) + "\n")
            out.flush()
        elif not isinstance(result, CouldNotLook):
            terminal = Terminal(out, environ)
            for line in result.lines():
                terminal.write(masker.report(line.text), line.colour)
    except KeyboardInterrupt:
        errors.erase()
        errors.write("Interrupted: the command did not finish.")
        return COULD_NOT_LOOK
    except BrokenPipeError:
        # Whoever read the report went away; Python must not complain about that at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
        return COULD_NOT_LOOK
    return COULD_NOT_LOOK if isinstance(result, CouldNotLook) else result.exit_code


def make_parser(
    commands: Sequence[Command] = COMMANDS, *, load: Command | None = None
) -> argparse.ArgumentParser:
    """The parser; only the command `load` is imported for its own arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m operations",
        description="What is done with an MLflow platform after its deployment.",
        epilog="exit codes: 0 clean, 1 something was found, 2 could not look",
        allow_abbrev=False,
    )
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in commands:
        sub = subparsers.add_parser(
            command.name, help=command.summary, description=f"{command.name}: {command.summary}."
        )
        sub.set_defaults(stack=None)
        if command.takes_stack:
            _add_place(sub, takes_url=command.takes_url)
        sub.add_argument("--json", action="store_true", help="print one JSON object")
        if command is load:
            command.load().add_arguments(sub)
    return parser


def _add_place(parser: argparse.ArgumentParser, *, takes_url: bool) -> None:
    place = parser.add_mutually_exclusive_group(required=not takes_url)
    place.add_argument("-s", "--stack", metavar="NAME", help="the stack to work on")
    if takes_url:
        place.add_argument("--url", metavar="URL", help="a server that no stack deployed")


def _named(argv: Sequence[str], commands: Sequence[Command]) -> Command | None:
    words = [word for word in argv[:1] if not word.startswith("-")]
    return next((command for command in commands if command.name in words), None)


def _run(
    commands: Sequence[Command], arguments: argparse.Namespace, place: Place
) -> Report | CouldNotLook:
    command = next(command for command in commands if command.name == arguments.command)
    try:
        return command.load().run(arguments, place)
    except CouldNotLook as problem:
        return problem
    except Exception as error:
        if (problem := _of_the_database(error, place.masker)) is None:
            raise
        return problem


def _of_the_database(error: Exception, masker: Masker) -> CouldNotLook | None:
    """What PostgreSQL refused in the middle of a command; None for anything else."""
    psycopg = sys.modules.get("psycopg")  # imported by a command that asks a database, or by nobody
    if psycopg is None or not isinstance(error, psycopg.Error):
        return None
    said = " ".join(masker.foreign(str(error)).split()) or type(error).__name__
    return CouldNotLook(
        f"the database refused ({type(error).__name__}: {said}): `python -m operations doctor` "
        "looks for the cause"
    )


def _to_json(arguments: argparse.Namespace, result: Report | CouldNotLook, masker: Masker) -> str:
    code = COULD_NOT_LOOK if isinstance(result, CouldNotLook) else result.exit_code
    document: dict[str, object] = {
        "command": arguments.command,
        "stack": arguments.stack,
        "outcome": _OUTCOMES[code],
        "exit_code": code,
        "problem": str(result) if isinstance(result, CouldNotLook) else None,
    }
    if not isinstance(result, CouldNotLook):
        document |= result.document()
    return json.dumps(_masked(document, masker), indent=2, ensure_ascii=False)


def _masked(value: object, masker: Masker) -> object:
    """The same value with every text in it masked."""
    if isinstance(value, str):
        return masker.report(value)
    if isinstance(value, Mapping):
        items = cast("Mapping[object, object]", value).items()
        return {str(key): _masked(item, masker) for key, item in items}
    if isinstance(value, list | tuple):
        return [_masked(item, masker) for item in cast("Sequence[object]", value)]
    return value
