"""Options of `pytest smoke_tests`: which live server the four stages look at.

Owns the command-line options and the one pass whose results the tests report. Without a server
everything is skipped, and a plain `pytest` never comes here (`testpaths` is `tests`), so nobody
writes to a live platform by accident.
"""

from __future__ import annotations

import os
import shlex

import pytest

from smoke_tests.arguments import parse_arguments
from smoke_tests.command_line import look
from smoke_tests.errors import CouldNotLook
from smoke_tests.masking import Masker
from smoke_tests.retrying import Clock
from smoke_tests.runner import Report


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the address as `python -m smoke_tests` does, and its other flags in one string."""
    group = parser.getgroup("smoke_tests", "four-stage check")
    group.addoption("--tracking-uri", metavar="URI", help="address of the MLflow server")
    group.addoption("--stack", metavar="NAME", help="read address and credentials from this stack")
    group.addoption(
        "--smoke-args", metavar="FLAGS", default="", help="more flags of `python -m smoke_tests`"
    )


@pytest.fixture(scope="session")
def smoke_report(pytestconfig: pytest.Config) -> Report:
    """One pass over the server; every test looks at its own stage of it."""
    uri: str | None = pytestconfig.getoption("--tracking-uri")
    stack: str | None = pytestconfig.getoption("--stack")
    if not uri and not stack:
        pytest.skip("no live server: pass --tracking-uri URI or --stack NAME")
    flags = str(pytestconfig.getoption("--smoke-args"))
    argv = [*shlex.split(flags), *(["--stack", stack] if stack else []), *([uri] if uri else [])]
    try:
        return look(
            parse_arguments(argv, os.environ),
            environ=os.environ,
            clock=Clock(),
            masker=Masker(),
            text=None,
        )
    except CouldNotLook as problem:
        pytest.fail(f"could not look: {problem}", pytrace=False)
