"""docs/local-engine.md and the parser agree."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

from local_engine.flags import build_parser

PAGE = (Path(__file__).parents[2] / "docs" / "local-engine.md").read_text(encoding="utf-8")


def flags(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        yield from (option for option in action.option_strings if option.startswith("--"))
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from flags(inner)


class TestFlags:
    """Every flag is on the page, and the page shows none that is not there."""

    def test_documented(self) -> None:
        assert {flag for flag in flags(build_parser()) if flag not in PAGE} == {"--help"}

    def test_existing(self) -> None:
        refused = set(
            re.findall(r"--[a-z-]+", PAGE.partition("Flags it does not have:")[2].split("\n\n")[0])
        )
        shown = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", PAGE))
        assert shown - set(flags(build_parser())) == refused - set(flags(build_parser()))
