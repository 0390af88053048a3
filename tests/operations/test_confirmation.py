"""Whoever destroys something says so, by the stack's name."""

from __future__ import annotations

from io import StringIO

import pytest

from operations.confirmation import require_confirmation
from operations.place import Place
from smoke_tests.errors import CouldNotLook


class Typed(StringIO):
    """A terminal at which somebody types."""

    def isatty(self) -> bool:
        return True


class TestConfirmation:
    """The stack's name, given or typed; nothing else goes on."""

    def ask(self, given: str | None, answers: StringIO) -> list[str]:
        shown: list[str] = []
        place = Place(stack="prod", url=None, environ={}, show=shown.append)
        require_confirmation(place, given, "it deletes all", answers=answers)
        return shown

    def test_given(self) -> None:
        assert self.ask("prod", StringIO()) == []

    def test_typed(self) -> None:
        assert self.ask(None, Typed("prod\n")) == [
            "Type the name of the stack to go on (it deletes all):"
        ]

    @pytest.mark.parametrize("typed", ["", "\n", "yes\n", "Prod\n"])
    def test_typed_wrong(self, typed: str) -> None:
        with pytest.raises(CouldNotLook) as caught:
            self.ask(None, Typed(typed))
        assert str(caught.value) == (
            f"nothing was changed: the answer is {typed.strip()!r} and the stack is 'prod'; repeat "
            "the command with --confirm prod if that is the one"
        )

    def test_given_wrong_is_not_asked_again(self) -> None:
        with pytest.raises(CouldNotLook, match="--confirm is 'dev' and the stack is 'prod'"):
            self.ask("dev", Typed("prod\n"))

    def test_nobody_to_ask(self) -> None:
        with pytest.raises(CouldNotLook, match="nobody can be asked without a terminal; repeat"):
            self.ask(None, StringIO("prod\n"))
