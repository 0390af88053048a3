"""`about`: which versions run, and where things are kept."""

from __future__ import annotations

import argparse
import platform
from importlib.metadata import PackageNotFoundError, version

from local_engine import __version__
from local_engine.commands.session import open_workspace, table
from local_engine.errors import EngineError


def about(options: argparse.Namespace) -> int:
    """Print a table a bug report needs."""
    rows = [
        ("local_engine", __version__),
        ("Pulumi SDK", _installed("pulumi")),
        ("grpcio", _installed("grpcio")),
        ("Python", platform.python_version()),
        ("System", f"{platform.system()} {platform.release()} {platform.machine()}"),
    ]
    try:
        workspace = open_workspace(options)
        rows += [
            ("Project", f"{workspace.project.name} ({workspace.project.root})"),
            ("Backend", workspace.backend.url),
            ("Selected stack", workspace.selected() or "none"),
        ]
    except EngineError as error:
        rows.append(("Project", str(error)))
    table(("PART", "VALUE"), rows)
    return 0


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
