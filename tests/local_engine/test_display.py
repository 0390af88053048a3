"""What a person sees: Pulumi's words, no secret, no escape codes where there is no terminal."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_engine.display.progress import DiffDisplay, DisplayOptions, PlainDisplay
from local_engine.display.step_text import display_type
from local_engine.display.summary import whole_seconds
from local_engine.display.terminal import Terminal, fit, harmless, visible_length
from local_engine.display.tree import TreeDisplay
from local_engine.events import (
    Diagnostic,
    Event,
    PropertyDiff,
    ResourceOutputs,
    Step,
    StepFinished,
    StepStarted,
    UpdateFinished,
)
from local_engine.property_values import UNKNOWN, Secret
from local_engine.resource_state import ResourceState

STACK = "urn:pulumi:dev::shelf::pulumi:pulumi:Stack::shelf-dev"
BOOK = "urn:pulumi:dev::shelf::shelf:index:Book::moby"


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def state(urn: str, type_: str, **fields: Any) -> ResourceState:
    return ResourceState(urn=urn, type=type_, **fields)


def stack_step(op: str = "create") -> Step:
    root = state(STACK, "pulumi:pulumi:Stack")
    old = None if op == "create" else root
    return Step(op=op, urn=STACK, type="pulumi:pulumi:Stack", old=old, new=root)


def book_step(op: str, old: dict[str, Any] | None, new: dict[str, Any] | None, **more: Any) -> Step:
    def book(inputs: dict[str, Any] | None) -> ResourceState | None:
        if inputs is None:
            return None
        return state(BOOK, "shelf:index:Book", custom=True, id="1", inputs=inputs, parent=STACK)

    return Step(op=op, urn=BOOK, type="shelf:index:Book", old=book(old), new=book(new), **more)


def options(*, preview: bool = False, kind: str = "up") -> DisplayOptions:
    return DisplayOptions(kind=kind, stack="dev", preview=preview)


def ended(changes: dict[str, int], outputs: dict[str, Any] | None = None) -> UpdateFinished:
    return UpdateFinished(changes, 61.2, outputs, succeeded=True)


def shown(events: list[Event], display: Any, stream: io.StringIO) -> str:
    for event in events:
        display(event)
    display.close()
    return stream.getvalue()


def plain(events: list[Event], **kind: Any) -> str:
    stream = io.StringIO()
    return shown(events, PlainDisplay(options(**kind), Terminal(stream, {})), stream)


class TestPlainLines:
    """One line per step as it ends, then diagnostics, outputs, counts, duration."""

    def test_an_update_from_beginning_to_end(self) -> None:
        stack, book = stack_step(), book_step("create", None, {"title": "Moby"})
        same = Step(op="same", urn="urn:x::y::z::w", type="z", old=stack.new, new=stack.new)
        events: list[Event] = [
            StepStarted(stack),
            StepFinished(stack, 0.01),
            StepStarted(book),
            StepFinished(book, 1.25),
            StepFinished(same, 0.0),
            Diagnostic("warning", BOOK, "pages are missing\nsome of them\n"),
            Diagnostic("debug", "", "not for everyone"),
            Diagnostic("info", BOOK, "reading…", ephemeral=True),
            ResourceOutputs(stack, {}, {}),
            ended({"create": 2, "same": 3, "update": 1}, {"key": Secret("hunter2"), "n": 3}),
        ]
        assert (
            plain(events)
            == """\
Updating (dev):
 +  pulumi:pulumi:Stack shelf-dev created
 +  shelf:index:Book moby created (1.2s)

Diagnostics:
  shelf:index:Book (moby):
    warning: pages are missing
    some of them

Outputs:
    key: [secret]
    n  : 3

Resources:
    + 2 created
    ~ 1 updated
    3 changes. 3 unchanged

Duration: 1m2s
"""
        )

    def test_preview_says_what_would_be(self) -> None:
        book = book_step("update", {"title": "a", "x": 1}, {"title": "b", "y": 2})
        text = plain([StepFinished(book, 0.0), ended({"update": 1})], preview=True)
        assert (
            text
            == """\
Previewing update (dev):
 ~  shelf:index:Book moby update [diff: +y-x~title]

Resources:
    ~ 1 to update
