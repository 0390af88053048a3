"""The commands there are: a table, and what a command's module offers.

Owns the registration. A module is imported when its command is called and not before, so that one
command's libraries never slow another one down. To add a command, write a module with the two
functions of `Operation` and give it a line in `COMMANDS`.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol, cast

from operations.place import Place
from operations.report import Report


class Operation(Protocol):
    """What the module of a command offers."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the command's own arguments, beside `--stack`, `--url` and `--json`."""
        ...

    def run(self, arguments: argparse.Namespace, place: Place) -> Report:
        """Do it, and return what there is to say.

        Raises:
            CouldNotLook: it cannot begin, in one sentence with the next step.
        """
        ...


@dataclass(frozen=True, slots=True)
class Command:
    """One word on the command line."""

    name: str
    module: str
    summary: str  # one line of `python -m operations --help`
    takes_url: bool = False  # works on a server that no stack of ours deployed
    takes_stack: bool = True  # False: it is about all of them, or about files

    def load(self) -> Operation:
        """Import its module."""
        return cast("Operation", import_module(self.module))


COMMANDS: tuple[Command, ...] = (
    Command(
        "doctor",
        "operations.doctor.command",
        "examine the platform: every finding with cause and next step",
        takes_url=True,
    ),
    Command(
        "latency",
        "operations.latency",
        "measure the server, the database and the pool in force",
        takes_url=True,
    ),
    Command(
        "policies",
        "operations.policies",
        "hold what the stack would consist of against the rules",
    ),
    Command("drift", "operations.drift", "compare what runs with what was deployed"),
    Command(
        "drift-issue",
        "operations.drift_issue",
        "open, update or close the GitHub issue of a stack's drift",
    ),
    Command(
        "preview-summary",
        "operations.preview_summary",
        "say what a reviewer of a preview must know first",
    ),
    Command(
        "preview-comment",
        "operations.preview_comment",
        "put the previews' summaries into one comment on a pull request",
        takes_stack=False,
    ),
    Command(
        "affected-stacks",
        "operations.affected_stacks",
        "say which stacks a change of files may change",
        takes_stack=False,
    ),
    Command(
        "cost",
        "operations.cost",
        "estimate what the stack costs each month, and compare it with another",
    ),
    Command("backup", "operations.backup", "back up the database and the artifacts, encrypted"),
    Command("backups", "operations.backups", "list the backups at a place, or check one whole"),
    Command("restore", "operations.restore", "put a backup's data into the stack"),
    Command("drill", "operations.drill", "back up, restore beside, compare everything"),
    Command(
        "backup-key",
        "operations.backup_key",
        "make a pair of keys for backups",
        takes_stack=False,
    ),
    Command(
        "retention",
        "operations.retention",
        "delete old runs for good with their artifacts; a dry run without --confirm",
    ),
    Command(
        "upgrade",
        "operations.upgrade",
        "bring the stack to the MLflow installed here, with a verified backup to go back to",
    ),
)
