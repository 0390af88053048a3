"""Tests that take minutes can be left out: `make test-fast`.

Whole stacks on the simulated clouds, servers under load, a control plane: they take three quarters
of the suite's time, and somebody at work on something else can do without them for a while.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent

MINUTES = (
    "benchmarks/test_harness.py",
    "end_to_end",
    "examples",
    "image",
    "infra/aws/test_aws_platform.py",
    "kubernetes",
    "operations/doctor/test_broken_",
    "operations/drift/test_server.py",
    "operations/test_backup_of_mlflow.py",
    "operations/test_latency.py",
    "operations/test_runbooks_run.py",
    "operations/test_retention.py",
    "operations/test_upgrade.py",
    "policies/test_stacks.py",
)
"""Folders and files under tests/."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fast", action="store_true", help="leave out the tests that take minutes")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=_seconds_or_minutes)  # what fails quickly fails first
    if not config.getoption("--fast"):
        return
    skip = pytest.mark.skip(reason="takes minutes: make test")
    for item in items:
        if _takes_minutes(item):
            item.add_marker(skip)


def _takes_minutes(item: pytest.Item) -> bool:
    return item.path.relative_to(TESTS).as_posix().startswith(MINUTES)


def _seconds_or_minutes(item: pytest.Item) -> int:
    return 2 if _takes_minutes(item) else 1 if item.get_closest_marker("slow") else 0


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Pulumi's mocks want a current event loop; a test of an engine ends with none."""
    try:
        asyncio.get_event_loop_policy().get_event_loop()
    except RuntimeError:
        asyncio.set_event_loop(asyncio.new_event_loop())
