"""Rooms import only downward, and a laptop stack never loads what it does not use."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

ROOMS = (
    "client",
    "image",
    "infra",
    "local_engine",
    "operations",
    "policies",
    "simulated_cloud",
    "smoke_tests",
    "tests",
)

MAY_IMPORT = {
    "client": set[str](),
    "image": set[str](),
    "infra": set[str](),
    "local_engine": set[str](),
    "operations": {"infra.outputs", "infra.settings", "infra.naming", "policies", "smoke_tests"},
    "policies": set[str](),
    "simulated_cloud": set[str](),
    "smoke_tests": {"infra.outputs", "infra.settings", "infra.naming"},
}
"""What of other rooms a room may import. A room that is absent here would be free to import all."""


def modules_of(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def imports_of(path: Path) -> set[str]:
    """Absolute names a module imports, at its top or inside a function."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


class TestRoomsImportDownward:
    """A room's neighbours are the ones the design names, and no others."""

    @pytest.mark.parametrize("room", [room for room in MAY_IMPORT if (ROOT / room).is_dir()])
    def test_imports_of_other_rooms(self, room: str) -> None:
        allowed = MAY_IMPORT[room]
        offences = [
            f"{path.relative_to(ROOT)} imports {name}"
            for path in modules_of(room)
            for name in sorted(imports_of(path))
            if name.partition(".")[0] in ROOMS
            and name.partition(".")[0] != room
            and not any(name == other or name.startswith(f"{other}.") for other in allowed)
        ]
        assert offences == []

    def test_every_room_has_a_rule(self) -> None:
        packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
        assert packages - {"tests"} <= MAY_IMPORT.keys()

    @pytest.mark.parametrize("target", ["local", "aws", "gcp", "kubernetes"])
    def test_a_target_does_not_import_its_siblings(self, target: str) -> None:
        siblings = {"local", "aws", "gcp", "kubernetes"} - {target}
        if target in ("aws", "gcp"):
            siblings -= {"kubernetes"}  # a cluster on a cloud carries Kubernetes objects
        offences = [
            f"{path.relative_to(ROOT)} imports {name}"
            for path in modules_of(f"infra/{target}")
            for name in imports_of(path)
            if any(name.startswith(f"infra.{sibling}") for sibling in siblings)
        ]
        assert offences == []


class TestStartUpIsLight:
    """What a stack does not use is not loaded: no cloud SDK, no mlflow, in the program itself."""

    HEAVY = ("mlflow", "boto3", "botocore", "pulumi_aws", "pulumi_gcp", "pulumi_kubernetes")

    @pytest.mark.parametrize(
        "statement",
        [
            "import infra.mlflow_platform, infra.local.local_platform",
            "import infra.settings",
            "import smoke_tests.__main__",
            "import operations.__main__",
            "import local_engine.cli",
        ],
    )
    def test_no_heavy_import(self, statement: str) -> None:
        script = (
            f"{statement}\nimport sys\n"
            f"print([name for name in {self.HEAVY!r} if name in sys.modules])"
        )
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == "[]"

    def test_settings_load_without_pulumi(self) -> None:
        script = "import infra.settings, sys; print('pulumi' in sys.modules)"
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == "False"


class TestFileNames:
    """Inside `infra`, no file hides a module of the standard library or its own subject."""

    VAGUE = frozenset({"helper", "helpers", "util", "utils", "common", "manager", "misc"})

    def test_no_standard_library_name(self) -> None:
        names = {path.stem for path in (ROOT / "infra").glob("*.py")} - {"__init__"}
        assert names & set(sys.stdlib_module_names) == set()

    def test_no_vague_name(self) -> None:
        vague = [
            str(path.relative_to(ROOT))
            for room in MAY_IMPORT
            for path in modules_of(room)
            if self.VAGUE & set(path.stem.split("_"))
        ]
        assert vague == []

    def test_every_module_says_what_it_owns(self) -> None:
        silent = [
            str(path.relative_to(ROOT))
            for room in MAY_IMPORT
            for path in modules_of(room)
            if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
        ]
        assert silent == []