"""
        )

    def test_failure(self) -> None:
        book = book_step("create", None, {})
        failed = UpdateFinished({}, 1.0, None, succeeded=False)
        text = plain([StepFinished(book, 1.0, "the shelf is full"), failed])
        assert " +  shelf:index:Book moby **creating failed**\n" in text
        assert "    error: the shelf is full\n" in text
        assert "Resources:\n    1 errored\n" in text

    def test_error_told_twice_is_shown_once(self) -> None:
        book = book_step("create", None, {})
        told = Diagnostic("error", BOOK, "the shelf is full")
        assert plain([told, StepFinished(book, 1.0, "the shelf is full")]).count("full") == 1

    def test_long_step_says_that_it_goes_on(self) -> None:
        stream, clock = io.StringIO(), Clock()
        quiet = DisplayOptions(kind="up", stack="dev", preview=False, suppress_progress=True)
        display = PlainDisplay(quiet, Terminal(stream, {}), clock=clock)
        display(StepStarted(book_step("create", None, {})))
        clock.now = 9.0
        display.tick()
        assert "creating" not in stream.getvalue()
        clock.now = 12.0
        display.tick()
        clock.now = 13.0
        display.tick()
        assert stream.getvalue().count(" +  shelf:index:Book moby creating (12s)\n") == 1

    def test_default_providers_are_not_shown(self) -> None:
        type_ = "pulumi:providers:shelf"
        urn = f"urn:pulumi:dev::shelf::{type_}::default_1_0"
        step = Step(op="create", urn=urn, type=type_, new=state(urn, type_))
        assert "providers" not in plain([StepFinished(step, 0.0)])


class TestFailure:
    """The reason is the last thing said: outputs of an earlier deployment do not follow it."""

    def test_outputs_are_left_out(self) -> None:
        end = UpdateFinished({"same": 1}, 1.0, {"url": "http://here"}, succeeded=False)
        text = plain([Diagnostic("error", BOOK, "no paper left"), end])
        assert "no paper left" in text
        assert "Outputs" not in text


class TestDetails:
    """`--diff` shows what changes and nothing that does not, secrets hidden."""

    def details(self, step: Step, **kind: Any) -> list[str]:
        stream = io.StringIO()
        display = DiffDisplay(options(**kind), Terminal(stream, {}))
        text = shown([StepStarted(step), StepFinished(step, 0.0)], display, stream)
        # The book stands one level below the stack, four columns in.
        return [line.removeprefix("    ") for line in text.splitlines()[1:]]

    def test_update(self) -> None:
        old = {"a": 1, "b": {"x": 1, "y": [1, 2]}, "k": Secret("one"), "same": 0, "__i": 1}
        new = {"a": "1", "b": {"x": 1, "y": [1, 3]}, "k": Secret("two"), "same": 0, "n": UNKNOWN}
        assert self.details(book_step("update", old, new)) == [
            "~ shelf:index:Book: (update)",
            "    [id=1]",
            f"    [urn={BOOK}]",
            '  ~ a: 1 => "1"',
            "  ~ b: {",
            "      ~ y: [",
            "          ~ [1]: 2 => 3",
            "        ]",
            "    }",
            "  ~ k: [secret] => [secret]",
            "  + n: [unknown]",
        ]

    def test_drift_is_told_by_the_providers_detail(self) -> None:
        # A reading is no change of its own (`logical`); what it found is shown all the same.
        step = book_step("refresh", {"a": 1}, {"a": 1}, result_op="update", logical=False)
        assert step.old is not None
        assert step.new is not None
        step.old.outputs, step.new.outputs = {"a": 1, "b": [{"c": 1}]}, {"a": 2, "b": [{}]}
        step.detailed_diff = {
            "a": PropertyDiff("update", False),
            "b[0].c": PropertyDiff("delete", False),
        }
        assert self.details(step, kind="refresh")[3:] == ["  ~ a: 1 => 2", "  - b[0].c: 1"]

    def test_halves_of_a_replacement_are_left_out(self) -> None:
        half = book_step("create-replacement", {"a": 1}, {"a": 2}, logical=False)
        assert self.details(half) == []

    def test_created_and_deleted_show_their_inputs(self) -> None:
        assert self.details(book_step("create", None, {"long": 1, "a": None}))[3:] == [
            "    a   : <null>",
            "    long: 1",
        ]
        assert self.details(book_step("delete", {"a": {}}, None))[3:] == ["    a: {}"]


class TestTree:
    """On a terminal the rows are redrawn in place and stay when it ends."""

    def display(self) -> tuple[TreeDisplay, Screen, Clock]:
        screen, clock = Screen(), Clock()
        terminal = Terminal(screen, {"NO_COLOR": "1"})
        return TreeDisplay(options(), terminal, clock=clock, animate=False), screen, clock

    def test_rows_have_elapsed_seconds_and_end_in_full(self) -> None:
        display, screen, clock = self.display()
        stack, book = stack_step(), book_step("create", None, {})
        display(StepStarted(stack))
        display(StepFinished(stack, 0.0))
        display(StepStarted(book))
        display(Diagnostic("info", BOOK, "opening\nthe box", ephemeral=True))
        clock.now = 3.4
        display.draw()
        rows = screen.getvalue().split("\n")
        assert rows[1].split() == ["\x1b[?25l", "Type", "Name", "Status"]
        assert rows[2].startswith(" +   pulumi:pulumi:Stack  shelf-dev  ")
        assert rows[2].endswith("running")
        assert rows[3].startswith(" +   └─ shelf:index:Book  moby       ")
        assert rows[3].endswith("creating (3s)  opening")
        assert rows[5] == "@ updating (3s)"
        before = len(screen.getvalue())
        text = shown([StepFinished(book, 3.4), ended({"create": 2})], display, screen)[before:]
        assert text.startswith("\x1b[5F\x1b[J")
        assert " +   └─ shelf:index:Book  moby       created (3.4s)\n" in text
        assert "\x1b[?25h" in text
        assert text.endswith("Duration: 1m2s\n")

    def test_unchanged_resources_are_hidden_but_not_above_changed_ones(self) -> None:
        display, screen, _ = self.display()
        group = "urn:pulumi:dev::shelf::shelf:index:Group::g"
        same = state(group, "shelf:index:Group", parent=STACK)
        child = state(BOOK, "shelf:index:Book", custom=True, parent=group)
        lonely = state("urn:pulumi:dev::shelf::t::lonely", "t", parent=STACK)
        for step in (
            stack_step("same"),
            Step(op="same", urn=group, type=same.type, old=same, new=same),
            Step(op="same", urn=lonely.urn, type="t", old=lonely, new=lonely),
            Step(op="update", urn=BOOK, type=child.type, old=child, new=child),
        ):
            display(StepStarted(step))
            display(StepFinished(step, 0.0))
        text = shown([ended({"update": 1})], display, screen)
        assert "Group" in text
        assert "moby" in text
        assert "lonely" not in text

    def test_deletions_show_children_though_their_parent_comes_last(self) -> None:
        display, screen, _ = self.display()
        group = state("urn:pulumi:dev::shelf::t::g", "t", parent=STACK)
        child = state(BOOK, "shelf:index:Book", custom=True, parent=group.urn)
        root = state(STACK, "pulumi:pulumi:Stack")
        for gone in (child, group, root):
            step = Step(op="delete", urn=gone.urn, type=gone.type, old=gone, new=None)
            display(StepStarted(step))
            display(StepFinished(step, 0.0))
        rows = [line.split()[:3] for line in shown([], display, screen).splitlines() if "-" in line]
        assert [row[-1] for row in rows] == ["shelf-dev", "t", "shelf:index:Book"]

    def test_step_that_never_ended_is_called_interrupted(self) -> None:
        display, screen, _ = self.display()
        display(StepStarted(book_step("create", None, {})))
        assert "moby  interrupted" in shown([], display, screen)

    def test_more_rows_than_the_window_has_are_counted(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("LINES", "12")
        monkeypatch.setenv("COLUMNS", "60")
        display, screen, _ = self.display()
        for number in range(40):
            urn = f"urn:pulumi:dev::shelf::t::r{number}"
            display(StepStarted(Step(op="create", urn=urn, type="t", new=state(urn, "t"))))
        display.draw()
        drawn = screen.getvalue().split("\n")
        assert len(drawn) <= 12
        assert any(line.endswith("… 35 more") for line in drawn)


class TestTerminal:
    """Colour only where it is wanted; foreign text cannot take over the terminal."""

    @pytest.mark.parametrize(
        ("stream", "environ", "color", "expected"),
        [
            (Screen(), {}, "auto", True),
            (Screen(), {"NO_COLOR": "1"}, "auto", False),
            (Screen(), {"NO_COLOR": ""}, "auto", True),
            (Screen(), {"NO_COLOR": "1"}, "always", True),
            (Screen(), {"TERM": "dumb"}, "auto", False),
            (Screen(), {}, "never", False),
            (io.StringIO(), {}, "auto", False),
            (io.StringIO(), {}, "always", True),
        ],
    )
    def test_colour(
        self, stream: io.StringIO, environ: dict[str, str], color: str, expected: bool
    ) -> None:
        assert Terminal(stream, environ, color=color).color is expected

    def test_titles_and_cursor_moves_are_removed(self) -> None:
        assert harmless("\x1b]0;pwned\x07a\rb\x07c\x1b[31md") == "abc\x1b[31md"

    @given(st.text("ab\x1b[3m1;", max_size=30), st.integers(2, 20))
    def test_cut_text_fits(self, text: str, width: int) -> None:
        assert visible_length(fit(text, width)) <= width

    def test_small_words(self) -> None:
        assert display_type("aws:s3/bucket:Bucket") == "aws:s3:Bucket"
        assert display_type("aws:s3/other:Bucket") == "aws:s3/other:Bucket"
        assert [whole_seconds(n) for n in (0, 59, 60, 3661)] == ["0s", "59s", "1m0s", "1h1m1s"]
