"""The stream a display writes to: whether it is a terminal, how wide, and whether in colour.

Owns the rules people rely on: NO_COLOR, `--color`, TERM=dumb, and plain text when the output is
not a terminal.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from typing import TextIO

from local_engine.display.wording import RESET

_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
# What a provider or a program prints must not move the cursor or set the window's title.
_CONTROL = re.compile(r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f]")


class Terminal:
    """A text stream with colour or without."""

    def __init__(
        self,
        stream: TextIO,
        environ: Mapping[str, str],
        *,
        color: str = "auto",
        interactive: bool = True,
    ) -> None:
        """`color` is auto, always, never or raw; `interactive` false forbids live redrawing."""
        self.stream = stream
        dumb = environ.get("TERM") == "dumb"
        self.is_tty = stream.isatty() and not dumb
        self.live = self.is_tty and interactive
        # https://no-color.org: any value but the empty one; an explicit --color wins.
        allowed = self.is_tty and not environ.get("NO_COLOR")
        self.color = color == "always" or (color == "auto" and allowed)

    def paint(self, style: str, text: str) -> str:
        """Return `text` in `style`, if there is colour."""
        return f"{style}{text}{RESET}" if self.color and style and text else text

    def line(self, text: str = "") -> None:
        """Write one line."""
        self.stream.write(f"{text}\n")
        self.stream.flush()

    def size(self) -> os.terminal_size:
        """Return columns and lines of the window."""
        return shutil.get_terminal_size((100, 30))


def visible_length(text: str) -> int:
    """Return how many columns `text` takes, colours not counted."""
    return len(_ESCAPE.sub("", text))


def fit(text: str, width: int) -> str:
    """Cut `text` to `width` columns without cutting a colour in half."""
    if visible_length(text) <= width:
        return text
    kept: list[str] = []
    room, at = width - 1, 0
    for match in _ESCAPE.finditer(text):
        piece = text[at : match.start()][:room]
        kept.append(piece)
        room -= len(piece)
        kept.append(match[0])
        at = match.end()
    kept.append(text[at:][: max(room, 0)])
    return "".join(kept) + "…"


def harmless(text: str) -> str:
    """Return foreign text without control sequences, colours excepted."""
    return _CONTROL.sub("", text)
