"""What the runbooks show: each command of each fenced block, as a shell would read it.

Owns the reading alone: continued lines are one command, comments are none, and a block inside a
list is one like others. What is done with a command is `test_runbooks`' business.
"""

from __future__ import annotations

import re
import shlex
import textwrap
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs" / "runbooks").glob("*.md"))
FENCE = re.compile(r"^( *)```bash\n(.*?)^\1```", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Shown:
    """One command that a page shows."""

    page: str
    text: str  # on one line, unless a quoted text has more

    @property
    def words(self) -> list[str]:
        """The words of its first program, in front of any pipe."""
        words = shlex.split(self.text)
        return words[: words.index("|")] if "|" in words else words

    @property
    def piped_into(self) -> list[str]:
        """The programs that its output goes to."""
        words = shlex.split(self.text)
        return [words[i + 1] for i, word in enumerate(words) if word == "|"]


def shown_in(path: Path) -> list[Shown]:
    """Commands of a page, in order."""
    text = path.read_text(encoding="utf-8")
    found: list[Shown] = []
    for match in FENCE.finditer(text):
        block = textwrap.dedent(match[2])
        found += [Shown(path.name, command) for command in commands_of(block)]
    return found


def commands_of(block: str) -> list[str]:
    """Commands of a block: one a line, continued where a backslash or a quote says so."""
    commands: list[str] = []
    pending = ""
    for line in block.splitlines():
        if not pending and (not line.strip() or line.lstrip().startswith("#")):
            continue
        joined = f"{pending}{line.strip() if pending.endswith(' ') else line}"
        if joined.endswith("\\"):
            pending = joined[:-1].rstrip() + " "
            continue
        try:
            shlex.split(joined)
        except ValueError:  # an open quote: the text goes on
            pending = joined + "\n"
            continue
        commands.append(joined.strip())
        pending = ""
    if pending:
        raise ValueError(f"a command does not end: {pending}")
    return commands
