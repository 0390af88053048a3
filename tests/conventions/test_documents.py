"""What the documents show exists: commands, files, links."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


def make_targets() -> set[str]:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z][a-z-]*):", text, re.MULTILINE))


def shown_commands(path: Path) -> list[str]:
    """Commands a document shows: lines of its shell blocks and words in code marks."""
    text = path.read_text(encoding="utf-8")
    blocks = re.findall(r"```(?:bash|sh|console)\n(.*?)```", text, re.DOTALL)
    inline = re.findall(r"`((?:make|python -m) [^`]+)`", text)
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line] + inline


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
class TestDocumentsAreTrue:
    """A reader can type what a page shows and follow where it points."""

    def test_make_targets_exist(self, path: Path) -> None:
        named = {
            word
            for command in shown_commands(path)
            if (match := re.match(r"(?:\$ )?make ((?:[a-z][a-z-]*\s*)+)", command))
            for word in match[1].split()
        }
        assert named <= make_targets()

    def test_python_modules_exist(self, path: Path) -> None:
        named = {
            match[1]
            for command in shown_commands(path)
            if (match := re.match(r"(?:\$ )?python -m ([a-z_]+(?:\.[a-z_]+)*)", command))
        }
        foreign = ("pip", "venv", "pytest", "mlflow")
        ours = {name.replace(".", "/") for name in named if name not in foreign}
        homes = (ROOT, ROOT / "client", ROOT / "image")
        missing = [
            name
            for name in sorted(ours)
            if not any((home / name / "__main__.py").is_file() for home in homes)
        ]
        assert missing == []

    def test_links_resolve(self, path: Path) -> None:
        text = path.read_text(encoding="utf-8")
        targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
        local = [target for target in targets if "://" not in target]
        assert [target for target in local if not (path.parent / target).exists()] == []


class TestMakefile:
    """`make` alone lists what can be done."""

    def test_every_public_target_has_a_line_of_help(self) -> None:
        listed = subprocess.run(
            ["make", "--no-print-directory", "help"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for target in ("up", "preview", "smoke", "drift", "down", "test", "check"):
            assert re.search(rf"^  make {target} +\S", listed, re.MULTILINE), target
