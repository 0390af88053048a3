"""The steps of an upgrade: which process does each, and what a failure says."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from operations.place import Place
from operations.upgrade_steps import StepFailed, check, roll
from smoke_tests.masking import Masker


def program(folder: Path, name: str, body: str) -> Path:
    """A program that does this, on the PATH of the place."""
    path = folder / name
    path.write_text(f"#!{sys.executable}\nimport os, sys\n{body}\n")
    path.chmod(0o755)
    return path


def place(folder: Path, **environ: str) -> Place:
    return Place(stack="local", url=None, environ={"PATH": str(folder), **environ})


class TestRoll:
    """The engine that deployed the stack rolls its server, or the command that was given."""

    def test_the_engines_up(self, tmp_path: Path) -> None:
        said = tmp_path / "said"
        program(tmp_path, "pulumi", f"open({str(said)!r}, 'w').write(' '.join(sys.argv[1:]))")
        roll(place(tmp_path), None)
        assert said.read_text() == "--non-interactive up --yes --skip-preview --stack local"

    def test_a_command_of_ones_own(self, tmp_path: Path) -> None:
        said = tmp_path / "said"
        own = program(tmp_path, "deploy", f"open({str(said)!r}, 'w').write(sys.argv[1])")
        roll(place(tmp_path), f"{own} 'the new one'")
        assert said.read_text() == "the new one"

    def test_what_it_said_last(self, tmp_path: Path) -> None:
        own = program(
            tmp_path, "deploy", "print('a\\nb\\nc'); print('d', file=sys.stderr); sys.exit(3)"
        )
        with pytest.raises(StepFailed, match=r"^b; c; d$"):
            roll(place(tmp_path, PYTHONUNBUFFERED="1"), str(own))

    def test_silence(self, tmp_path: Path) -> None:
        own = program(tmp_path, "deploy", "sys.exit(3)")
        with pytest.raises(StepFailed, match=r"^exit code 3, and not a word$"):
            roll(place(tmp_path), str(own))

    def test_no_such_program(self, tmp_path: Path) -> None:
        with pytest.raises(StepFailed, match=r"^deploy did not run \(FileNotFoundError\)$"):
            roll(place(tmp_path), str(tmp_path / "deploy"))

    def test_a_secret_in_what_it_said(self, tmp_path: Path) -> None:
        own = program(
            tmp_path, "deploy", "print('the password is', os.environ['WORD']); sys.exit(1)"
        )
        masker = Masker()
        masker.remember("tr0ub4dor-and-three")
        there = Place(
            stack="local", url=None, environ={"WORD": "tr0ub4dor-and-three"}, masker=masker
        )
        with pytest.raises(StepFailed) as failed:
            roll(there, str(own))
        assert "tr0ub4dor" not in str(failed.value)


class TestCheck:
    """The four stages are asked of the stack."""

    def test_no_stack(self, tmp_path: Path) -> None:
        program(tmp_path, "pulumi", "sys.exit('error: no stack named local')")
        with pytest.raises(StepFailed) as failed:
            check(place(tmp_path))
        assert "no stack named local" in str(failed.value)
