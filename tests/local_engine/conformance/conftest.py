"""Which engines a conformance test runs on.

A test that takes `stack` runs on the embedded engine always, and a second time on both engines in
lockstep where the Pulumi CLI is on PATH. CONFORMANCE_ENGINE=pulumi lets that second run use Pulumi
alone: with it, a new release of Pulumi is asked whether the suite still tells the truth.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local_engine.conformance.engines import EmbeddedEngine, Engine, PulumiCli
from tests.local_engine.conformance.stack import Stack, open_stack

NEEDS_PULUMI = pytest.mark.skipif(
    shutil.which("pulumi") is None, reason="needs the Pulumi CLI on PATH"
)
BOTH = "both" if os.environ.get("CONFORMANCE_ENGINE") != "pulumi" else "pulumi"


@pytest.fixture(scope="session")
def embedded() -> Iterator[EmbeddedEngine]:
    engine = EmbeddedEngine()
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def pulumi() -> PulumiCli:
    return PulumiCli()


@pytest.fixture(params=["embedded", pytest.param(BOTH, marks=[NEEDS_PULUMI, pytest.mark.pulumi])])
def stack(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stack]:
    engines: list[Engine] = []
    if request.param != "pulumi":
        engines.append(request.getfixturevalue("embedded"))
    if request.param != "embedded":
        engines.append(request.getfixturevalue("pulumi"))
    with open_stack(engines, tmp_path) as opened:
        yield opened


@pytest.fixture
def embedded_stack(embedded: EmbeddedEngine, tmp_path: Path) -> Iterator[Stack]:
    with open_stack([embedded], tmp_path) as opened:
        yield opened
