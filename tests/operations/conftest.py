"""What the tests of the operations share: the command in-process, and one real platform."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from benchmarks.throwaway_server import ThrowawayServer
from operations.command_line import main


@dataclass
class Ran:
    """What one run of a command did."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        return json.loads(self.out)


Operate = Callable[..., Ran]


@pytest.fixture
def operate() -> Operate:
    """Run a command in this process."""

    def run(*argv: str, environ: Mapping[str, str] | None = None, **more: Any) -> Ran:
        out, err = io.StringIO(), io.StringIO()
        code = main(argv, environ=environ or {}, stdout=out, stderr=err, **more)
        return Ran(code, out.getvalue(), err.getvalue())

    return run


@pytest.fixture(scope="session")
def server() -> Iterator[ThrowawayServer]:
    """A real MLflow server with two workers on a real PostgreSQL, started once."""
    with ThrowawayServer(
        workers=2,
        environment={
            "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": "4",
            "MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW": "76",
        },
    ) as running:
        yield running
