"""A small project whose state and configuration the Pulumi CLI wrote."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local_engine.passphrase import Crypter
from local_engine.workspace import Workspace

FIXTURES = Path(__file__).parent / "fixtures"
PASSPHRASE = "correct-horse"

SHELF_PROJECT = """\
name: shelf
runtime: python
config:
  size:
    type: integer
    default: 3
  token:
    type: string
    secret: true
"""


@pytest.fixture(scope="session")
def shelf_document() -> dict[str, Any]:
    """The checkpoint that `pulumi up` wrote."""
    return json.loads((FIXTURES / "shelf.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def shelf_crypter(shelf_document: dict[str, Any]) -> Crypter:
    """The key of that checkpoint, derived once: it takes a third of a second."""
    salt = shelf_document["checkpoint"]["latest"]["secrets_providers"]["state"]["salt"]
    return Crypter.unlock(PASSPHRASE, salt)


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """The project's folder, its state where the engine looks by default."""
    folder = tmp_path / "shelf"
    stacks = folder / ".state" / "pulumi" / ".pulumi" / "stacks" / "shelf"
    stacks.mkdir(parents=True)
    (folder / "Pulumi.yaml").write_text(SHELF_PROJECT)
    shutil.copy(FIXTURES / "shelf.yaml", folder / "Pulumi.dev.yaml")
    shutil.copy(FIXTURES / "shelf.json", stacks / "dev.json")
    (stacks.parents[1] / "meta.yaml").write_text("version: 1\n")
    return folder


@pytest.fixture
def open_shelf(shelf: Path) -> Callable[..., Workspace]:
    """Open the project as a command does, with an environment of one's own."""

    def open_(**environ: str) -> Workspace:
        return Workspace(shelf, {"PULUMI_CONFIG_PASSPHRASE": PASSPHRASE, **environ})

    return open_
