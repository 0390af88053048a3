"""How reports look on a terminal, in a pipe and in a log file.

Owns symbols, colours and layout. A stream that cannot encode a check mark gets ASCII; colours need
a terminal and no NO_COLOR (https://no-color.org). Control characters that came from a server never
reach the terminal.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TextIO

from mlflow_platform_client.client_settings import ClientSettings, all_settings
from mlflow_platform_client.findings import Finding, Outcome, PreflightReport
from mlflow_platform_client.masking import mask, mask_document
from mlflow_platform_client.status_reading import TrackingStatus

_SYMBOLS = {
    Outcome.PASSED: ("✓", "[ok]", "32"),
    Outcome.WARNING: ("!", "[!]", "33"),
    Outcome.FAILED: ("✗", "[x]", "31"),
    Outcome.NOT_RUN: ("·", "[-]", "2"),
}


class Printer:
    """Writes lines to a stream in a form that it can show."""

    def __init__(self, stream: TextIO, environ: Mapping[str, str]) -> None:
        """Look at the stream once."""
        self._stream = stream
        self._encoding = getattr(stream, "encoding", None) or "ascii"
        is_live = stream.isatty() and environ.get("TERM") != "dumb"
        self._has_colours = is_live and not environ.get("NO_COLOR")
        self._has_symbols = self._can_show("✓✗·→…")

    def line(self, text: str = "", colour: str | None = None) -> None:
        """Write one line, masked."""
        shown = self._showable(mask(text))
        if colour and self._has_colours and shown:
            shown = f"\x1b[{colour}m{shown}\x1b[0m"
        self._stream.write(shown + "\n")
        self._stream.flush()  # a pipe's reader wants to see a step when it is done

    def document(self, document: Mapping[str, object]) -> None:
        """Write JSON, masked value by value: JSON must stay JSON."""
        self._stream.write(json.dumps(mask_document(document), indent=2) + "\n")
        self._stream.flush()

    def finding(self, item: Finding) -> None:
        """One step of a preflight."""
        symbol, plain, colour = _SYMBOLS[item.outcome]
        mark = symbol if self._has_symbols else plain
        seconds = "" if item.outcome is Outcome.NOT_RUN else f"  {item.seconds:.2f} s"
        self.line(f"  {mark} {item.step:<15}{item.message}{seconds}", colour)
        if item.remedy:
            self.line(f"      {item.remedy}")

    def verdict(self, report: PreflightReport) -> None:
        """The last line of a preflight."""
        if not report.passed:
            count = len(report.failed)
            problems = "1 problem" if count == 1 else f"{count} problems"
            self.line(f"Training must not begin: {problems}, {report.seconds:.1f} s.", "31")
        elif report.warnings:
            self.line(f"Training may begin, and see the warnings: {report.seconds:.1f} s.", "33")
        else:
            self.line(f"Training may begin: {report.seconds:.1f} s.", "32")

    def settings(self, settings: ClientSettings, notes: Sequence[str]) -> None:
        """Each value and where it came from."""
        rows = [
            (item.name, settings.printed(item.name), str(settings.source_of(item.name)))
            for item in all_settings()
        ]
        widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
        for name, value, source in rows:
            self.line(f"{name:<{widths[0]}}  {value:<{min(widths[1], 48)}}  {source}")
        for note in notes:
            self.line(f"note: {note}")

    def status(self, status: TrackingStatus) -> None:
        """What became of a job's tracking."""
        colour = "32" if status.is_tracked else "33" if status.stage == "initializing" else "31"
        self.line(f"{status.stage}: {status.explanation}", colour)
        for remedy in status.remedies:
            self.line(f"  {remedy}")
        for name, link in status.links.items():
            self.line(f"  {name}: {link}")

    def _showable(self, text: str) -> str:
        text = "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)
        if self._can_show(text):
            return text
        try:
            return text.encode(self._encoding, "backslashreplace").decode(self._encoding)
        except LookupError:
            return text.encode("ascii", "backslashreplace").decode("ascii")

    def _can_show(self, text: str) -> bool:
        try:
            text.encode(self._encoding)
        except (UnicodeEncodeError, LookupError):
            return False
        return True
