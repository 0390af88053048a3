"""Every command: its place, its exit code, its masking, its absence from the others' start."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import psycopg
import pytest

from operations.commands import COMMANDS, Command
from operations.place import Place
from operations.report import ExitCode, Line
from smoke_tests.errors import CouldNotLook
from tests.operations.conftest import Operate

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Said:
    """A report that was given its content."""

    exit_code: ExitCode
    text: str

    def document(self) -> Mapping[str, object]:
        return {"said": self.text, "parts": [{"text": self.text}], "number": 3}

    def lines(self) -> Iterable[Line]:
        return [Line(self.text, "red")]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Command]:
    """A command that reports what it was told to, and keeps the password of its argument."""
    module = ModuleType("told_for_the_test")

    def add_arguments(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--code", type=int, default=0)
        parser.add_argument("--refuse", action="store_true")
        parser.add_argument("--ask", action="store_true")

    def run(arguments: argparse.Namespace, place: Place) -> Said:
        place.masker.remember("hush-hush-hush")
        if arguments.refuse:
            raise CouldNotLook("hush-hush-hush was refused")
        if arguments.ask:
            raise psycopg.errors.QueryCanceled("canceling hush-hush-hush\nDETAIL: a timeout")
        place.progress("half of it")
        return Said(arguments.code, f"{place.stack or place.url} knows hush-hush-hush")

    module.add_arguments, module.run = add_arguments, run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "told_for_the_test", module)
    return [
        Command("tell", "told_for_the_test", "say what it was told", takes_url=True),
        Command("dig", "no_such_module", "never loaded"),
    ]


class TestExitCode:
    """0 clean, 1 something was found, 2 could not look; the text and the object agree."""

    @pytest.mark.parametrize(
        ("code", "outcome"), [(0, "clean"), (1, "found"), (2, "could_not_look")]
    )
    def test_of_a_report(
        self, operate: Operate, told: list[Command], code: int, outcome: str
    ) -> None:
        ran = operate("tell", "--stack", "dev", "--code", str(code), "--json", commands=told)
        assert ran.code == code
        assert ran.document == {
            "command": "tell",
            "stack": "dev",
            "outcome": outcome,
            "exit_code": code,
            "problem": None,
            "said": "dev knows [secret]",
            "parts": [{"text": "dev knows [secret]"}],
            "number": 3,
        }

    def test_could_not_look(self, operate: Operate, told: list[Command]) -> None:
        ran = operate("tell", "--refuse", commands=told)
        assert (ran.code, ran.out, ran.err) == (2, "", "error: [secret] was refused\n")

    def test_a_database_that_refuses_in_the_middle(
        self, operate: Operate, told: list[Command]
    ) -> None:
        ran = operate("tell", "--ask", commands=told)
        assert (ran.code, ran.out) == (2, "")
        assert ran.err == (
            "error: the database refused (QueryCanceled: canceling [secret] DETAIL: a timeout): "
            "`python -m operations doctor` looks for the cause\n"
        )

    def test_could_not_look_in_json(self, operate: Operate, told: list[Command]) -> None:
        ran = operate("tell", "--refuse", "--json", commands=told)
        assert ran.code == 2
        assert ran.err == "error: [secret] was refused\n"
        assert ran.document == {
            "command": "tell",
            "stack": None,
            "outcome": "could_not_look",
            "exit_code": 2,
            "problem": "[secret] was refused",
        }

    def test_usage(self, operate: Operate, told: list[Command]) -> None:
        for argv in (
            [],
            ["sing"],
            ["tell", "--stack", "a", "--url", "http://b"],
            ["tell", "--code", "x"],
        ):
            with pytest.raises(SystemExit) as stopped:
                operate(*argv, commands=told)
            assert stopped.value.code == 2, argv


class TestPrinting:
    """Text goes through the masker, without colours where nobody sees them."""

    def test_text(self, operate: Operate, told: list[Command]) -> None:
        ran = operate("tell", "--url", "http://h", commands=told)
        assert (ran.code, ran.out, ran.err) == (0, "http://h knows [secret]\n", "")


class TestTable:
    """A command is one line of the table, imported when it is called."""

    def test_each_module_offers_its_two_functions(self) -> None:
        for command in COMMANDS:
            module = command.load()
            assert callable(module.add_arguments)
            assert callable(module.run)
            assert module.__doc__

    def test_names_are_words_and_unique(self) -> None:
        names = [command.name for command in COMMANDS]
        assert len(set(names)) == len(names)
        assert all(name.isidentifier() or "-" in name for name in names)

    def test_help_lists_all_and_loads_none(self) -> None:
        script = (
            "import sys\nfrom operations.command_line import main\n"
            "from operations.commands import COMMANDS\n"
            "try:\n    main(['--help'])\nexcept SystemExit as stopped:\n    print(stopped.code)\n"
            "print([c.module for c in COMMANDS if c.module in sys.modules])\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert done.stdout.endswith("\n0\n[]\n")
        for command in COMMANDS:
            assert re.search(rf"^    {command.name}\s", done.stdout, re.MULTILINE)
            assert command.summary in " ".join(done.stdout.split())

    def test_every_command_explains_its_arguments(self, operate: Operate, capsys) -> None:
        for command in COMMANDS:
            with pytest.raises(SystemExit) as stopped:
                operate(command.name, "--help")
            assert stopped.value.code == 0
            assert "--json" in capsys.readouterr().out
