"""The table of checks is whole: unique names, reasons that exist, a test that breaks each."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from operations.doctor import server
from operations.doctor.check import Check
from operations.doctor.check_list import checks_of
from operations.place import Place
from tests.operations.conftest import ROOT, Operate
from tests.operations.doctor.conftest import Pass, outputs_of

HERE = Path(__file__).resolve().parent


def checks(target: str, **more: str) -> tuple[Check, ...]:
    place = Place(stack="test", url=None, environ={})
    place.__dict__["outputs"] = outputs_of(
        target=target, tracking_uri="http://mlflow.example.com", **more
    )
    return checks_of(place)


EVERY = {check.name: check for target in ("local", "aws", "gcp") for check in checks(target)}


class TestTable:
    """Each target's checks, from the ground upwards."""

    @pytest.mark.parametrize("target", ["local", "aws", "gcp"])
    def test_names_are_unique(self, target: str) -> None:
        names = [check.name for check in checks(target)]
        assert len(names) == len(set(names))

    def test_reasons_are_checks(self) -> None:
        unknown = {
            check.name: set(check.explained_by) - EVERY.keys()
            for check in EVERY.values()
            if set(check.explained_by) - EVERY.keys()
        }
        assert unknown == {}

    def test_questions_are_questions(self) -> None:
        assert [check.name for check in EVERY.values() if not check.question.endswith("?")] == []

    def test_each_is_broken_by_a_test(self) -> None:
        tests = "\n".join(path.read_text() for path in HERE.glob("test_*.py"))
        assert [name for name in EVERY if f'"{name}"' not in tests] == []

    def test_without_postgresql_nothing_asks_it(self) -> None:
        names = {check.name for check in checks("local", backend_store="sqlite:///mlflow.db")}
        assert not {name for name in names if name.startswith("database.")}

    def test_a_cloud_is_loaded_for_its_stacks_alone(self) -> None:
        script = (
            "import sys, operations.doctor.command\n"
            "print([n for n in sys.modules if '.aws_' in n or '.gcp_' in n or n == 'boto3'])"
        )
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == "[]"


class TestName:
    """A name that leads nowhere is the reason for everything that is asked of it."""

    def test_it_leads_nowhere(self, operate: Operate) -> None:
        found = Pass(operate("doctor", "--url", "http://mlflow.invalid", "--json"))
        assert found.roots == ["server.name"]
        assert found.evidence("server.name").startswith("mlflow.invalid has no address")
        assert found.follows("server.health") == "server.name"

    @pytest.mark.parametrize(
        ("uri", "named"),
        [
            ("https://mlflow.example.com/prefix", True),
            ("http://127.0.0.1:5000", False),
            ("http://localhost:5000", False),
            ("http://[::1]:5000", False),
        ],
    )
    def test_which_addresses_have_one(self, uri: str, named: bool) -> None:
        assert server.is_named(uri) is named
