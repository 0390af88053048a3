"""Tests that take minutes run when they are asked for: `make test-all`.

Whole stacks on the simulated clouds, servers under load, a control plane: on two busy cores they
outlast every patience, so a plain run says that it leaves them out.
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
    parser.addoption("--minutes", action="store_true", help="run the tests that take minutes, too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--minutes"):
        return
    skip = pytest.mark.skip(reason="takes minutes: make test-all")
    for item in items:
        path = item.path.relative_to(TESTS).as_posix()
        if path.startswith(MINUTES):
            item.add_marker(skip)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Pulumi's mocks want a current event loop; a test of an engine ends with none."""
    try:
        asyncio.get_event_loop_policy().get_event_loop()
    except RuntimeError:
        asyncio.set_event_loop(asyncio.new_event_loop())
