"""The command line: runs the command that was typed; flags are in `flags.py`, work in `commands/`.

Owns the mapping from exceptions to one sentence, and the exit codes: 0 done, 1 something was found
or an update failed, 2 could not start. Nothing heavy is imported before it is known to be
needed, because `--help` and `stack output` are typed often.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from local_engine.errors import EngineError
from local_engine.flags import build_parser

EXIT_OK, EXIT_FOUND, EXIT_UNABLE = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    if not hasattr(options, "run"):
        getattr(options, "group", parser).print_help()
        return EXIT_UNABLE
    try:
        module, function = options.run
        command: Callable[[argparse.Namespace], int] = getattr(
            import_module(f"local_engine.commands.{module}"), function
        )
        return command(options)
    except EngineError as error:
        sys.stderr.write(f"error: {error}\n")
        return EXIT_UNABLE
    except KeyboardInterrupt:
        sys.stderr.write("error: interrupted\n")
        return 130
    except BrokenPipeError:
        # The reader of a pipe went away; keep Python from complaining about it on exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FOUND
