"""Whoever destroys something says so, by the stack's name.

Owns the question. A plan is shown first, by the command; the answer is `--confirm <stack>`, or the
stack's name typed on a terminal. Without either nothing is changed.
"""

from __future__ import annotations

import argparse
import sys
from typing import TextIO, cast

from operations.place import Place
from smoke_tests.errors import CouldNotLook


def add_confirmation(parser: argparse.ArgumentParser) -> None:
    """Declare `--confirm`."""
    parser.add_argument(
        "--confirm", metavar="STACK", help="the stack's name again: do it without asking"
    )


def require_confirmation(
    place: Place, given: str | None, what: str, *, answers: TextIO | None = None
) -> None:
    """Go on only when the stack's name was given; `what` is done then, as in `restores into it`.

    Raises:
        CouldNotLook: it was not, or another one was.
    """
    answers = cast("TextIO", sys.stdin) if answers is None else answers
    if given is None and answers.isatty():
        place.show(f"Type the name of the stack to go on ({what}):")
        given = answers.readline().strip()
        option = "the answer"
    else:
        option = "--confirm"
    if given == place.stack:
        return
    if given is None:
        raise CouldNotLook(
            f"nothing was changed: {what}, and nobody can be asked without a terminal; repeat the "
            f"command with --confirm {place.stack}"
        )
    raise CouldNotLook(
        f"nothing was changed: {option} is {given!r} and the stack is {place.stack!r}; repeat the "
        f"command with --confirm {place.stack} if that is the one"
    )
