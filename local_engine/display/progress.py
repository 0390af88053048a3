"""The displays of a running deployment: plain lines, `--diff` details, and a common end.

A display is fed events from several threads; each takes its own lock. The live tree on a terminal
is `tree.py`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from local_engine.display.step_text import (
    detail_lines,
    display_type,
    headline,
    is_shown,
    is_stack,
    name_of,
    short_diff,
    shown_op,
)
from local_engine.display.summary import (
    diagnostics_lines,
    duration_line,
    outputs_text,
    resources_lines,
)
from local_engine.display.terminal import Terminal
from local_engine.display.wording import HEADLINE, KINDS, RED, words
from local_engine.events import (
    Diagnostic,
    Event,
    ResourceOutputs,
    Step,
    StepFinished,
    StepStarted,
    UpdateFinished,
)

QUIET_SECONDS = 10.0


class Display(Protocol):
    """What shows the events of one deployment."""

    def __call__(self, event: Event) -> None:
        """Take one event, from whatever thread."""
        ...

    def close(self) -> None:
        """Leave the terminal as it was; called once, also after a failure."""
        ...


@dataclass(frozen=True)
class DisplayOptions:
    """What the flags say about showing."""

    kind: str  # up, preview, refresh, destroy
    stack: str
    preview: bool
    suppress_outputs: bool = False
    suppress_progress: bool = False
    debug: bool = False


class Collector:
    """Gathers what is shown at the end; the displays share it."""

    def __init__(self, options: DisplayOptions, terminal: Terminal) -> None:
        """Start with nothing seen."""
        self.options = options
        self.terminal = terminal
        self.messages: list[Diagnostic] = []
        self.failed: set[str] = set()
        self.old_outputs: dict[str, Any] = {}
        self.finished: UpdateFinished | None = None

    def take(self, event: Event) -> None:
        """Remember what the end needs."""
        if isinstance(event, Diagnostic):
            if not event.ephemeral and (event.severity != "debug" or self.options.debug):
                self.messages.append(event)
            if event.severity == "error" and event.urn:
                self.failed.add(event.urn)
        elif isinstance(event, StepFinished) and event.error is not None:
            self.failed.add(event.step.urn)
            known = {(entry.urn, entry.message.strip()) for entry in self.messages}
            if (event.step.urn, event.error.strip()) not in known:
                self.messages.append(Diagnostic("error", event.step.urn, event.error))
        elif isinstance(event, ResourceOutputs) and is_stack(event.step):
            self.old_outputs = event.old_outputs
        elif isinstance(event, UpdateFinished):
            self.finished = event

    def headline(self) -> None:
        """Write `Updating (local):`."""
        preview, update, _ = KINDS[self.options.kind]
        title = preview if self.options.preview else update
        self.terminal.line(self.terminal.paint(HEADLINE, f"{title} ({self.options.stack}):"))

    def conclusion(self) -> None:
        """Write diagnostics, outputs, counts and duration."""
        terminal, finished = self.terminal, self.finished
        for line in diagnostics_lines(self.messages, terminal):
            terminal.line(line)
        if finished is None:
            return
        # After a failure the outputs are the last deployment's and would push the reason away.
        if (
            finished.succeeded
            and finished.outputs is not None
            and not self.options.suppress_outputs
        ):
            for line in outputs_text(self.old_outputs, finished.outputs, terminal):
                terminal.line(line)
        for line in resources_lines(
            finished.changes, terminal, preview=self.options.preview, failed=len(self.failed)
        ):
            terminal.line(line)
        if not self.options.preview:
            terminal.line()
            terminal.line(duration_line(finished.seconds, terminal))


class PlainDisplay:
    """One line per step, as it ends; for logs and pipes.

    A step that runs longer than ten seconds says so, that nobody thinks the run has hung.
    """

    def __init__(
        self,
        options: DisplayOptions,
        terminal: Terminal,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Write the headline at once."""
        self._collector = Collector(options, terminal)
        self._terminal = terminal
        self._options = options
        self._clock = clock
        self._lock = threading.Lock()
        self._running: dict[int, tuple[Step, float, float]] = {}  # step, start, last said
        self._closed = threading.Event()
        self._collector.headline()
        if not options.preview and not options.suppress_progress:
            threading.Thread(target=self._watch, daemon=True, name="progress").start()

    def __call__(self, event: Event) -> None:
        """Take one event."""
        with self._lock:
            self._collector.take(event)
            if isinstance(event, StepStarted):
                now = self._clock()
                self._running[id(event.step)] = (event.step, now, now)
            elif isinstance(event, StepFinished):
                self._running.pop(id(event.step), None)
                if is_shown(event.step) or event.error is not None:
                    self._finished(event)

    def tick(self) -> None:
        """Mention the steps that have been quiet for long."""
        with self._lock:
            now = self._clock()
            for key, (step, start, said) in list(self._running.items()):
                if now - said >= QUIET_SECONDS and is_shown(step) and not is_stack(step):
                    self._running[key] = (step, start, now)
                    self._row(step, f"{words(shown_op(step)).doing} ({int(now - start)}s)")

    def close(self) -> None:
        """Write the end."""
        self._closed.set()
        with self._lock:
            self._terminal.line()
            self._collector.conclusion()

    def _watch(self) -> None:
        while not self._closed.wait(1.0):
            self.tick()

    def _finished(self, event: StepFinished) -> None:
        self._row(event.step, status_text(event, self._options, self._terminal))

    def _row(self, step: Step, status: str) -> None:
        terminal = self._terminal
        look = words(shown_op(step))
        mark = terminal.paint(look.color, look.mark)
        row = f" {mark} {display_type(step.type)} {name_of(step)} {status}"
        info = short_diff(step, terminal)
        terminal.line(f"{row} {info}".rstrip())


