"""What the stream the report goes to can show.

Owns the choice of symbols, colours and a live countdown. A stream that cannot encode a check mark
gets ASCII, whatever else it cannot encode is escaped, and colours need a terminal and no NO_COLOR
(https://no-color.org).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TextIO

Colour = Literal["green", "red", "yellow", "dim"]

_CODES: Mapping[Colour, str] = {"green": "32", "red": "31", "yellow": "33", "dim": "2"}
_ERASE_LINE = "\r\x1b[2K"


@dataclass(frozen=True, slots=True)
class Symbols:
    """The marks at the beginning of lines."""

    passed: str
    failed: str
    all_passed: str
    verdict_failed: str


UNICODE = Symbols(passed="✓", failed="✗", all_passed="✅", verdict_failed="❌")
ASCII = Symbols(passed="[ok]", failed="[x]", all_passed="[ok]", verdict_failed="[x]")


class Terminal:
    """Writes lines to a stream in a form that it can show."""

    def __init__(self, stream: TextIO, environ: Mapping[str, str]) -> None:
        """Look at the stream once."""
        self._stream = stream
        self._encoding = getattr(stream, "encoding", None) or "ascii"
        self.is_live = stream.isatty() and environ.get("TERM") != "dumb"
        self._has_colours = self.is_live and not environ.get("NO_COLOR")
        self.symbols = UNICODE if self._can_show("✓✗✅❌") else ASCII
        self._line_is_temporary = False

    def write(self, text: str = "", colour: Colour | None = None) -> None:
        """Write one line."""
        self._put(self._erased() + self._coloured(self._encodable(text), colour) + "\n")
        self._line_is_temporary = False

    def write_temporarily(self, text: str) -> None:
        """Show a line until the next one; only a terminal can do that."""
        if self.is_live:
            self._put(self._erased() + self._coloured(self._encodable(text), "dim"))
            self._line_is_temporary = True

    def erase(self) -> None:
        """Take a temporary line away."""
        if self._line_is_temporary:
            self._put(_ERASE_LINE)
            self._line_is_temporary = False

    def _put(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()  # a pipe's reader wants to see a wait begin, not end

    def _erased(self) -> str:
        return _ERASE_LINE if self._line_is_temporary else ""

    def _can_show(self, text: str) -> bool:
        try:
            text.encode(self._encoding)
        except (UnicodeEncodeError, LookupError):
            return False
        return True

    def _encodable(self, text: str) -> str:
        # A server's words must not move the cursor or colour the screen either.
        text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
        if self._can_show(text):
            return text
        try:
            return text.encode(self._encoding, "backslashreplace").decode(self._encoding)
        except LookupError:
            return text.encode("ascii", "backslashreplace").decode("ascii")

    def _coloured(self, text: str, colour: Colour | None) -> str:
        if colour is None or not self._has_colours or not text:
            return text
        return f"\x1b[{_CODES[colour]}m{text}\x1b[0m"
