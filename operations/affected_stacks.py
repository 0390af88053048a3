"""`affected-stacks`: which cloud stacks a change of these files may change.

Owns the table from a path to targets. It errs on the side of too many: a file that no line of the
table names is part of the program for all it knows, and affects every stack. A local stack is
somebody's machine and is previewed there.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from operations.place import Place
from operations.report import ExitCode, Line, Report
from smoke_tests.stack_target import PROJECT_DIRECTORY

ALL = ("aws", "gcp")

RULES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"infra/aws/.*|infra/kubernetes/.*|infra/\w+_aws(_\w+)?\.py", ("aws",)),
    (r"infra/gcp/.*|infra/\w+_gcp(_\w+)?\.py", ("gcp",)),
    (r"infra/local/.*", ()),
    (
        # What no stack's program reads.
        (
            r"(docs|tests|client|benchmarks|examples|operations|smoke_tests|image|policies)/.*"
            r"|(local_engine|simulated_cloud)/.*|\.github/.*|\.ci/.*|[^/]*\.md|Makefile"
            r"|pyproject\.toml|requirements-dev\.(in|txt)|\.gitignore|LICENSE.*"
        ),
        (),
    ),
)
"""The first line that fits the whole path counts."""

_STACK = re.compile(r"Pulumi\.([\w-]+)\.yaml")
_TARGET = re.compile(r"^ *mlflow-platform:target: *[\"']?(\w+)", re.MULTILINE)


@dataclass(frozen=True, kw_only=True, slots=True)
class AffectedStacks:
    """The stacks to preview."""

    stacks: tuple[str, ...]

    @property
    def exit_code(self) -> ExitCode:
        """0: that a stack is affected is no finding."""
        return 0

    def document(self) -> Mapping[str, object]:
        """For a machine."""
        return {"stacks": list(self.stacks)}

    def lines(self) -> Iterable[Line]:
        """A stack a line."""
        return [Line(name) for name in self.stacks]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what can be chosen."""
    parser.add_argument(
        "paths", nargs="*", metavar="PATH", help="changed files (default: standard input's lines)"
    )


def run(arguments: argparse.Namespace, place: Place) -> Report:
    """Say which stacks these files belong to."""
    del place
    paths: Sequence[str] = arguments.paths or [line.strip() for line in sys.stdin]
    return AffectedStacks(stacks=affected(paths, cloud_stacks(PROJECT_DIRECTORY)))


def cloud_stacks(project: Path) -> dict[str, str]:
    """The targets of the stacks that are no machine's own, by name."""
    targets: dict[str, str] = {}
    for path in project.glob("Pulumi.*.yaml"):
        name, target = _STACK.fullmatch(path.name), _TARGET.search(path.read_text(encoding="utf-8"))
        if name and target and target[1] in ALL:
            targets[name[1]] = target[1]
    return targets


def affected(paths: Iterable[str], targets: Mapping[str, str]) -> tuple[str, ...]:
    """The stacks whose preview may change with these files."""
    names: set[str] = set()
    for path in filter(None, paths):
        own = _STACK.fullmatch(path)
        if own:
            names |= {own[1]} & targets.keys()
            continue
        reached = next((to for rule, to in RULES if re.fullmatch(rule, path)), ALL)
        names |= {name for name, target in targets.items() if target in reached}
    return tuple(sorted(names))
