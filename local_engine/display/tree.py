"""The live display on a terminal: the tree of resources, each with what happens to it now.

The rows are redrawn in place ten times a second while something runs; when it ends they are
written once more in full and stay. A tree higher than the window shows the rows at work and
counts the rest.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from local_engine.display.progress import Collector, DisplayOptions, status_text
from local_engine.display.step_text import (
    display_type,
    is_shown,
    is_stack,
    name_of,
    short_diff,
    shown_op,
)
from local_engine.display.terminal import Terminal, fit, harmless, visible_length
from local_engine.display.wording import BOLD, DIM, HEADLINE, KINDS, YELLOW, words
from local_engine.events import Diagnostic, Event, Step, StepFinished, StepStarted

_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_HIDE_CURSOR, _SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
_CLEAR_BELOW = "\x1b[J"
_FRAME_SECONDS = 0.1


@dataclass
class _Row:
    """One resource in the tree."""

    urn: str
    parent: str
    step: Step
    started: float
    finished: StepFinished | None = None
    note: str = ""
    children: list[str] = field(default_factory=list[str])

    @property
    def shown(self) -> bool:
        return is_shown(self.step) or (
            self.finished is not None and self.finished.error is not None
        )


class TreeDisplay:
    """Redraws a tree of resources in place."""

    def __init__(
        self,
        options: DisplayOptions,
        terminal: Terminal,
        *,
        clock: Callable[[], float] = time.monotonic,
        animate: bool = True,
    ) -> None:
        """Write the headline and begin to draw; `animate` false leaves drawing to the caller."""
        self._options = options
        self._terminal = terminal
        self._collector = Collector(options, terminal)
        self._clock = clock
        self._begin = clock()
        self._rows: dict[str, _Row] = {}
        self._lock = threading.Lock()
        self._drawn = 0
        self._frame = 0
        self._closed = threading.Event()
        self._painter: threading.Thread | None = None
        self._collector.headline()
        terminal.stream.write(_HIDE_CURSOR)
        if animate:
            self._painter = threading.Thread(target=self._animate, daemon=True, name="display")
            self._painter.start()

    def __call__(self, event: Event) -> None:
        """Take one event."""
        with self._lock:
            self._collector.take(event)
            if isinstance(event, StepStarted):
                self._start(event.step)
            elif isinstance(event, StepFinished):
                row = self._rows.get(event.step.urn) or self._start(event.step)
                # The end of a replacement's last half is what the row keeps showing.
                row.step, row.finished, row.note = event.step, event, ""
            elif isinstance(event, Diagnostic) and event.severity != "debug":
                self._note(event)

    def close(self) -> None:
        """Draw the tree a last time, in full, then write the end."""
        self._closed.set()
        if self._painter is not None:
            self._painter.join()
        with self._lock:
            self._erase()
            for line in self._lines(final=True):
                self._terminal.line(line)
            self._terminal.stream.write(_SHOW_CURSOR)
            self._terminal.line()
            self._collector.conclusion()

    def draw(self) -> None:
        """Redraw what has changed on the screen."""
        with self._lock:
            columns, height = self._terminal.size()
            lines = [fit(line, columns - 1) for line in self._lines(final=False)]
            room = max(height - 3, 3)
            if len(lines) > room:
                lines = self._crop(lines, room)
            self._erase()
            self._terminal.stream.write("".join(f"{line}\n" for line in lines))
            self._terminal.stream.flush()
            self._drawn = len(lines)
            self._frame += 1

    def _animate(self) -> None:
        while not self._closed.wait(_FRAME_SECONDS):
            self.draw()

    def _erase(self) -> None:
        if self._drawn:
            self._terminal.stream.write(f"\x1b[{self._drawn}F{_CLEAR_BELOW}")
            self._drawn = 0

    def _start(self, step: Step) -> _Row:
        state = step.state
        parent = state.parent if state is not None else ""
        row = self._rows.get(step.urn)
        if row is None:
            row = _Row(step.urn, parent, step, self._clock())
            # Deletions come children first: what waited for this row hangs below it now.
            row.children += [other.urn for other in self._rows.values() if other.parent == step.urn]
            self._rows[step.urn] = row
            if parent in self._rows:
                self._rows[parent].children.append(step.urn)
        elif row.finished is not None or not is_shown(row.step):
            row.started = self._clock()
        row.step, row.finished = step, None
        return row

    def _note(self, event: Diagnostic) -> None:
        row = self._rows.get(event.urn)
        if row is None:
            row = next((row for row in self._rows.values() if is_stack(row.step)), None)
        if row is not None:
            row.note = harmless(event.message).strip().split("\n")[0]

    def _lines(self, *, final: bool) -> list[str]:
        entries: list[tuple[str, _Row]] = []
        roots = [row for row in self._rows.values() if row.parent not in self._rows]
        for row in roots:
            self._collect(row, "", "", entries)
        cells = [self._cells(branch, row, final=final) for branch, row in entries]
        lines: list[str] = []
        if cells:
            widths = [max(visible_length(cell[index]) for cell in cells) for index in (1, 2)]
            names = [max(widths[0], 4), max(widths[1], 4)]
            title = f"     {'Type'.ljust(names[0])}  {'Name'.ljust(names[1])}  "
            title += "Plan" if self._options.preview else "Status"
            lines.append(self._terminal.paint(DIM, title))
            lines += [
                f" {mark}  {_pad(type_, names[0])}  {_pad(name, names[1])}  {rest}".rstrip()
                for mark, type_, name, rest in cells
            ]
        if not final:
            lines += ["", self._footer()]
        return lines

    def _collect(self, row: _Row, branch: str, below: str, entries: list[tuple[str, _Row]]) -> bool:
        """Add a row and what is below it; one with nothing to say stands for its children."""
        at = len(entries)
        entries.append((branch, row))
        children = [self._rows[urn] for urn in row.children]
        visible = [child for child in children if self._speaks(child)]
        for child in visible:
            last = child is visible[-1]
            self._collect(
                child,
                below + ("└─ " if last else "├─ "),
                below + ("   " if last else "│  "),
                entries,
            )
        if not visible and not row.shown and not is_stack(row.step):
            del entries[at:]
        return len(entries) > at

    def _speaks(self, row: _Row) -> bool:
        return row.shown or any(self._speaks(self._rows[urn]) for urn in row.children)

    def _cells(self, branch: str, row: _Row, *, final: bool) -> tuple[str, str, str, str]:
        terminal, step = self._terminal, row.step
        look = words(shown_op(step))
        mark = terminal.paint(look.color, look.mark)
        # The stack is done when everything is, not when it is registered.
        over = final or not is_stack(step)
        if row.finished is not None and over:
            status = status_text(row.finished, self._options, terminal)
        elif final:
            status = terminal.paint(YELLOW, "interrupted") if row.shown else ""
        else:
            status = self._running(row)
        info = short_diff(step, terminal)
        rest = "  ".join(part for part in (status, info, row.note if not final else "") if part)
        return mark, terminal.paint(DIM, branch) + display_type(step.type), name_of(step), rest

    def _running(self, row: _Row) -> str:
        look = words(shown_op(row.step))
        spinner = _FRAMES[self._frame % len(_FRAMES)]
        if is_stack(row.step):
            return self._terminal.paint(BOLD, f"{spinner} running")
        verb = look.plan if self._options.preview else look.doing
        if not verb:
            return ""
        seconds = int(self._clock() - row.started)
        elapsed = "" if self._options.preview else f" ({seconds}s)"
        return self._terminal.paint(look.color + BOLD, f"{spinner} {verb}{elapsed}")

    def _footer(self) -> str:
        preview, _, verb = KINDS[self._options.kind]
        doing = preview.lower() if self._options.preview else verb
        seconds = int(self._clock() - self._begin)
        return self._terminal.paint(HEADLINE, f"@ {doing} ({seconds}s)")

    def _crop(self, lines: list[str], room: int) -> list[str]:
        """Keep the title, the rows at work and the footer; count the rest."""
        title, rows, end = lines[0], lines[1:-2], lines[-2:]
        spare = room - 4
        active = [line for line in rows if any(frame in line for frame in _FRAMES)]
        kept = active[:spare] if len(active) >= spare else rows[-spare:]
        hidden = len(rows) - len(kept)
        return [title, *kept, self._terminal.paint(DIM, f"     … {hidden} more"), *end]


def _pad(text: str, width: int) -> str:
    return text + " " * (width - visible_length(text))