class DiffDisplay:
    """The steps with what they change, in the order they come: `--diff`."""

    def __init__(self, options: DisplayOptions, terminal: Terminal) -> None:
        """Write the headline at once."""
        self._collector = Collector(options, terminal)
        self._terminal = terminal
        self._lock = threading.Lock()
        self._depth: dict[str, int] = {}
        self._collector.headline()

    def __call__(self, event: Event) -> None:
        """Take one event."""
        with self._lock:
            self._collector.take(event)
            if isinstance(event, StepStarted):
                self._note_depth(event.step)
                if event.step.op != "refresh" and self._wanted(event.step):
                    self._details(event.step)
            elif isinstance(event, StepFinished):
                step = event.step
                # A reading is no step of its own: what it found is.
                if step.op == "refresh" and (is_stack(step) or is_shown(step)):
                    self._details(step)

    def close(self) -> None:
        """Write the end."""
        with self._lock:
            self._collector.conclusion()

    def _wanted(self, step: Step) -> bool:
        # As in Pulumi: a replacement is shown once, not by its halves; the stack always is.
        return is_stack(step) or (is_shown(step) and step.logical)

    def _note_depth(self, step: Step) -> None:
        state = step.state
        parent = state.parent if state is not None else ""
        self._depth[step.urn] = self._depth.get(parent, 0) + 1 if parent else 0

    def _details(self, step: Step) -> None:
        depth = self._depth.get(step.urn, 0)
        self._terminal.line(headline(step, depth, self._terminal))
        for line in detail_lines(step, depth):
            self._terminal.line(self._terminal.paint(line.color, str(line)))


def status_text(event: StepFinished, options: DisplayOptions, terminal: Terminal) -> str:
    """Return `created (1.20s)`, `create` in a preview, or `**creating failed**`."""
    look = words(shown_op(event.step))
    if event.error is not None:
        return terminal.paint(RED, f"**{look.doing or 'running'} failed**")
    if options.preview:
        return terminal.paint(look.color, look.plan)
    state = event.step.state
    # A component is registered in no time; its children are what takes long.
    took = f" ({_took(event.seconds)})" if state is not None and state.custom else ""
    return terminal.paint(look.color, f"{look.done}{took}") if look.done else ""


def _took(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds:.2f}s"
    return f"{seconds:.1f}s" if seconds < 10 else f"{int(seconds)}s"
