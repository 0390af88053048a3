"""docs/settings.md says what the program reads, and names only what really exists."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from infra.settings_declarations import DECLARATIONS, Declaration
from infra.settings_guide_names import READ_BY_NOTHING

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `([a-zA-Z]+)` \|(.*)\|$", re.MULTILINE)
TABLES = TEXT[TEXT.index("## Every setting") : TEXT.index("## The connection budget")]
ROWS = {
    match[1]: [cell.strip() for cell in match[2].split(" | ")] for match in ROW.finditer(TABLES)
}


def mlflow_sources(*paths: str) -> str:
    """Text of MLflow's modules, without the seconds that importing it takes."""
    spec = find_spec("mlflow")
    assert spec is not None
    assert spec.origin is not None
    return "\n".join(
        (Path(spec.origin).parent / path).read_text(encoding="utf-8") for path in paths
    )


class TestEverySettingIsDocumented:
    """A row per setting: type, default, meaning, the guides' name, what becomes of it."""

    def test_in_the_order_of_the_project_file(self) -> None:
        assert list(ROWS) == [declaration.key for declaration in DECLARATIONS]

    @pytest.mark.parametrize("declaration", DECLARATIONS, ids=lambda item: item.key)
    def test_row(self, declaration: Declaration) -> None:
        kind, default, meaning, in_guides, becomes = ROWS[declaration.key]
        expected = declaration.default_text
        assert kind == (
            "list of string" if declaration.kind == "array" else declaration.pulumi_type
        )
        assert default == (f"`{expected}`" if expected else "(empty)")
        assert meaning == declaration.description
        assert in_guides
        assert len(becomes) > 5


class TestNamesExist:
    """What a setting is said to become is read by somebody."""

    def test_mlflow_variables(self) -> None:
        known = mlflow_sources("environment_variables.py")
        becomes = " ".join(row[-1] for row in ROWS.values())
        named = set(re.findall(r"`(MLFLOW_[A-Z_]+)`", becomes))
        theirs = {name for name in named if not name.startswith("MLFLOW_PLATFORM_")}
        assert len(theirs) > 10
        assert [name for name in sorted(theirs) if f'"{name}"' not in known] == []

    def test_variables_of_our_client_and_server(self) -> None:
        packages = ("client/mlflow_platform_client", "image/mlflow_platform_server")
        known = "\n".join(
            path.read_text(encoding="utf-8")
            for package in packages
            for path in (ROOT / package).glob("*.py")
        )
        named = set(re.findall(r"`MLFLOW_PLATFORM_([A-Z_]+)`", TEXT))
        assert [name for name in sorted(named) if name not in known.upper()] == []

    def test_flags_of_the_server(self) -> None:
        package = ROOT / "image" / "mlflow_platform_server"
        known = (package / "serve_options.py").read_text(encoding="utf-8")
        known += '"--no-serve-artifacts"'  # the other side of --serve-artifacts
        becomes = " ".join(row[-1] for row in ROWS.values())
        named = set(re.findall(r"--[a-z-]+", becomes)) - {"--timeout", "--older-than"}
        assert len(named) > 10
        assert [flag for flag in sorted(named) if f'"{flag}"' not in known] == []

    @pytest.mark.parametrize("variable", sorted(READ_BY_NOTHING))
    def test_what_is_said_to_be_read_by_nothing_is(self, variable: str) -> None:
        """The day MLflow reads one of them, this fails and the setting can become it."""
        assert variable not in mlflow_sources("environment_variables.py", "store/db/utils.py")
